"""`tallygate quota`: what an identifier may still use, letting it begin again, and adding to it."""

import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import click

from tallygate.aws.key_store import KeyStore
from tallygate.aws.plan_store import PlanStore
from tallygate.aws.quota_store import BusyError, Change, QuotaStore
from tallygate.aws.usage_reader import UsageReader
from tallygate.cli.failures import Failure
from tallygate.cli.identifiers import normal_value
from tallygate.cli.output import console, json_option, print_json, table
from tallygate.cli.target import Target, target_options
from tallygate.cli.usage import kind_argument
from tallygate.core.adjustments import (
    MAX_ID_CHARS,
    MAX_TOP_UPS,
    Adjustments,
    Baseline,
    IdTakenError,
    TooManyTopUpsError,
    TopUp,
    is_top_up_id,
)
from tallygate.core.identity import is_site
from tallygate.core.key_profile import KeyProfile
from tallygate.core.lines import MAX_UNITS, format_timestamp
from tallygate.core.names import INVALID_KEY, Kind
from tallygate.core.periods import period_of, window_bounds_ms
from tallygate.core.plans import COUNTED_WINDOWS, Limit, Plan, Window
from tallygate.core.usage import HomeUsage, Usage

EVERYWHERE: Final = "Every region knows within seconds."

window_option = click.option(
    "--window", type=click.Choice(COUNTED_WINDOWS), help="The limit by hour, by day, or by month."
)


@click.group()
def quota() -> None:
    """Show what is left of a quota, let it begin again, and add to it."""


@quota.command()
@kind_argument
@click.argument("value")
@json_option
@target_options
def show(target: Target, kind: Kind, value: str, as_json: bool) -> None:
    """Show the quotas of one address, site or key: used, left, and how they were adjusted.

    Counts are exact. VALUE may be written as for `tallygate usage show`.

    \b
    Examples:
      tallygate quota show ip 203.0.113.7
      tallygate quota show key 0123456789abcdef --stage prod --json
    """
    _print(_Quota.of(target, kind, value, to_write=False), as_json)


@quota.command()
@kind_argument
@click.argument("value")
@window_option
@json_option
@target_options
def reset(target: Target, kind: Kind, value: str, window: Window | None, as_json: bool) -> None:
    """Let the quota of one address, site or key begin again, in every region.

    What was charged until now no longer uses it up; it stays counted, and `tallygate usage` shows it as before. Calls
    that are still on their way use up the quota that begins now. Without --window, all of its limits begin again, but
    those by the minute: nobody counts them, and a minute is soon over.

    \b
    Examples:
      tallygate quota reset ip 203.0.113.7
      tallygate quota reset key 0123456789abcdef --window day --stage prod
    """
    found = _Quota.of(target, kind, value, to_write=True)
    windows = [found.window(window)] if window else found.windows
    forgiven = found.forgiven(windows)
    found.adjusted = _written(lambda: found.store.reset(kind, found.value, forgiven, found.now_ms)).after
    _print(found, as_json)
    if not as_json:
        console().print(f"Begun again, by {' and by '.join(windows)}. {EVERYWHERE}")


@quota.command("top-up")
@kind_argument
@click.argument("value")
@click.argument("units", type=click.IntRange(1, MAX_UNITS))
@click.option(
    "--id",
    "id",
    help="Name of this top-up, so that it may be asked for again without being added again: an order's number, say.",
)
@window_option
@json_option
@target_options
def top_up(
    target: Target, kind: Kind, value: str, units: int, id: str | None, window: Window | None, as_json: bool
) -> None:
    """Add UNITS to the quota of one address, site or key for the current hour, day or month, in every region.

    With --id, the same command again changes nothing, until a day after that hour, day or month has ended.

    \b
    Examples:
      tallygate quota top-up key 0123456789abcdef 500 --window month --id order-1138 --stage prod
      tallygate quota top-up ip 203.0.113.7 100
    """
    if id is not None and not is_top_up_id(id):
        raise click.BadParameter(
            f"an id is up to {MAX_ID_CHARS} letters, digits and . _ : -, and begins with a letter or digit",
            param_hint="'--id'",
        )
    found = _Quota.of(target, kind, value, to_write=True)
    chosen = found.window(window)
    added = TopUp(id or secrets.token_hex(6), units)
    try:
        change = _written(lambda: found.store.top_up(kind, found.value, chosen, added, found.now_ms))
    except IdTakenError as error:
        raise Failure(
            f"--id: {error.id} is another top-up, of {error.units:,} in {error.period}; give this one an id of its own"
        ) from None
    except TooManyTopUpsError as error:
        raise Failure(
            f"{error} has {MAX_TOP_UPS} top-ups, and there can be no more: reset the quota, or give out a larger plan"
        ) from None
    found.adjusted = change.after
    is_new = id is None or change.after != change.before
    _print(found, as_json, id=added.id, added=units if is_new else 0)
    if not as_json:
        console().print(
            f"Added {units:,} by {chosen} as {added.id}. {EVERYWHERE}"
            if is_new
            else f"Nothing added: {added.id} is in already."
        )


