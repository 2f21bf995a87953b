"""tallygate.toml: what is taken, and every way in which it can be wrong."""

from pathlib import Path

import pytest

from tallygate.config import MAX_PLANS, MAX_ROUTES, Config, ConfigError, Notices, load
from tallygate.core.plans import MAX_QUOTA, Limit, Plan
from tallygate.resources import Names

SHIPPED = Path(__file__).resolve().parents[1] / "tallygate.toml"
SERVICE = {"name": '"tallygate"', "homes": '["us-east-1"]', "regions": '["us-east-1", "eu-west-1"]'}
ANONYMOUS = '[plans.anonymous]\nanonymous = true\nlimits = [{per = "ip", quota = 200, window = "day"}]\n'
A_LIMIT = 'like {per = "key", quota = 1000, window = "day"}'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tallygate.toml"


def written(service: dict[str, str] | None = None, plans: str = "", anonymous: str = ANONYMOUS) -> str:
    """A file with these settings of the service besides the necessary ones, and these plans besides the anonymous."""
    lines = [f"{name} = {value}" for name, value in {**SERVICE, **(service or {})}.items() if value]
    return "\n".join(["[service]", *lines, anonymous, plans])


def problems(file: Path, content: str | bytes) -> list[str]:
    """What is said about a file, without the file's name, which every line begins with."""
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert str(caught.value).splitlines() == caught.value.problems
    for line in caught.value.problems:
        assert line.startswith(f"{file}: ")
    return [line.removeprefix(f"{file}: ") for line in caught.value.problems]


def loaded(file: Path, content: str) -> Config:
    file.write_text(content)
    return load(file)


def test_the_shipped_file_is_as_the_documentation_says() -> None:
    config = load(SHIPPED)
    assert config.service.homes == ("us-east-1",)
    assert config.service.regions == ("us-east-1", "eu-west-1", "ap-southeast-2")
    assert config.service.stages == ("local", "prod")
    assert (config.service.gateway, config.service.publish) == ("http", "marks")
    plans = {plan.name: plan for plan in config.plans}
    anonymous = Plan("anonymous", (Limit("ip", 200, "day"), Limit("ref", 2000, "day")), anonymous=True)
    assert plans["anonymous"] == config.anonymous_plan == anonymous
    starter = (
        Limit("key", 400, "hour"),
        Limit("key", 1000, "day"),
        Limit("key", 5000, "month"),
        Limit("key", 4000, "month", soft=True),
    )
    assert plans["starter"] == Plan("starter", starter, burst=50, notify_at=(80, 100))
    pro = (Limit("key", 100_000, "day", rolling=True), Limit("key", 1_000_000, "month"))
    assert plans["pro"] == Plan("pro", pro, burst=200, notify_at=(50, 80, 90, 100))
    assert config.notices == Notices()
    assert not any(plan.shadow for plan in plans.values())


def test_settings_that_are_left_out_have_the_documented_values(file: Path) -> None:
    service = loaded(file, written()).service
    assert (service.gateway, service.publish, service.trusted_proxies) == ("http", "marks", ())
    assert (service.retention_hours, service.dedupe_window_seconds, service.ipv6_prefix) == (24, 3600, 64)
    assert (service.history_days, service.docs_url) == (400, "/v1/problems")
    assert service.stages == ("local", "prod")


def test_settings_that_are_given_are_taken(file: Path) -> None:
    given = {
        "stages": '["local", "qa-2"]',
        "publish": '"every"',
        "trusted_proxies": '["10.0.0.0/8", "2001:DB8::/32"]',
        "retention_hours": "168",
        "dedupe_window_seconds": "86400",
        "history_days": "30",
        "docs_url": '"https://docs.example:8443/api/v2/errors.html"',
        "ipv6_prefix": "56",
    }
    service = loaded(file, written(given)).service
    assert (service.stages, service.publish) == (("local", "qa-2"), "every")
    assert service.trusted_proxies == ("10.0.0.0/8", "2001:db8::/32")
    assert (service.retention_hours, service.dedupe_window_seconds, service.ipv6_prefix) == (168, 86400, 56)
    assert (service.history_days, service.docs_url) == (30, "https://docs.example:8443/api/v2/errors.html")


