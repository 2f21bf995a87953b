"""The operator's side: keys, and what operators ask, at `/ops` in the administrative region. Calls are signed with AWS
credentials (SigV4). Answers are documents as the API has them; their types are in tallygate/operations/documents.py."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, cast
from urllib.parse import quote

from tallygate.client.errors import TallygateError
from tallygate.client.transport import NO_RETRIES, Pool, Retries, Sign, Transport
from tallygate.client.values import When, text_of

if TYPE_CHECKING:
    from tallygate.operations.documents import (
        KeyDocument,
        OwnerDocument,
        OwnerRow,
        PipelineDocument,
        StandingDocument,
        TopDocument,
        UsageRow,
    )

KEYS: Final = "/ops/keys"


class Unchanged:
    """Stands for a field that stays as it is; None takes one away."""

    def __repr__(self) -> str:
        return "UNCHANGED"


UNCHANGED: Final = Unchanged()


class Session(Protocol):
    """What boto3.Session and botocore.session.Session have in common."""

    def get_credentials(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made. `secret` is shown this once: the service keeps its hash only. `predecessor` is the key
    that it takes over from."""

    key: "KeyDocument"
    secret: str = field(repr=False)
    predecessor: "KeyDocument | None" = None


class OperatorClient:
    """Calls the operators' API at `ops_url`, in `region`, with the credentials of `session`: by default those that the
    AWS CLI would take. Every method raises NoAnswerError, or the ProblemError that the service answers with."""

    def __init__(
        self,
        ops_url: str,
        region: str,
        session: Session | None = None,
        *,
        retries: Retries = NO_RETRIES,
        pool: Pool | None = None,
    ) -> None:
        self._transport = Transport(ops_url, _signer(region, session), retries=retries, pool=pool)

    def __repr__(self) -> str:
        return f"OperatorClient({self._transport.base_url!r})"

    @cached_property
    def keys(self) -> "Keys":
        """Giving out, changing and revoking keys."""
        return Keys(self._transport)

    def usage(
        self,
        kind: Literal["ip", "ref", "key", "owner", "all"],
        value: str | None = None,
        *,
        start: When | None = None,
        end: When | None = None,
        granularity: Literal["hour", "day", "month"] | None = None,
        fill: bool | None = None,
    ) -> "Iterator[UsageRow]":
        """What was counted of an identifier in each period, page by page as it is asked for; `all` is of one serving
        region, or of all of them. Without `fill`, periods with nothing are left out."""
        query = {"kind": kind, "value": value, "granularity": granularity}
        query |= {"from": None if start is None else text_of(start), "to": None if end is None else text_of(end)}
        query["fill"] = None if fill is None else str(fill).lower()
        return self._pages("/ops/usage", query, "rows")

    def top(
        self, kind: Literal["ip", "ref", "key", "owner"], period: str | None = None, limit: int | None = None
    ) -> "TopDocument":
        """The largest of a kind in a month (`2026-11`, by default this one) or a day (`2026-11-20`)."""
        return cast("TopDocument", self._get("/ops/top", {"kind": kind, "period": period, "limit": limit}))

    def standing(self, kind: Literal["ip", "ref", "key", "owner"], value: str) -> "StandingDocument":
        """One identifier at this moment: its limits, what is used of them, and what a call would be told."""
        return cast("StandingDocument", self._get("/ops/standing", {"kind": kind, "value": value}))

    def owners(self, text: str | None = None) -> "Iterator[OwnerRow]":
        """Owners of keys whose name contains `text`, or all."""
        return self._pages("/ops/owners", {"q": text}, "owners")

    def owner(self, name: str, cursor: str | None = None) -> "OwnerDocument":
        """An owner's keys and what was counted of each this month; the document's `cursor` leads to more of them."""
        return cast("OwnerDocument", self._get(f"/ops/owners/{quote(name)}", {"cursor": cursor}))

    def pipeline(self) -> "PipelineDocument":
        """How far behind counting is, by writer, and what it could not count."""
        return cast("PipelineDocument", self._get("/ops/pipeline", {}))

    def _get(self, path: str, query: Mapping[str, object]) -> dict[str, Any]:
        return self._transport.send("GET", path, _said(query))

    def _pages(self, path: str, query: Mapping[str, object], rows: str) -> Iterator[Any]:
        return _pages(self._transport, path, query, rows)


