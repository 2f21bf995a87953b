"""What was counted as a file, of a stage deployed to AWS (as moto has it)."""

import csv
import io
import json
import os
import re
import signal
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from rich.console import Console
from rich.text import Text
from test_operators import CONFIG, Operator

from tallygate.aws.export_reader import ExportReader
from tallygate.aws.key_admin import key_admin
from tallygate.aws.tally_table import TallyTable
from tallygate.cli.export_file import STANDARD_OUTPUT, destination
from tallygate.cli.export_formats import COLUMNS, FORMATS, ROW_GROUP, Format, writer
from tallygate.cli.failures import Failure
from tallygate.core.export import ExportRow
from tallygate.core.keys import mint, secret_hash
from tallygate.core.tally import Delta, ItemKey, Update
from tallygate.core.times import time_ms
from tests.stage_tables import NAMES, Clients

NOW = time_ms("2026-12-09T12:00:00Z")
NOVEMBER = ("--from", "2026-11-01", "--to", "2026-12-01")
KEY = secret_hash(mint("prod", lambda alphabet: alphabet[7]))[:16]
FORMULA = "=HYPERLINK(1), Inc."


@pytest.fixture
def operator(tmp_path: Path, clients: Clients, monkeypatch: pytest.MonkeyPatch) -> Operator:
    monkeypatch.setattr("time.time_ns", lambda: NOW * 1_000_000)
    path = tmp_path / "tallygate.toml"
    path.write_text(CONFIG)
    operator = Operator(path)
    operator.json("plans", "apply")
    admin = key_admin(clients["us-east-1"], NAMES.gate_table, "prod")
    admin.take(secret_hash(mint("prod", lambda alphabet: alphabet[7])), {"owner": FORMULA, "plan": "starter"}, 0)
    count(clients, "us-east-1", f"key#{KEY}", 40)
    count(clients, "eu-west-1", f"key#{KEY}", 60)
    count(clients, "eu-west-1", "ref#shop.example", 5)
    return operator


def count(clients: Clients, home: str, pk: str, units: int) -> None:
    delta = Delta(units, units, 2, {20: units}, {}, {20: 2})
    key = ItemKey(pk, "month#2026-11")
    TallyTable(clients[home], NAMES.tally_table).add(Update(key, "writer", 1, 1, delta, 1_000, 2**40))


def rows_in(path: Path, format: Format) -> list[dict[str, Any]]:
    """The rows of a file, as values that are the same whatever its format."""
    if format == "parquet":
        found = pyarrow.parquet.read_table(path).to_pylist()
        times = {"start", "exported_at"}
        return [{name: value.isoformat() if name in times else value for name, value in row.items()} for row in found]
    text = path.read_text("utf-8")
    if format == "json":
        return [as_values(json.loads(line)) for line in text.splitlines()]
    return [
        as_values({name: int(value) if value.isdigit() else value or None for name, value in row.items()})
        for row in csv.DictReader(io.StringIO(text, newline=""))
    ]


def as_values(row: dict[str, Any]) -> dict[str, Any]:
    times = {name: row[name].replace(".000Z", "+00:00") for name in ("start", "exported_at")}
    owner = row["owner"].removeprefix("'") if row["owner"] else None
    return {**row, **times, "owner": owner}


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_has_the_same_rows(operator: Operator, tmp_path: Path, format: Format) -> None:
    path = tmp_path / "usage"
    told = operator.json("usage", "export", *NOVEMBER, "--format", format, "--output", str(path))
    assert told == {
        "output": str(path),
        "format": format,
        "rows": 3,
        "from": "2026-11-01T00:00:00.000Z",
        "to": "2026-12-01T00:00:00.000Z",
        "granularity": "month",
        "kinds": ["all", "ip", "key", "owner", "ref"],
        "owner": None,
        "homes": ["us-east-1", "eu-west-1"],
        "exported_at": "2026-12-09T12:00:00.000Z",
        "settles_at": "2026-12-08T00:00:00.000Z",
        "settled": True,
    }
    rows = rows_in(path, format)
    assert [tuple(row) for row in rows] == [COLUMNS] * 3
    common = ("2026-11-01T00:00:00+00:00", "month")
    at = "2026-12-09T12:00:00+00:00"
    assert sorted((tuple(row.values()) for row in rows), key=lambda row: row[7]) == [
        ("ref", "shop.example", None, None, *common, "eu-west-1", 5, 5, 2, at),
        ("key", KEY, FORMULA, "starter", *common, "us-east-1", 40, 40, 2, at),
        ("key", KEY, FORMULA, "starter", *common, "eu-west-1", 60, 60, 2, at),
    ]


