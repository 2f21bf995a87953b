"""Rows of the gate as the request path reads them. Apart from `rows`, which knows the tally and more: a cold start pays
for every module.

A row that outlived its expiry is not there: deletion may take days.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from ipaddress import ip_network
from typing import Any, Final

from tallygate.core import names
from tallygate.core.addresses import ADDRESS_ACTIONS, AddressRule, Ranges
from tallygate.core.adjustments import UNADJUSTED, Adjustments, Baseline
from tallygate.core.credentials import StoredKey
from tallygate.core.gate import Partition
from tallygate.core.plans import ON_UNAVAILABLE, WINDOWS, Limit, Plan
from tallygate.core.routes import Routes
from tallygate.core.usage import HomeUsage

Row = Mapping[str, Mapping[str, Any]]
"""An item as DynamoDB's low-level API has it: `{"n": {"N": "7"}}`."""


def partition_of(rows: Iterable[Row], now_ms: int) -> Partition:
    """An identifier's rows. Of a kind that is not known here (another version's), a row is passed over."""
    homes: list[HomeUsage] = []
    key, adjustments = None, UNADJUSTED
    epochs: Mapping[str, int] = {}
    for row in rows:
        if names.EXPIRES in row and _number(row, names.EXPIRES) * 1000 <= now_ms:
            continue
        sort_key = row[names.SK]["S"]
        if sort_key == names.PROFILE_SK:
            key, adjustments, epochs = stored_key(row), adjustments_of(row), epochs_of(row)
        elif sort_key.startswith((names.HOUR_SK, names.MONTH_SK)):
            homes.append(home_usage(row))
    return Partition(tuple(homes), key, adjustments, epochs)


def home_usage(row: Row) -> HomeUsage:
    """What a home published: `month#2026-11#us-east-1`, `hour#2026-11-20T14#us-east-1`."""
    period, _, home = row[names.SK]["S"].rpartition("#")
    return _usage(row, home, period, names.AT_MS)


def counted(row: Row, home: str, period: str) -> HomeUsage:
    """An item of a home's tally in the same form: exact up to the newest call that was counted. It has no rate.
    `period` is `month#2026-11` or `hour#2026-11-20T14`."""
    return _usage(row, home, period, names.LAST_FLUSH_MS)


def _usage(row: Row, home: str, period: str, at: str) -> HomeUsage:
    return replace(
        HomeUsage.nothing(home, period),
        units=_number(row, names.UNITS),
        charged=_number(row, names.CHARGED),
        denied=_number(row, names.DENIED),
        days=_days(row),
        rate_milli=_number(row, names.RATE_MILLI),
        at_ms=_number(row, at),
        lag_ms=_number(row, names.LAG_MS),
    )


def stored_key(row: Row) -> StoredKey | None:
    """A key from its profile. The profile of anything else has no hash."""
    if names.KEY_HASH not in row:
        return None
    return StoredKey(
        hash=row[names.KEY_HASH]["S"],
        plan=row[names.KEY_PLAN]["S"],
        status=row[names.KEY_STATUS]["S"],
        expires_ms=_number(row, names.KEY_EXPIRES_MS) if names.KEY_EXPIRES_MS in row else None,
        counted_as=row[names.KEY_COUNTED_AS]["S"] if names.KEY_COUNTED_AS in row else None,
        referers=frozenset(row[names.KEY_REFERERS]["SS"]) if names.KEY_REFERERS in row else frozenset(),
        addresses=_ranges(row[names.KEY_ADDRESSES]["SS"]) if names.KEY_ADDRESSES in row else None,
        overrides=overrides_of(row),
        owner=row[names.KEY_OWNER]["S"] if names.KEY_OWNER in row else None,
    )


def overrides_of(row: Row) -> tuple[Limit, ...]:
    """The limits of its own that a key has. ValueError for one that is not known here."""
    if names.KEY_OVERRIDES not in row:
        return ()
    return tuple(_limit(limit["M"]) for limit in row[names.KEY_OVERRIDES]["L"])


def _ranges(networks: Iterable[str]) -> Ranges[bool]:
    return Ranges((ip_network(network), True) for network in networks)


def address_rule(row: Row) -> AddressRule:
    """A rule on a range of addresses from its row. ValueError when it asks for something that is not known here."""
    action = row[names.RULE_ACTION]["S"]
    if action not in ADDRESS_ACTIONS:
        raise ValueError(f"{names.RULE_ACTION} {action}")
    return AddressRule(
        network=ip_network(row[names.SK]["S"].removeprefix(names.RULE_SK)),
        action=action,
        expires_ms=_number(row, names.EXPIRES) * 1000 if names.EXPIRES in row else None,
        reason=row[names.RULE_REASON]["S"] if names.RULE_REASON in row else None,
    )


