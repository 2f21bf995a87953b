"""Notices from calls over HTTP to whoever is told: an event, a message of the topic and a signed webhook for each
level, once for each id, whatever comes again."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from click.testing import CliRunner

from tallygate.aws.told_reader import ToldReader
from tallygate.cli import main
from tallygate.core import names
from tallygate.core.keys import key_id
from tallygate.core.periods import period_of
from tallygate.core.webhooks import signature, signing_key
from tallygate.local.world import World
from tests.pipeline.calls import Asked, ask_all

VIRGINIA, IRELAND, SYDNEY = "us-east-1", "eu-west-1", "ap-southeast-2"
PATIENCE_SECONDS = 60
TRIAL_PER_DAY = 50


class Receiver:
    """A program that takes webhooks. It answers 503 to the first one, and keeps what it took."""

    def __init__(self) -> None:
        self.taken: list[tuple[dict[str, str], bytes]] = []
        self.refused: list[str] = []
        self._lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/hook?of=tests"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(int(headers["content-length"]))
                with receiver._lock:
                    takes = bool(receiver.refused)
                    if takes:
                        receiver.taken.append((headers, body))
                    else:
                        receiver.refused.append(headers["webhook-id"])
                self.send_response(204 if takes else 503)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Nobody reads it."""

        return Handler


@pytest.fixture(scope="module")
def receiver(world: World) -> Iterator[Receiver]:
    """Who receives webhooks instead of the URL in the configuration. What it refuses comes again in a second."""
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, args=(0.05,))
    thread.start()
    lambda_, sqs = world.aws.client("lambda", VIRGINIA), world.aws.client("sqs", VIRGINIA)
    settings = lambda_.get_function_configuration(FunctionName=world.names.webhook)["Environment"]["Variables"]
    environment = {"Variables": {**settings, "TALLYGATE_WEBHOOK_URL": receiver.url}}
    lambda_.update_function_configuration(FunctionName=world.names.webhook, Environment=environment)
    queue = sqs.get_queue_url(QueueName=world.names.webhook)["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "1"})
    yield receiver
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "300"})
    lambda_.update_function_configuration(FunctionName=world.names.webhook, Environment={"Variables": settings})
    receiver.server.shutdown()
    receiver.server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def queues(world: World) -> dict[str, str]:
    """A queue of the test's own for all events of the bus, and one for all messages of the topic."""
    sqs, sns = world.aws.client("sqs", VIRGINIA), world.aws.client("sns", VIRGINIA)
    events = world.aws.client("events", VIRGINIA)
    urls = {name: sqs.create_queue(QueueName=f"test-notices-{name}")["QueueUrl"] for name in ("bus", "topic")}
    arns = {
        name: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        for name, url in urls.items()
    }
    bus = world.names.notices
    events.put_rule(Name="everything", EventBusName=bus, EventPattern=json.dumps({"source": ["tallygate"]}))
    events.put_targets(Rule="everything", EventBusName=bus, Targets=[{"Id": "test", "Arn": arns["bus"]}])
    (topic,) = [each["TopicArn"] for each in sns.list_topics()["Topics"] if each["TopicArn"].endswith(f":{bus}")]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arns["topic"], Attributes={"RawMessageDelivery": "true"})
    return urls


class Inbox:
    """What has come to the queues of the test, of one key."""

    def __init__(self, world: World, queues: dict[str, str], key: str) -> None:
        self._sqs = world.aws.client("sqs", VIRGINIA)
        self._queues = queues
        self._key = key
        self.events: list[dict[str, Any]] = []
        self.texts: list[str] = []

    def look(self) -> None:
        for name, url in self._queues.items():
            while messages := self._sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
                for message in messages:
                    self._sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                    if self._key in message["Body"]:
                        body = json.loads(message["Body"])
                        (self.events if name == "bus" else self.texts).append(body)

    def levels(self) -> list[int]:
        self.look()
        return [event["detail"]["level"] for event in self.events]


def wait_until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"not within {PATIENCE_SECONDS} s: {what}"


def spend(world: World, caller: dict[str, str | bytes], calls: int) -> None:
    """So many calls at all regions, counted and told."""
    ask_all(world, [Asked((VIRGINIA, IRELAND, SYDNEY)[number % 3], caller) for number in range(calls)])
    world.wait_until_caught_up()


def spend_until(world: World, caller: dict[str, str | bytes], holds: Callable[[], bool], what: str) -> None:
    """Calls, one after the other, until something holds: near a limit an estimate may refuse some."""

    def call_and_look() -> bool:
        spend(world, caller, 1)
        return holds()

    wait_until(call_and_look, what)