def test_csv_is_rfc_4180_and_holds_no_formula(operator: Operator) -> None:
    shown = operator.run("usage", "export", *NOVEMBER, "--kind", "key", "--region", "us-east-1", "--format", "csv")
    assert shown.stdout_bytes.decode().split("\r\n") == [
        "kind,value,owner,plan,start,granularity,home,admitted,charged,denied,exported_at",
        f'key,{KEY},"\'=HYPERLINK(1), Inc.",starter,2026-11-01T00:00:00.000Z,month,us-east-1,40,40,2,'
        "2026-12-09T12:00:00.000Z",
        "",
    ]
    assert shown.stderr == "What was counted in eu-west-1 is left out: --region chooses one home.\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("-2.example", "'-2.example"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+1", "'+1"),
        ("\tx", "'\tx"),
        ("'quoted", "''quoted"),
        ("shop.example", "shop.example"),
        ("2001:db8::/64", "2001:db8::/64"),
        ('say "a", b', 'say "a", b'),
    ],
)
def test_a_text_in_csv_is_no_formula_and_is_had_back_by_taking_one_sign_off(text: str, shown: str) -> None:
    stream = io.BytesIO()
    out = writer("csv", stream, NOW)
    out.write(ExportRow("ref", text, None, None, NOW, "month", "us-east-1", 1, 1, 0))
    out.close()
    _, row = csv.reader(io.StringIO(stream.getvalue().decode(), newline=""))
    assert (row[1], row[1].removeprefix("'")) == (shown, text)


def test_parquet_says_what_its_columns_are(operator: Operator, tmp_path: Path) -> None:
    path = tmp_path / "usage.parquet"
    operator.json("usage", "export", *NOVEMBER, "--format", "parquet", "-o", str(path))
    types = {field.name: (str(field.type), field.nullable) for field in pyarrow.parquet.read_schema(path)}
    text, time, count = ("string", False), ("timestamp[ms, tz=UTC]", False), ("int64", False)
    assert types == {
        **dict.fromkeys(("kind", "value", "granularity", "home"), text),
        **dict.fromkeys(("owner", "plan"), ("string", True)),
        **dict.fromkeys(("start", "exported_at"), time),
        **dict.fromkeys(("admitted", "charged", "denied"), count),
    }


@pytest.mark.parametrize("format", FORMATS)
def test_rows_are_written_as_they_come(format: Format) -> None:
    """None but Parquet holds more than a buffer back; that, a group of rows."""
    stream = io.BytesIO()
    out = writer(format, stream, NOW)
    row = ExportRow("ip", "192.0.2.1", None, None, NOW, "month", "us-east-1", 1, 1, 0)
    for _ in range(2 * ROW_GROUP):
        out.write(row)
    written = stream.tell()
    out.close()
    if format == "parquet":
        groups = pyarrow.parquet.ParquetFile(stream).metadata
        assert [groups.row_group(number).num_rows for number in range(groups.num_row_groups)] == [ROW_GROUP] * 2
        assert written >= groups.row_group(1).column(0).file_offset
    else:
        assert stream.tell() - written < 64 * 1024
    assert not stream.closed


def test_nothing_counted_is_a_whole_file(operator: Operator, tmp_path: Path) -> None:
    for format in FORMATS:
        path = tmp_path / format
        told = operator.json("usage", "export", *NOVEMBER, "--kind", "ip", "--format", format, "-o", str(path))
        assert told["rows"] == 0
        assert rows_in(path, format) == []