def adjustments_of(row: Row) -> Adjustments:
    """What a profile says about quotas in the periods that it names."""
    if names.BASES not in row and names.EXTRAS not in row:
        return UNADJUSTED
    bases = {
        period: {
            home: Baseline(_number(base["M"], names.CHARGED), _number(base["M"], names.AT_MS))
            for home, base in homes["M"].items()
        }
        for period, homes in _map(row, names.BASES).items()
    }
    extras = {
        period: {id: int(units["N"]) for id, units in top_ups["M"].items()}
        for period, top_ups in _map(row, names.EXTRAS).items()
    }
    return Adjustments(bases, extras)


def epochs_of(row: Row) -> Mapping[str, int]:
    """The epochs of those counters of a key that were reset, by name."""
    return {name: int(epoch["N"]) for name, epoch in _map(row, names.KEY_EPOCHS).items()}


def plan_rows(row: Row) -> Mapping[str, Row]:
    """What the item of all plans says of each, by name."""
    return {name: plan["M"] for name, plan in _map(row, names.PLANS).items()}


def routes_of(row: Row) -> Routes:
    """What calls weigh, of the item of all plans. ValueError for a pattern that is not known here."""
    return Routes({pattern: int(units["N"]) for pattern, units in _map(row, names.ROUTES).items()})


def plan_of(name: str, row: Row) -> Plan:
    """The plan `name`. ValueError when it asks for something that is not known here: half a plan is no plan."""
    _only(row, _PLAN_ATTRIBUTES)
    on_unavailable = row[names.PLAN_ON_UNAVAILABLE]["S"]
    if on_unavailable not in ON_UNAVAILABLE:
        raise ValueError(f"{names.PLAN_ON_UNAVAILABLE} {on_unavailable}")
    return Plan(
        name,
        tuple(_limit(limit["M"]) for limit in row[names.PLAN_LIMITS]["L"]),
        row[names.PLAN_ANONYMOUS]["BOOL"],
        on_unavailable,
        _number(row, names.PLAN_BURST) if names.PLAN_BURST in row else None,
        _flag(row, names.PLAN_SHADOW),
        tuple(int(level["N"]) for level in row[names.PLAN_NOTIFY_AT]["L"]) if names.PLAN_NOTIFY_AT in row else (),
    )


def _limit(row: Row) -> Limit:
    _only(row, _LIMIT_ATTRIBUTES)
    per, window = row[names.LIMIT_PER]["S"], row[names.LIMIT_WINDOW]["S"]
    if per not in names.KINDS or window not in WINDOWS:
        raise ValueError(f"a limit per {per} and {window}")
    rolling, soft = _flag(row, names.LIMIT_ROLLING), _flag(row, names.LIMIT_SOFT)
    return Limit(names.KINDS[names.KINDS.index(per)], _number(row, names.LIMIT_QUOTA), window, rolling, soft)


def _only(row: Row, known: frozenset[str]) -> None:
    unknown = row.keys() - known
    if unknown:
        raise ValueError(f"what is not known: {', '.join(sorted(unknown))}")


_PLAN_ATTRIBUTES: Final = frozenset(
    {
        names.PLAN_LIMITS,
        names.PLAN_ANONYMOUS,
        names.PLAN_ON_UNAVAILABLE,
        names.PLAN_BURST,
        names.PLAN_SHADOW,
        names.PLAN_NOTIFY_AT,
    }
)
_LIMIT_ATTRIBUTES: Final = frozenset(
    {names.LIMIT_PER, names.LIMIT_QUOTA, names.LIMIT_WINDOW, names.LIMIT_ROLLING, names.LIMIT_SOFT}
)


def _flag(row: Row, name: str) -> bool:
    return name in row and bool(row[name]["BOOL"])


def _number(row: Row, name: str) -> int:
    attribute = row.get(name)
    return int(attribute["N"]) if attribute else 0


def _map(row: Row, name: str) -> Mapping[str, Any]:
    return row[name]["M"] if name in row else {}


def _days(row: Row) -> dict[int, int]:
    return {
        int(name[1:]): _number(row, name)
        for name in row
        if len(name) == 3 and name[0] == names.DAY_PREFIX and name[1:].isdecimal()
    }
