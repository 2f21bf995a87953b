"""What operators ask of a running service, read from its tables: usage, the largest callers, one caller's standing,
owners, and how counting keeps up. It only reads. The page, the command and the `/ops` API answer by it.
"""
