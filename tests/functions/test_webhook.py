"""The webhook against a receiver on this machine: what is taken, what is tried again, and that no secret shows."""

import base64
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from botocore.exceptions import ClientError

from functions.webhook import handler as module
from functions.webhook.post import NotTakenError, post
from tallygate.aws import webhook_secret
from tallygate.aws.settings import SettingsError, WebhookSettings
from tallygate.aws.webhook_secret import OVERLAP_SECONDS, WebhookSecret
from tallygate.core.webhooks import payload, signature, signing_key

OLD, NEW = (f"whsec_{base64.b64encode(bytes([letter]) * 32).decode()}" for letter in (1, 2))
NOTICE = {"id": "ntc_1", "as_of": "2026-11-20T12:00:00.000Z", "text": "A key has used 40 of 50 units."}


class Vault:
    """Secrets Manager: versions by stage, and when the current one was made."""

    def __init__(self, current: str, previous: str | None = None, age_seconds: int = 0) -> None:
        self.versions = {"AWSCURRENT": current} | ({"AWSPREVIOUS": previous} if previous else {})
        self.made = datetime.now(UTC) - timedelta(seconds=age_seconds)
        self.reads = 0

    def get_secret_value(self, SecretId: str, VersionStage: str) -> dict[str, Any]:
        self.reads += 1
        if VersionStage not in self.versions:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "GetSecretValue")
        return {"SecretString": self.versions[VersionStage], "CreatedDate": self.made}

    def put_secret_value(self, SecretId: str, SecretString: str) -> None:
        self.versions = {"AWSCURRENT": SecretString, "AWSPREVIOUS": self.versions["AWSCURRENT"]}


class Receiver:
    def __init__(self) -> None:
        self.status = 204
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(receiver.status)
                if 300 <= receiver.status < 400:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()

            def do_GET(self) -> None:
                receiver.asked.append((self.path, {}, b""))

            def log_message(self, format: str, *args: object) -> None:
                """Nobody reads it."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?token=t0p"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, args=(0.01,))
    thread.start()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()
    thread.join()


@pytest.fixture
def send(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Callable[[Vault], None]:
    """Gives the function one message of its queue."""

    def send_with(vault: Vault) -> None:
        settings = WebhookSettings(receiver.url, "us-east-1", "secret")
        monkeypatch.setattr(module, "settings", lambda: settings)
        secret = WebhookSecret(vault, settings.webhook_secret)  # type: ignore[arg-type]
        monkeypatch.setattr(module, "secret", lambda: secret)
        module.handler({"Records": [{"body": json.dumps({"detail": NOTICE})}]}, None)

    return send_with


def test_a_notice_is_sent_whole_and_signed(receiver: Receiver, send: Callable[[Vault], None]) -> None:
    send(Vault(NEW))
    ((path, headers, body),) = receiver.asked
    assert (path, body) == ("/hook?token=t0p", payload(NOTICE))
    assert headers["content-type"] == "application/json"
    assert headers["webhook-id"] == "ntc_1"
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    at_seconds = int(headers["webhook-timestamp"])
    assert headers["webhook-signature"] == signature(signing_key(NEW), "ntc_1", at_seconds, body)


def test_for_a_day_after_a_rotation_either_secret_verifies(receiver: Receiver, send: Callable[[Vault], None]) -> None:
    send(Vault(NEW, OLD, age_seconds=OVERLAP_SECONDS - 60))
    send(Vault(NEW, OLD, age_seconds=OVERLAP_SECONDS + 60))
    (during, after) = (headers for _, headers, _ in receiver.asked)
    body, at = payload(NOTICE), int(during["webhook-timestamp"])
    assert during["webhook-signature"].split() == [signature(signing_key(key), "ntc_1", at, body) for key in (NEW, OLD)]
    assert len(after["webhook-signature"].split()) == 1


def test_a_rotation_makes_a_secret_that_signs_and_keeps_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    vault = Vault("A" * 40)  # as the stack makes it: letters and digits, without the prefix
    secret = WebhookSecret(vault, "secret")  # type: ignore[arg-type]
    assert secret.shown() == "whsec_" + "A" * 40
    assert secret.keys() == [signing_key("A" * 40)]
    made = secret.rotate()
    assert made.startswith("whsec_")
    assert secret.keys() == [signing_key("A" * 40)], "a container signs on with what it read, for a minute"
    now = time.monotonic()
    monkeypatch.setattr(webhook_secret.time, "monotonic", lambda: now + 61)
    assert secret.keys() == [signing_key(made), signing_key("A" * 40)]
    assert secret.shown() == made


@pytest.mark.parametrize("status", [301, 307, 400, 410, 429, 500, 503])
def test_what_is_not_taken_is_tried_again_and_no_redirect_is_followed(
    receiver: Receiver, send: Callable[[Vault], None], status: int
) -> None:
    receiver.status = status
    with pytest.raises(NotTakenError, match=f"answered {status}") as caught:
        send(Vault(NEW))
    assert [path for path, _, _ in receiver.asked] == ["/hook?token=t0p"]
    assert "t0p" not in str(caught.value)


def test_a_receiver_that_is_not_there_is_tried_again_and_its_url_not_told(receiver: Receiver) -> None:
    with pytest.raises(NotTakenError, match="no answer: ConnectionRefusedError") as caught:
        post("http://127.0.0.1:9/hook?token=t0p", {}, b"")
    assert "t0p" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_name_that_dns_cannot_ask_for_is_no_answer_either() -> None:
    with pytest.raises(NotTakenError, match="no answer: UnicodeError"):
        post(f"http://{'a' * 64}.example/hook", {}, b"")


def test_neither_secret_nor_url_nor_what_is_told_is_in_the_log(
    send: Callable[[Vault], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    (handler,) = module.logger.handlers
    log = io.StringIO()
    monkeypatch.setattr(handler, "stream", log)
    send(Vault(NEW, OLD))
    logged = log.getvalue()
    assert "ntc_1" in logged
    for secret in (NEW, OLD, "t0p", "v1,", "40 of 50"):
        assert secret.removeprefix("whsec_") not in logged
    assert "t0p" not in repr(WebhookSettings("https://example.com/?token=t0p", "us-east-1", "secret"))


def test_a_real_stage_takes_https_only() -> None:
    environment = {"AWS_REGION": "us-east-1", "TALLYGATE_WEBHOOK_SECRET": "arn", "TALLYGATE_WEBHOOK_URL": "http://a/"}
    assert WebhookSettings.from_env({**environment, "TALLYGATE_STAGE": "local"}).url == "http://a/"
    with pytest.raises(SettingsError, match="TALLYGATE_WEBHOOK_URL is no https URL") as caught:
        WebhookSettings.from_env({**environment, "TALLYGATE_STAGE": "prod"})
    assert "http://a/" not in str(caught.value)
