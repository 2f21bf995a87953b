"""The keys that the demo calls with."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tallygate.aws.key_store import KeyStore
from tallygate.core.keys import mint
from tallygate.core.plans import Plan

KEYS_PER_PLAN: Final = 3
"""Two are kept for the quotas, on the plan that shows them; even if it is the only one, the log brings a key."""


@dataclass(frozen=True, slots=True)
class DemoKey:
    """A key and, for once, its secret: it opens nothing but the world on this machine."""

    id: str
    secret: str
    plan: str
    owner: str


def give_out_keys(store: KeyStore, plans: Iterable[Plan], stage: str, now_ms: int) -> list[DemoKey]:
    """New keys on each plan that is for keys."""
    keys = []
    for plan in plans:
        for number in range(1, KEYS_PER_PLAN + 1):
            if not plan.anonymous:
                secret, owner = mint(stage, secrets.choice), f"demo-{plan.name}-{number}"
                profile = store.create(secret, owner=owner, plan=plan.name, now_ms=now_ms, note="demo")
                keys.append(DemoKey(profile.id, secret, profile.plan, profile.owner))
    return keys
