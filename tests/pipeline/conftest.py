"""What the tests of the deployed pipeline share."""

import secrets
import time
from collections.abc import Callable

import pytest

from tallygate.aws.key_store import KeyStore
from tallygate.core.keys import mint
from tallygate.local.world import World


@pytest.fixture(scope="session")
def new_key(world: World) -> Callable[[str], str]:
    """Gives out a key on a plan; returns its secret."""
    home = world.config.service.administrative_region
    store = KeyStore(world.aws.client("dynamodb", home), world.names.gate_table)

    def give(plan: str) -> str:
        secret = mint(world.names.stage, secrets.choice)
        store.create(secret, owner="tests", plan=plan, now_ms=time.time_ns() // 1_000_000)
        return secret

    return give
