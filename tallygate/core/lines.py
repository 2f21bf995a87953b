"""The usage line: one JSON object per call, printed by the function that answered it and read by the consumer.

The line is the contract between the request path and the counting path. Times are RFC 3339 with milliseconds in UTC:
Lambda rewrites lines whose `timestamp` it cannot read. `level` INFO keeps the line through `ApplicationLogLevel=INFO`.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

from tallygate.core.names import KINDS, Kind
from tallygate.core.plans import POLICIES, WINDOWS, Caps, Policy

MAX_VALUE_BYTES: Final = 512
"""Longest identifier or id taken, in UTF-8. A host name has at most 253 (RFC 1035), a partition key 2,048: nothing
real comes near the first, and nothing taken reaches the second."""
MAX_UNITS: Final = 1_000_000_000
"""Most units that one call may weigh: far from the 38 digits of a DynamoDB number even after years of adding."""

_TIMESTAMP = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|\+00:00)", re.ASCII)
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d{1,2}", re.ASCII)


MAX_EPOCH: Final = 99_999_999
MAX_INCREMENTS: Final = 50
"""Most counters that one line increments: with the call's own identifiers they fit one transaction (100 items)."""
COUNTER_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
"""Without `#`, which divides keys, and harmless in a path."""


class InvalidLineError(ValueError):
    """A line that can never be counted; the message is the reason kept with it in the rejects queue."""


class Increment(NamedTuple):
    """What a call adds to a named counter of its key. A reset begins another `epoch`."""

    name: str
    add: int
    epoch: int


@dataclass(frozen=True, slots=True)
class UsageLine:
    """One call. `units` is 0 for a call that was refused or is free of charge; `verdict` is set on refused calls only
    and says why (`quota`, `key`, `unavailable`); `would` on admitted ones that a plan in shadow would have refused, and
    says why it would. `owner` is told where the keys of one share a quota. `charge` names the identifiers whose quota
    pays, `caps` their limits."""

    id: str
    timestamp_ms: int
    home: str
    region: str
    ip: str
    ref: str | None
    key: str | None
    units: int
    status: int
    charge: tuple[Kind, ...] = ()
    caps: Caps = field(default_factory=dict)
    verdict: str | None = None
    ctr: tuple[Increment, ...] = ()
    idem: str | None = None
    would: str | None = None
    owner: str | None = None

    def identifiers(self) -> list[tuple[Kind, str]]:
        """Every (kind, value) that this call counts for."""
        found: list[tuple[Kind, str]] = [("ip", self.ip)]
        if self.ref is not None:
            found.append(("ref", self.ref))
        if self.key is not None:
            found.append(("key", self.key))
        if self.owner is not None:
            found.append(("owner", self.owner))
        return found


def format_timestamp(at_ms: int) -> str:
    """RFC 3339 in UTC with milliseconds: `2026-11-20T12:00:00.123Z`."""
    at = datetime.fromtimestamp(at_ms // 1000, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"


def format_line(line: UsageLine) -> str:
    """The line as it is printed: compact (log ingest is billed by the byte), absent fields left out."""
    fields: dict[str, Any] = {
        "type": "usage",
        "level": "INFO",
        "timestamp": format_timestamp(line.timestamp_ms),
        "id": line.id,
        "home": line.home,
        "region": line.region,
        "ip": line.ip,
    }
    if line.ref is not None:
        fields["ref"] = line.ref
    if line.key is not None:
        fields["key"] = line.key
    if line.owner is not None:
        fields["owner"] = line.owner
    if line.charge:
        fields["charge"] = line.charge
    if line.caps:
        fields["caps"] = line.caps
    fields["units"] = line.units
    fields["status"] = line.status
    if line.verdict is not None:
        fields["verdict"] = line.verdict
    if line.would is not None:
        fields["would"] = line.would
    if line.ctr:
        fields["ctr"] = line.ctr
    if line.idem is not None:
        fields["idem"] = line.idem
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=True)


def parse_timestamp(value: object) -> int:
    """Milliseconds since 1970 of an RFC 3339 time in UTC; InvalidLineError for anything else."""
    match = _TIMESTAMP.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise InvalidLineError("timestamp is not an RFC 3339 time in UTC")
    date, hours, minutes, seconds, fraction = match.groups()
    hour, minute, second = int(hours), int(minutes), int(seconds)
    if hour > 23 or minute > 59 or second > 60:
        raise InvalidLineError("timestamp is not a time of day")
    of_day_ms = ((hour * 60 + minute) * 60 + min(second, 59)) * 1000
    return _date_ms(date) + of_day_ms + int((fraction or "")[:3].ljust(3, "0"))