class Keys:
    """Keys by `/ops/keys`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self,
        owner: str,
        plan: str,
        *,
        note: str | None = None,
        expires: When | None = None,
        referers: Sequence[str] = (),
        addresses: Sequence[str] = (),
        idempotency_key: str | None = None,
    ) -> NewKey:
        """Give out a key. With an `idempotency_key`, once in a day: asked for again, it raises an InvalidRequestError
        that names the key which was made."""
        fields = _fields(owner=owner, plan=plan, note=note, expires=expires)
        fields |= {"referers": list(referers), "addresses": list(addresses)}
        headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        may_repeat = idempotency_key is not None
        return self._transport.ask(_new_key, "POST", KEYS, document=fields, headers=headers, may_repeat=may_repeat)

    def list(
        self, *, owner: str | None = None, plan: str | None = None, status: str | None = None
    ) -> "Iterator[KeyDocument]":
        """Keys of an owner, of a plan or in a state (`active`, `revoked`, `expired`), page by page, in no order."""
        return _pages(self._transport, KEYS, {"owner": owner, "plan": plan, "status": status}, "keys")

    def show(self, id: str) -> "KeyDocument":
        """The profile of a key. NotFoundError."""
        return self._key("GET", id)

    def edit(
        self,
        id: str,
        *,
        plan: str | Unchanged = UNCHANGED,
        note: str | Unchanged | None = UNCHANGED,
        expires: When | Unchanged | None = UNCHANGED,
        referers: Sequence[str] | Unchanged = UNCHANGED,
        addresses: Sequence[str] | Unchanged = UNCHANGED,
    ) -> "KeyDocument":
        """Change what is given; None takes away a note or an expiry, an empty list all restrictions of a kind."""
        given = {"plan": plan, "note": note, "expires": expires, "referers": referers, "addresses": addresses}
        fields = {name: _value(value) for name, value in given.items() if not isinstance(value, Unchanged)}
        return self._key("PATCH", id, document=fields)

    def rotate(self, id: str, *, overlap_seconds: int | None = None) -> NewKey:
        """A key that takes over from this one, which stays good for `overlap_seconds` (a day)."""
        path = f"{KEYS}/{quote(id, safe='')}/rotate"
        return self._transport.ask(_new_key, "POST", path, document=_fields(overlap_seconds=overlap_seconds))

    def revoke(self, id: str) -> "KeyDocument":
        """Refuse a key from now on, everywhere within seconds. Asked for again, it changes nothing."""
        return self._key("DELETE", id, may_repeat=True)

    def take_over(
        self,
        hash: str,
        owner: str,
        plan: str,
        *,
        note: str | None = None,
        expires: When | None = None,
        referers: Sequence[str] = (),
        addresses: Sequence[str] = (),
    ) -> "KeyDocument":
        """Import a key of this stage that was given out elsewhere, by the SHA-256 of its secret. Once: asked for again,
        the key stays as it is."""
        fields = _fields(hash=hash, owner=owner, plan=plan, note=note, expires=expires)
        fields |= {"referers": list(referers), "addresses": list(addresses)}
        return cast("KeyDocument", self._transport.send("POST", f"{KEYS}/import", document=fields, may_repeat=True))

    def _key(self, method: str, id: str, **options: Any) -> "KeyDocument":
        return cast("KeyDocument", self._transport.send(method, f"{KEYS}/{quote(id, safe='')}", **options))


def _signer(region: str, session: Session | None) -> Sign:
    @cache
    def credentials_of() -> Any:
        from botocore.session import get_session

        found = (session or get_session()).get_credentials()
        if found is None:
            raise TallygateError("no AWS credentials were found; a session with some may be given")
        return found

    def sign(method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Mapping[str, str]:
        # Only who signs pays for botocore, half a second of imports.
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        credentials = credentials_of()  # which renew themselves
        request = AWSRequest(method, url, data=body or b"", headers=dict(headers))
        SigV4Auth(credentials.get_frozen_credentials(), "execute-api", region).add_auth(request)
        return dict(request.headers)

    return sign


def _pages(transport: Transport, path: str, query: Mapping[str, object], rows: str) -> Iterator[Any]:
    cursor: str | None = None
    while True:
        page, cursor = transport.ask(
            lambda found: (list(found[rows]), found["cursor"]), "GET", path, _said({**query, "cursor": cursor})
        )
        yield from page
        if cursor is None:
            return


def _said(query: Mapping[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in query.items() if value is not None}


def _fields(**fields: object) -> dict[str, Any]:
    return {name: _value(value) for name, value in fields.items() if value is not None}


def _value(value: object) -> object:
    """A value as JSON has it."""
    if isinstance(value, str | int | None):
        return value
    return list(value) if isinstance(value, list | tuple | set | frozenset) else text_of(value)  # type: ignore[arg-type]


def _new_key(found: dict[str, Any]) -> NewKey:
    secret, predecessor = found.pop("secret"), found.pop("predecessor", None)
    return NewKey(cast("KeyDocument", found), secret, predecessor)
