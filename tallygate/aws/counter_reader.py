"""Named counters as the homes count them: read from their tallies, with strong consistency."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from tallygate.aws.dynamodb_http import Operation, Sends
from tallygate.aws.rows import Row, number, shares_of
from tallygate.core import names
from tallygate.core.counter_shares import Counter, Share, Stretch
from tallygate.core.gate import ReadFailure
from tallygate.core.names import COUNTER_PREFIX, counter_sk

DEADLINE_MS: Final = 1_000
"""For all homes: one may be on the other side of the world, 300 ms and a handshake away."""
PAGE_ROWS: Final = 200
"""Counters and their past epochs that one page reads in each home: below 1 KB each, so one answer of a Query."""


class CounterReader:
    """Reads the counters of keys. The tally tables have one name in all homes, which are asked all at once."""

    def __init__(self, homes: Mapping[str, Sends], table: str) -> None:
        self._homes = homes
        self._table = table

    def find(self, key: str, name: str, epoch: int) -> tuple[Counter, list[ReadFailure]]:
        """A counter in one epoch, at 0 where nobody counted anything, and why a home could not be asked."""
        sk = counter_sk(name, epoch)
        stretches, failures = self._ask(key, "#sk = :sk", sk, 1)
        shares = {home: found.shares[0] for home, found in stretches.items() if found is not None and found.shares}
        unread = tuple(home for home, found in stretches.items() if found is None)
        return Counter(name, epoch, shares, unread), failures

    def page(self, key: str, after: str) -> tuple[dict[str, Stretch | None], list[ReadFailure]]:
        """What each home has of the counters of a key after a position (`""` is the beginning), None where it could not
        be asked, and why."""
        return self._ask(key, "#sk > :sk", after or " ", PAGE_ROWS)

    def _ask(self, key: str, condition: str, sk: str, most: int) -> tuple[dict[str, Stretch | None], list[ReadFailure]]:
        query = Operation(
            "Query",
            {
                "TableName": self._table,
                "KeyConditionExpression": f"#pk = :pk AND {condition}",
                "ExpressionAttributeNames": {"#pk": names.PK, "#sk": names.SK},
                "ExpressionAttributeValues": {":pk": {"S": COUNTER_PREFIX + key}, ":sk": {"S": sk}},
                "ConsistentRead": True,
                "Limit": most,
            },
        )
        stretches: dict[str, Stretch | None] = {}
        failures: list[ReadFailure] = []
        with ThreadPoolExecutor(len(self._homes)) as pool:
            rounds = pool.map(lambda client: client.send([query], DEADLINE_MS), self._homes.values())
            for home, (answers, _) in zip(self._homes, rounds, strict=True):
                (answer,) = answers
                if isinstance(answer, ReadFailure):
                    failures.append(answer)
                    stretches[home] = None
                else:
                    stretches[home] = _stretch(answer, home)
        return stretches, failures


def _stretch(answer: Mapping[str, Any], home: str) -> Stretch:
    last = answer.get("LastEvaluatedKey")
    return Stretch([_share(row, home) for row in answer["Items"]], last[names.SK]["S"] if last else None)


def _share(row: Row, home: str) -> Share:
    name, _, epoch = row[names.SK]["S"].rpartition("#")
    return Share(home, name, int(epoch), number(row, names.UNITS), number(row, names.LAST_FLUSH_MS), shares_of(row))
