"""The app synthesized once per session for each of a few configurations."""

from dataclasses import replace

import pytest
from synthesized import ROOT, Synthesized, synthesize

from tallygate.config import Config, Notices, load
from tallygate.local.flavour import LOCAL, Flavour


@pytest.fixture(scope="session")
def shipped() -> Config:
    return load(ROOT / "tallygate.toml")


@pytest.fixture(scope="session")
def prod(shipped: Config, tmp_path_factory: pytest.TempPathFactory) -> Synthesized:
    """The shipped configuration as a real stage."""
    return synthesize(tmp_path_factory.mktemp("prod"), shipped, "prod", Flavour())


@pytest.fixture(scope="session")
def local(shipped: Config, tmp_path_factory: pytest.TempPathFactory) -> Synthesized:
    """The same stage, as it would be deployed to the emulator."""
    return synthesize(tmp_path_factory.mktemp("local"), shipped, "prod", LOCAL)


@pytest.fixture(scope="session")
def two_homes(shipped: Config, tmp_path_factory: pytest.TempPathFactory) -> Synthesized:
    """Two homes, one of which serves no callers; every setting that reaches a function differs from its default, and
    notices lead everywhere."""
    service = replace(
        shipped.service,
        homes=("us-east-1", "eu-central-1"),
        regions=("us-east-1", "eu-west-1", "ap-southeast-2"),
        home_of={"us-east-1": "us-east-1", "eu-west-1": "eu-central-1", "ap-southeast-2": "us-east-1"},
        trusted_proxies=("10.0.0.0/8", "2001:db8::/32"),
        retention_hours=48,
        dedupe_window_seconds=7200,
        ipv6_prefix=56,
        history_days=90,
        docs_url="https://docs.example/problems",
        publish="every",
    )
    plans = tuple(replace(plan, on_unavailable="allow" if plan.anonymous else "deny") for plan in shipped.plans)
    notices = Notices(True, ("ops@example.com", "desk@example.com"), "https://hooks.example/tallygate?token=1")
    config = Config(service, plans, shipped.routes, notices)
    return synthesize(tmp_path_factory.mktemp("two-homes"), config, "acceptance", Flavour())
