"""tallygate.toml as values. The app, the command and the local world read it; no function ever does: what functions
need of it reaches them as settings or, for plans, through the gate table."""

import ipaddress
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args
from urllib.parse import urlsplit

from tallygate.core.names import KINDS, Kind
from tallygate.core.notices import LEVELS
from tallygate.core.plans import MAX_QUOTA, WINDOWS, Limit, OnUnavailable, Plan, Window
from tallygate.core.routes import ALL_ALIKE, PROBLEMS_PATH, Routes, parts_of
from tallygate.fields import NotAllowedError, Problems, Table, choice, integer, one_of, text, yes_or_no

Gateway = Literal["http"]
Publish = Literal["marks", "every"]

REGION: Final = re.compile(r"[a-z]{2}(-[a-z]+)+-\d{1,2}", re.ASCII)
STAGE: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", re.ASCII)
"""As it stands in every API key: `tg_<stage>_…`."""
NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", re.ASCII)
DOCS_URL: Final = re.compile(r"(https?://[A-Za-z0-9]|/)[A-Za-z0-9._~:/?&=%+-]*", re.ASCII)
MAX_DOCS_URL_CHARS: Final = 200
WEBHOOK: Final = re.compile(
    r"https?://[A-Za-z0-9\[][A-Za-z0-9._~:\[\]-]*([/?][A-Za-z0-9._~:/?@!$&'()*+,;=%-]*)?", re.ASCII
)
MAX_WEBHOOK_CHARS: Final = 2_000
LOOPBACK_HOSTS: Final = ("127.0.0.1", "::1", "localhost")
EMAIL: Final = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", re.ASCII)
MAX_SERVICE_CHARS: Final = 20
MAX_STAGE_CHARS: Final = 12
"""The longest name made of both is a role's (`<service>-<stage>-ap-southeast-2-log-consumer`); IAM allows 64 there."""
MAX_PLANS: Final = 40
"""A change of all of them to others, with its records, is one transaction of at most 100 writes."""
MAX_ROUTES: Final = 200
"""Every container reads them each 30 s, with the plans."""
MAX_UNITS: Final = 1_000_000
KEYED_KINDS: Final[tuple[Kind, ...]] = ("key", "owner")
ANONYMOUS_KINDS: Final[tuple[Kind, ...]] = ("ip", "ref")


