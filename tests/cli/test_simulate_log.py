"""`tallygate simulate log`: what it reads, what it says, and what it says when it cannot."""

import fcntl
import gzip
import json
import signal
import subprocess
import sys
import termios
from array import array
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tallygate.cli import main
from tallygate.local.world import PROJECT
from tallygate.sim.replay import run as run_module

MONDAY = datetime(2026, 11, 16, 10, tzinfo=UTC)


def combined(at: datetime, client: str, referer: str = "-", status: int = 200, user: str = "-") -> str:
    return f'{client} - {user} [{at:%d/%b/%Y:%H:%M:%S %z}] "GET / HTTP/1.1" {status} 512 "{referer}" "curl"\n'


def busy_log(path: Path) -> Path:
    """250 calls of one address within four hours, 10 of another, and two lines that are none."""
    site = "https://shop.example/"
    calls = [(MONDAY + timedelta(minutes=number), "203.0.113.7", site, 200) for number in range(250)]
    calls += [(MONDAY + timedelta(hours=number), "2001:db8::1", "-", 429) for number in range(10)]
    lines = [combined(*call) for call in sorted(calls)]
    lines[17:17] = ["nonsense\x1b[31m\n", '{"ip": "192.0.2.1"}\n']
    path.write_text("".join(lines))
    return path


