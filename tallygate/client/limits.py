"""What the headers of an answer say of limits (draft-ietf-httpapi-ratelimit-headers-11, and as a later one is about to
name the parameters of RateLimit: `a` for `r`, `w` for `t`)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_MEMBER = re.compile(
    r'\s*"((?:[^"\\]|\\.)*)"((?:\s*;\s*[a-z*][a-z0-9_.*-]*=(?:"(?:[^"\\]|\\.)*"|[^;,\s]*))*)\s*(?:,|$)'
)
_PARAMETER = re.compile(r";\s*([a-z*][a-z0-9_.*-]*)=(-?[0-9]{1,15})(?![0-9.])")


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit at the time of an answer: `remaining` units of `quota` in a window that ends in `resets_in_seconds`.
    None where the headers do not say."""

    policy: str
    quota: int | None
    window_seconds: int | None
    remaining: int | None
    resets_in_seconds: int | None


def limits_of(headers: Mapping[str, str]) -> tuple[Limit, ...]:
    """The limits that `RateLimit` and `RateLimit-Policy` tell, in their order. What cannot be read is left out."""
    policies = dict(_members(headers.get("RateLimit-Policy", "")))
    states = dict(_members(headers.get("RateLimit", "")))
    return tuple(_limit(name, policies.get(name, {}), states.get(name, {})) for name in {**policies, **states})


def _limit(name: str, policy: Mapping[str, int], state: Mapping[str, int]) -> Limit:
    remaining, seconds = state.get("r", state.get("a")), state.get("t", state.get("w"))
    return Limit(name, policy.get("q"), policy.get("w"), remaining, seconds)


def _members(text: str) -> Iterator[tuple[str, dict[str, int]]]:
    """The members of a list of strings with whole numbers as parameters (RFC 9651), up to what is none."""
    at = 0
    while member := _MEMBER.match(text, at):
        yield member[1], {name: int(value) for name, value in _PARAMETER.findall(member[2])}
        at = member.end()
