"""The plans that a log is held to: those of the configuration, and limits that somebody wants to try."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from tallygate.config import Config
from tallygate.core.names import SHOWN_KINDS
from tallygate.core.plans import MAX_QUOTA, WINDOWS, Limit, Plan

TRIED: Final = "tried"
"""The name of a plan that is made of `--quota`."""
_QUOTA: Final = re.compile(r"([a-z]+)=([0-9][0-9_,]*)/([a-z]+)(?::(rolling))?", re.ASCII)


class PlanError(ValueError):
    """There is no such plan, or it makes no sense; the message says what is allowed."""


def limit_of(text: str) -> Limit:
    """The limit that `ip=200/day` or `ip=60/hour:rolling` describes."""
    match = _QUOTA.fullmatch(text.strip())
    per = next((kind for kind in SHOWN_KINDS if match and kind == match[1]), None)
    window = next((name for name in WINDOWS if match and name == match[3]), None)
    quota = int(re.sub("[_,]", "", match[2])[:20]) if match else 0
    if per is None or window is None or not 1 <= quota <= MAX_QUOTA:
        kinds, windows = ", ".join(SHOWN_KINDS), ", ".join(WINDOWS)
        raise PlanError(
            f"{text!r} is no limit: write ip=200/day or ip=60/hour:rolling, with one of {kinds} and one of {windows}"
        )
    rolling = bool(match and match[4])
    if rolling and window == "minute":
        raise PlanError(f"{text!r}: a limit by the minute does not roll: each container holds it by itself")
    return Limit(per, quota, window, rolling)


def tried_plan(limits: Sequence[Limit]) -> Plan:
    """A plan of these limits: for keys when they are per key, else the anonymous one."""
    if len({limit.name for limit in limits}) < len(limits):
        raise PlanError("each kind and window may be limited once")
    kinds = {limit.per for limit in limits}
    if "key" in kinds and kinds != {"key"}:
        raise PlanError("calls with a key are held to its limits, others to those per ip and ref: try one or the other")
    return Plan(TRIED, tuple(limits), anonymous="key" not in kinds)


def named_plan(config: Config, name: str) -> Plan:
    """The plan `name` of the configuration."""
    for plan in config.plans:
        if plan.name == name:
            return plan
    raise PlanError(f"there is no plan {name!r}: there are {', '.join(plan.name for plan in config.plans)}")


def per_address(plan: Plan) -> Plan:
    """`plan`, for keys, with each address in the place of a key."""
    if plan.anonymous:
        raise PlanError(f"plan {plan.name} is for calls without a key: addresses stand for keys in plans for keys only")
    return replace(plan, limits=tuple(replace(limit, per="ip") for limit in plan.limits))
