"""Whatever was counted, every view of it tells the same: time series by hour, day and month, the largest, standings,
owners, and what callers are told of their past. Lines are drawn, go through the consumers of two homes with repeats and
late calls, and an oracle adds them up. The clock stands where calendars are hard."""

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import orjson
import pytest

from tallygate.aws.gate_table import GateTable
from tallygate.aws.key_admin import key_admin
from tallygate.aws.seen_table import SeenTable
from tallygate.aws.tally_table import TallyTable
from tallygate.aws.usage_reader import UsageReader
from tallygate.core.consume import Consumer
from tallygate.core.counting import CountingSettings
from tallygate.core.history import first_page
from tallygate.core.lines import UsageLine, format_timestamp
from tallygate.core.names import KINDS, Kind
from tallygate.core.payload import Record
from tallygate.core.periods import DAY_MS, HOUR_MS, day_of, hour_of, period_of, window_bounds_ms
from tallygate.core.plans import Caps
from tallygate.core.ranks import LEAST_RANK
from tallygate.core.retention import Retention
from tallygate.core.seen import SeenPayloads
from tallygate.core.times import time_ms
from tallygate.operations.usage import Tallied, total_of
from tallygate.sim.logs import usage_payload
from tallygate.sim.memory import MemoryRejects
from tests.operations.counted import PLANS, REGIONS, Counted
from tests.stage_tables import HOMES, NAMES

RETENTION = Retention(24, 400)
CLOCKS = (
    "2026-11-20T12:00:00.123",
    "2027-01-01T00:00:00.000",  # a year, a month, a day and an hour have only begun
    "2027-03-03T00:00:00.001",  # behind a month of 28 days
    "2028-03-01T23:59:59.999",  # behind a leap day
)
MONTHS_CAPS: Caps = {"ip": {"day": 100}, "ref": {"day": 1_000}}
HOME_OF = dict(zip(REGIONS, (HOMES[0], HOMES[1], HOMES[1]), strict=True))
EVERYWHERE = ""
NOTHING = Tallied()


class Key(NamedTuple):
    id: str
    owner: str | None
    caps: Caps


