"""What quotas would have done to a log: its calls held to a plan, by the real core on a virtual clock and, beside it,
by a limiter that counts exactly and at once.

`charging` says who pays for a call, `exact` counts, `delayed` is the core in a world of late counts, `replay` takes
each call through all of them, and `run` the whole log; `findings` is what came out, `words` and `page` tell it. However
many callers a log has, memory is bounded: `callers`.
"""
