import json

import pytest

from tallygate.local.additions.filter_pattern import UnsupportedPatternError, parse_filter_pattern

USAGE = '{ ($.type = "usage") && ($.home = "us-east-1") }'


def line(**fields: object) -> str:
    return json.dumps(fields)


@pytest.mark.parametrize(
    ("pattern", "message", "matches"),
    [
        (USAGE, line(type="usage", home="us-east-1", ip="203.0.113.7"), True),
        (USAGE, line(type="usage", home="eu-west-1"), False),
        (USAGE, line(type="Usage", home="us-east-1"), False),
        (USAGE, line(type="usage"), False),
        (USAGE, line(type=["usage"], home="us-east-1"), False),
        (USAGE, line(type={"usage": "usage"}, home="us-east-1"), False),
        (USAGE, '["usage", "us-east-1"]', False),
        (USAGE, '"usage"', False),
        (USAGE, 'usage {"type":"usage","home":"us-east-1"}', False),
        (USAGE, "", False),
        ('{ $.type = "usage" }', line(type="usage"), True),
        ('{$.type="usage"&&$.home="us-east-1"}', line(type="usage", home="us-east-1"), True),
        ('{ ($.a.b = "x") }', line(a={"b": "x"}), True),
        ('{ ($.a.b = "x") }', line(a="x", b="x"), False),
        ('{ $.a = "x && y" }', line(a="x && y"), True),
        ('{ $.a = "1" }', line(a=1), False),
        ('{ $.a = "" }', line(a=""), True),
        ("", "anything at all", True),
    ],
)
def test_a_pattern_matches_what_aws_would_forward(pattern: str, message: str, matches: bool) -> None:
    assert parse_filter_pattern(pattern).matches(message) is matches


@pytest.mark.parametrize(
    "pattern",
    [
        "usage",
        '{ $.type = "usage" || $.type = "x" }',
        '{ $.type = "us*" }',
        '{ $.type != "usage" }',
        "{ $.units > 0 }",
        '{ ($.type = "usage") && (($.a = "x") && ($.b = "y")) }',
        '{ $.type = "usage" && }',
        "{ $.type EXISTS }",
        "[ip, user]",
        "%usage%",
        "{ }",
    ],
)
def test_a_pattern_that_would_be_evaluated_wrongly_is_refused_and_quoted(pattern: str) -> None:
    with pytest.raises(UnsupportedPatternError) as refused:
        parse_filter_pattern(pattern)
    assert pattern in str(refused.value)