class World:
    """What was drawn and counted. `told` has admitted, charged and denied of everybody as an oracle adds them up, by
    (kind, value, place, period): a place is a home or a region or EVERYWHERE, a period `2026-11-20T12`, a day or a
    month."""

    def __init__(self, counted: Counted, clock: str) -> None:
        self.now_ms = time_ms(clock)
        self.random = random.Random(clock)
        self.counted = counted
        self.told: defaultdict[tuple[str, str, str, str], Tallied] = defaultdict(Tallied)
        self.rejects = MemoryRejects()
        self._consumers = {home: self._consumer(home) for home in HOMES}
        counted.apply()
        admin = key_admin(counted.gate, NAMES.gate_table, "prod")
        _, hourly = admin.create({"owner": "acme", "plan": "pro"}, self.now_ms - 9 * DAY_MS)
        _, shared = admin.create({"owner": "Söhne & Co/2", "plan": "team"}, self.now_ms - 9 * DAY_MS)
        admin.rotate(shared.id, DAY_MS, self.now_ms - 8 * DAY_MS)  # its successor is counted as it is
        self.keys = [
            Key(hourly.id, None, PLANS[1].caps()),
            Key(shared.id, "Söhne & Co/2", PLANS[2].caps()),
            Key("invalid", None, {}),
        ]
        self.owners = {"acme": [hourly.id], "Söhne & Co/2": [shared.id]}

    def _consumer(self, home: str) -> Consumer:
        client = self.counted.clients[home]
        return Consumer(
            CountingSettings(home, len(HOMES), "marks", RETENTION.items_seconds, RETENTION.keys_seconds),
            TallyTable(client, NAMES.tally_table),
            GateTable(self.counted.gate, NAMES.gate_table),
            self.rejects,
            SeenPayloads(SeenTable(client, NAMES.tally_table, lambda: self.now_ms), HOUR_MS, 2 * 86_400),
            orjson.loads,
        )

    def run(self, batches: int) -> None:
        """Count drawn batches in each home, some of them twice, as Kinesis and CloudWatch Logs may deliver."""
        number = 0
        for home in HOMES:
            arrived_ms, sequence = self.now_ms - 60_000, 0
            before: dict[str, bytes] = {}
            for batch in range(batches):
                writer, records = f"{batch % 2}.1", []
                for _ in range(self.random.randint(1, 3)):
                    sequence, arrived_ms = sequence + 1, arrived_ms + self.random.randint(0, 500)
                    if self.random.random() < 0.8 or writer not in before:
                        numbers = range(number, number + self.random.randint(1, 8))
                        number = numbers.stop
                        lines = [self._line(each, home, arrived_ms) for each in numbers]
                        for line in lines:
                            self._add(home, line)
                        before[writer] = usage_payload(lines, f"stream {writer}")
                    records.append(Record(sequence, arrived_ms, before[writer]))
                self._consumers[home].consume(writer, records)
                if self.random.random() < 0.3:
                    self._consumer(home).consume(writer, records[self.random.randrange(len(records)) :])

    def _line(self, number: int, home: str, arrived_ms: int) -> UsageLine:
        draw = self.random
        age_ms = draw.choice((draw.randint(0, 10_000), draw.randint(0, 2 * DAY_MS), draw.randint(0, 7 * DAY_MS - 1)))
        region = draw.choice([region for region, of in HOME_OF.items() if of == home])
        ref = draw.choice((None, "shop.example", "localhost"))
        ip = draw.choice(("192.0.2.1", "192.0.2.2", "2001:db8:1:2::/64"))
        units, charge, caps = draw.choice((0, 1, 1, 1, 5)), ("ip", "ref") if ref else ("ip",), MONTHS_CAPS
        line = UsageLine(
            f"q{number}",
            arrived_ms - age_ms,
            home,
            region,
            ip,
            ref,
            None,
            units,
            200,
            charge,
            caps,  # type: ignore[arg-type]
        )
        if draw.random() < 0.5:
            key = draw.choice(self.keys)
            of: tuple[Kind, ...] = ("key", "owner") if key.owner else ("key",)
            line = replace(line, key=key.id, owner=key.owner, charge=of, caps=key.caps)
        if draw.random() < 0.2 or line.key == "invalid":
            return replace(line, units=0, status=429, verdict="quota")
        return replace(line, idem=f"i{number}") if draw.random() < 0.1 else line

    def _add(self, home: str, line: UsageLine) -> None:
        denied, hour = int(line.verdict is not None), hour_of(line.timestamp_ms)
        for kind, value in line.identifiers():
            charged = line.units if kind in line.charge else 0
            by_hour = kind in line.charge and "hour" in line.caps.get(kind, {})
            for period in (hour[:7], hour[:10], *([hour] if by_hour else [])):
                for place in (home, EVERYWHERE):
                    self.told[kind, value, place, period] += Tallied(line.units, charged, denied)
        for period in (hour[:7], hour[:10], hour):
            for place in (line.region, EVERYWHERE):
                self.told["all", "", place, period] += Tallied(line.units, line.units if line.charge else 0, denied)

    def values(self, kind: Kind) -> list[str]:
        return sorted({of_value for of_kind, of_value, _, _ in list(self.told) if of_kind == kind})

    @property
    def months(self) -> list[str]:
        return [day_of(day_of(self.now_ms).month_start_ms - 1).month, day_of(self.now_ms).month]

    def rows(self, **query: str) -> Iterator[dict[str, Any]]:
        """The rows of a series, page by page."""
        while True:
            page = self.counted.operations.usage(query, self.now_ms)
            assert tally(page["total"]) == total_of(map(tally, page["rows"]))
            yield from page["rows"]  # type: ignore[misc]
            if page["cursor"] is None:
                return
            query["cursor"] = page["cursor"]

    def holds(self, kind: str, value: str, row: dict[str, Any], granularity: str) -> None:
        """Whether a row of a series is what the oracle knows."""
        period = row["start"][: {"hour": 13, "day": 10, "month": 7}[granularity]]
        places = REGIONS if kind == "all" else HOMES
        by = {place: self.told[kind, value, place, period] for place in places}
        assert tally(row) == self.told[kind, value, EVERYWHERE, period], (kind, value, period)
        assert {name: tally(counts) for name, counts in row["by"].items()} == {
            place: counts for place, counts in by.items() if any(counts)
        }


def tally(counts: Any) -> Tallied:
    return Tallied(counts["admitted"], counts["charged"], counts["denied"])


@pytest.fixture(params=CLOCKS)
def world(request: pytest.FixtureRequest, counted: Counted) -> World:
    drawn = World(counted, request.param)
    drawn.run(8)
    assert drawn.rejects.sent == []
    return drawn


def test_every_view_tells_what_was_counted(world: World) -> None:
    _series_of_callers(world)
    _series_of_regions(world)
    _largest(world)
    _standings(world)
    _owners(world)