def test_a_region_is_its_own_home_if_it_is_one_and_else_has_the_first(file: Path) -> None:
    homes = {"homes": '["us-east-1", "eu-west-1"]', "regions": '["eu-west-1", "sa-east-1", "eu-north-1"]'}
    service = loaded(file, written(homes, plans='[service.home_of]\neu-north-1 = "eu-west-1"')).service
    assert service.home_of == {"eu-west-1": "eu-west-1", "sa-east-1": "us-east-1", "eu-north-1": "eu-west-1"}
    assert service.administrative_region == "us-east-1"
    assert service.gate_regions == ("us-east-1", "eu-west-1", "sa-east-1", "eu-north-1")


def test_a_plan_may_have_no_limit_at_all(file: Path) -> None:
    plans = loaded(file, written(plans="[plans.free]\nlimits = []")).plans
    assert plans[-1] == Plan("free", ())


def test_the_longest_names_that_are_allowed_fit_a_role(file: Path) -> None:
    service = loaded(file, written({"name": f'"{"s" * 20}"', "stages": f'["{"t" * 12}"]'})).service
    assert len(Names(service.name, service.stages[0]).role("ap-southeast-2", "log-consumer")) <= 64


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("name", '"Tally Gate"', 'service.name: found "Tally Gate", allowed is lower-case letters and digits'),
        ("name", f'"{"s" * 21}"', "at most 20 characters"),
        ("name", "5", "service.name: found 5, allowed is lower-case letters"),
        ("name", "", "service.name: missing, allowed is lower-case letters"),
        ("stages", '["prod", "Prod"]', 'service.stages[1]: found "Prod", allowed is lower-case letters and digits'),
        ("stages", '["a_b"]', 'service.stages[0]: found "a_b", allowed is'),
        ("stages", f'["{"t" * 13}"]', "at most 12 characters"),
        ("stages", '"prod"', 'service.stages: found "prod", allowed is a list'),
        ("homes", "", "service.homes: missing, allowed is a list with 1 or more entries"),
        ("homes", "[]", "service.homes: found [], allowed is a list with 1 or more entries"),
        ("homes", '["us-east-1", "us-east-1"]', 'service.homes[1]: found "us-east-1", allowed is each entry once'),
        ("homes", '["us-east"]', 'service.homes[0]: found "us-east", allowed is the name of an AWS region, like'),
        ("regions", '["us-east-1", "EU-west-1"]', 'service.regions[1]: found "EU-west-1", allowed is the name of an'),
        ("regions", '["us-east-1", true]', "service.regions[1]: found true, allowed is the name of an AWS region"),
        ("regions", '["us-east-1", "us-east-1"]', 'service.regions[1]: found "us-east-1", allowed is each entry once'),
        ("gateway", '"rest"', 'service.gateway: found "rest", allowed is "http"'),
        ("publish", '"never"', 'service.publish: found "never", allowed is "marks" or "every"'),
        (
            "trusted_proxies",
            '["10.0.0.1/8"]',
            'service.trusted_proxies[0]: found "10.0.0.1/8", allowed is a CIDR range',
        ),
        ("trusted_proxies", '["10.0.0.0/33"]', 'service.trusted_proxies[0]: found "10.0.0.0/33", allowed is a CIDR'),
        ("trusted_proxies", "[167772160]", "service.trusted_proxies[0]: found 167772160, allowed is a CIDR range"),
        ("retention_hours", "23", "service.retention_hours: found 23, allowed is a whole number from 24 to 8760"),
        ("retention_hours", "8761", "service.retention_hours: found 8761, allowed is"),
        ("history_days", "3651", "service.history_days: found 3651, allowed is a whole number from 0 to 3650"),
        ("docs_url", '"docs"', 'service.docs_url: found "docs", allowed is an http(s) URL or an absolute path'),
        ("docs_url", '"https://a.example/#x"', "service.docs_url: found"),
        ("docs_url", '"javascript:alert(1)"', "service.docs_url: found"),
        ("retention_hours", "24.0", "service.retention_hours: found 24.0, allowed is a whole number"),
        (
            "dedupe_window_seconds",
            "59",
            "service.dedupe_window_seconds: found 59, allowed is a whole number from 60 to",
        ),
        ("dedupe_window_seconds", "86401", "service.dedupe_window_seconds: found 86401, allowed is"),
        ("ipv6_prefix", "129", "service.ipv6_prefix: found 129, allowed is a whole number from 32 to 128"),
        ("ipv6_prefix", '"64"', 'service.ipv6_prefix: found "64", allowed is a whole number'),
        (
            "home_of",
            '{eu-west-1 = "sa-east-1"}',
            'service.home_of.eu-west-1: found "sa-east-1", allowed is one of the homes',
        ),
        (
            "home_of",
            '{sa-east-1 = "us-east-1"}',
            "service.home_of.sa-east-1: unknown key, did you mean us-east-1? allowed are us-east-1, eu-west-1",
        ),
        ("home_of", '"us-east-1"', 'service.home_of: found "us-east-1", allowed is a table'),
        (
            "retension_hours",
            "24",
            "service.retension_hours: unknown key, did you mean retention_hours? allowed are name,",
        ),
        ("colour", "1", "service.colour: unknown key, allowed are name, stages, homes, regions, home_of, gateway,"),
    ],
)
def test_a_wrong_setting_of_the_service(file: Path, setting: str, value: str, said: str) -> None:
    (problem,) = problems(file, written({setting: value}))
    assert said in problem


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (
            '[plans.p]\nlimits = [{per = "key", quota = 5, window = "week"}]',
            'plans.p.limits[0].window: found "week", allowed is "minute" or "hour" or "day" or "month"',
        ),
        (
            '[plans.p]\nlimits = [{per = "key", quota = 5}]',
            'plans.p.limits[0].window: missing, allowed is "minute" or "hour" or "day" or "month"',
        ),
        (
            '[plans.p]\nlimits = [{per = "key", quota = 0, window = "day"}]',
            f"plans.p.limits[0].quota: found 0, allowed is a whole number from 1 to {MAX_QUOTA}",
        ),
        (
            '[plans.p]\nlimits = [{per = "key", quota = -1, window = "day"}]',
            "plans.p.limits[0].quota: found -1, allowed is",
        ),
        (
            '[plans.p]\nlimits = [{per = "key", quota = true, window = "day"}]',
            "plans.p.limits[0].quota: found true, allowed is",
        ),
        (
            '[plans.p]\nlimits = [{per = "key", quota = 1.5, window = "day"}]',
            "plans.p.limits[0].quota: found 1.5, allowed is",
        ),
        ('[plans.p]\nlimits = [{per = "key", window = "day"}]', "plans.p.limits[0].quota: missing, allowed is"),
        (
            '[plans.p]\nlimits = [{per = "ip", quota = 5, window = "day"}]',
            'plans.p.limits[0].per: found "ip", allowed is "key" or "owner" in a plan for keys',
        ),
        (
            '[plans.p]\nlimits = [{quota = 5, window = "day"}]',
            'plans.p.limits[0].per: missing, allowed is "key" or "owner" in a plan for keys',
        ),
        (
            '[plans.p]\nlimits = [{per = ["key"], quota = 5, window = "day"}]',
            'plans.p.limits[0].per: found ["key"], allowed is "key"',
        ),
        (
            '[plans.p]\nlimits = [{per = "key", qouta = 5, quota = 5, window = "day"}]',
            "plans.p.limits[0].qouta: unknown key, did you mean quota? allowed are per, quota, window, rolling, soft",
        ),
        (
            '[plans.p]\nlimits = [{per = "key", quota = 5, window = "day"}, {per = "key", quota = 6, window = "day"}]',
            "plans.p.limits[1]: found key-day again, allowed is each kind and window once, and once more with soft",
        ),
        ('[plans.p]\nlimits = ["5 a day"]', f'plans.p.limits[0]: found "5 a day", allowed is a table {A_LIMIT}'),
        ("[plans.p]\nlimits = 5", f"plans.p.limits: found 5, allowed is a list of tables {A_LIMIT}"),
        ('[plans.p]\non_unavailable = "allow"', f"plans.p.limits: missing, allowed is a list of tables {A_LIMIT}"),
        (
            '[plans.p]\nlimits = []\non_unavailable = "maybe"',
            'plans.p.on_unavailable: found "maybe", allowed is "allow" or "deny"',
        ),
        ('[plans.p]\nlimits = []\nanonymous = "no"', 'plans.p.anonymous: found "no", allowed is true or false'),
        (
            "[plans.p]\nlimits = []\nbrust = 5",
            "plans.p.brust: unknown key, did you mean burst? "
            "allowed are limits, anonymous, on_unavailable, burst, shadow, notify_at",
        ),
        ("[plans.p]\nlimits = []\nburst = 0", "plans.p.burst: found 0, allowed is a whole number from 1 to"),
        ('[plans.p]\nlimits = []\nshadow = "yes"', 'plans.p.shadow: found "yes", allowed is true or false'),
        (
            "[plans.p]\nlimits = []\nnotify_at = [80, 82]",
            "plans.p.notify_at[1]: found 82, allowed is a multiple of 5 from 5 to 500, or a whole number from 91 to 99",
        ),
        ("[plans.p]\nlimits = []\nnotify_at = [80, true]", "plans.p.notify_at[1]: found true, allowed is a multiple"),
        ("[plans.p]\nlimits = []\nnotify_at = [80, 80]", "plans.p.notify_at[1]: found 80, allowed is each entry once"),
        ("[plans.p]\nlimits = []\nnotify_at = 80", "plans.p.notify_at: found 80, allowed is a list"),
        (
            '[plans.p]\nlimits = [{per = "key", quota = 5, window = "day", soft = 1}]',
            "plans.p.limits[0].soft: found 1, allowed is true or false",
        ),
        (
            '[plans.p]\nlimits = [{per = "key", quota = 5, window = "day", rolling = "yes"}]',
            'plans.p.limits[0].rolling: found "yes", allowed is true or false',
        ),
        (
            '[plans.p]\nlimits = [{per = "key", quota = 5, window = "minute", rolling = true}]',
            "plans.p.limits[0].rolling: found true, allowed is false with a window of a minute",
        ),
        (
            '[plans.p]\nlimits = [{per = "key", quota = 5, window = "day", soft = true}, '
            '{per = "key", quota = 6, window = "day", soft = true, rolling = true}]',
            "plans.p.limits[1]: found key-day-soft again, allowed is",
        ),
        ("[plans]\np = 5", "plans.p: found 5, allowed is a table"),
        (
            "[plans.Big_One]\nlimits = []",
            'plans.Big_One: found "Big_One", allowed is a name of lower-case letters and digits',
        ),
        (
            ANONYMOUS.replace("anonymous]", "open]"),
            "plans: found anonymous, open with anonymous = true, allowed is exactly one such plan",
        ),
    ],
)
def test_a_wrong_plan(file: Path, plan: str, said: str) -> None:
    assert said in problems(file, written(plans=plan))[0]