def simulated(*arguments: str | Path, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(main, ["simulate", "log", *map(str, arguments)], input=stdin)


def document(*arguments: str | Path, stdin: bytes | None = None) -> Any:
    result = simulated(*arguments, "--json", stdin=stdin)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_log_is_held_to_the_anonymous_plan(tmp_path: Path) -> None:
    found = document(busy_log(tmp_path / "access.log"), "--delays", "none")
    assert found["complete"]
    log = found["log"]
    assert (log["lines"], log["calls"], log["unreadable"], log["answered_429"]) == (262, 260, 2, 10)
    assert (log["first"], log["last"]) == ("2026-11-16T10:00:00Z", "2026-11-16T19:00:00Z")
    assert [each["line"] for each in log["first_unreadable"]] == [18, 19]
    assert log["first_unreadable"][0]["reason"] == "not in the combined format"
    [plan] = found["plans"]
    assert (plan["plan"], plan["calls"], plan["admitted"], plan["refused"]) == ("anonymous", 260, 210, 50)
    assert plan["first_refused"] == "2026-11-16T13:20:00Z"
    assert [caller["caller"] for caller in plan["top"]] == ["203.0.113.7"]
    assert (plan["top"][0]["refused"], plan["top"][0]["refused_percent"]) == (50, 20.0)
    assert [(hour["at"][11:13], hour["calls"], hour["refused"]) for hour in plan["hours"]][:5] == [
        ("10", 61, 0),
        ("11", 61, 0),
        ("12", 61, 0),
        ("13", 61, 40),
        ("14", 11, 10),
    ]
    day = next(kind for kind in plan["callers"] if kind["per"] == "ip")["quotas"]["day"]
    assert day[-1] == {
        "refuses_at_most_percent": 0.0,
        "quota": 250,
        "callers_refused": 0,
        "calls_refused": 0,
        "calls_refused_percent": 0.0,
    }


def test_late_counts_come_beside_exact_ones(tmp_path: Path) -> None:
    [plan] = document(busy_log(tmp_path / "access.log"), "--delays", "bad", "--seed", "3")["plans"]
    assert plan["exact"] == {"refused": 50}
    assert plan["refused"] == 50 - plan["over"] + plan["early"]


def test_the_tables_say_what_the_document_says(tmp_path: Path) -> None:
    said = simulated(busy_log(tmp_path / "access.log")).stdout
    assert "260 calls in 262 lines, 2026-11-16 10:00:00 to 2026-11-16 19:00:00 UTC" in said
    assert "2 lines cannot be read, the first of them:" in said
    assert r"line 18: not in the combined format: nonsense\x1b[31m" in said
    assert "10 calls had been answered 429 then" in said
    assert "It would have refused 50 of 260 calls (19.2 %), the first on 2026-11-16 13:20" in said
    assert "\x1b" not in said
    for row in ("200 per ip and day", "ip 203.0.113.7", "2026-11-16 13:00", "ip and day"):
        assert row in said


def test_logs_are_joined_in_the_order_given_and_one_may_be_standard_input(tmp_path: Path) -> None:
    first, second = tmp_path / "a.log.gz", tmp_path / "b.log"
    first.write_bytes(gzip.compress(combined(MONDAY, "192.0.2.1").encode()))
    second.write_text(combined(MONDAY + timedelta(minutes=1), "192.0.2.2"))
    packed = gzip.compress(combined(MONDAY + timedelta(minutes=2), "192.0.2.3").encode())
    log = document(first, second, "-", stdin=packed)["log"]
    assert (log["files"], log["calls"], log["order"]["late"]) == ([str(first), str(second), "standard input"], 3, 0)
    log = document(second, first, "--reorder", "0")["log"]
    assert (log["calls"], log["order"]["late"], log["order"]["latest_seconds"]) == (2, 0, 0)
    assert simulated("-", "-").exit_code == 2


def test_limits_are_tried_and_plans_compared(tmp_path: Path) -> None:
    log = busy_log(tmp_path / "access.log")
    plans = document(log, "--plan", "anonymous", "--quota", "ip=5/hour", "--quota", "ref=100/day", "--delays", "none")[
        "plans"
    ]
    assert [plan["plan"] for plan in plans] == ["anonymous", "tried"]
    assert [limit["name"] for limit in plans[1]["limits"]] == ["ip-hour", "ref-day"]
    assert plans[1]["refused"] == 5 * 50 - 25 + (260 - 250 - 10)
    assert "The plans" in simulated(log, "--plan", "anonymous", "--quota", "ip=5/hour").stdout


def test_keys_of_json_lines_are_held_to_a_plan_for_keys(tmp_path: Path) -> None:
    path = tmp_path / "gateway.jsonl"
    path.write_text(
        "".join(
            json.dumps(
                {"ip": "192.0.2.1", "time": (MONDAY + timedelta(minutes=number)).isoformat(), "who": {"key": key}}
            )
            + "\n"
            for number, key in enumerate(["acme"] * 60 + ["-"] * 5)
        )
    )
    [plan] = document(path, "--plan", "trial", "--field", "key=who.key", "--delays", "none")["plans"]
    assert (plan["calls"], plan["left_out"], plan["refused"]) == (60, 5, 10)
    assert [(caller["per"], caller["caller"]) for caller in plan["top"]] == [("key", "acme")]
    [plan] = document(path, "--plan", "trial", "--per", "ip", "--delays", "none")["plans"]
    assert (plan["calls"], plan["left_out"], plan["refused"]) == (65, 0, 15)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--plan", "trial"), "plan trial is for keys, and none of the 260 calls read names one: --field key=…"),
        (("--plan", "gold"), "there is no plan 'gold': there are anonymous, trial, starter, pro"),
        (("--per", "ip"), "plan anonymous is for calls without a key"),
        (("--quota", "ip=1/day", "--quota", "ip=2/day"), "each kind and window may be limited once"),
        (("--regions", "9"), "the configuration has 3 regions, not 9"),
    ],
)
def test_what_cannot_be_held_to_a_plan_says_why(arguments: tuple[str, ...], says: str, tmp_path: Path) -> None:
    result = simulated(busy_log(tmp_path / "access.log"), *arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert says in result.stderr


def test_nobody_reads_gigabytes_to_learn_that_there_are_no_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "KEYLESS_CALLS", 100)
    result = simulated(busy_log(tmp_path / "access.log"), "--plan", "trial", "--reorder", "0")
    assert (result.exit_code, "none of the 100 calls read" in result.stderr) == (1, True)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "there are no lines"),
        (b"\n\n", "there are no lines"),
        (b"a\nb\n" * 9, "none of 18 lines can be read\n  line 1: not in the combined format: a\n"),
        (b'{"addr": "192.0.2.1", "when": 17}', "name one with --field ip=…; it has addr, when"),
        (gzip.compress(b"x" * 9_000, mtime=0)[:-20], "is a broken gzip file"),
        (combined(MONDAY, "192.0.2.1", user="frank").encode(), "every call of the log names a key or a user"),
    ],
)
def test_a_log_that_says_nothing_is_an_error_that_says_why(content: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(content)
    result = simulated(path)
    assert (result.exit_code, result.stdout) == (1, "")
    assert says in result.stderr


@pytest.mark.parametrize("text", ["ip", "ip=", "address=x", "=x"])
def test_a_field_is_named_with_its_path(text: str, tmp_path: Path) -> None:
    result = simulated(busy_log(tmp_path / "access.log"), "--field", text)
    assert result.exit_code == 2
    assert "write ip=json.path, with one of ip, time, referer, origin, key, status" in result.stderr


def test_a_plan_in_shadow_is_tried_as_if_it_were_in_force(tmp_path: Path) -> None:
    config = tmp_path / "tallygate.toml"
    config.write_text(
        (PROJECT / "tallygate.toml").read_text().replace("anonymous = true", "anonymous = true\nshadow = true")
    )
    [plan] = document(busy_log(tmp_path / "access.log"), "--config", config)["plans"]
    assert plan["refused"] > 40


def test_regions_share_the_callers(tmp_path: Path) -> None:
    found = document(busy_log(tmp_path / "access.log"), "--regions", "3")
    assert found["regions"] == ["us-east-1", "eu-west-1", "ap-southeast-2"]
    assert found["plans"][0]["exact"] == {"refused": 50}


def test_an_interrupt_shows_what_was_found_so_far_and_ends_as_one() -> None:
    lines = "".join(combined(MONDAY + timedelta(seconds=number), "203.0.113.7") for number in range(3_000))
    command = [sys.executable, "-c", "from tallygate.cli import main; main()", "simulate", "log", "-", "--json"]
    process = subprocess.Popen(
        [*command, "--reorder", "0", "--delays", "none"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdin.write(lines) == len(lines)
    process.stdin.flush()
    waiting = array("i", [1])
    while waiting[0]:  # bytes in the pipe: at last it has taken all, and waits for more
        fcntl.ioctl(process.stdin, termios.FIONREAD, waiting)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=30)
    found = json.loads(out)
    assert (process.returncode, found["complete"]) == (128 + signal.SIGINT, False)
    assert found["plans"][0]["calls"] > 2_000
    assert f"Interrupted: this is of the first {found['log']['lines']:,} lines." in errors


def test_a_page_that_cannot_be_written_is_known_before_the_log_is_read(tmp_path: Path) -> None:
    result = simulated(busy_log(tmp_path / "access.log"), "--html", tmp_path / "missing" / "page.html")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "missing is no directory that can be written to" in " ".join(result.stderr.split())
