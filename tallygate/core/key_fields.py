"""What may be said of a key, as operators, sign-up pages and files of keys write it; the command and the API take the
same."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from tallygate.core.addresses import normal_network
from tallygate.core.credentials import ANY_SUBDOMAIN
from tallygate.core.identity import host_of, normal_host
from tallygate.core.lines import InvalidLineError, format_timestamp, parse_timestamp
from tallygate.core.plans import MAX_QUOTA, WINDOWS, Limit

MAX_OWNER_CHARS: Final = 128
MAX_NOTE_CHARS: Final = 256
MAX_RESTRICTIONS: Final = 20
"""Of each kind. Every authorizer that meets the key reads its profile: 4,096 bytes of it and of the usage rows are one
read unit."""

EDITABLE: Final = ("plan", "note", "expires", "referers", "addresses")
_OVERRIDE: Final = re.compile(rf"key=(\d{{1,16}})/({'|'.join(WINDOWS)})(-soft)?", re.ASCII)
WRITABLE: Final = ("owner", *EDITABLE)
_OPTIONAL: Final = ("note", "expires")


class FieldError(ValueError):
    """A field that cannot be taken; `said` is what is allowed."""

    def __init__(self, field: str, said: str) -> None:
        super().__init__(f"{field}: {said}")
        self.field, self.said = field, said


def one_line(field: str, text: object, most_chars: int) -> str:
    """Text that people read: not blank, on one line. FieldError."""
    found = text.strip() if isinstance(text, str) else ""
    if not (found and len(found) <= most_chars and found.isprintable()):
        raise FieldError(field, f"allowed are 1 to {most_chars} characters on one line")
    return found


def owner_of(text: object) -> str:
    return one_line("owner", text, MAX_OWNER_CHARS)


def note_of(text: object) -> str:
    return one_line("note", text, MAX_NOTE_CHARS)


def expiry_of(text: object) -> int:
    """Milliseconds since 1970 of a day or an RFC 3339 time in UTC; FieldError."""
    try:
        whole = f"{text}T00:00:00Z" if isinstance(text, str) and "T" not in text else text
        return parse_timestamp(whole)
    except InvalidLineError:
        raise FieldError("expires", "a day like 2027-01-01, or a time in UTC like 2027-01-01T12:00:00Z") from None


def future(expires_ms: int, now_ms: int) -> int:
    """`expires_ms` if it is yet to come; FieldError."""
    if expires_ms <= now_ms:
        raise FieldError("expires", f"{format_timestamp(expires_ms)} has passed")
    return expires_ms


def referers_of(hosts: Iterable[object]) -> tuple[str, ...]:
    """Normal forms of hosts, and of `*.` and a domain, each once. FieldError."""
    return _restrictions("referers", hosts, _referer)


def addresses_of(ranges: Iterable[object]) -> tuple[str, ...]:
    """Normal forms of address ranges, each once. FieldError."""
    return _restrictions("addresses", ranges, _range)


def overrides_of(texts: Iterable[object]) -> tuple[Limit, ...]:
    """Quotas of a key's own, written like `key=5000/day`; each kind and window once. FieldError."""
    found = [_override(text) for text in texts]
    if len({limit.name for limit in found}) < len(found):
        raise FieldError("overrides", "each window once, and once more with -soft")
    return tuple(sorted(found, key=lambda limit: limit.name))


def fields_of(document: Mapping[str, Any], allowed: tuple[str, ...], now_ms: int) -> dict[str, Any]:
    """The fields of a profile that a JSON document gives, in their normal form and under the names of KeyProfile. A
    null takes away what is optional. FieldError for the first that cannot be taken, or is not known."""
    found: dict[str, Any] = {}
    for name, value in document.items():
        if name not in allowed:
            raise FieldError(name, f"is not known here; allowed are {', '.join(allowed)}")
        if value is None and name in _OPTIONAL:
            found["expires_ms" if name == "expires" else name] = None
            continue
        match name:
            case "owner":
                found[name] = owner_of(value)
            case "plan":
                found[name] = one_line(name, value, MAX_OWNER_CHARS)
            case "note":
                found[name] = note_of(value)
            case "expires":
                found["expires_ms"] = future(expiry_of(value), now_ms)
            case "referers":
                found[name] = referers_of(_listed(name, value))
            case "addresses":
                found[name] = addresses_of(_listed(name, value))
    return found


def duration_of(field: str, seconds: object, most_ms: int) -> int:
    """Milliseconds of a number of seconds; FieldError."""
    if type(seconds) is not int or not 0 <= seconds <= most_ms // 1000:
        raise FieldError(field, f"a whole number of seconds up to {most_ms // 1000}")
    return seconds * 1000


def _listed(field: str, value: object) -> list[object]:
    if not isinstance(value, list):
        raise FieldError(field, "a list")
    return value


def _restrictions(field: str, values: Iterable[object], normal: Any) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(normal(value) for value in values))
    if len(found) > MAX_RESTRICTIONS:
        raise FieldError(field, f"at most {MAX_RESTRICTIONS}, since every call with the key reads them")
    return tuple(sorted(found))


def _referer(value: object) -> str:
    text = value.strip() if isinstance(value, str) else ""
    prefix = ANY_SUBDOMAIN if text.startswith(ANY_SUBDOMAIN) else ""
    name = text.removeprefix(prefix)
    host = normal_host(name) or (None if prefix else host_of(name) or host_of(f"http://{name}"))
    if host is None:
        raise FieldError("referers", "hosts like shop.example, or *.shop.example for its subdomains")
    return prefix + host


def _override(text: object) -> Limit:
    match = _OVERRIDE.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None or not 1 <= int(match[1]) <= MAX_QUOTA:
        raise FieldError("overrides", f"a quota like key=5000/day or key=400/hour-soft, by {', '.join(WINDOWS)}")
    window = next(window for window in WINDOWS if window == match[2])
    return Limit("key", int(match[1]), window, soft=match[3] is not None)


def _range(value: object) -> str:
    try:
        return str(normal_network(value if isinstance(value, str) else ""))
    except ValueError as error:
        raise FieldError("addresses", str(error)) from None