def test_levels_of_notices_are_kept_in_rising_order(file: Path) -> None:
    config = loaded(file, written(plans="[plans.p]\nlimits = []\nnotify_at = [100, 5, 91, 80]"))
    assert [plan.notify_at for plan in config.plans] == [(), (5, 80, 91, 100)]


def test_who_is_told_of_notices(file: Path) -> None:
    assert loaded(file, written()).notices == Notices()
    told = loaded(
        file, written(plans='[notices]\nemails = ["ops@example.com"]\nwebhook = "https://example.com:8443/h?a=1"')
    )
    assert told.notices == Notices(True, ("ops@example.com",), "https://example.com:8443/h?a=1")
    local = loaded(file, written(plans='[notices]\nsns = true\nwebhook = "http://127.0.0.1:8080/"'))
    assert local.notices == Notices(True, (), "http://127.0.0.1:8080/")


@pytest.mark.parametrize(
    ("notices", "said"),
    [
        ("sms = true", "notices.sms: unknown key, did you mean sns? allowed are sns, emails, webhook"),
        ('emails = ["ops"]', 'notices.emails[0]: found "ops", allowed is an e-mail address, like ops@example.com'),
        ('emails = ["a@b.example"]\nsns = false', "notices.sns: found false, allowed is true with emails"),
        *(
            (f'webhook = "{url}"', f'notices.webhook: found "{url}", allowed is an https URL without user')
            for url in (
                "http://example.com/hook",
                "https://user:secret@example.com/",
                "https://example.com/#part",
                "https://example.com:http/",
                "https://example.com:0/",
                "https://example.com/a b",
                "ftp://example.com/",
                "https://",
                "http://127.0.0.1.example.com/",
            )
        ),
    ],
)
def test_wrong_targets_of_notices(file: Path, notices: str, said: str) -> None:
    assert problems(file, written(plans=f"[notices]\n{notices}"))[0].startswith(said)


