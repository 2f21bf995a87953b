"""`/ops/keys`: what `tallygate keys` does, for programs such as a sign-up page's. Both go through KeyAdmin."""

import json
import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

from functions.ops.problems import NobodyError
from tallygate.aws.audit_log import AuditLog
from tallygate.aws.dynamodb import dynamodb_client
from tallygate.aws.key_admin import key_admin
from tallygate.aws.key_store import KeyStore
from tallygate.aws.ops_answers import Answer, answer
from tallygate.aws.settings import OpsSettings
from tallygate.core.key_admin import DEFAULT_OVERLAP_MS, MAX_OVERLAP_MS, KeyAdmin, UnknownKeyError
from tallygate.core.key_fields import EDITABLE, WRITABLE, FieldError, duration_of, fields_of, one_line
from tallygate.core.key_import import hashed_key_of
from tallygate.core.key_profile import KEY_STATES, KeyProfile
from tallygate.core.keys import KEY_ID_CHARS
from tallygate.operations.routes import routes_of, rule

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEYS_PATH: Final = "/ops/keys"
MAX_PAGE: Final = 1_000
DEFAULT_PAGE: Final = 100
MAX_TOKEN_CHARS: Final = 255

app = APIGatewayHttpResolver()


@cache
def settings() -> OpsSettings:
    return OpsSettings.from_env()


@cache
def client() -> "DynamoDBClient":
    return dynamodb_client(settings().region)


def create() -> Answer:
    """Give out a key; its secret is in this answer and nowhere else. With an `Idempotency-Key`, once in a day."""
    fields = fields_of(_document(), WRITABLE, _now_ms())
    for name in ("owner", "plan"):
        if name not in fields:
            raise FieldError(name, "is missing")
    token = app.current_event.headers.get("idempotency-key")
    if token is not None:
        token = one_line("Idempotency-Key", token, MAX_TOKEN_CHARS)
    secret, profile = _admin().create(fields, _now_ms(), token)
    return answer(201, {"secret": secret, **profile.document(_now_ms())}, Location=f"{KEYS_PATH}/{profile.id}")


def take() -> Answer:
    """Take over a key of this stage that was given out elsewhere, by the hash of its secret: no secret is sent here.
    201; 200 when it is here already, and stays as it is."""
    now_ms = _now_ms()
    given = hashed_key_of(_document(), now_ms)
    outcome = _admin().take(given.hash, given.fields, now_ms)
    stored = KeyStore(client(), settings().gate_table).find(given.hash[:KEY_ID_CHARS])
    if stored is None:
        raise UnknownKeyError(given.hash[:KEY_ID_CHARS])
    profile = stored.profile
    return answer(201 if outcome == "taken" else 200, profile.document(now_ms), Location=f"{KEYS_PATH}/{profile.id}")


def list_keys() -> Answer:
    """Keys by owner, plan and status, page by page."""
    query = app.current_event.query_string_parameters or {}
    now_ms = _now_ms()
    for name in query:
        if name not in ("owner", "plan", "status", "limit", "cursor"):
            raise FieldError(name, "is not known here; allowed are owner, plan, status, limit, cursor")
    plan, status, limit = query.get("plan"), query.get("status"), query.get("limit", str(DEFAULT_PAGE))
    if status is not None and status not in KEY_STATES:
        raise FieldError("status", f"one of {', '.join(KEY_STATES)}")
    if not (limit.isascii() and limit.isdecimal() and len(limit) < 5 and 1 <= int(limit) <= MAX_PAGE):
        raise FieldError("limit", f"a whole number from 1 to {MAX_PAGE}")

    def wanted(profile: KeyProfile) -> bool:
        return plan in (None, profile.plan) and status in (None, profile.state(now_ms))

    store = KeyStore(client(), settings().gate_table)
    page = store.page(int(limit), query.get("cursor"), query.get("owner"), wanted)
    return answer(200, {"keys": [key.document(now_ms) for key in page.profiles], "cursor": page.cursor})


def show(id: str) -> Answer:
    stored = KeyStore(client(), settings().gate_table).find(id)
    if stored is None:
        raise UnknownKeyError(id)
    return _profile(stored.profile)


def change(id: str) -> Answer:
    """Change plan, note, expiry or restrictions; null takes away a note or an expiry."""
    fields = fields_of(_document(), EDITABLE, _now_ms())
    return _profile(_admin().change(id, fields, _now_ms()))


def rotate(id: str) -> Answer:
    """Give out a key that takes over from this one, which stays good for `overlap_seconds` (a day)."""
    document = _document(may_be_absent=True)
    for name in document:
        if name != "overlap_seconds":
            raise FieldError(name, "is not known here; allowed is overlap_seconds")
    overlap_ms = duration_of(
        "overlap_seconds", document.get("overlap_seconds", DEFAULT_OVERLAP_MS // 1000), MAX_OVERLAP_MS
    )
    now_ms = _now_ms()
    secret, profile, old = _admin().rotate(id, overlap_ms, now_ms)
    body = {"secret": secret, **profile.document(now_ms), "predecessor": old.document(now_ms)}
    return answer(201, body, Location=f"{KEYS_PATH}/{profile.id}")


def revoke(id: str) -> Answer:
    """Refuse a key from now on. Asked for again, it changes nothing."""
    return _profile(_admin().revoke(id, _now_ms()))


def _admin() -> KeyAdmin:
    return key_admin(client(), settings().gate_table, settings().stage, AuditLog(settings().tally_table, _who()))


def _who() -> str:
    """The ARN of the principal that signed the call."""
    context = app.current_event.raw_event.get("requestContext") or {}
    arn = ((context.get("authorizer") or {}).get("iam") or {}).get("userArn")
    if not isinstance(arn, str) or not arn:
        raise NobodyError
    return arn


def _document(*, may_be_absent: bool = False) -> dict[str, Any]:
    body = app.current_event.decoded_body
    if not body and may_be_absent:
        return {}
    try:
        document = json.loads(body or "")
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise FieldError("body", "a JSON object")
    return document


def _profile(profile: KeyProfile) -> Answer:
    return answer(200, profile.document(_now_ms()))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


ANSWERS: Final[dict[str, Callable[..., Answer]]] = {
    "createKey": create,
    "listKeys": list_keys,
    "showKey": show,
    "changeKey": change,
    "revokeKey": revoke,
    "rotateKey": rotate,
    "importKey": take,
}
for route in routes_of("ops"):
    app.route(rule(route), method=route.method)(ANSWERS[route.name])
