"""What an identifier is held to: the limits of its plan, what is counted for each, and what was adjusted."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tallygate.aws.key_store import KeyStore
from tallygate.aws.plan_store import PlanStore
from tallygate.aws.quota_store import QuotaStore
from tallygate.aws.usage_reader import UsageReader
from tallygate.cli.failures import Failure
from tallygate.cli.identifiers import normal_value
from tallygate.cli.target import Target
from tallygate.core.adjustments import Adjustments, Baseline
from tallygate.core.credentials import ACTIVE
from tallygate.core.identity import is_site
from tallygate.core.key_profile import KeyProfile
from tallygate.core.limit_use import limit_use
from tallygate.core.lines import format_timestamp
from tallygate.core.names import INVALID_KEY, Kind
from tallygate.core.periods import period_of, window_bounds_ms
from tallygate.core.plans import COUNTED_WINDOWS, Limit, Plan, Window
from tallygate.core.usage import HomeUsage, Usage


@dataclass(slots=True)
class HeldQuota:
    """An identifier, the limits of its plan, what is counted, and what is adjusted."""

    kind: Kind
    value: str
    plan: Plan
    rows: list[HomeUsage]
    store: QuotaStore
    adjusted: Adjustments
    now_ms: int

    @classmethod
    def of(cls, target: Target, kind: Kind, value: str, *, to_write: bool, plan_name: str | None = None) -> "HeldQuota":
        """Failure for what has no quota, and says why. `plan_name` is of use for an owner whose keys are on several."""
        gate, table = target.gate(to_write=to_write), target.names.gate_table
        normal = normal_value(kind, value, target.config.service.ipv6_prefix)
        plans = PlanStore(gate, table).plans()
        if kind == "key" and (stored := KeyStore(gate, table).find(normal)) is not None:
            # The plan is the one of the key that is asked about, the counts are those of its line of rotations.
            profile = stored.profile
            plan = _plan_of(kind, normal, profile, plans)
            normal = profile.counted_under
        elif kind == "owner":
            plan = _plan_of_owner(normal, KeyStore(gate, table).profiles(normal), plans, plan_name)
        else:
            plan = _plan_of(kind, normal, None, plans)
        log = target.audit_log() if to_write else None
        store, now_ms = QuotaStore(gate, table, log), time.time_ns() // 1_000_000
        adjusted = store.find(kind, normal)
        found = cls(kind, normal, plan, [], store, adjusted, now_ms)
        times = {window: found.times_ms(window) for window in found.windows}
        items = [_item_of(window, at_ms) for window, all_ms in times.items() for at_ms in all_ms]
        found.rows = UsageReader(target.every_home, target.names.tally_table).rows(kind, normal, items)
        return found

    @property
    def limits(self) -> list[Limit]:
        return [limit for limit in self.plan.limits if limit.per == self.kind]

    @property
    def windows(self) -> list[Window]:
        """Those of its limits whose use is counted, each once."""
        return [window for window in dict.fromkeys(limit.window for limit in self.limits) if window in COUNTED_WINDOWS]

    def times_ms(self, window: Window) -> list[int]:
        """A time in each period that uses up limits of `window`: the current one, and for one that rolls the one
        before."""
        rolls = any(limit.rolling for limit in self.limits if limit.window == window)
        return [self.now_ms, window_bounds_ms(window, self.now_ms)[0] - 1] if rolls else [self.now_ms]

    def window(self, asked: Window | None) -> Window:
        """The one asked for, else the only one there is."""
        windows = self.windows
        if not windows:
            raise Failure(f"plan {self.plan.name} limits by the minute only: nobody counts it, and it is soon over")
        if asked is None and len(windows) > 1:
            raise Failure(f"which limit? Plan {self.plan.name} has one by {' and one by '.join(windows)}: --window")
        if asked is not None and asked not in windows:
            raise Failure(f"--window: plan {self.plan.name} has no limit by {asked}, but by {', '.join(windows)}")
        return asked or windows[0]

    def counted(self, window: Window, at_ms: int) -> dict[str, Baseline]:
        """What each home charged in the period that holds `at_ms`, and when that was last added to."""
        return {
            row.home: Baseline(row.charged_in(window, at_ms), row.at_ms)
            for row in self.rows
            if row.is_of(window, at_ms)
        }

    def forgiven(self, windows: Iterable[Window]) -> dict[str, dict[str, Baseline]]:
        """The baselines of a reset of `windows`, by period."""
        return {
            period_of(window, at_ms): self.counted(window, at_ms)
            for window in windows
            for at_ms in self.times_ms(window)
        }

    def document(self, limit: Limit) -> dict[str, Any]:
        """One limit of it, as JSON tells it. `used` is None where nobody counts."""
        what = {"window": limit.window, "rolling": limit.rolling, "soft": limit.soft}
        if limit.window not in COUNTED_WINDOWS:
            return {**what, "quota": limit.quota, "limit": limit.quota, "used": None, "remaining": None}
        period = period_of(limit.window, self.now_ms)
        allowance = self.adjusted.allowance(limit.window, self.now_ms)
        counted = {home: baseline.units for home, baseline in self.counted(limit.window, self.now_ms).items()}
        used = {home: allowance.used(home, units) for home, units in counted.items()}
        use = limit_use(limit, Usage(tuple(self.rows), (), self.adjusted), self.now_ms)
        return {
            **what,
            "period": period,
            "quota": limit.quota,
            "top_ups": dict(self.adjusted.extras.get(period, {})),
            "limit": use.quota,
            "used": use.used,
            "of_the_one_before": use.used - sum(used.values()),
            "remaining": max(0, use.quota - use.used),
            "reset": format_timestamp(window_bounds_ms(limit.window, self.now_ms)[1]),
            "homes": {
                home: {"counted": units, "baseline": allowance.base(home).units, "used": used[home]}
                for home, units in counted.items()
            },
        }


def _item_of(window: Window, at_ms: int) -> str:
    """The period of the item that counts `window`: days are in those of months."""
    return period_of("hour" if window == "hour" else "month", at_ms)


def _plan_of(kind: Kind, value: str, profile: KeyProfile | None, plans: list[Plan]) -> Plan:
    if kind == "key":
        if value == INVALID_KEY:
            raise Failure("calls with keys that are none are counted as `invalid`, and refused: there is no quota")
        if profile is None:
            raise Failure(f"there is no key {value}: `tallygate keys list` shows those there are")
        named, overrides = f"{profile.plan} of key {value}", profile.overrides
        plan = next((plan.overridden(overrides) for plan in plans if plan.name == profile.plan), None)
    else:
        if kind == "ref" and not is_site(value):
            raise Failure(f"{value} is shared by strangers: it is counted, and has no quota")
        named = "for calls without a key"
        plan = next((plan for plan in plans if plan.anonymous), None)
    if plan is None:
        raise Failure(f"the plan {named} is not in force: `tallygate plans apply` writes those of the configuration")
    if all(limit.per != kind for limit in plan.limits):
        raise Failure(f"plan {plan.name} does not limit any {kind}: `tallygate plans show`")
    return plan


def _plan_of_owner(owner: str, keys: Iterable[KeyProfile], plans: list[Plan], wanted: str | None) -> Plan:
    """The plan whose limits per owner hold for all keys of one: by the plans that they are on."""
    names = {key.plan for key in keys if key.status == ACTIVE}
    if not names:
        raise Failure(f"{owner} has no keys: `tallygate keys list` shows those there are")
    found = [plan for plan in plans if plan.name in names and any(limit.per == "owner" for limit in plan.limits)]
    if wanted is not None:
        found = [plan for plan in found if plan.name == wanted]
    if not found:
        on = wanted or ", ".join(sorted(names))
        raise Failure(f"the keys of {owner} share no quota on {on}: `tallygate plans show`")
    if len(found) > 1:
        raise Failure(f"which plan? The keys of {owner} are on {' and '.join(plan.name for plan in found)}: --plan")
    return found[0]
