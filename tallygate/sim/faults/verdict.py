"""What a schedule should have come to, computed from what was sent, and every difference from what it did. Shares
nothing with the core: periods come from the calendar of the standard library, marks and ranks from their definition."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from fractions import Fraction
from functools import cache
from math import ceil, isqrt

from tallygate.sim.faults.schedule import LEVELS, Event, Invalid, caps_of
from tallygate.sim.faults.telling import SERVICE, STAGE
from tallygate.sim.faults.world import GARBAGE, Home, World

REASONS: dict[Invalid, str] = {
    "not JSON": "not JSON",
    "no id": "id is missing",
    "negative": "units is not an integer from 0 to 1000000000",
    "too old": "timestamp is more than 7 days before the arrival",
    "too new": "timestamp is more than 5 minutes after the arrival",
    "other home": "home is sa-east-1, this is {home}",
}

Counts = dict[tuple[str, str], dict[str, int]]


@cache
def marks(quota: int, homes: int) -> list[int]:
    """The counts that are marks of a quota, up to its fivefold: each 5 % up to where the fine ones begin (90 %, or 50
    % / homes), then each 1 % of quota / homes up to the quota, then each 5 %."""
    fine_from = Fraction(90) if homes == 1 else Fraction(50, homes)
    coarse = [percent for percent in range(5, 100, 5) if percent <= fine_from]
    fine = [fine_from + Fraction(step, homes) for step in range(1, 100 * homes)]
    fine = [percent for percent in fine if percent < 100]
    return sorted({ceil(quota * percent / 100) for percent in (*coarse, fine_from, *fine, *range(100, 500, 5))})


@cache
def rank(count: int) -> int:
    """The largest power of √2, rounded down, that is not above `count`; none below 8."""
    return max((isqrt(2**power) for power in range(6, 60) if isqrt(2**power) <= count), default=0)


def differences(world: World) -> list[str]:
    """Everything that is not as it should be; empty when the schedule held."""
    found: list[str] = []
    counts = {name: expected_counts(world, name) for name in world.homes}
    for home in world.homes.values():
        expected = counts[home.name]
        found += _tally(home, expected)
        found += _gate(home, expected, world.schedule.publish == "every", len(world.homes))
        found += _rejects(home, world)
    return [*found, *_notices(world, counts)]


def arrived(world: World, home: str) -> Iterator[tuple[int, tuple[Event, ...]]]:
    """Every payload that reached `home`, once: (number, events)."""
    for number in world.arrived_ms:
        sent = world.schedule.sent[number]
        if sent.home == home and not sent.garbage:
            yield number, sent.events


def expected_counts(world: World, home: str) -> Counts:
    """The sum of the distinct valid events, by item and field."""
    counts: Counts = {}

    def add(pk: str, sk: str, fields: dict[str, int]) -> None:
        item = counts.setdefault((pk, sk), {})
        for name, value in fields.items():
            item[name] = item.get(name, 0) + value

    counted_once: set[str] = set()
    for _, events in arrived(world, home):
        for event in events:
            line = event.line
            refused = line.status == 429
            claims = not refused and bool(line.units or line.ctr)
            if event.invalid or (claims and line.idem in counted_once):
                continue
            if claims and line.idem:
                counted_once.add(line.idem)
            for increment in line.ctr:
                counter = f"{increment.name}#{increment.epoch:08d}"
                add(f"ctr#{line.key}", counter, {"n": increment.add, "c": 0, "x": 0})
            if not (line.units or refused):
                continue
            at = datetime.fromtimestamp(line.timestamp_ms / 1000, UTC)
            for kind, value in (("ip", line.ip), ("ref", line.ref), ("key", line.key)):
                if value is None:
                    continue
                charged = line.units if kind in line.charge else 0
                fields = {"n": line.units, "c": charged, "x": int(refused)}
                for letter, count in (("d", charged), ("u", line.units - charged), ("x", int(refused))):
                    if count:
                        fields[f"{letter}{at.day:02d}"] = count
                add(f"{kind}#{value}", f"month#{at:%Y-%m}", fields)
                if kind in line.charge and any(policy.startswith("hour") for policy in caps_of(kind, value)):
                    fields = {"n": line.units, "c": charged, "x": int(refused)}
                    add(f"{kind}#{value}", f"hour#{at:%Y-%m-%dT%H}", fields)
            charged = line.units if line.charge else 0
            fields = {"n": line.units, "c": charged, "x": int(refused)}
            add(f"all#{line.region}", f"hour#{at:%Y-%m-%dT%H}", fields)
    return counts


def _tally(home: Home, expected: Counts) -> Iterator[str]:
    counted: Counts = {}
    for key, item in home.tally.items.items():
        fields = {"n": item.units, "c": item.charged, "x": item.denied}
        for letter, days in (("d", item.days), ("u", item.free_days), ("x", item.denied_days)):
            fields |= {f"{letter}{day:02d}": count for day, count in days.items()}
        counted[key.pk, key.sk] = fields
    for place in sorted(expected.keys() | counted.keys()):
        if expected.get(place) != counted.get(place):
            yield f"{home.name} tally {' '.join(place)}: {counted.get(place)} should be {expected.get(place)}"
    for key, item in home.tally.items.items():
        if key.pk.startswith("ctr#") and sum(item.shares.values()) != item.units:
            yield f"{home.name} tally {' '.join(key)}: shares {item.shares} are not {item.units}"
        ranked = home.tally.ranks.get(key, ("", 0))[1]
        should_be = rank(item.units + item.denied) if key.sk.startswith("month#") else 0
        if ranked != should_be:
            yield f"{home.name} rank {' '.join(key)}: {ranked} should be {should_be}"


def _gate(home: Home, expected: Counts, every: bool, homes: int) -> Iterator[str]:
    """No mark lies between what is published and what is counted, and nothing is published that was not counted."""
    for (pk, sk), fields in expected.items():
        kind, _, value = pk.partition("#")
        if kind in ("all", "ctr"):
            continue
        row = home.gate.rows.get((pk, sk))
        published = {"c": row.item.charged} if row else {}
        if row:
            published |= {f"d{day:02d}": units for day, units in row.item.days.items()}
        for policy, quota in caps_of(kind, value).items():
            for name in _told(sk, policy, fields):
                count, told = fields[name], published.get(name, 0)
                missed = told < count if every else any(told < mark <= count for mark in marks(quota, homes))
                if told > count or missed:
                    yield f"{home.name} gate {pk} {sk} {name}: {told} published of {count}, quota {quota}"
    for pk, sk in home.gate.rows:
        if (pk, sk) not in expected:
            yield f"{home.name} gate {pk} {sk}: published without a count"


def _told(sk: str, policy: str, fields: Iterable[str]) -> list[str]:
    """The fields of an item that a limit has marks for: none where it counts by other items, or by none."""
    window = policy.removesuffix("-soft")
    if window == "day":
        return [name for name in fields if name[0] == "d"]
    return ["c"] if sk.startswith(f"{window}#") else []


def _rejects(home: Home, world: World) -> Iterator[str]:
    """Every invalid event is kept, with its text and the reason; nothing that was counted is."""
    kept = {(reject.event_id, reject.body, reject.reason) for _, reject in home.rejects.sent}
    due: set[tuple[str | None, bytes, str]] = set()
    for number in world.arrived_ms:
        sent = world.schedule.sent[number]
        if sent.home == home.name:
            due |= {
                (event.event_id, event.message.encode(), REASONS[event.invalid].format(home=home.name))
                for event in sent.events
                if event.invalid
            }
            if sent.garbage:
                due.add((None, GARBAGE + str(number).encode(), "not gzip"))
    for event_id, body, reason in sorted(due ^ kept, key=str):
        what = "not kept" if (event_id, body, reason) in due else "kept although it is countable, or for another reason"
        yield f"{home.name} rejects {event_id} {body[:60]!r} ({reason}): {what}"


def _notices(world: World, counts: Mapping[str, Counts]) -> Iterator[str]:
    """Every level that must be known by what all homes had to publish is told, none is that nobody counted as far, and
    each has one id that no other has."""
    places: dict[tuple[str, str, str, str], tuple[int, int, int]] = {}
    homes, every = len(world.homes), world.schedule.publish == "every"
    for expected in counts.values():
        for (pk, sk), fields in expected.items():
            kind, _, value = pk.partition("#")
            for policy, quota in caps_of(kind, value).items() if kind not in ("all", "ctr") else ():
                for name in _told(sk, policy, fields):
                    count = fields[name]
                    passed = marks(quota, homes)[: bisect_right(marks(quota, homes), count)]
                    least = count if every else passed[-1] if passed else 0
                    period = sk if name == "c" else f"day#{sk.partition('#')[2]}-{name[1:]}"
                    place = (kind, value, f"{kind}-{policy}", period)
                    _, known, counted = places.get(place, (quota, 0, 0))
                    places[place] = (quota, known + least, counted + count)
    told: dict[tuple[str, str, str, str, int], set[str]] = {}
    for notice in world.notices.bus.events:
        subject = notice.subject
        place = (subject.kind, subject.value, notice.limit.name, notice.period)
        told.setdefault((*place, notice.level), set()).add(notice.id(SERVICE, STAGE))
    for place, (quota, known, counted) in places.items():
        for level in LEVELS:
            if known * 100 >= quota * level and (*place, level) not in told:
                yield f"notice {' '.join(place)} {level} %: not told, {known} of {quota} are known"
            if counted * 100 < quota * level and (*place, level) in told:
                yield f"notice {' '.join(place)} {level} %: told, {counted} of {quota} are counted"
    for what in told:
        if what[:4] not in places:
            yield f"notice {what}: told of what nobody counted"
    for what, ids in told.items():
        if len(ids) != 1:
            yield f"notice {what}: told under {len(ids)} ids"
    if len(set().union(*told.values())) != sum(map(len, told.values())):
        yield "notices: different ones have the same id"