class Ended:
    """A reader that is ended after some rows."""

    def __init__(self, end: BaseException | signal.Signals) -> None:
        self._end = end

    def rows(self, *_: object) -> Iterator[ExportRow]:
        for number in range(1_000):
            yield ExportRow("ip", f"192.0.2.{number}", None, None, NOW, "month", "us-east-1", 1, 1, 0)
        if isinstance(self._end, signal.Signals):
            signal.raise_signal(self._end)
        else:
            raise self._end


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (KeyboardInterrupt(), 130),
        (signal.SIGTERM, 143),
        (ConnectionError("the network is gone"), 1),
    ],
    ids=str,
)
@pytest.mark.parametrize("before", [None, "last month's"])
def test_what_is_ended_early_leaves_what_was_there(
    operator: Operator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    end: BaseException | signal.Signals,
    code: int,
    before: str | None,
) -> None:
    assert threading.current_thread() is threading.main_thread()
    out = tmp_path / "out"
    out.mkdir()
    path = out / "usage.csv"
    if before is not None:
        path.write_text(before)
    monkeypatch.setattr(ExportReader, "rows", Ended(end).rows)
    ended = operator.run("usage", "export", *NOVEMBER, "--format", "csv", "--output", str(path))
    assert ended.exit_code == code
    assert {path.name: path.read_text() for path in out.iterdir()} == ({} if before is None else {path.name: before})


