"""The deployed pipeline under load while everything goes wrong: the consumer's process is killed, payloads are
delivered again, the stream is read again from before, and the tables refuse writes or lose answers. Afterwards every
count must be what callers were answered.

`make soak` runs it for three minutes; a short form is among the tests.
"""
