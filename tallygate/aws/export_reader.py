"""Reads whole tallies, a page at a time: what an export is made of.

A Scan, because no index has every identifier (that of the largest leaves out who was counted less than eight times).
Pages come one after the other: a strongly consistent page of 1 MB costs 256 read units, so that one reader stays below
the 3,000 a second of a partition, which the consumer reads from, too. The keys of one owner are known, and are read by
a Query each.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from botocore.exceptions import ClientError

from tallygate.aws.dynamodb import store_errors
from tallygate.aws.key_reader import profile_of
from tallygate.aws.key_store import KeyStore
from tallygate.aws.rows import Row, tally_item
from tallygate.aws.usage_reader import rows_at
from tallygate.core import names
from tallygate.core.export import ALL, EXPORT_KINDS, ExportRow, HomeRows, Periods, Span
from tallygate.core.key_profile import KeyProfile
from tallygate.core.names import INVALID_KEY, pk_of
from tallygate.core.tally import ItemKey, StoreError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PAGE_ITEMS: Final = 2_000
"""Items of a page at most, so that memory is bounded where they are small; 1 MB is DynamoDB's own limit."""
PAUSES_SECONDS: Final = (1, 2, 4, 8, 15, 30, 30, 30, 30, 30)
"""After how long a page that was refused for now is asked for again, once botocore's own attempts (some 25 s) are used
up; three minutes later it is a failure. No answer at all is one at once, unless there was one before."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an export is of: identifiers of these kinds (EXPORT_KINDS), or of them those of one owner."""

    span: Span
    kinds: frozenset[str]
    owner: str | None = None


class NoKeysError(Exception):
    """The owner has no keys, and never had: keys are revoked, but not forgotten."""


class Step(NamedTuple):
    """How far reading has come: items looked at since the last step, and whether DynamoDB makes us wait."""

    items: int
    waiting: bool = False


