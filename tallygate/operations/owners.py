"""Owners of keys: which there are, and what the keys of one used."""

from functools import partial
from typing import TYPE_CHECKING, Final, cast

from tallygate.aws.key_reader import InvalidCursorError, KeyReader
from tallygate.aws.owner_index import OwnerIndex
from tallygate.aws.usage_reader import UsageReader
from tallygate.core.history import InvalidParameterError
from tallygate.core.key_fields import MAX_OWNER_CHARS
from tallygate.core.key_profile import KeyProfile
from tallygate.core.names import Kind, pk_of
from tallygate.core.periods import day_of, period_of
from tallygate.core.tally import ItemKey
from tallygate.operations.errors import UnknownOwnerError
from tallygate.operations.parameters import Query, only, whole_number
from tallygate.operations.service import Service
from tallygate.operations.sources import Sources, reading
from tallygate.operations.usage import Tallied, total_of

if TYPE_CHECKING:
    from tallygate.operations.documents import KeyDocument, KeyUsage, OwnerDocument, OwnersDocument

PAGE_OWNERS: Final = 50
MAX_OWNERS: Final = 200
PAGE_KEYS: Final = 50
MAX_KEYS: Final = 100
"""Of one page: a key with all restrictions that there may be is 8 KB, and no answer reaches 1 MB."""


class Owners:
    """Answers `owners` and `owner`."""

    def __init__(self, sources: Sources, service: Service) -> None:
        self._sources = sources
        self._table = service.names.gate_table
        self._tallies = UsageReader(sources.homes, service.names.tally_table, sources.in_homes)

    def search(self, query: Query) -> "OwnersDocument":
        """See Operations.owners."""
        only(query, "q", "limit", "cursor")
        text, limit = query.get("q", "").strip().casefold(), whole_number(query, "limit", PAGE_OWNERS, MAX_OWNERS)
        if len(text) > MAX_OWNER_CHARS:
            raise InvalidParameterError("q", f"a text of at most {MAX_OWNER_CHARS} characters")
        index = OwnerIndex(self._sources.gate, self._table)
        try:
            with reading("the gate", self._region):
                page = index.page(limit, query.get("cursor"), lambda owner: text in owner.casefold())
        except InvalidCursorError as error:
            raise InvalidParameterError("cursor", str(error)) from None
        counts = self._sources.all_of(
            "the gate", [(self._region, partial(index.keys, found.owner)) for found in page.found]
        )
        return {
            "owners": [
                {"owner": found.owner, "keys": keys.number}
                for found, keys in zip(page.found, counts, strict=True)
                # Wherever the index has them: an owner is told where its first key is, and nowhere else.
                if keys.first in found.keys
            ],
            "cursor": page.cursor,
        }

    def answer(self, owner: str, query: Query, now_ms: int) -> "OwnerDocument":
        """See Operations.owner."""
        only(query, "limit", "cursor")
        limit = whole_number(query, "limit", PAGE_KEYS, MAX_KEYS)
        if not 0 < len(owner) <= MAX_OWNER_CHARS:
            raise UnknownOwnerError(owner)
        reader = KeyReader(self._sources.gate, self._table)
        try:
            with reading("the gate", self._region):
                page = reader.page(limit, query.get("cursor"), owner)
        except InvalidCursorError as error:
            raise InvalidParameterError("cursor", str(error)) from None
        month = period_of("month", now_ms)
        asked: list[tuple[Kind, str]] = [("owner", owner), *(("key", key.counted_under) for key in page.profiles)]
        found = self._tallies.counted(ItemKey(pk_of(kind, value), month) for kind, value in asked)
        counted = {
            pk: total_of(Tallied(row.units, row.charged, row.denied) for row in rows) for pk, rows in found.items()
        }
        own = counted.pop(pk_of("owner", owner), None)
        if not page.profiles and own is None and "cursor" not in query:
            raise UnknownOwnerError(owner)
        return {
            "owner": owner,
            "month": day_of(now_ms).month,
            "keys": [_key(key, counted, now_ms) for key in page.profiles],
            "total": total_of(counted.values()).document(),
            "own": own.document() if own is not None else None,
            "cursor": page.cursor,
        }

    @property
    def _region(self) -> str:
        return self._sources.gate.meta.region_name


def _key(key: KeyProfile, counted: dict[str, Tallied], now_ms: int) -> "KeyUsage":
    tallied = counted.get(pk_of("key", key.counted_under), Tallied())
    document = cast("KeyDocument", key.document(now_ms))
    return {**document, **tallied.document()}
