"""Marks: the counts at which a home tells the other regions. Between two marks the gate keeps the older figure, so a
caller costs replicated writes by significance, not by calls.

The marks of a limit lie at 5 %, 10 % … 90 % of its quota, then at each 1 % to 100 %, then at each 5 %. With N homes
no home sees more than its own share, so the fine marks begin at 50 % / N and are steps of 1 % of quota / N. A quota
below 100 has a mark at every call where its steps are shorter than one.
"""

from collections.abc import Mapping
from typing import Final

from tallygate.core.plans import Policy

COARSE_PERCENT: Final = 5
FINE_FROM_PERCENT_ONE_HOME: Final = 90
FINE_FROM_PERCENT_MANY_HOMES: Final = 50
"""Of quota / N, for N > 1: a caller may spend all of their quota at one home, or evenly at all of them."""


def mark_index(used: int, quota: int, homes: int = 1) -> int:
    """How many marks of `quota` lie at or below `used` units. Exact: integers only. A quota of 0 has one mark, at 0."""
    if quota <= 0:
        return 1
    share = 100 * homes  # fractions of quota / homes, in percent: used * share // quota
    fine_from = FINE_FROM_PERCENT_ONE_HOME if homes == 1 else FINE_FROM_PERCENT_MANY_HOMES
    # All in units of quota / (100 * homes), so that both kinds of step are whole numbers.
    coarse_step = COARSE_PERCENT * homes
    position = used * share // quota
    if position < fine_from:
        return position // coarse_step
    if used < quota:
        return fine_from // coarse_step + 1 + (position - fine_from)
    return fine_from // coarse_step + 1 + (share - fine_from) + (used - quota) * 100 // (quota * COARSE_PERCENT)


def first_mark(quota: int, homes: int = 1) -> int:
    """The fewest units that pass a mark of `quota`."""
    position = min(COARSE_PERCENT * homes, FINE_FROM_PERCENT_MANY_HOMES)  # one home's are fine from far beyond it
    return -(-position * quota // (100 * homes))


def crosses(before: int, after: int, quota: int, homes: int = 1) -> bool:
    """Whether a count that went from `before` to `after` passed a mark of `quota`."""
    return before != after and mark_index(before, quota, homes) != mark_index(after, quota, homes)


def is_significant(
    before: Mapping[Policy, int], after: Mapping[Policy, int], caps: Mapping[Policy, int], homes: int
) -> bool:
    """Whether any limit of `caps` passed a mark; `before` and `after` are units charged in the window of each."""
    return any(crosses(before[policy], after[policy], quota, homes) for policy, quota in caps.items())