def test_there_is_an_end_to_plans(file: Path) -> None:
    plans = "".join(f"[plans.p{number}]\nlimits = []\n" for number in range(MAX_PLANS))
    assert problems(file, written(plans=plans)) == [
        f"plans: found {MAX_PLANS + 1} plans, allowed are at most {MAX_PLANS}"
    ]


def test_the_anonymous_plan_cannot_limit_keys(file: Path) -> None:
    (problem,) = problems(file, written(anonymous=ANONYMOUS.replace('"ip"', '"key"')))
    assert problem == 'plans.anonymous.limits[0].per: found "key", allowed is "ip" or "ref" in the anonymous plan'


def test_one_plan_must_be_for_callers_without_a_key(file: Path) -> None:
    (problem,) = problems(file, written(anonymous="[plans.p]\nlimits = []"))
    assert problem == "plans: found none with anonymous = true, allowed is exactly one such plan"


def test_a_table_that_is_not_ours_is_named_with_its_likely_meaning(file: Path) -> None:
    (problem,) = problems(file, written(plans="[plan.p]\nlimits = []"))
    assert problem == "plan: unknown key, did you mean plans? allowed are service, plans, routes, notices"


def test_every_problem_is_reported_at_once_in_a_line_each(file: Path) -> None:
    given = {"regions": '["mars-1", "eu-west-1"]', "publish": '"x"', "retention_hours": "1"}
    found = problems(file, written(given, plans='[plans.p]\nlimits = [{per = "ip", quota = 0, window = "year"}]'))
    assert {line.split(":")[0] for line in found} == {
        "service.regions[0]",
        "service.publish",
        "service.retention_hours",
        "plans.p.limits[0].per",
        "plans.p.limits[0].quota",
        "plans.p.limits[0].window",
    }