@dataclass(slots=True)
class _Quota:
    """An identifier, the limits of its plan, what is counted, and what is adjusted."""

    kind: Kind
    value: str
    plan: Plan
    rows: list[HomeUsage]
    store: QuotaStore
    adjusted: Adjustments
    now_ms: int

    @classmethod
    def of(cls, target: Target, kind: Kind, value: str, *, to_write: bool) -> "_Quota":
        """Failure for what has no quota, and says why."""
        gate, table = target.gate(to_write=to_write), target.names.gate_table
        normal = normal_value(kind, value, target.config.service.ipv6_prefix)
        plans = PlanStore(gate, table).plans()
        if kind == "key" and (stored := KeyStore(gate, table).find(normal)) is not None:
            # The plan is the one of the key that is asked about, the counts are those of its line of rotations.
            plan, normal = _plan_of(kind, normal, stored.profile, plans), stored.profile.counted_under
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


def _item_of(window: Window, at_ms: int) -> str:
    """The period of the item that counts `window`: days are in those of months."""
    return period_of("hour" if window == "hour" else "month", at_ms)


def _plan_of(kind: Kind, value: str, profile: KeyProfile | None, plans: list[Plan]) -> Plan:
    if kind == "key":
        if value == INVALID_KEY:
            raise Failure("calls with keys that are none are counted as `invalid`, and refused: there is no quota")
        if profile is None:
            raise Failure(f"there is no key {value}: `tallygate keys list` shows those there are")
        named = f"{profile.plan} of key {value}"
        plan = next((plan for plan in plans if plan.name == profile.plan), None)
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


def _written(write: Callable[[], Change]) -> Change:
    try:
        return write()
    except BusyError:
        raise Failure("others are adjusting the same quota at this moment; nothing was changed: try again") from None


def _print(found: _Quota, as_json: bool, **more: Any) -> None:
    limits = [_document(found, limit) for limit in found.limits]
    if as_json:
        print_json({"kind": found.kind, "value": found.value, "plan": found.plan.name, "limits": limits, **more})
        return
    rows = table(
        "by", "used", "limit", "remaining", "counted", "forgiven", "added", "<until",
        title=f"{found.kind} {found.value} on plan {found.plan.name}",
    )  # fmt: skip
    for limit in limits:
        by = f"{'rolling ' * limit['rolling']}{'soft ' * limit['soft']}{limit['window']}"
        if limit["window"] not in COUNTED_WINDOWS:
            rows.add_row(by, "-", f"{limit['limit']:,}", "-", "-", "-", "-", "not counted")
            continue
        homes = limit["homes"].values()
        numbers = (
            limit["used"],
            limit["limit"],
            limit["remaining"],
            sum(home["counted"] for home in homes),
            sum(home["baseline"] for home in homes),
            sum(limit["top_ups"].values()),
        )
        rows.add_row(by, *(f"{number:,}" for number in numbers), f"{limit['reset'][:16]}Z")
    console().print(rows)


def _document(found: _Quota, limit: Limit) -> dict[str, Any]:
    what = {"window": limit.window, "rolling": limit.rolling, "soft": limit.soft}
    if limit.window not in COUNTED_WINDOWS:
        return {**what, "quota": limit.quota, "limit": limit.quota, "used": None, "remaining": None}
    period = period_of(limit.window, found.now_ms)
    allowance = found.adjusted.allowance(limit.window, found.now_ms)
    counted = {home: baseline.units for home, baseline in found.counted(limit.window, found.now_ms).items()}
    used = {home: allowance.used(home, units) for home, units in counted.items()}
    effective = limit.quota + allowance.extra
    weighs = Usage(tuple(found.rows), (), found.adjusted).weighs_before(limit.window, found.now_ms) * limit.rolling
    return {
        **what,
        "period": period,
        "quota": limit.quota,
        "top_ups": dict(found.adjusted.extras.get(period, {})),
        "limit": effective,
        "used": sum(used.values()) + weighs,
        "of_the_one_before": weighs,
        "remaining": max(0, effective - sum(used.values()) - weighs),
        "reset": format_timestamp(window_bounds_ms(limit.window, found.now_ms)[1]),
        "homes": {
            home: {"counted": units, "baseline": allowance.base(home).units, "used": used[home]}
            for home, units in counted.items()
        },
    }
