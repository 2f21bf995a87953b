"""What the tests of the deployed pipeline share."""

import time
from collections.abc import Callable

import pytest

from tallygate.aws.key_admin import key_admin
from tallygate.local.world import World


@pytest.fixture(scope="session")
def new_key(world: World) -> Callable[[str], str]:
    """Gives out a key on a plan; returns its secret."""
    home = world.config.service.administrative_region
    admin = key_admin(world.aws.client("dynamodb", home), world.names.gate_table, world.names.stage)

    def give(plan: str) -> str:
        return admin.create({"owner": "tests", "plan": plan}, time.time_ns() // 1_000_000).secret

    return give