def test_an_empty_file_lacks_both_tables(file: Path) -> None:
    found = problems(file, "")
    assert "service: missing, allowed is a table" in found
    assert "plans: missing, allowed is a table" in found


def test_a_syntax_error_names_its_line(file: Path) -> None:
    (problem,) = problems(file, '[service]\nname = "tallygate"\nhomes = [us-east-1]\n')
    assert problem.startswith("is not TOML: ")
    assert "line 3" in problem


@pytest.mark.parametrize(
    ("quota", "problem"),
    [
        ("1" * 5_000, "cannot be read: a number has thousands of digits"),
        ("[" * 5_000 + "]" * 5_000, "cannot be read: lists or tables are nested hundreds deep"),
        (
            "0x" + "f" * 5_000,
            "plans.p.limits[0].quota: found a number of more than 60 digits, "
            "allowed is a whole number from 1 to 1000000000000000",
        ),
        (
            "[" * 90 + "]" * 90,
            "plans.p.limits[0].quota: found [[…]], allowed is a whole number from 1 to 1000000000000000",
        ),
    ],
    ids=["decimal", "nested", "hexadecimal", "somewhat nested"],
)
def test_values_of_any_size_are_one_line(file: Path, quota: str, problem: str) -> None:
    plans = f'[plans.p]\nlimits = [{{per = "key", quota = {quota}, window = "day"}}]\n'
    assert problems(file, written(plans=plans)) == [problem]


def test_a_file_in_another_encoding_is_named_as_such(file: Path) -> None:
    (problem,) = problems(file, '[service]\nname = "tällygate"'.encode("latin-1"))
    assert problem == "is not UTF-8: byte 19 is 0xe4"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml: cannot be read: No such file"):
        load(tmp_path / "nowhere.toml")


def test_a_long_value_does_not_flood_the_message(file: Path) -> None:
    (problem,) = problems(file, written({"publish": f'"{"x" * 5000}"'}))
    assert len(problem) < 150


def test_routes_weigh_what_is_said_and_nothing_else_is_taken(file: Path) -> None:
    routes = '[routes]\n"/v1/search" = 5\n"GET /v1/export/*" = 20\n"/health" = 0\n'
    assert loaded(file, written(plans=routes)).routes.units == {"/v1/search": 5, "GET /v1/export/*": 20, "/health": 0}
    assert loaded(file, written()).routes.units == {}
    wrong = '[routes]\n"v1/search" = 5\n"HEAD /x" = 1\n"/v1/usage" = 1\n"/y" = -1\n"/z" = "2"\n'
    assert problems(file, written(plans=wrong)) == [
        'routes: found "v1/search", allowed is a path like /v1/search or the beginning of one like /v1/export/*, '
        "perhaps after a method",
        'routes: found "HEAD /x", allowed is GET, which is HEAD as well',
        'routes: found "/v1/usage", allowed is anything but /v1/usage, which is free',
        "routes./y: found -1, allowed is a whole number from 0 to 1000000",
        'routes./z: found "2", allowed is a whole number from 0 to 1000000',
    ]
    many = "[routes]\n" + "".join(f'"/r{number}" = 2\n' for number in range(MAX_ROUTES + 1))
    assert problems(file, written(plans=many)) == [
        f"routes: found {MAX_ROUTES + 1} patterns, allowed are at most {MAX_ROUTES}"
    ]
