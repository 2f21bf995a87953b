"""One list of behaviours for every gate that publications go to."""

from collections.abc import Callable
from dataclasses import replace

from tallygate.core.publish import GateWriter, Publication
from tallygate.core.tally import TallyItem

ITEM = TallyItem(units=10, charged=8, denied=1, days={6: 5, 7: 3})
PUBLICATION = Publication(
    "ip#203.0.113.7", "month#2026-11", "us-east-1", ITEM, 1500, 1_700_000_000_000, 2_000, 2_000_000_000
)

Rows = Callable[[], dict[str, dict[str, int]]]


def test_a_row_is_the_whole_publication(gate: GateWriter, rows: Rows) -> None:
    assert gate.publish(PUBLICATION)
    assert rows() == {
        "ip#203.0.113.7 month#2026-11#us-east-1": {
            "e": 0, "n": 10, "c": 8, "x": 1, "d06": 5, "d07": 3, "r": 1500, "at": 1_700_000_000_000, "lag": 2_000,
            "ttl": 2_000_000_000,
        }
    }  # fmt: skip


def test_what_is_not_newer_is_not_written(gate: GateWriter, rows: Rows) -> None:
    gate.publish(PUBLICATION)
    before = rows()
    for units in (10, 9):
        assert not gate.publish(replace(PUBLICATION, item=replace(ITEM, units=units, charged=1), rate_milli=7))
    assert rows() == before


def test_what_is_newer_replaces_every_field(gate: GateWriter, rows: Rows) -> None:
    gate.publish(PUBLICATION)
    assert gate.publish(replace(PUBLICATION, item=TallyItem(units=11, charged=9, days={7: 9})))
    (row,) = rows().values()
    assert (row["n"], row["d07"], "d06" in row) == (11, 9, False)


def test_a_repair_replaces_a_larger_count(gate: GateWriter, rows: Rows) -> None:
    gate.publish(PUBLICATION)
    assert gate.publish(replace(PUBLICATION, item=TallyItem(units=3, charged=3, epoch=1)))
    assert not gate.publish(PUBLICATION)
    (row,) = rows().values()
    assert (row["n"], row["e"]) == (3, 1)


def test_homes_and_periods_have_rows_of_their_own(gate: GateWriter, rows: Rows) -> None:
    gate.publish(PUBLICATION)
    assert gate.publish(replace(PUBLICATION, period="month#2026-12"))
    assert len(rows()) == 2
