"""What goes wrong is one line that says what to do next, with the exit code for it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from botocore import exceptions as aws
from click.testing import CliRunner, Result
from test_operators import CONFIG

from tallygate.cli import main
from tallygate.cli.exit_codes import DONE, ENDED, EXIT_CODES, FAILED, INTERRUPTED, NOT_UNDERSTOOD
from tallygate.cli.output import console, print_json
from tallygate.core.tally import StoreError
from tallygate.operations.errors import UnreachableError
from tallygate.operations.sources import reading

TALLYGATE = Path(sys.executable).with_name("tallygate")


@pytest.fixture(autouse=True)
def nothing_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory with a configuration, no world, and nobody's credentials."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "TALLYGATE_"))]:
        monkeypatch.delenv(name)
    for name, value in {
        "AWS_CONFIG_FILE": str(tmp_path / "aws"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "TALLYGATE_WORLD": str(tmp_path / "world"),
        "HOME": str(tmp_path),
    }.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "tallygate.toml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def told(result: Result) -> str:
    """The one line of a failure."""
    (line,) = result.stderr.splitlines()
    assert (result.exit_code, result.stdout) == (FAILED, "")
    return line.removeprefix("Error: ")


@pytest.mark.parametrize(
    "arguments",
    [
        ("usage", "top", "ip"),
        ("usage", "export", "--from", "2026-11-01", "--format", "csv"),
        ("keys", "list"),
        ("endpoints",),
    ],
)
def test_no_world_is_up(arguments: tuple[str, ...]) -> None:
    assert told(run(*arguments)) == "no local world is up: `tallygate up` starts one"


def test_there_are_no_credentials() -> None:
    assert told(run("keys", "list", "--stage", "prod")) == (
        "Unable to locate credentials: set AWS_PROFILE or AWS_ACCESS_KEY_ID, or give --profile"
    )


def test_a_profile_is_not_there() -> None:
    assert told(run("keys", "list", "--stage", "prod", "--profile", "gone")) == (
        "The config profile (gone) could not be found: `aws configure list-profiles` names those there are"
    )


def test_nobody_signed_in(tmp_path: Path) -> None:
    """A profile of IAM Identity Center whose session is not there, or has expired."""
    (tmp_path / "aws").write_text(
        "[profile work]\nsso_session = work\nsso_account_id = 1\nsso_role_name = reader\n"
        "[sso-session work]\nsso_region = us-east-1\nsso_start_url = https://example.com\n"
    )
    line = told(run("keys", "list", "--stage", "prod", "--profile", "work"))
    assert line.endswith(" — sign in again: `aws sso login`, with --profile if you gave one here")
    assert "oken" in line


def test_a_stage_is_unknown() -> None:
    assert told(run("keys", "list", "--stage", "staging")) == "--stage: staging is none of service.stages: local, prod"


def test_the_configuration_is_not_there() -> None:
    assert told(run("keys", "list", "--stage", "prod", "--config", "gone.toml")) == (
        "gone.toml: cannot be read: No such file or directory"
    )


def test_a_region_is_none_of_the_service() -> None:
    assert told(run("usage", "top", "ip", "--stage", "prod", "--region", "eu-north-1")) == (
        "--region: eu-north-1 is no home; calls are counted in us-east-1, eu-west-1"
    )


def test_nothing_listens_at_the_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert told(run("keys", "list")) == (
        'Could not connect to the endpoint URL: "http://127.0.0.1:9/" — AWS_ENDPOINT_URL is http://127.0.0.1:9: does '
        "it run? `unset AWS_ENDPOINT_URL` for AWS, or the local world"
    )


def refusal(code: str, message: str = "as told by AWS") -> aws.ClientError:
    return aws.ClientError({"Error": {"Code": code, "Message": message}}, "Scan")


def unanswered(url: str) -> StoreError:
    error = StoreError(f'no answer: Could not connect to the endpoint URL: "{url}"')
    error.__cause__ = aws.EndpointConnectionError(endpoint_url=url)
    return error


DENIED = "User: arn:aws:iam::1:user/reader is not authorized to perform: dynamodb:Scan on resource: tally"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            refusal("ResourceNotFoundException", "Requested resource not found"),
            "AWS refused (ResourceNotFoundException): Requested resource not found — is the stage deployed in this "
            "account and region? --stage, --profile and --region choose; `cdk deploy` deploys",
        ),
        (
            refusal("ExpiredTokenException"),
            "AWS refused (ExpiredTokenException): as told by AWS — sign in again: `aws sso login`, or new credentials",
        ),
        (
            refusal("ProvisionedThroughputExceededException"),
            "AWS refused (ProvisionedThroughputExceededException): as told by AWS — too much is asked of it at the "
            "moment; try again in a minute",
        ),
        (
            refusal("AccessDeniedException", DENIED),
            f"AWS refused (AccessDeniedException): {DENIED} — these credentials may not dynamodb:Scan; give others "
            "with --profile",
        ),
        (
            refusal("AccessDenied", "Access\nDenied"),
            "AWS refused (AccessDenied): Access Denied — these credentials may not Scan; give others with --profile",
        ),
        (refusal("Unheard"), "AWS refused (Unheard): as told by AWS"),
        (
            aws.EndpointConnectionError(endpoint_url="https://dynamodb.nowhere-1.amazonaws.com/"),
            'Could not connect to the endpoint URL: "https://dynamodb.nowhere-1.amazonaws.com/" — is there a network, '
            "and are the regions of the configuration right (--region, service.homes)?",
        ),
        (
            aws.EndpointConnectionError(endpoint_url="http://127.0.0.1:44583/"),
            'Could not connect to the endpoint URL: "http://127.0.0.1:44583/" — the local world has ended: `tallygate '
            "up` starts another, and then this command is to be started again",
        ),
        (
            unanswered("https://dynamodb.nowhere-1.amazonaws.com/"),
            'no answer: Could not connect to the endpoint URL: "https://dynamodb.nowhere-1.amazonaws.com/" — is there '
            "a network, and are the regions of the configuration right (--region, service.homes)?",
        ),
        (
            aws.CredentialRetrievalError(provider="process", error_msg="it\nbroke"),
            "Error when retrieving credentials from process: it broke — `aws sts get-caller-identity` shows whether "
            "these credentials work",
        ),
        (
            StoreError("refused for now: ThrottlingException"),
            "refused for now: ThrottlingException — too much is asked of it at the moment; try again in a minute",
        ),
        (OSError(28, "No space left on device"), "[Errno 28] No space left on device"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_aws_or_the_machine_refuses_is_one_line_that_says_what_to_do(
    error: Exception, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert told(raising(error, monkeypatch)) == line


def test_a_region_that_does_not_answer_is_told_from_one_that_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(error: Exception) -> None:
        with reading("the tally", "us-east-1"):
            raise error

    for error, hint in (
        (aws.ConnectTimeoutError(endpoint_url="https://dynamodb"), "is there a network, and are the regions of the"),
        (refusal("ThrottlingException"), "too much is asked of it at the moment"),
    ):
        with pytest.raises(UnreachableError) as unread:
            read(error)
        line = told(raising(unread.value, monkeypatch))
        assert line.startswith("the tally in us-east-1 cannot be read: ")
        assert hint in line


def raising(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> Result:
    """A command in which `error` happens."""

    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(main.commands["endpoints"], "callback", fail)
    return run("endpoints")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_what_a_terminal_has_no_characters_for_is_shown_escaped(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = "M\u00fcller \u2603 \U0001f600"
    for show in (print_json, lambda document: console().print(document["owner"])):
        monkeypatch.setattr(main.commands["endpoints"], "callback", lambda show=show, **_: show({"owner": owner}))
        ended = CliRunner(charset=encoding).invoke(main, ["endpoints"])
        assert (ended.exit_code, ended.exception) == (0, None)
        shown = ended.stdout_bytes.decode(encoding)
        if show is print_json:
            assert json.loads(shown) == {"owner": owner}
        else:
            assert shown == owner.encode(encoding, "backslashreplace").decode(encoding) + "\n"


def test_a_fault_of_ours_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(raising(ZeroDivisionError(), monkeypatch).exception, ZeroDivisionError)


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (KeyboardInterrupt(), INTERRUPTED),
        (SystemExit(ENDED), ENDED),
        (click.UsageError("no"), NOT_UNDERSTOOD),
        (refusal("Unheard"), FAILED),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else type(value).__name__,
)
def test_how_a_command_ends_is_its_exit_code(end: BaseException, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert raising(end, monkeypatch).exit_code == code


@pytest.mark.parametrize(("answer", "code"), [(KeyboardInterrupt(), INTERRUPTED), (EOFError(), FAILED)], ids=repr)
def test_a_question_that_is_not_answered_ends_the_command(
    answer: BaseException, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(_: str) -> str:
        raise answer

    monkeypatch.setattr("click.termui.visible_prompt_func", ask)
    monkeypatch.setattr(main.commands["endpoints"], "callback", lambda **_: click.confirm("Apply?", abort=True))
    assert endpoints_outside_a_runner() == code


def endpoints_outside_a_runner() -> object:
    """The exit code of a command. A CliRunner answers questions itself."""
    with pytest.raises(SystemExit) as ended:
        main(["endpoints"])
    return ended.value.code


def test_exit_codes_are_those_that_are_told() -> None:
    assert (
        [code for code, _, _ in EXIT_CODES] == [DONE, FAILED, NOT_UNDERSTOOD, INTERRUPTED, ENDED] == [0, 1, 2, 130, 143]
    )
    shown = run("--help").stdout
    assert all(f"{code} {short}" in " ".join(shown.split()) for code, short, _ in EXIT_CODES)


@pytest.mark.parametrize(
    "arguments",
    [
        ("frobnicate",),
        ("usage",),
        ("usage", "top"),
        ("usage", "top", "id"),
        ("keys", "list", "--limit", "x"),
        ("--no",),
    ],
)
def test_what_is_not_understood_ends_with_2(arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (NOT_UNDERSTOOD, "")
    assert result.stderr.startswith("Usage: tallygate")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, INTERRUPTED), (signal.SIGTERM, ENDED), (signal.SIGHUP, 129)]
)
def test_a_signal_ends_a_command_under_way_with_its_code_and_no_traceback(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    """While `simulate log` reads a pipe that nobody ends."""
    pipe = tmp_path / "access.log"
    os.mkfifo(pipe)
    process = subprocess.Popen(
        [TALLYGATE, "simulate", "log", str(pipe)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with pipe.open("w"):  # which waits until the command reads
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in stdout + stderr


def test_json_is_all_that_is_on_standard_output(tmp_path: Path) -> None:
    ended = run("down", "--json")
    assert (ended.exit_code, json.loads(ended.stdout)) == (DONE, {"ended": False, "port": None})