@lru_cache(maxsize=64)
def _date_ms(date: str) -> int:
    """The start of a day in UTC; lines that come together are mostly of one."""
    try:
        return int(datetime.fromisoformat(date).replace(tzinfo=UTC).timestamp()) * 1000
    except ValueError as error:
        raise InvalidLineError(f"timestamp is not a date: {error}") from None


def parse_line(fields: object) -> UsageLine:
    """A usage line from its parsed JSON. InvalidLineError names the first thing that is wrong with it: such a line is
    never counted, not even in part."""
    if not isinstance(fields, dict):
        raise InvalidLineError("not a JSON object")
    if fields.get("type") != "usage":
        raise InvalidLineError("type is not usage")
    region = _text(fields, "region")
    if not _REGION.fullmatch(region):
        raise InvalidLineError("region is not a region name")
    units = _integer(fields, "units", 0, MAX_UNITS)
    charge = _charge(fields.get("charge", []))
    line = UsageLine(
        id=_text(fields, "id"),
        timestamp_ms=parse_timestamp(fields.get("timestamp")),
        home=_text(fields, "home"),
        region=region,
        ip=_text(fields, "ip"),
        ref=_optional_text(fields, "ref"),
        key=_optional_text(fields, "key"),
        units=units,
        status=_integer(fields, "status", 100, 599),
        charge=charge,
        caps=_caps(fields.get("caps", {})),
        verdict=_optional_text(fields, "verdict"),
        ctr=_increments(fields.get("ctr", [])),
        idem=_optional_text(fields, "idem"),
        would=_optional_text(fields, "would"),
        owner=_optional_text(fields, "owner"),
    )
    for kind in charge:
        if (line.ip, line.ref, line.key, line.owner)[KINDS.index(kind)] is None:
            raise InvalidLineError(f"charge names {kind}, which the line does not have")
    if line.verdict is not None and units:
        raise InvalidLineError("a refused call has units")
    if line.ctr and (line.key is None or line.verdict is not None):
        raise InvalidLineError("ctr on a refused call" if line.verdict else "ctr without a key")
    return line


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name)
    if type(value) is str and 0 < len(value) <= MAX_VALUE_BYTES and value.isascii():
        return value  # nearly always
    if not isinstance(value, str) or not value:
        raise InvalidLineError(f"{name} is missing" if value is None else f"{name} is not a non-empty string")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise InvalidLineError(f"{name} is not valid Unicode") from None
    if size > MAX_VALUE_BYTES:
        raise InvalidLineError(f"{name} has {size} bytes, at most {MAX_VALUE_BYTES} are allowed")
    return value


def _optional_text(fields: Mapping[str, object], name: str) -> str | None:
    return None if fields.get(name) is None else _text(fields, name)


def _integer(fields: Mapping[str, object], name: str, least: int, most: int) -> int:
    value = fields.get(name)
    if type(value) is not int or not least <= value <= most:
        raise InvalidLineError(f"{name} is not an integer from {least} to {most}")
    return value


def _charge(value: object) -> tuple[Kind, ...]:
    if not isinstance(value, list | tuple) or any(kind not in KINDS for kind in value) or len(set(value)) != len(value):
        raise InvalidLineError(f"charge is not a list of {', '.join(KINDS)}, each once at most")
    return tuple(value)


def _caps(value: object) -> dict[Kind, dict[Policy, int]]:
    if not isinstance(value, dict):
        raise InvalidLineError("caps is not an object")
    caps: dict[Kind, dict[Policy, int]] = {}
    for kind, policies in value.items():
        if kind not in KINDS or not isinstance(policies, dict):
            raise InvalidLineError(f"caps names something other than {', '.join(KINDS)}")
        for policy, quota in policies.items():
            if policy not in POLICIES or type(quota) is not int or quota < 0:
                windows = ", ".join(WINDOWS)
                raise InvalidLineError(
                    f"caps of {kind} is not an object of {windows} (or these -soft) and whole numbers"
                )
        caps[kind] = dict(policies)
    return caps


def _increments(value: object) -> tuple[Increment, ...]:
    if not isinstance(value, list | tuple) or len(value) > MAX_INCREMENTS:
        raise InvalidLineError(f"ctr is not a list of at most {MAX_INCREMENTS} increments")
    found: dict[str, Increment] = {}
    for entry in value:
        if not isinstance(entry, list | tuple) or len(entry) != 3:
            raise InvalidLineError("ctr holds something other than [name, add, epoch]")
        name, add, epoch = entry
        if not isinstance(name, str) or not COUNTER_NAME.fullmatch(name) or name in found:
            raise InvalidLineError("ctr holds a name that is none, or one twice")
        if type(add) is not int or abs(add) > MAX_UNITS or type(epoch) is not int or not 0 <= epoch <= MAX_EPOCH:
            raise InvalidLineError(f"ctr of {name} is not a whole number and an epoch")
        found[name] = Increment(name, add, epoch)
    return tuple(found.values())
