"""The keys that the demo calls with."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tallygate.core.key_admin import KeyAdmin
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


def give_out_keys(admin: KeyAdmin, plans: Iterable[Plan], now_ms: int) -> list[DemoKey]:
    """New keys on each plan that is for keys."""
    keys = []
    for plan in plans:
        for number in range(1, KEYS_PER_PLAN + 1):
            if not plan.anonymous:
                owner = f"demo-{plan.name}-{number}"
                secret, profile = admin.create({"owner": owner, "plan": plan.name, "note": "demo"}, now_ms)
                keys.append(DemoKey(profile.id, secret, profile.plan, profile.owner))
    return keys
