"""The decision: may this call be answered? A count at the quota refuses whatever an estimate says; below it, an
estimate may (see `estimate`). Counted is what came after the last reset, and the quota what it is with its top-ups (see
`adjustments`)."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from tallygate.core.estimate import Leeway, leeway
from tallygate.core.names import Kind
from tallygate.core.periods import SECOND_MS, window_bounds_ms
from tallygate.core.plans import Limit, Plan
from tallygate.core.tuning import TUNING, Tuning
from tallygate.core.usage import Usage

Refusal = Literal["quota", "key", "forbidden", "unavailable"]


@dataclass(frozen=True, slots=True)
class Request:
    """One call to decide on. `id` is the gateway's, and nobody's choice; `home` counts this region's calls; `charge`
    names the identifiers whose quota pays for `units`, of which a free call has none."""

    id: str
    home: str
    units: int
    charge: tuple[Kind, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """One limit, top-ups included, and how much of it is taken to be used, this call included when it was admitted; of
    that, `guessed` is an estimate of what is not counted yet. By `reset_ms` nothing used now counts any more;
    `opens_ms` is when a call that does not fit (`exceeded`) may be tried again. It is refused for that (`refuses`)
    unless the limit only warns, or its plan is in shadow. `estimated`: without the estimate, it would fit."""

    limit: Limit
    used: int
    window_ms: int
    reset_ms: int
    refuses: bool = False
    opens_ms: int = 0
    exceeded: bool = False
    guessed: int = 0
    estimated: bool = False

    def with_used(self, used: int, guessed: int) -> "Checked":
        """The same with another use. Spelt out, since each call makes some: `replace` takes three times as long."""
        return Checked(
            self.limit,
            used,
            self.window_ms,
            self.reset_ms,
            self.refuses,
            self.opens_ms,
            self.exceeded,
            guessed,
            self.estimated,
        )

    @property
    def certain(self) -> int:
        """Units that are used for certain: what callers are told. An estimate may be wrong; who is told that nothing
        remains stays away until the window ends."""
        return self.used - self.guessed

    @property
    def remaining(self) -> int:
        """Units that fit until `renews_ms`, unless others use them up."""
        return 0 if self.refuses or self.exceeded else max(0, self.limit.quota - self.certain)

    @property
    def renews_ms(self) -> int:
        """When there will be more than `remaining`. Of a rolling limit, all that the window before weighs is free when
        this one ends."""
        if self.refuses or self.exceeded:
            return self.opens_ms
        return window_bounds_ms(self.limit.window, self.reset_ms - 1)[0] if self.limit.rolling else self.reset_ms


@dataclass(frozen=True, slots=True)
class Decision:
    """`limits` are all that were checked; `refusal` says why a call is refused, None when it is admitted; `would` why
    it would have been, were its plan not in shadow."""

    limits: tuple[Checked, ...] = ()
    refusal: Refusal | None = None
    retry_after_seconds: int | None = None
    would: Refusal | None = None

    @property
    def allowed(self) -> bool:
        return self.refusal is None

    def is_below(self, percent: int) -> bool:
        """Whether every limit that may refuse is used to less than `percent`."""
        return all(checked.limit.soft or checked.used * 100 < checked.limit.quota * percent for checked in self.limits)


def decide(request: Request, usage: Mapping[Kind, Usage], plan: Plan, now_ms: int, tuning: Tuning = TUNING) -> Decision:
    """Check every limit of `plan` that this call is charged to. `usage` may lack an identifier: nothing is known of it
    then, and nothing was used."""
    checked = [
        _check(limit, usage.get(limit.per, _NOTHING), request, now_ms, tuning)
        for limit in plan.limits_of(request.charge)
    ]
    exceeded = [each for each in checked if each.exceeded and not each.limit.soft]
    if exceeded and not plan.shadow:
        refusing = (replace(each, refuses=True) if each in exceeded else each for each in checked)
        opens_ms = max(each.opens_ms for each in exceeded)
        return Decision(tuple(refusing), "quota", seconds_until(opens_ms, now_ms))
    admitted = tuple(each.with_used(each.used + request.units, each.guessed) for each in checked)
    return Decision(admitted, would="quota" if exceeded else None)


def seconds_until(at_ms: int, now_ms: int) -> int:
    """Whole seconds after which `at_ms` has come."""
    return max(0, -((now_ms - at_ms) // SECOND_MS))


def _check(limit: Limit, usage: Usage, request: Request, now_ms: int, tuning: Tuning) -> Checked:
    left = leeway(limit, usage, request.home, request.units, now_ms, tuning)
    opens_ms, estimated = _opens(left, request)
    return Checked(
        limit=left.limit,
        used=left.used,
        window_ms=left.window_ms,
        reset_ms=left.reset_ms,
        opens_ms=opens_ms,
        exceeded=opens_ms > 0,
        guessed=left.used - left.counted,
        estimated=estimated,
    )


def _opens(left: Leeway, request: Request) -> tuple[int, bool]:
    """When a call that does not fit now may be tried again, 0 when it fits; and whether only an estimate says that it
    does not. A free call always fits."""
    units = request.units
    if not units:
        return 0, False
    if left.counted + units > left.limit.quota:
        return left.free_ms, False
    if left.used + units > left.limit.quota or (left.chance < 1 and _draw(request.id) > left.chance):
        return left.retry_ms, True
    return 0, False


def _draw(request_id: str) -> float:
    """A number from 0 to 1 that this call, and whoever decides on it again, always gets."""
    digest = hashlib.blake2b(request_id.encode(errors="replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


_NOTHING = Usage()