class ExportReader:
    """Reads the tallies of homes, and from the gate whose the keys are. What AWS refuses for good is raised as it is
    (botocore.exceptions)."""

    def __init__(
        self,
        homes: Mapping[str, "DynamoDBClient"],
        tally_table: str,
        gate: "DynamoDBClient",
        gate_table: str,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._homes = homes
        self._tally = tally_table
        self._gate = gate
        self._gate_table = gate_table
        self._pause = pause
        self._is_answered = False

    def expected(self) -> int:
        """About how many items there are in all homes, as of some hours ago; 0 when these credentials may not ask."""
        try:
            return sum(
                client.describe_table(TableName=self._tally)["Table"].get("ItemCount", 0)
                for client in self._homes.values()
            )
        except ClientError:
            return 0

    def rows(self, wanted: Wanted, step: Callable[[Step], None]) -> Iterator[ExportRow]:
        """Rows home by home, in no order within one but that the totals of regions are last. No more than a page of
        items is held, however many there are. NoKeysError where those of an owner are wanted who has none."""
        partitions = None if wanted.owner is None else self._partitions_of(wanted.owner, wanted.kinds)
        for home, client in self._homes.items():
            made = HomeRows(home, wanted.span)
            pages = (
                self._scanned(client, wanted, step)
                if partitions is None
                else self._queried(client, partitions, wanted.span, step)
            )
            for page in pages:
                profiles = self._profiles(page)
                for row in page:
                    key = ItemKey(row[names.PK]["S"], row[names.SK]["S"])
                    for made_row in made.of(key, tally_item(row)):
                        yield _with_owner(made_row, profiles)
            yield from made.totals()

    def _scanned(
        self, client: "DynamoDBClient", wanted: Wanted, step: Callable[[Step], None]
    ) -> Iterator[Sequence[Row]]:
        # Only what is exported has periods, so that of every kind need not be asked.
        kinds = () if wanted.kinds.issuperset(EXPORT_KINDS) else sorted(wanted.kinds)
        prefixes = {f":k{number}": {"S": pk_of(kind, "")} for number, kind in enumerate(kinds)}
        of_kinds = " OR ".join(f"begins_with({names.PK}, {name})" for name in prefixes)
        periods = _periods(wanted.span, with_hours=ALL in wanted.kinds)
        spans = {f":p{number}{end}": {"S": name} for number, span in enumerate(periods) for end, name in _ends(span)}
        within = " OR ".join(f"{names.SK} BETWEEN :p{number}a AND :p{number}b" for number in range(len(periods)))
        return self._pages(
            client.scan,
            {
                "TableName": self._tally,
                "FilterExpression": f"({of_kinds}) AND ({within})" if kinds else within,
                "ExpressionAttributeValues": {**prefixes, **spans},
                **_asked_for(wanted.span),
            },
            step,
        )

    def _queried(
        self, client: "DynamoDBClient", partitions: Iterable[str], span: Span, step: Callable[[Step], None]
    ) -> Iterator[Sequence[Row]]:
        (periods,) = _periods(span, with_hours=False)
        for pk in partitions:
            yield from self._pages(
                client.query,
                {
                    "TableName": self._tally,
                    "KeyConditionExpression": f"{names.PK} = :pk AND {names.SK} BETWEEN :a AND :b",
                    "ExpressionAttributeValues": {
                        ":pk": {"S": pk},
                        **{f":{end}": {"S": name} for end, name in _ends(periods)},
                    },
                    **_asked_for(span),
                },
                step,
            )

    def _pages(
        self, ask: Callable[..., Any], request: Mapping[str, Any], step: Callable[[Step], None]
    ) -> Iterator[Sequence[Row]]:
        """Page after page. One that is refused for now is asked for again from where the one before ended: nothing is
        read twice."""
        start: Any = None
        while True:
            page = self._asked(ask, {**request, **({} if start is None else {"ExclusiveStartKey": start})}, step)
            step(Step(page.get("ScannedCount", 0)))
            if page["Items"]:
                yield page["Items"]
            start = page.get("LastEvaluatedKey")
            if start is None:
                return

    def _asked(self, ask: Callable[..., Any], request: Mapping[str, Any], step: Callable[[Step], None]) -> Any:
        for seconds in PAUSES_SECONDS:
            try:
                with store_errors():
                    page = ask(**request)
            except StoreError as error:
                if not self._is_answered and not isinstance(error.__cause__, ClientError):
                    raise  # nobody is there, which no waiting mends
                step(Step(0, waiting=True))
                self._pause(seconds)
            else:
                self._is_answered = True
                return page
        return ask(**request)

    def _partitions_of(self, owner: str, kinds: frozenset[str]) -> list[str]:
        """Where an owner's use is counted. Of a line of rotations, all is under the first key."""
        counted = {
            pk_of("key", found.counted_under) for found in KeyStore(self._gate, self._gate_table).profiles(owner)
        }
        if not counted:
            raise NoKeysError(owner)
        partitions = [pk_of("owner", owner)] if "owner" in kinds else []
        if "key" in kinds:
            partitions += sorted(counted)
        return partitions

    def _profiles(self, page: Iterable[Row]) -> Mapping[str, KeyProfile]:
        """The profiles that hold for the keys of a page, by the id under which each is counted: that of the last key of
        a line of rotations, which is the one in use."""
        prefix, invalid = names.KEYS_PREFIX, pk_of("key", INVALID_KEY)
        counted = {row[names.PK]["S"] for row in page}
        found = {pk: pk for pk in counted if pk.startswith(prefix) and pk != invalid}
        latest: dict[str, KeyProfile] = {}
        while found:
            places = [ItemKey(pk, names.PROFILE_SK) for pk in found]
            profiles = {
                place.pk: profile_of(row)
                for place, row in rows_at(self._gate, self._gate_table, places).items()
                if names.KEY_HASH in row
            }
            latest |= {found[pk].removeprefix(prefix): profile for pk, profile in profiles.items()}
            found = {
                pk_of("key", profile.rotated_to): found[pk] for pk, profile in profiles.items() if profile.rotated_to
            }
        return latest


def _with_owner(row: ExportRow, profiles: Mapping[str, KeyProfile]) -> ExportRow:
    if row.kind == "owner":
        return row._replace(owner=row.value)
    profile = profiles.get(row.value) if row.kind == "key" else None
    return row if profile is None else row._replace(owner=profile.owner, plan=profile.plan)


def _periods(span: Span, *, with_hours: bool) -> list[Periods]:
    months = span.months
    if months is None:
        return [span.hours]
    return [months, span.hours] if with_hours else [months]


def _ends(periods: Periods) -> Iterator[tuple[str, str]]:
    yield "a", periods.first
    yield "b", periods.last


def _asked_for(span: Span) -> dict[str, Any]:
    """Where days are not asked for, neither they nor watermarks come, which are most of an item."""
    request: dict[str, Any] = {"ConsistentRead": True, "Limit": PAGE_ITEMS}
    if span.granularity != "day":
        request["ProjectionExpression"] = ", ".join((names.PK, names.SK, names.UNITS, names.CHARGED, names.DENIED))
    return request
