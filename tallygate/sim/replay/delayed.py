"""The real core, with counts that come late, for as many callers as memory allows.

Nothing is published of a caller below the first mark of every quota, and nobody below half of one meets an estimate: so
they are let through without asking. Who passes the first mark is followed from there on: what they used so far is
counted in their home at once, and each further call goes to a container, a log, a fold and a mark. When their windows
are over and they are silent, they are forgotten.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from tallygate.core.decide import Decision
from tallygate.core.fold import Fold
from tallygate.core.lines import UsageLine
from tallygate.core.marks import COARSE_PERCENT
from tallygate.core.names import Kind, pk_of
from tallygate.core.periods import DAY_MS, MINUTE_MS, window_bounds_ms
from tallygate.core.plans import WINDOWS, Plan
from tallygate.core.tally import Update
from tallygate.sim.traffic.setup import Setup
from tallygate.sim.traffic.world import OFFICE_IP, Call, World

FOLLOWED_FROM_PERCENT: Final = COARSE_PERCENT
MOST_FOLLOWED: Final = 20_000
"""About 6 KB each."""
SETTLED_MS: Final = 15 * MINUTE_MS
"""Long after a caller's last call: every line of theirs is counted, and no container remembers them."""
KEEP_SECONDS: Final = 9 * DAY_MS // 1000
EARLIER: Final = "earlier"
"""The writer of what was used before a caller was followed."""


class Used(NamedTuple):
    """Units charged at some time of a window."""

    at_ms: int
    units: int


class Decides(Protocol):
    """Decides on the calls of followed callers."""

    def is_followed(self, kind: Kind, value: str) -> bool:
        """Whether calls of this caller are decided on here."""
        ...

    def follow(self, kind: Kind, value: str, used: Sequence[Used], now_ms: int) -> bool:
        """Decide on this caller from now on; `used` is what they used of the current windows. False when there are too
        many."""
        ...

    def call(self, at_ms: int, region: str, charge: tuple[tuple[Kind, str], ...]) -> Decision:
        """Decide on a call, charged to followed callers only."""
        ...


class Delayed:
    """Decides in a world of its own. Calls come in the order of their times."""

    def __init__(self, setup: Setup, plan: Plan, seed: int, most: int = MOST_FOLLOWED) -> None:
        self._world = World(setup, seed)
        self._plan = plan
        self._caps = plan.caps()
        self._home = setup.homes[0]
        self._region = setup.regions[0]
        self._most = most
        self._longest = {
            kind: max((limit.window for limit in plan.limits if limit.per == kind), key=WINDOWS.index)
            for kind in self._caps
        }
        self._rolls = any(limit.rolling for limit in plan.limits)
        self._swept_ms = 0
        self._last_ms: dict[tuple[Kind, str], int] = {}
        self._lines = 0

    def is_followed(self, kind: Kind, value: str) -> bool:
        """See Decides."""
        return (kind, value) in self._last_ms

    def follow(self, kind: Kind, value: str, used: Sequence[Used], now_ms: int) -> bool:
        """See Decides."""
        if len(self._last_ms) >= self._most and not self._sweep(now_ms):
            return False
        self._world.finish(now_ms)
        self._count_earlier(kind, value, used, now_ms)
        self._last_ms[kind, value] = now_ms
        return True

    def call(self, at_ms: int, region: str, charge: tuple[tuple[Kind, str], ...]) -> Decision:
        """See Decides."""
        for caller in charge:
            self._last_ms[caller] = at_ms
        return self._world.call(Call(at_ms, region, charge, self._plan))

    def _count_earlier(self, kind: Kind, value: str, used: Sequence[Used], now_ms: int) -> None:
        fold = Fold()
        fold.add(self._lines + 1, now_ms, [self._line(kind, value, each) for each in used], KEEP_SECONDS)
        for key, item in fold.items.items():
            if key.pk == pk_of(kind, value):
                self._lines += 1
                for contribution in item.contributions:
                    tally = self._world.homes[self._home].tally
                    update = (self._lines, self._lines, contribution.delta, now_ms, item.expires_seconds)
                    tally.add(Update(key, EARLIER, *update))

    def _line(self, kind: Kind, value: str, used: Used) -> UsageLine:
        return UsageLine(
            id="",
            timestamp_ms=used.at_ms,
            home=self._home,
            region=self._region,
            ip=value if kind == "ip" else OFFICE_IP,
            ref=value if kind == "ref" else None,
            key=value if kind == "key" else None,
            units=used.units,
            status=200,
            charge=(kind,),
            caps=self._caps,
        )

    def _sweep(self, now_ms: int) -> bool:
        """Forget callers whose windows are over and whose last lines are counted; whether there is room now."""
        if now_ms - self._swept_ms < MINUTE_MS:
            return False
        self._swept_ms = now_ms
        over = [caller for caller, last_ms in self._last_ms.items() if self._is_over(caller[0], last_ms, now_ms)]
        for caller in over:
            del self._last_ms[caller]
        self._world.forget_callers([pk_of(kind, value) for kind, value in over])
        return len(self._last_ms) < self._most

    def _is_over(self, kind: Kind, last_ms: int, now_ms: int) -> bool:
        window = self._longest.get(kind, "second")  # an address that only bursts are held against
        over_ms = window_bounds_ms(window, last_ms)[1]
        if self._rolls:  # it still weighs in the next one
            over_ms = window_bounds_ms(window, over_ms)[1]
        return max(over_ms, last_ms + SETTLED_MS) <= now_ms