def test_on_a_terminal_a_bar_shows_how_far_it_is(
    operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(
        "tallygate.cli.usage_export.console", lambda *, stderr: Console(file=shown, force_terminal=stderr, width=100)
    )
    path = tmp_path / "usage.csv"
    ended = operator.run("usage", "export", *NOVEMBER, "--format", "csv", "-o", str(path))
    assert (ended.exit_code, ended.stdout) == (0, "")
    text = Text.from_ansi(shown.getvalue()).plain
    read, of = re.findall(r"(\d+)/(\d+)", text)[-1]
    assert int(read) == int(of) > 3
    assert "has 3 rows" in text


def test_a_link_is_followed_and_a_pipe_is_written_as_it_comes(operator: Operator, tmp_path: Path) -> None:
    path, link, pipe = tmp_path / "usage.csv", tmp_path / "latest.csv", tmp_path / "pipe"
    link.symlink_to(path)
    operator.json("usage", "export", *NOVEMBER, "--format", "csv", "-o", str(link))
    assert link.is_symlink()
    assert path.read_text().startswith("kind,value,")
    os.mkfifo(pipe)
    read = list[str]()
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    operator.json("usage", "export", *NOVEMBER, "--format", "json", "-o", str(pipe))
    reader.join(timeout=60)
    assert len(read[0].splitlines()) == 3
    assert pipe.is_fifo()


def test_a_file_that_is_replaced_keeps_who_may_read_it(operator: Operator, tmp_path: Path) -> None:
    path = tmp_path / "usage.csv"
    export = ("usage", "export", *NOVEMBER, "--format", "csv", "-o", str(path))
    for mode in (0o600, 0o664):
        path.touch()
        path.chmod(mode)
        operator.json(*export)
        assert stat.S_IMODE(path.stat().st_mode) == mode
    path.unlink()
    before = os.umask(0o027)
    try:
        operator.json(*export)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_the_name_of_a_file_may_be_as_long_as_names_are(operator: Operator, tmp_path: Path) -> None:
    path = tmp_path / ("u" * 251 + ".csv")
    operator.json("usage", "export", *NOVEMBER, "--format", "csv", "-o", str(path))
    assert path.read_text().startswith("kind,value,")


def test_a_link_that_leads_to_itself_is_said_in_a_line(operator: Operator, tmp_path: Path) -> None:
    link = tmp_path / "usage.csv"
    link.symlink_to(link)
    ended = operator.run("usage", "export", *NOVEMBER, "--format", "csv", "-o", str(link))
    assert ended.exit_code == 1
    assert re.fullmatch(r"Error: \[Errno \d+\] .*usage\.csv'\n", ended.stderr)
    assert link.is_symlink()


def test_what_is_no_file_may_be_in_a_directory_of_others(
    operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name not in ("dev", "") and may(path, mode))
    operator.json("usage", "export", *NOVEMBER, "--format", "csv", "-o", os.devnull)
    refused = operator.run("usage", "export", *NOVEMBER, "--format", "csv", "-o", "/dev/usage.csv")
    assert refused.exit_code == 2


def test_without_standard_output_it_is_said_where_to_write_instead(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallygate.cli.export_file.sys.stdout", None)
    with pytest.raises(Failure, match="standard output is closed: give --output FILE"), destination(STANDARD_OUTPUT):
        pass


def test_a_month_that_is_not_over_is_said_so(
    operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "usage.csv"
    export = ("usage", "export", "--from", "2026-11-01", "--format", "csv", "--output", str(path))
    for now, until in (("2026-11-20T12:00:00", "2026-12-08"), ("2026-12-01T00:00:00", "2027-01-08")):
        at = time_ms(now)
        monkeypatch.setattr("time.time_ns", lambda at=at: at * 1_000_000)
        assert operator.run(*export).stderr.splitlines() == [
            f"{path} has 3 rows, as of {now}.000Z.",
            f"The last period has not ended: calls may still be added until {until}T00:00:00.000Z.",
        ]
    told = operator.run(*export, "--to", "2026-12-01").stderr.splitlines()[1]
    assert told.startswith("The last period ended less than a week ago: calls may still be added until 2026-12-08")


def test_homes_that_are_left_out_are_named(operator: Operator, tmp_path: Path) -> None:
    path = tmp_path / "usage.json"
    export = ("usage", "export", *NOVEMBER, "--format", "json", "-o", str(path))
    assert "left out" not in operator.run(*export).stderr
    told = operator.run(*export, "--region", "eu-west-1").stderr.splitlines()
    assert told[1:] == ["What was counted in us-east-1 is left out: --region chooses one home."]
    assert {row["home"] for row in rows_in(path, "json")} == {"eu-west-1"}


def test_what_is_no_longer_kept_is_no_empty_file(operator: Operator, tmp_path: Path) -> None:
    path = tmp_path / "usage.csv"
    old = ("usage", "export", "--from", "2026-01-01", "--kind", "ip", "--format", "csv", "-o", str(path))
    refused = operator.run(*old, "--to", "2026-02-01")
    assert (refused.exit_code, path.exists()) == (1, False)
    assert refused.stderr.startswith("Error: --to: by the month, counts are kept from 2026-11-01T00:00:00.000Z on")
    for as_json in ((), ("--json",)):
        told = operator.run(*old, "--to", "2026-12-20", *as_json).stderr
        assert "Of kind ip, counts by the month are kept from 2026-11-01T00:00:00.000Z on: those before may be" in told


def test_an_owner_whom_nobody_knows_is_no_empty_file(operator: Operator, tmp_path: Path) -> None:
    path = tmp_path / "usage.csv"
    for kind in ("key", "owner"):
        mistyped = ("--owner", "=HYPERLINK(1), lnc.", "--kind", kind, "--format", "csv", "-o", str(path))
        ended = operator.run("usage", "export", *NOVEMBER, *mistyped)
        assert (ended.exit_code, path.exists()) == (1, False)
        assert ended.stderr.startswith("Error: --owner: nobody called =HYPERLINK(1), lnc. has a key; ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--from", "soon"), "Invalid value for '--from': a time in ISO 8601"),
        (("--from", "2026-11-01", "--to", "2026-10-01"), "Invalid value for '--to': a time after from"),
        (("--from", "2026-11-01", "--owner", "acme", "--kind", "ip"), "of an owner there are --kind key and --kind"),
        (("--from", "2026-11-01", "--json"), "give --output FILE, or --format json alone"),
        (("--from", "2026-11-01", "-o", "/nowhere/usage.csv"), "/nowhere is no directory that can be written to"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(operator: Operator, arguments: tuple[str, ...], said: str) -> None:
    result = operator.run("usage", "export", "--format", "csv", *arguments)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


def test_parquet_is_not_for_a_terminal(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallygate.cli.usage_export.is_terminal", lambda: True)
    result = operator.run("usage", "export", *NOVEMBER, "--format", "parquet")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Parquet is nothing for a terminal: give --output FILE" in result.stderr


def test_without_pyarrow_it_is_said_what_to_install(
    operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    path = tmp_path / "usage.parquet"
    result = operator.run("usage", "export", *NOVEMBER, "--format", "parquet", "-o", str(path))
    assert (result.exit_code, path.exists()) == (1, False)
    assert result.stderr == "Error: --format parquet needs pyarrow: pip install 'tallygate[parquet]'\n"