def _series_of_callers(world: World) -> None:
    start = f"{world.months[0]}-01"
    kept_ms = {kind: RETENTION.kept_from_ms(kind, "day", world.now_ms) for kind in KINDS}
    reader = UsageReader(world.counted.clients, NAMES.tally_table)
    for kind in KINDS:
        first = max(start, format_timestamp(kept_ms[kind])[:10])
        for value in world.values(kind):
            days = list(world.rows(kind=kind, value=value, limit="9", **{"from": first}))
            months = list(world.rows(kind=kind, value=value, granularity="month", limit="1", **{"from": first}))
            expected = (time_ms(first), window_bounds_ms("day", world.now_ms)[1])
            assert [row["start"] for row in days] == [format_timestamp(at_ms) for at_ms in range(*expected, DAY_MS)], (
                "each day once"
            )
            for granularity, rows in (("day", days), ("month", months)):
                for row in rows:
                    world.holds(kind, value, row, granularity)
            filled = world.rows(kind=kind, value=value, fill="false", **{"from": first})
            assert list(filled) == [row for row in days if any(tally(row))]
            for month in months:
                shown = reader.show(kind, value, month["start"][:7])
                assert (shown.units, shown.charged, shown.denied) == tally(month)
                of_month = [row for row in days if row["start"].startswith(month["start"][:7])]
                assert shown.days == {int(row["start"][8:10]): row["charged"] for row in of_month if row["charged"]}
            asked = {"from": first, "to": format_timestamp(world.now_ms + 1)}
            page = first_page(asked, kind, value, RETENTION, world.now_ms, hours=False)
            past = page.rows(reader.rows(kind, value, [f"month#{month}" for month in world.months]))
            assert [row.charged for row in past] == [row["charged"] for row in days], "as its caller is told"
    hourly = world.keys[0].id
    since = format_timestamp(world.now_ms - 7 * DAY_MS)
    for row in world.rows(kind="key", value=hourly, granularity="hour", limit="50", **{"from": since}):
        world.holds("key", hourly, row, "hour")


def _series_of_regions(world: World) -> None:
    first = format_timestamp(RETENTION.kept_from_ms("ip", "month", world.now_ms))
    for granularity in ("hour", "day", "month"):
        rows = list(world.rows(kind="all", granularity=granularity, limit="200", **{"from": first}))
        for row in rows:
            world.holds("all", "", row, granularity)
        months = (world.told["all", "", EVERYWHERE, month] for month in world.months if month >= first[:7])
        assert total_of(map(tally, rows)) == total_of(months)
        for region in REGIONS:
            alone = world.rows(kind="all", value=region, granularity=granularity, limit="200", **{"from": first})
            assert [tally(row) for row in alone] == [
                tally(row["by"].get(region, dict.fromkeys(row, 0))) for row in rows
            ]


def _largest(world: World) -> None:
    today = day_of(world.now_ms)
    days = [format_timestamp(world.now_ms - age * DAY_MS)[:10] for age in (0, 1, 4)]
    for kind in KINDS:
        kept = day_of(RETENTION.kept_from_ms(kind, "month", world.now_ms)).month
        for period in (period for period in (*world.months, *days) if period >= kept):
            found = world.counted.operations.top({"kind": kind, "period": period}, world.now_ms)
            totals = {value: world.told[kind, value, EVERYWHERE, period] for value in world.values(kind)}
            certain = {
                value: told for value, told in totals.items() if told[0] + told[2] > (LEAST_RANK - 1) * len(HOMES)
            }
            order = sorted(certain, key=lambda value: (-certain[value][0] - certain[value][2], value))
            assert [row["value"] for row in found["top"]] == order, (kind, period)
            assert found["complete"]
            for row in found["top"]:
                assert tally(row) == totals[row["value"]]
                assert {home: tally(counts) for home, counts in row["by"].items()} == {
                    home: told for home in HOMES if any(told := world.told[kind, row["value"], home, period])
                }
                if period not in (today.month, days[0]):
                    assert row["limits"] == []


def _standings(world: World) -> None:
    month = period_of("month", world.now_ms).removeprefix("month#")
    for kind in KINDS:
        uses = {
            row["value"]: row["limits"] for row in world.counted.operations.top({"kind": kind}, world.now_ms)["top"]
        }
        for value in world.values(kind):
            found = world.counted.operations.standing({"kind": kind, "value": value}, world.now_ms)
            assert found["value"] == value
            assert {row["home"]: tally(row) for row in found["homes"]} == {
                home: world.told[kind, value, home, month] for home in HOMES
            }
            for limit in found["limits"]:
                if limit["window"] == "day":
                    today = format_timestamp(world.now_ms)[:10]
                    assert limit["used"] == world.told[kind, value, EVERYWHERE, today][1]
                assert limit["remaining"] == max(0, limit["limit"] - limit["used"])
                assert limit["published"] <= limit["used"]
            of_top = [{**limit, **use} for limit, use in zip(found["limits"], uses.get(value, []), strict=False)]
            assert of_top == found["limits"][: len(of_top)], "the largest are told the same"


def _owners(world: World) -> None:
    month = day_of(world.now_ms).month
    for owner, keys in world.owners.items():
        found = world.counted.operations.owner(owner, {}, world.now_ms)
        expected = [world.told["key", key, EVERYWHERE, month] for key in keys]
        assert tally(found["total"]) == total_of(expected)
        own = world.told["owner", owner, EVERYWHERE, month]
        assert (tally(found["own"]) if found["own"] is not None else NOTHING) == own
