"""Republishing: what a home has to tell the other regions anew when the limits of a caller change. Under other limits
the marks lie elsewhere, and a count that was near enough to what is published may be far from it now.

A publication is a whole copy of an item, never older than the one before, so that whoever makes it with the exact item
at hand is as right as the consumer."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from tallygate.core.estimate import leeway
from tallygate.core.gate import Partition
from tallygate.core.marks import first_mark, mark_index
from tallygate.core.names import Kind, pk_of
from tallygate.core.periods import period_of, window_bounds_ms
from tallygate.core.plans import COUNTED_WINDOWS, Limit, Plan, Window
from tallygate.core.publish import Publication, PublishMode, publication_of
from tallygate.core.standing import marked_caps, standing_limits
from tallygate.core.tally import ItemKey, TallyItem
from tallygate.core.tuning import TUNING
from tallygate.core.usage import HomeUsage, Usage


@dataclass(frozen=True, slots=True)
class Group:
    """Callers of one kind whose limits change from those of `before` to those of `after`. `values` is None for all that
    there are."""

    kind: Kind
    before: Plan | None
    after: Plan
    values: tuple[str, ...] | None = None

    @property
    def is_changed(self) -> bool:
        """Whether its counted limits are others afterwards."""
        return _counted(self.before, self.kind) != _counted(self.after, self.kind)

    @property
    def is_tightened(self) -> bool:
        """Whether somebody may be refused for what they used under the limits before."""
        before = {limit.policy: limit for limit in _counted(self.before, self.kind)}
        for limit in _counted(self.after, self.kind):
            old = before.get(limit.policy)
            if old is None or limit.quota < old.quota or limit.rolling > old.rolling:
                return True
        return False

    def least(self, homes: int, mode: PublishMode) -> int:
        """Whoever was charged less than this in every home and period passed no mark, before or after."""
        quotas = []
        for limit in (*_counted(self.before, self.kind), *_counted(self.after, self.kind)):
            # Of a rolling limit, the period before may weigh this much in each home and still have no mark.
            weighs = homes * first_mark(limit.quota, homes) if limit.rolling else 0
            quotas.append(max(1, limit.quota - weighs))
        return 1 if mode == "every" or not quotas else first_mark(min(quotas), homes)


@dataclass(frozen=True, slots=True)
class Caller:
    """What the gate has of a caller, and what each home counted in each period (`month#2026-11`)."""

    kind: Kind
    value: str
    partition: Partition
    counts: Mapping[str, Mapping[str, TallyItem]]


class Assessment(NamedTuple):
    """Whether a caller used enough to have passed a mark; whether they had no room left by the limits before, and have
    none by those after; and what is to be published for the latter."""

    is_touched: bool
    was_over: bool
    is_over: bool
    due: tuple[Publication, ...]


class KeyMove(NamedTuple):
    """The names of the plans that a key is on and will be on, the quotas that are its own, and whose it is."""

    before: str
    after: str
    overrides: tuple[Limit, ...] = ()
    owner: str | None = None


def groups_of(before: Iterable[Plan], after: Iterable[Plan], keys: Mapping[str, KeyMove]) -> list[Group]:
    """Everybody whose limits change. `keys` by the id that each is counted under."""
    was, new = ({plan.name: plan for plan in plans} for plans in (before, after))
    groups = []
    anonymous = next((plan for plan in new.values() if plan.anonymous), None)
    if anonymous is not None:
        old = next((plan for plan in was.values() if plan.anonymous), None)
        kinds: tuple[Kind, ...] = ("ip", "ref")
        groups += [Group(kind, old, anonymous) for kind in kinds]
    moves: dict[tuple[Kind, KeyMove], dict[str, None]] = {}
    for id, move in sorted(keys.items()):
        moves.setdefault(("key", move._replace(owner=None)), {})[id] = None
        if move.owner is not None:
            moves.setdefault(("owner", KeyMove(move.before, move.after)), {})[move.owner] = None
    for (kind, move), values in moves.items():
        if move.after in new:
            left = was[move.before].overridden(move.overrides) if move.before in was else None
            groups.append(Group(kind, left, new[move.after].overridden(move.overrides), tuple(values)))
    return [group for group in groups if group.is_changed]


def periods_of(group: Group, now_ms: int) -> list[str]:
    """The items in which the limits of a group are counted, each once."""
    return list(dict.fromkeys(_item_of(limit.window, at_ms) for limit, at_ms in _limits_and_times(group, now_ms)))


def months_of(group: Group, now_ms: int) -> list[str]:
    """The months in which they are, as `2026-11`."""
    times = dict.fromkeys(at_ms for _, at_ms in _limits_and_times(group, now_ms))
    return list(dict.fromkeys(period_of("month", at_ms).partition("#")[2] for at_ms in times))


def assess(caller: Caller, group: Group, mode: PublishMode, now_ms: int) -> Assessment:
    """What a change of limits means for a caller of `group`."""
    exact = [_exact(home, period, item) for home, periods in caller.counts.items() for period, item in periods.items()]
    usage = Usage(tuple(exact), (), caller.partition.adjustments)
    least = group.least(len(caller.counts), mode)
    return Assessment(
        any(row.charged >= least for row in exact),
        _is_over(group.before, caller.kind, usage, now_ms),
        _is_over(group.after, caller.kind, usage, now_ms),
        tuple(_due(caller, group.after, mode, now_ms)),
    )


def _due(caller: Caller, plan: Plan, mode: PublishMode, now_ms: int) -> Iterator[Publication]:
    published = {(row.home, _period(row)): row for row in caller.partition.homes}
    known = Usage(caller.partition.homes, (), caller.partition.adjustments)
    standing = standing_limits(plan, {caller.kind: known}, now_ms)
    for home, items in caller.counts.items():
        caps = marked_caps(standing, home).get(caller.kind, {})
        due = set()
        for limit in _counted(plan, caller.kind):
            for at_ms in _times_ms(limit, now_ms):
                period = _item_of(limit.window, at_ms)
                if period not in items:
                    continue
                row = published.get((home, period), HomeUsage.nothing(home, period))
                told = row.charged_in(limit.window, at_ms)
                counted = _exact(home, period, items[period]).charged_in(limit.window, at_ms)
                if told < counted and (
                    mode == "every" or _marks(told, counted, caps[limit.policy], len(caller.counts))
                ):
                    due.add(period)
        for period in sorted(due):
            row = published.get((home, period), HomeUsage.nothing(home, period))
            item = items[period]
            flushed_ms = item.last_flush_ms or 0
            yield publication_of(
                ItemKey(pk_of(caller.kind, caller.value), period),
                home, item, row.rate_milli, flushed_ms, row.lag_ms, _expires_seconds(period, now_ms),
            )  # fmt: skip


def _marks(told: int, counted: int, cap: int, homes: int) -> bool:
    return mark_index(told, cap, homes) != mark_index(counted, cap, homes)


def _is_over(plan: Plan | None, kind: Kind, usage: Usage, now_ms: int) -> bool:
    if plan is None or plan.shadow:
        return False
    return any(leeway(limit, usage, "", 1, now_ms, TUNING).is_full for limit in _counted(plan, kind) if not limit.soft)


def _counted(plan: Plan | None, kind: Kind) -> list[Limit]:
    """The limits of `plan` whose use homes count."""
    limits: Sequence[Limit] = plan.limits if plan is not None else ()
    return [limit for limit in limits if limit.per == kind and limit.window in COUNTED_WINDOWS]


def _limits_and_times(group: Group, now_ms: int) -> Iterator[tuple[Limit, int]]:
    for limit in (*_counted(group.before, group.kind), *_counted(group.after, group.kind)):
        for at_ms in _times_ms(limit, now_ms):
            yield limit, at_ms


def _times_ms(limit: Limit, now_ms: int) -> list[int]:
    """A time in each period that uses up a limit."""
    return [now_ms, window_bounds_ms(limit.window, now_ms)[0] - 1] if limit.rolling else [now_ms]


def _item_of(window: Window, at_ms: int) -> str:
    """The period of the item that counts `window`: days are in those of months."""
    return period_of("hour" if window == "hour" else "month", at_ms)


def _period(row: HomeUsage) -> str:
    return f"hour#{row.hour}" if row.hour else f"month#{row.month}"


def _exact(home: str, period: str, item: TallyItem) -> HomeUsage:
    return replace(HomeUsage.nothing(home, period), charged=item.charged, days=item.days)


def _expires_seconds(period: str, now_ms: int) -> int:
    """When the row of a current period, or of the one before, says nothing any more: a period after its end."""
    window: Window = "hour" if period.startswith("hour#") else "month"
    end_ms = window_bounds_ms(window, now_ms)[1]
    if period_of(window, now_ms) != period:
        return end_ms // 1000
    return window_bounds_ms(window, end_ms)[1] // 1000