class ConfigError(ValueError):
    """The file cannot be used. One line per problem: the file, the key, what was found, what is allowed."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Service:
    """Where the service runs. `home_of` has an entry for every region; times are in the unit of their name."""

    name: str
    stages: tuple[str, ...]
    homes: tuple[str, ...]
    regions: tuple[str, ...]
    home_of: Mapping[str, str]
    gateway: Gateway
    publish: Publish
    trusted_proxies: tuple[str, ...]
    retention_hours: int
    dedupe_window_seconds: int
    ipv6_prefix: int
    history_days: int
    docs_url: str

    @property
    def administrative_region(self) -> str:
        """The only region in which keys and plans are written."""
        return self.homes[0]

    @property
    def gate_regions(self) -> tuple[str, ...]:
        """Every region with a replica of the gate: `regions` decide on callers by it, `homes` publish counts to it."""
        return tuple(dict.fromkeys((*self.homes, *self.regions)))


@dataclass(frozen=True, slots=True)
class Notices:
    """Who is told of notices, besides whoever adds rules to their bus: a topic of SNS, addresses that are subscribed to
    it, and a webhook."""

    sns: bool = False
    emails: tuple[str, ...] = ()
    webhook: str | None = None


@dataclass(frozen=True, slots=True)
class Config:
    service: Service
    plans: tuple[Plan, ...]
    routes: Routes = ALL_ALIKE
    notices: Notices = Notices()

    @property
    def anonymous_plan(self) -> Plan:
        return next(plan for plan in self.plans if plan.anonymous)


def load(path: Path | str) -> Config:
    """The configuration in `path`. ConfigError lists everything that is wrong with it, not only the first thing."""
    file = str(path)
    try:
        document = tomllib.loads(Path(path).read_bytes().decode())
    except OSError as error:
        raise ConfigError([f"{file}: cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        raise ConfigError([f"{file}: is not UTF-8: byte {error.start} is {error.object[error.start]:#04x}"]) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{file}: is not TOML: {error}"]) from None
    except ValueError:  # Python's own limit
        raise ConfigError([f"{file}: cannot be read: a number has thousands of digits"]) from None
    except RecursionError:
        raise ConfigError([f"{file}: cannot be read: lists or tables are nested hundreds deep"]) from None
    problems = Problems(file)
    root = Table(problems, "", document)
    root.only("service", "plans", "routes", "notices")
    config = Config(
        _service(root.take_table("service", required=True)),
        _plans(root.take_table("plans", required=True)),
        _routes(root.take_table("routes")),
        _notices(root.take_table("notices")),
    )
    if problems.lines:
        raise ConfigError(problems.lines)
    return config


def _service(fields: Table) -> Service:
    fields.only(
        "name",
        "stages",
        "homes",
        "regions",
        "home_of",
        "gateway",
        "publish",
        "trusted_proxies",
        "retention_hours",
        "dedupe_window_seconds",
        "ipv6_prefix",
        "history_days",
        "docs_url",
    )
    stage = text(STAGE, "lower-case letters and digits, words joined by -", most_chars=MAX_STAGE_CHARS)
    name = text(NAME, "lower-case letters and digits, words joined by -", most_chars=MAX_SERVICE_CHARS)
    docs_url = text(DOCS_URL, "an http(s) URL or an absolute path, without #", most_chars=MAX_DOCS_URL_CHARS)
    homes = fields.take_list("homes", region, least=1)
    regions = fields.take_list("regions", region, least=1)
    return Service(
        name=fields.take("name", name, "tallygate", required=True),
        stages=fields.take_list("stages", stage, ("local", "prod")),
        homes=homes,
        regions=regions,
        home_of=_home_of(fields, homes, regions),
        gateway=fields.take("gateway", choice(*get_args(Gateway)), "http"),
        publish=fields.take("publish", choice(*get_args(Publish)), "marks"),
        trusted_proxies=fields.take_list("trusted_proxies", network),
        # 24 hours to a year is what Kinesis keeps; CloudWatch Logs retries a delivery for 24 hours.
        retention_hours=fields.take("retention_hours", integer(24, 8_760), 24),
        dedupe_window_seconds=fields.take("dedupe_window_seconds", integer(60, 86_400), 3_600),
        ipv6_prefix=fields.take("ipv6_prefix", integer(32, 128), 64),
        history_days=fields.take("history_days", integer(0, 3_650), 400),
        docs_url=fields.take("docs_url", docs_url, PROBLEMS_PATH),
    )


def _home_of(fields: Table, homes: tuple[str, ...], regions: tuple[str, ...]) -> dict[str, str]:
    """Region to home. Unless the file says otherwise, a region that is a home is its own, any other has the first."""
    given = fields.take_table("home_of")
    if regions:
        given.only(*regions)
    default = homes[0] if homes else ""
    home = one_of(homes, "one of the homes")
    return {name: given.take(name, home, name if name in homes else default) for name in regions}


def _plans(fields: Table) -> tuple[Plan, ...]:
    plans: list[Plan] = []
    for name in fields.values:
        if len(name) > 64 or not NAME.fullmatch(name):
            fields.problems.wrong(
                fields.path(name),
                name,
                "a name of lower-case letters and digits, words joined by -, at most 64 characters",
            )
        plans.append(_plan(name, fields.take_table(name)))
    anonymous = [plan.name for plan in plans if plan.anonymous]
    if len(anonymous) != 1:
        found = f"found {', '.join(anonymous) or 'none'}"
        fields.problems.add(fields.key, f"{found} with anonymous = true, allowed is exactly one such plan")
    if len(plans) > MAX_PLANS:
        fields.problems.add(fields.key, f"found {len(plans)} plans, allowed are at most {MAX_PLANS}")
    return tuple(plans)


def _plan(name: str, fields: Table) -> Plan:
    fields.only("limits", "anonymous", "on_unavailable", "burst", "shadow", "notify_at")
    anonymous = fields.take("anonymous", yes_or_no, False)
    kinds = ANONYMOUS_KINDS if anonymous else KEYED_KINDS
    limits: list[Limit] = []
    for row in fields.take_tables("limits", f'{{per = "{kinds[0]}", quota = 1000, window = "day"}}'):
        limit = _limit(row, kinds)
        if any(limit.name == other.name for other in limits):
            fields.problems.add(
                row.key,
                f"found {limit.name} again, allowed is each kind and window once, and once more with soft = true",
            )
        limits.append(limit)
    on_unavailable: OnUnavailable = fields.take("on_unavailable", choice(*get_args(OnUnavailable)), "allow")
    burst = fields.take("burst", integer(1, MAX_QUOTA), None) if "burst" in fields.values else None
    return Plan(
        name,
        tuple(limits),
        anonymous,
        on_unavailable,
        burst,
        shadow=fields.take("shadow", yes_or_no, False),
        notify_at=tuple(sorted(fields.take_list("notify_at", _level))),
    )


def _level(found: object) -> int:
    """A level of notices: a count reaches the gate at marks only, and is told when it does."""
    if type(found) is not int or found not in LEVELS:
        raise NotAllowedError(f"a multiple of 5 from 5 to {max(LEVELS)}, or a whole number from 91 to 99")
    return found


def _limit(fields: Table, kinds: tuple[Kind, ...]) -> Limit:
    fields.only("per", "quota", "window", "rolling", "soft")

    def per(found: object) -> Kind:
        if found not in kinds:
            names = " or ".join(f'"{kind}"' for kind in kinds)
            whose = "a plan for keys" if kinds == KEYED_KINDS else "the anonymous plan"
            raise NotAllowedError(f"{names} in {whose}")
        return KINDS[KINDS.index(found)]

    def rolling(found: object) -> bool:
        if yes_or_no(found) and window == "minute":
            raise NotAllowedError("false with a window of a minute, whose use is not counted")
        return found is True

    window: Window = fields.take("window", choice(*WINDOWS), "day", required=True)
    return Limit(
        per=fields.take("per", per, kinds[0], required=True),
        quota=fields.take("quota", integer(1, MAX_QUOTA), 1, required=True),
        window=window,
        rolling=fields.take("rolling", rolling, False),
        soft=fields.take("soft", yes_or_no, False),
    )


def _routes(fields: Table) -> Routes:
    units: dict[str, int] = {}
    for pattern in fields.values:
        try:
            parts_of(pattern)
        except ValueError as allowed:
            fields.problems.wrong(fields.key, pattern, allowed)
            continue
        units[pattern] = fields.take(pattern, integer(0, MAX_UNITS), 1)
    if len(units) > MAX_ROUTES:
        fields.problems.add(fields.key, f"found {len(units)} patterns, allowed are at most {MAX_ROUTES}")
    return Routes(units)


def _notices(fields: Table) -> Notices:
    fields.only("sns", "emails", "webhook")
    emails = fields.take_list("emails", _email)
    sns = fields.take("sns", yes_or_no, bool(emails))
    if emails and not sns:
        fields.problems.add(fields.path("sns"), "found false, allowed is true with emails, which are sent through SNS")
    webhook = fields.take("webhook", _webhook, "") if "webhook" in fields.values else None
    return Notices(sns, emails, webhook)


def _email(found: object) -> str:
    if not isinstance(found, str) or not EMAIL.fullmatch(found):
        raise NotAllowedError("an e-mail address, like ops@example.com")
    return found


def _webhook(found: object) -> str:
    """A URL that is as it will be called."""
    if isinstance(found, str) and len(found) <= MAX_WEBHOOK_CHARS and WEBHOOK.fullmatch(found):
        try:
            parts = urlsplit(found)
            if parts.hostname and parts.port != 0 and (parts.scheme == "https" or parts.hostname in LOOPBACK_HOSTS):
                return found
        except ValueError:  # a port that is none
            pass
    raise NotAllowedError("an https URL without user, password or #; http only to 127.0.0.1 in the stage local")


def region(found: object) -> str:
    if not isinstance(found, str) or not REGION.fullmatch(found):
        raise NotAllowedError("the name of an AWS region, like eu-west-1")
    return found


def network(found: object) -> str:
    """An address range in the form that `ipaddress` prints it."""
    allowed = "a CIDR range, like 10.0.0.0/8 or 2001:db8::/32"
    if not isinstance(found, str):
        raise NotAllowedError(allowed)
    try:
        return str(ipaddress.ip_network(found))
    except ValueError as error:
        raise NotAllowedError(f"{allowed} ({error})") from None
