"""Keys that were given out elsewhere, as a file of them says: CSV with a header, or JSON lines.

A row has `hash` (the SHA-256 of the whole secret, in hex) or `secret`, `owner` and `plan`, and may have `note`,
`expires`, `referers` and `addresses` (in CSV, the last two are words with blanks between them).
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tallygate.core.key_fields import WRITABLE, FieldError, fields_of
from tallygate.core.keys import secret_hash, stage_of

MAX_LINE_CHARS: Final = 16_384
_HASH: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_LISTS: Final = ("referers", "addresses")


@dataclass(frozen=True, slots=True)
class GivenKey:
    """A row that can be taken: the hash of a secret, and fields of a profile."""

    hash: str = field(repr=False)
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class GivenRow:
    """A row of the file by its line, and what it comes to, or why it cannot be taken. Never what it says: it may be a
    secret."""

    line: int
    key: GivenKey | None = None
    wrong: str | None = None


def rows_of(lines: Iterable[str], stage: str, now_ms: int, *, secrets: bool) -> Iterator[GivenRow]:
    """The rows of a file for `stage`. `secrets`: it may hold secrets."""
    for line, document in _documents(lines):
        if isinstance(document, str):
            yield GivenRow(line, wrong=document)
            continue
        try:
            yield GivenRow(line, _key_of(document, stage, now_ms, secrets=secrets))
        except FieldError as error:
            yield GivenRow(line, wrong=str(error))


def _key_of(document: dict[str, Any], stage: str, now_ms: int, *, secrets: bool) -> GivenKey:
    secret, hash = document.pop("secret", None), document.pop("hash", None)
    if (secret is None) == (hash is None):
        raise FieldError("hash", "a row has either the hash of a secret, or the secret")
    if secret is not None:
        if not secrets:
            raise FieldError("secret", "secrets are read from standard input only, so that no file need hold them")
        minted_for = stage_of(secret) if isinstance(secret, str) else None
        if minted_for is None:
            raise FieldError("secret", "is no key of Tallygate's, or mistyped: others cannot be told from garbage")
        if minted_for != stage:
            raise FieldError("secret", f"is for the stage {minted_for}; here, keys begin with tg_{stage}_")
        hash = secret_hash(secret)
    return hashed_key_of({**document, "hash": hash}, now_ms)


def hashed_key_of(document: Mapping[str, Any], now_ms: int) -> GivenKey:
    """A key given by the hash of its secret, and fields of a profile, `owner` and `plan` at least. FieldError."""
    hash = document.get("hash")
    if not isinstance(hash, str) or not _HASH.fullmatch(hash):
        raise FieldError("hash", "is not a SHA-256 in 64 lower-case hex digits")
    fields = fields_of({name: value for name, value in document.items() if name != "hash"}, WRITABLE, now_ms)
    for name in ("owner", "plan"):
        if name not in fields:
            raise FieldError(name, "is missing")
    return GivenKey(hash, fields)


def _documents(lines: Iterable[str]) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """Line number and document of each row, or what is wrong with it."""
    numbered = ((number, line) for number, line in enumerate(lines, 1) if line.strip())
    first = next(numbered, None)
    if first is None:
        return
    if first[1].lstrip().startswith("{"):
        yield first[0], _json(first[1])
        for number, line in numbered:
            yield number, _json(line)
        return
    header = [name.strip() for name in _cells(first[1]) or [""]]
    unknown = [name for name in header if name not in (*WRITABLE, "hash", "secret")]
    if unknown or len(set(header)) < len(header):
        yield first[0], f"the header names columns out of hash, secret, {', '.join(WRITABLE)}, each once"
        return
    for number, line in numbered:
        yield number, _csv(header, line)


def _json(line: str) -> dict[str, Any] | str:
    try:
        document = json.loads(line) if len(line) <= MAX_LINE_CHARS else None
    except (ValueError, RecursionError):
        return "is not JSON"
    return document if isinstance(document, dict) else "is not a JSON object"


def _csv(header: list[str], line: str) -> dict[str, Any] | str:
    if len(line) > MAX_LINE_CHARS:
        return "is too long"
    cells = _cells(line)
    if cells is None:
        return "is not CSV"
    if len(cells) != len(header):
        return f"has {len(cells)} columns, the header {len(header)}"
    return {
        name: cell.split() if name in _LISTS else cell.strip()
        for name, cell in zip(header, cells, strict=True)
        if cell.strip()
    }


def _cells(line: str) -> list[str] | None:
    try:
        return next(csv.reader([line.rstrip("\r\n")]))
    except csv.Error:
        return None
