"""docs/notices.md is true: its example, its schema and its lines of Python."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallygate.config import load
from tallygate.core.lines import parse_timestamp
from tallygate.core.names import KINDS
from tallygate.core.notices import DETAIL_TYPE, LEVELS, SOURCE, Notice, Subject
from tallygate.core.periods import period_of
from tallygate.core.plans import COUNTED_WINDOWS, Limit
from tallygate.core.webhooks import headers, payload, signing_key

PAGE = (Path(__file__).parents[1] / "docs" / "notices.md").read_text()
BLOCKS = {
    language: re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    for language in ("json", "python", "toml")
}
EXAMPLE, SCHEMA, PATTERN = map(json.loads, BLOCKS["json"])
TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str, "integer": int, "boolean": bool, "object": dict, "null": type(None),
}  # fmt: skip
SECRET = "whsec_" + "A" * 40

notices = st.builds(
    lambda kind, window, soft, rolling, level, quota, more, at_ms, test, owner: Notice(
        Subject(kind, "value", owner, "0123456789abcdef" if kind == "key" else None),
        "plan",
        Limit(kind, quota, window, rolling, soft),
        level,
        period_of(window, at_ms),
        -(-quota * level // 100) + more,
        at_ms,
        test,
    ),
    st.sampled_from(KINDS),
    st.sampled_from(COUNTED_WINDOWS),
    st.booleans(),
    st.booleans(),
    st.sampled_from(sorted(LEVELS)),
    st.integers(1, 10**15),
    st.integers(0, 100),
    st.integers(0, 4_000_000_000_000),
    st.none() | st.just("1"),
    st.none() | st.text(min_size=1),
)


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """Whether a value is as a schema says: the keywords that the page uses, and no others."""
    unknown = schema.keys() - {
        "$schema", "title", "type", "required", "properties", "pattern", "description", "const", "enum", "minimum",
        "maximum", "format",
    }  # fmt: skip
    assert unknown == set()
    kinds = [schema["type"]] if isinstance(schema.get("type"), str) else schema.get("type")
    if kinds is not None and not any(_is(value, kind) for kind in kinds):
        return False
    if "properties" in schema:
        return value.keys() == set(schema["required"]) == schema["properties"].keys() and all(
            fits(value[name], part) for name, part in schema["properties"].items()
        )
    if "format" in schema:
        parse_timestamp(value)
    return (
        value == schema.get("const", value)
        and value in schema.get("enum", [value])
        and ("pattern" not in schema or re.search(schema["pattern"], value) is not None)
        and schema.get("minimum", value) <= value <= schema.get("maximum", value)
        if not isinstance(value, dict | None)
        else True
    )


def _is(value: object, kind: str) -> bool:
    return isinstance(value, TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


@given(notices)
def test_whatever_is_told_is_as_the_schema_says(notice: Notice) -> None:
    assert fits(notice.document("tallygate", "prod"), SCHEMA)


@pytest.mark.parametrize(
    "wrong", [{"id": "1"}, {"level": 4}, {"used": "812"}, {"test": 0}, {"extra": 1}, {"kind": "x"}]
)
def test_the_schema_is_not_satisfied_by_everything(wrong: dict[str, Any]) -> None:
    assert not fits({**EXAMPLE, **wrong}, SCHEMA)


def test_the_example_is_what_is_told() -> None:
    subject = Subject("key", "0123456789abcdef", "acme", "0123456789abcdef")
    as_of_ms = parse_timestamp(EXAMPLE["as_of"])
    notice = Notice(subject, "starter", Limit("key", 1000, "day"), 80, "day#2026-11-20", 812, as_of_ms)
    assert notice.document("tallygate", "prod") == EXAMPLE


def test_a_rule_of_ones_own_finds_the_events() -> None:
    assert (PATTERN["source"], PATTERN["detail-type"]) == ([SOURCE], [DETAIL_TYPE])
    assert PATTERN["detail"].keys() <= EXAMPLE.keys()


def test_the_configuration_is_taken(tmp_path: Path) -> None:
    (shown,) = BLOCKS["toml"]
    file = tmp_path / "tallygate.toml"
    file.write_text(
        '[service]\nname = "a"\nhomes = ["us-east-1"]\nregions = ["us-east-1"]\n'
        f"[plans.anonymous]\nanonymous = true\nlimits = []\n{shown}"
    )
    config = load(file)
    assert [plan.notify_at for plan in config.plans] == [(), (80, 100)]
    assert config.notices.webhook == "https://example.com/hook"


def test_the_lines_of_python_verify_a_webhook_and_nothing_else() -> None:
    (lines,) = BLOCKS["python"]
    defined: dict[str, Any] = {}
    exec(lines, defined)
    verified = defined["verified"]
    body, now, other = payload(EXAMPLE), int(time.time()), b"another key of some bytes"
    sent = headers([signing_key(SECRET)], EXAMPLE["id"], now, body)
    assert verified(SECRET, sent, body)
    assert verified(SECRET, headers([other, signing_key(SECRET)], EXAMPLE["id"], now, body), body), (
        "while it is rotated"
    )
    assert not verified(SECRET, sent, body + b" ")
    assert not verified(SECRET, {**sent, "webhook-id": "ntc_2"}, body)
    assert not verified(SECRET, headers([other], EXAMPLE["id"], now, body), body)
    assert not verified(SECRET, headers([signing_key(SECRET)], EXAMPLE["id"], now - 301, body), body)
