"""Rate-limit header fields of an answer: those of the IETF draft, and the older ones that many clients read.

Draft: draft-ietf-httpapi-ratelimit-headers-11, structured fields (RFC 9651). Its parameters may be renamed (`r` to
`a`, `t` to `w`): DRAFT is the one place to switch.
"""

from dataclasses import dataclass
from typing import Final

from tallygate.core.decide import Checked, Decision, seconds_until
from tallygate.core.periods import SECOND_MS

MAX_INTEGER: Final = 999_999_999_999_999  # RFC 9651, section 3.3.1: at most 15 digits


@dataclass(frozen=True, slots=True)
class Draft:
    """Names of parameters in one version of the draft: what remains, and in how many seconds there is more."""

    remaining: str
    seconds: str


DRAFT_11: Final = Draft(remaining="r", seconds="t")
DRAFT: Final = DRAFT_11
"""The version that callers are answered in."""

EXPOSED: Final = (
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "WWW-Authenticate",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
)
"""What a script in a browser may read of an answer beside what it always may (Fetch, CORS-safelisted response-header
names)."""


def rate_limit_headers(decision: Decision, now_ms: int, draft: Draft = DRAFT) -> dict[str, str]:
    """Header fields that tell the limits of `decision`; empty when none was checked. `X-RateLimit-*` speak of one: of
    those that refuse, else of those that could and are no burst, the one of which the fewest units remain: so many more
    fit through all of them. Of equals, the one that renews last: then all have. Its reset is in Unix seconds (the usual
    reading)."""
    headers = {}
    if decision.limits:
        refusing = [checked for checked in decision.limits if checked.refuses]
        binding = [each for each in decision.limits if not each.limit.soft and each.window_ms > SECOND_MS]
        tightest = min(
            refusing or binding or decision.limits, key=lambda checked: (checked.remaining, -checked.renews_ms)
        )
        headers = {
            "RateLimit-Policy": ", ".join(
                f'"{checked.limit.name}";q={_integer(checked.limit.quota)};w={checked.window_ms // 1000}'
                for checked in decision.limits
            ),
            "RateLimit": ", ".join(_remaining(checked, now_ms, draft) for checked in decision.limits),
            "X-RateLimit-Limit": str(tightest.limit.quota),
            "X-RateLimit-Remaining": str(tightest.remaining),
            "X-RateLimit-Reset": str(seconds_until(tightest.renews_ms, 0)),
        }
    if decision.retry_after_seconds is not None:
        headers["Retry-After"] = str(decision.retry_after_seconds)
    return headers


def _remaining(checked: Checked, now_ms: int, draft: Draft) -> str:
    seconds = seconds_until(checked.renews_ms, now_ms)
    return f'"{checked.limit.name}";{draft.remaining}={_integer(checked.remaining)};{draft.seconds}={seconds}'


def _integer(value: int) -> int:
    return min(value, MAX_INTEGER)
