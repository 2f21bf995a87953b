"""Fault schedules: the real consumer on stores in memory, with everything going wrong that delivery, storage and
processes can do wrong, and at the end an exact comparison with what was sent.

`schedule` draws, `world` runs, `verdict` compares, `shrink` makes a failing schedule small, `campaign` runs many.
"""
