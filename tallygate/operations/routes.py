"""The operators' API, said once: from this come the gateway's routes (stacks/ops.py), what the functions dispatch on,
and the OpenAPI document (docs/openapi.json). Types are named as in documents.py and key_documents.py.
"""

from dataclasses import dataclass
from typing import Final, Literal

Method = Literal["GET", "POST", "PATCH", "DELETE"]
Where = Literal["query", "path", "header"]
Type = Literal["string", "integer"]
Part = Literal["ops", "ops_reader"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a call. `most` is of an integer, which is 1 at least; `default` is what holds where it is
    absent."""

    name: str
    says: str
    where: Where = "query"
    type: Type = "string"
    required: bool = False
    one_of: tuple[str, ...] = ()
    most: int | None = None
    default: str | int | None = None
    example: str | None = None


@dataclass(frozen=True, slots=True)
class Body:
    """A JSON object that is sent."""

    document: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class Route:
    """A call. `part` is the function that answers it: `ops` may write keys, `ops_reader` only reads. `refusals` are
    statuses of a problem, beside those that every call may meet."""

    method: Method
    path: str
    name: str
    part: Part
    says: str
    answer: str
    statuses: tuple[tuple[int, str], ...] = ((200, "It is done, or here it is."),)
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    refusals: tuple[int, ...] = ()


KIND_VALUES: Final = ("ip", "ref", "key", "owner")
KIND: Final = Parameter("kind", "What kind of caller.", required=True, one_of=KIND_VALUES)
VALUE: Final = Parameter(
    "value",
    "Which one: an address, a site (host or URL), the id of a key, the name of an owner, as anybody writes them.",
    required=True,
    example="203.0.113.7",
)
CURSOR: Final = Parameter("cursor", "That of the page before, with the same other parameters.")
TIME: Final = "ISO 8601 (UTC unless it says otherwise), or Unix time in seconds, milliseconds or microseconds."
KEY_ID: Final = Parameter(
    "id", "Id of the key: 16 hex digits.", where="path", required=True, example="9f2c1d0a8b7e6f54"
)


def _limit(default: int, most: int, what: str) -> Parameter:
    return Parameter("limit", f"Most {what} of a page.", type="integer", most=most, default=default)


QUESTIONS: Final = (
    Route(
        "GET",
        "/ops/usage",
        "usage",
        "ops_reader",
        "A time series of what was counted: of one caller by home, or of the regions that serve (`kind=all`). Whole "
        "periods in UTC. Hours of a caller are there where a plan limits it by the hour, and hold what was charged to "
        "it.",
        "UsageDocument",
        parameters=(
            Parameter("kind", "What kind of caller; `all` for everybody.", required=True, one_of=(*KIND_VALUES, "all")),
            Parameter(
                "value",
                f"{VALUE.says} With `kind=all` a region; all of them where it is absent.",
                example="203.0.113.7",
            ),
            Parameter(
                "from",
                f"From when on. {TIME} By default the last 24 hours by the hour, this month by the day, all that is "
                "kept by the month.",
                example="2026-11-01",
            ),
            Parameter("to", f"Up to when. {TIME} By default now.", example="2026-11-21"),
            Parameter("granularity", "Length of a period.", one_of=("hour", "day", "month"), default="day"),
            Parameter(
                "fill",
                "Whether periods in which nothing was counted are there.",
                one_of=("true", "false"),
                default="true",
            ),
            Parameter(
                "limit",
                "Most periods of a page: by default 168 hours, 92 days or 36 months. A page ends before that where it "
                "would reach 1 MB.",
                type="integer",
                most=1_000,
            ),
            CURSOR,
        ),
        refusals=(400, 503),
    ),
    Route(
        "GET",
        "/ops/top",
        "top",
        "ops_reader",
        "The largest callers of a month or a day, by calls admitted and denied, and what is used of the limits that "
        "hold them now. Who was counted less than eight times in a home is in no ranking there: nobody is "
        "told who has seven calls or fewer for each home.",
        "TopDocument",
        parameters=(
            KIND,
            Parameter(
                "period", "A month or a day, UTC, of those that are kept. By default this month.", example="2026-11-20"
            ),
            Parameter("limit", "How many.", type="integer", most=100, default=10),
        ),
        refusals=(400, 503),
    ),
    Route(
        "GET",
        "/ops/standing",
        "standing",
        "ops_reader",
        "One caller at this moment: what is counted, what the regions know of that, its limits, and what a call would "
        "be told.",
        "StandingDocument",
        parameters=(KIND, VALUE),
        refusals=(400, 503),
    ),
    Route(
        "GET",
        "/ops/owners",
        "owners",
        "ops_reader",
        "Owners of keys, by a part of their name.",
        "OwnersDocument",
        parameters=(
            Parameter("q", "A part of the name, in whatever case. All owners where it is absent.", example="acme"),
            _limit(50, 200, "owners"),
            CURSOR,
        ),
        refusals=(400, 503),
    ),
    Route(
        "GET",
        "/ops/owners/{owner}",
        "owner",
        "ops_reader",
        "One owner's keys, and what they used this month.",
        "OwnerDocument",
        parameters=(
            Parameter("owner", "Its name. A slash in it is not escaped.", where="path", required=True, example="acme"),
            _limit(50, 100, "keys"),
            CURSOR,
        ),
        refusals=(400, 404, 503),
    ),
    Route(
        "GET",
        "/ops/pipeline",
        "pipeline",
        "ops_reader",
        "How far counting is behind the calls, writer by writer, up to five seconds ago; and how many rejects wait.",
        "PipelineDocument",
        refusals=(400, 503),
    ),
    Route("GET", "/ops/openapi.json", "openapi", "ops_reader", "This document.", "OpenApi"),
)

_NEW: Final = ((201, "Made."),)

KEYS: Final = (
    Route(
        "POST",
        "/ops/keys",
        "createKey",
        "ops",
        "Give out a key. Its secret is in this answer and nowhere else.",
        "CreatedKey",
        _NEW,
        parameters=(
            Parameter(
                "Idempotency-Key",
                "A token of up to 255 characters: the same request with it makes one key within a day.",
                where="header",
            ),
        ),
        body=Body("NewKey"),
        refusals=(400, 409),
    ),
    Route(
        "GET",
        "/ops/keys",
        "listKeys",
        "ops",
        "Keys by owner, plan and status, in no order.",
        "KeyPage",
        parameters=(
            Parameter("owner", "Of this owner.", example="acme"),
            Parameter("plan", "On this plan.", example="pro"),
            Parameter("status", "In this state.", one_of=("active", "revoked", "expired")),
            _limit(100, 1_000, "keys"),
            CURSOR,
        ),
        refusals=(400,),
    ),
    Route("GET", "/ops/keys/{id}", "showKey", "ops", "One key.", "KeyDocument", parameters=(KEY_ID,), refusals=(404,)),
    Route(
        "PATCH",
        "/ops/keys/{id}",
        "changeKey",
        "ops",
        "Change plan, note, expiry or restrictions. Null takes away a note or an expiry.",
        "KeyDocument",
        parameters=(KEY_ID,),
        body=Body("KeyChange"),
        refusals=(400, 404, 409, 503),
    ),
    Route(
        "DELETE",
        "/ops/keys/{id}",
        "revokeKey",
        "ops",
        "Refuse a key from now on. Asked for again, it changes nothing.",
        "KeyDocument",
        parameters=(KEY_ID,),
        refusals=(404, 503),
    ),
    Route(
        "POST",
        "/ops/keys/{id}/rotate",
        "rotateKey",
        "ops",
        "Give out a key that takes over from this one, which stays good for a while. Both are counted as one.",
        "RotatedKey",
        _NEW,
        parameters=(KEY_ID,),
        body=Body("Rotation", required=False),
        refusals=(400, 404, 409, 503),
    ),
    Route(
        "POST",
        "/ops/keys/import",
        "importKey",
        "ops",
        "Take over a key that was given out elsewhere, by the hash of its secret.",
        "KeyDocument",
        ((201, "Taken over."), (200, "It is here already, and stays as it is.")),
        body=Body("ImportedKey"),
        refusals=(400, 404, 409),
    ),
)

ROUTES: Final = (*KEYS, *QUESTIONS)


def routes_of(part: Part) -> tuple[Route, ...]:
    """Those that one function answers."""
    return tuple(route for route in ROUTES if route.part == part)


def rule(route: Route) -> str:
    """Its path as Powertools writes it: `/ops/keys/<id>`."""
    return route.path.replace("{", "<").replace("}", ">")
