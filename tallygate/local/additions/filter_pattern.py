"""CloudWatch Logs filter patterns, as far as this service uses them: `{ ($.type = "usage") && ($.home = "us-east-1")
}`.

AWS knows many more forms. A pattern of another form is refused when the filter is put, since evaluating it wrongly
would lose or double usage lines without a word. Source: CloudWatch Logs User Guide, "Filter pattern syntax for metric
filters".
"""

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

_TERM = re.compile(r'\$((?:\.[A-Za-z_][A-Za-z0-9_-]*)+)\s*=\s*"([^"*]*)"')


class UnsupportedPatternError(ValueError):
    """A pattern that this emulation does not evaluate; the message quotes it."""


@dataclass(frozen=True, slots=True)
class FilterPattern:
    """A conjunction of `$.path = "text"`. No term at all (the empty pattern) matches every event."""

    terms: tuple[tuple[tuple[str, ...], str], ...]

    def matches(self, message: str) -> bool:
        """Whether AWS would forward `message`. With terms it must be a JSON object, and each path a string equal in
        every character: numbers, objects and arrays never match a quoted text."""
        if not self.terms:
            return True
        try:
            event = json.loads(message)
        except ValueError:
            return False
        return all(_value_at(event, path) == text for path, text in self.terms)


@lru_cache(maxsize=256)
def parse_filter_pattern(pattern: str) -> FilterPattern:
    """The pattern, ready to evaluate; UnsupportedPatternError for a form that is not evaluated here."""
    text = pattern.strip()
    if not text:
        return FilterPattern(())
    if not (text.startswith("{") and text.endswith("}")):
        raise UnsupportedPatternError(f'filter pattern is not of the form {{ $.name = "text" && … }}: {pattern}')
    terms: list[tuple[tuple[str, ...], str]] = []
    for part in _conjuncts(text[1:-1]):
        match = _TERM.fullmatch(part)
        if match is None:
            raise UnsupportedPatternError(
                f'filter pattern has a term other than $.name = "text": {part!r} in {pattern}'
            )
        terms.append((tuple(match[1].removeprefix(".").split(".")), match[2]))
    return FilterPattern(tuple(terms))


def _conjuncts(text: str) -> list[str]:
    """The terms between `&&`, without their parentheses; quoted text is never split."""
    pieces = re.findall(r'"[^"]*"|&&|[^"&]+|&', text)
    terms, current = [], ""
    for piece in [*pieces, "&&"]:
        if piece != "&&":
            current += piece
            continue
        term = current.strip()
        terms.append(term[1:-1].strip() if term.startswith("(") and term.endswith(")") else term)
        current = ""
    return terms


def _value_at(event: Any, path: tuple[str, ...]) -> str | None:
    for name in path:
        if not isinstance(event, dict):
            return None
        event = event.get(name)
    return event if isinstance(event, str) else None