def test_each_level_of_a_key_is_told_once_to_everybody(
    world: World,
    fresh_ip: Callable[[], str],
    new_key: Callable[[str], str],
    receiver: Receiver,
    queues: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secret = new_key("trial")
    id = key_id(secret)
    caller: dict[str, str | bytes] = {"X-Forwarded-For": fresh_ip(), "x-api-key": secret}
    inbox = Inbox(world, queues, id)
    began_ms = time.time_ns() // 1_000_000

    spend(world, caller, 39)
    assert inbox.levels() == []
    spend_until(world, caller, lambda: inbox.levels() == [80], "80 %")
    (event,) = inbox.events
    assert (event["source"], event["detail-type"]) == ("tallygate", "Quota Level Reached")
    told = event["detail"]
    assert (told["kind"], told["value"], told["owner"], told["key"]) == ("key", id, "tests", id)
    assert (told["limit"], told["quota"], told["used"], told["plan"]) == ("key-day", TRIAL_PER_DAY, 40, "trial")
    assert (told["service"], told["stage"], told["test"]) == ("tallygate", "local", False)
    assert f"day#{told['period']['name']}" == period_of("day", began_ms)

    spend(world, caller, 9)
    spend_until(world, caller, lambda: inbox.levels() == [80, 100], "100 %")
    assert inbox.texts == [event["detail"]["text"] for event in inbox.events]

    monkeypatch.setenv("TALLYGATE_WORLD", str(world._directory))
    listed = CliRunner().invoke(main, ["notices", "list", "key", secret, "--json"])
    assert [{**each, "told": None} for each in json.loads(listed.stdout)] == [
        {"told": None, **event["detail"]} for event in inbox.events
    ]

    # A reset lets the key use its quota again. The levels of this day are told.
    reset = CliRunner().invoke(main, ["quota", "reset", "key", secret])
    assert reset.exit_code == 0, reset.output
    wait_until(lambda: ask_all(world, [Asked(VIRGINIA, caller)]) == [200], "admitted after the reset")
    spend(world, caller, 49)
    # Nor does reading everything again tell anything.
    world.order_faults([{"fault": "read again", "table": world.names.gate_table, "records": 100_000}])
    world.wait_until_caught_up()
    assert inbox.levels() == [80, 100]
    assert world.faults().happened["read again"] >= 1

    # A queue may deliver twice, so receivers go by the id.
    taken = {notice["data"]["id"]: notice["data"] for notice in _taken(receiver, id, 2)}
    assert taken == {event["detail"]["id"]: event["detail"] for event in inbox.events}
    assert set(receiver.refused) <= taken.keys(), "the first delivery was refused, and came again"

    # Who forgets what was told tells it again, with the same id.
    table = world.aws.client("dynamodb", VIRGINIA)
    for record in ToldReader(table, world.names.tally_table).records(told["period"]["name"][:7], f"key#{id}"):
        place = f"key#{id}#day#{record.notice['period']['name']}#key-day#{record.notice['level']:03d}"
        key = {names.PK: {"S": f"told#{told['period']['name'][:7]}"}, names.SK: {"S": place}}
        table.delete_item(TableName=world.names.tally_table, Key=key)
    world.order_faults([{"fault": "read again", "table": world.names.gate_table, "records": 100_000}])
    world.wait_until_caught_up()
    wait_until(lambda: len(inbox.levels()) > 2, "told again")
    counts = Counter((event["detail"]["id"], event["detail"]["level"]) for event in inbox.events)
    assert {level for _, level in counts} == {80, 100}
    assert len(counts) == 2, "each level has one id"


def _taken(receiver: Receiver, key: str, number: int) -> list[dict[str, Any]]:
    """The webhooks of a key, of which there are so many at least."""

    def of_key() -> dict[str, bytes]:
        return {headers["webhook-id"]: body for headers, body in receiver.taken if key.encode() in body}

    wait_until(lambda: len(of_key()) >= number, f"{number} webhooks")
    return [json.loads(body) for body in of_key().values()]


def test_a_notifier_that_dies_between_telling_and_remembering_tells_it_again_with_the_same_id(
    world: World, fresh_ip: Callable[[], str], new_key: Callable[[str], str], queues: dict[str, str]
) -> None:
    secret = new_key("trial")
    caller: dict[str, str | bytes] = {"X-Forwarded-For": fresh_ip(), "x-api-key": secret}
    inbox = Inbox(world, queues, key_id(secret))
    # When it remembers, the event is on the bus.
    world.order_faults([{"fault": "killed before a write", "function": world.names.notifier, "partition": "told#"}])
    spend(world, caller, 39)
    spend_until(world, caller, lambda: len(inbox.levels()) == 2, "told twice")
    assert len({event["detail"]["id"] for event in inbox.events}) == 1
    assert world.faults().happened["killed before a write"] >= 1
    assert world.faults().waiting == 0


def test_webhooks_are_signed_with_the_secret_of_the_stage(
    world: World, fresh_ip: Callable[[], str], new_key: Callable[[str], str], receiver: Receiver
) -> None:
    secret = new_key("trial")
    caller: dict[str, str | bytes] = {"X-Forwarded-For": fresh_ip(), "x-api-key": secret}
    spend(world, caller, 39)
    spend_until(world, caller, lambda: any(key_id(secret).encode() in body for _, body in receiver.taken), "a webhook")
    secrets = world.aws.client("secretsmanager", VIRGINIA)
    key = signing_key(secrets.get_secret_value(SecretId=world.names.webhook)["SecretString"])
    for headers, body in receiver.taken:
        signed = signature(key, headers["webhook-id"], int(headers["webhook-timestamp"]), body)
        assert headers["webhook-signature"] == signed
        assert abs(time.time() - int(headers["webhook-timestamp"])) < 300
        assert headers["webhook-id"] == json.loads(body)["data"]["id"]


def test_a_test_notice_goes_the_way_of_all(
    world: World, receiver: Receiver, queues: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TALLYGATE_WORLD", str(world._directory))
    sent = json.loads(CliRunner().invoke(main, ["notices", "test", "--json"]).stdout)
    assert sent["targets"] == ["the topic", "the webhook"]
    inbox = Inbox(world, queues, "0" * 16)
    wait_until(lambda: inbox.levels() == [80] and bool(inbox.texts), "on the bus and in the topic")
    assert inbox.events[0]["detail"] == sent["notice"]
    assert inbox.texts == [sent["notice"]["text"]]
    wait_until(lambda: any(headers["webhook-id"] == sent["notice"]["id"] for headers, _ in receiver.taken), "a webhook")
    assert sent["notice"]["test"] is True
    listed = CliRunner().invoke(main, ["notices", "list", "key", "0" * 16])
    assert listed.stdout == "Nothing was told.\n", "it says nothing about anybody"
