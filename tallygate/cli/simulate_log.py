"""`tallygate simulate log`: what quotas would have done to a real access log."""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import click
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from tallygate.access_log.json_lines import FIELDS, Field, JsonLines
from tallygate.access_log.order import WINDOW_MS, InOrder
from tallygate.access_log.reading import STANDARD_INPUT, LogFile
from tallygate.cli import suggestions
from tallygate.cli.failures import Failure
from tallygate.cli.output import NewFile, console, json_option, print_json
from tallygate.cli.signals import ended_by_signals
from tallygate.cli.simulate_log_report import show
from tallygate.cli.world import config_option
from tallygate.config import Config, load
from tallygate.core.plans import Limit, Plan
from tallygate.sim.replay.charging import Charging
from tallygate.sim.replay.delayed import Delayed
from tallygate.sim.replay.page import page
from tallygate.sim.replay.plans import PlanError, limit_of, named_plan, per_address, tried_plan
from tallygate.sim.replay.replay import Replay
from tallygate.sim.replay.run import Held, LogRun, UnusableLogError
from tallygate.sim.traffic.delays import MODELS
from tallygate.sim.traffic.setup import Setup

NO_DELAYS: Final = "none"
LINES_PER_LOOK: Final = 2_000
"""How often the progress is brought up to date."""


def _limits(_context: click.Context, _option: click.Parameter, texts: tuple[str, ...]) -> tuple[Limit, ...]:
    try:
        return tuple(limit_of(text) for text in texts)
    except PlanError as error:
        raise click.BadParameter(str(error)) from None


def _fields(_context: click.Context, _option: click.Parameter, texts: tuple[str, ...]) -> dict[Field, str]:
    named: dict[Field, str] = {}
    for text in texts:
        name, _, path = text.partition("=")
        field = next((field for field in FIELDS if field == name.strip()), None)
        if field is None or not path.strip():
            raise click.BadParameter(f"{text!r}: write ip=json.path, with one of {', '.join(FIELDS)}")
        named[field] = path.strip()
    return named


@click.command(short_help="Hold an access log to a plan.")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option(
    "--plan",
    "names",
    multiple=True,
    metavar="NAME",
    shell_complete=suggestions.plans,
    help="A plan of the configuration; several to compare.",
)
@click.option(
    "--quota",
    "limits",
    multiple=True,
    metavar="LIMIT",
    callback=_limits,
    help="A limit to try without writing a plan: ip=200/day. Several are one plan.",
)
@click.option("--per", type=click.Choice(["ip"]), help="Let each address stand for a key, in plans for keys.")
@click.option(
    "--field",
    "fields",
    multiple=True,
    metavar="NAME=PATH",
    callback=_fields,
    help=f"Where JSON lines have it: ip=request.remote_ip. Names: {', '.join(FIELDS)}.",
)
@click.option(
    "--delays",
    type=click.Choice([*MODELS, NO_DELAYS]),
    default="typical",
    show_default=True,
    help="How late counts are; with `none` they are exact at once.",
)
@click.option("--regions", type=click.IntRange(1), default=1, show_default=True, help="How many regions serve callers.")
@click.option(
    "--reorder",
    type=click.IntRange(0, 86_400),
    default=WINDOW_MS // 1000,
    show_default=True,
    metavar="SECONDS",
    help="How late lines may be written and still be put in their place.",
)
@click.option("--top", type=click.IntRange(0), default=10, show_default=True, help="How many refused callers to name.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the delays.")
@click.option(
    "--html",
    "html_path",
    type=NewFile(),
    help="Write a page with charts, too: one file, for any browser, without a network.",
)
@json_option
@config_option
def log(
    files: tuple[str, ...],
    names: tuple[str, ...],
    limits: tuple[Limit, ...],
    per: str | None,
    fields: dict[Field, str],
    delays: str,
    regions: int,
    reorder: int,
    top: int,
    seed: int,
    html_path: Path | None,
    as_json: bool,
    config_path: Path,
) -> None:
    """What would these quotas have done? Holds the calls of an access log to a plan: who would have been refused, when,
    and how much.

    FILES are in the combined format of Apache and nginx or JSON lines, packed with gzip or not, of any size; - is
    standard input. Without --plan and --quota, the anonymous plan is tried. Calls are decided on by the real limiter,
    whose counts are some seconds late, and beside it by exact counts. Ctrl-C shows what was found so far.

    \b
    Examples:
      tallygate simulate log /var/log/nginx/access.log.1
      tallygate simulate log access.log.gz --quota ip=100/day --html quotas.html
      tallygate simulate log access.jsonl --plan starter --plan pro --field key=request.api_key_id
      tallygate simulate log - --plan starter --per ip --json
    """
    config = load(config_path)
    try:
        plans = _plans(config, names, limits, per)
    except PlanError as error:
        raise Failure(str(error)) from None
    if files.count(STANDARD_INPUT) > 1:
        raise click.UsageError("standard input can be read once only")
    setup = _setup(config, regions, delays)
    held = [
        Held(
            Charging(not plan.anonymous, per == "ip", config.service.ipv6_prefix),
            Replay(plan, None if delays == NO_DELAYS else Delayed(setup, plan, seed)),
        )
        for plan in plans
    ]
    logs = [LogFile(path, JsonLines(fields)) for path in files]
    order = InOrder(reorder * 1000)
    interrupted: int | None = None
    with ended_by_signals(), _progress(logs) as step:
        run = LogRun(logs, held, setup.regions, order, step)
        try:
            run.run()
        except UnusableLogError as error:
            raise Failure(str(error)) from None
        except KeyboardInterrupt:
            interrupted = 128 + signal.SIGINT
    found = run.findings(delays, reorder * 1000, top, is_complete=interrupted is None)
    if html_path is not None:
        html_path.write_text(page(found), encoding="utf-8")
    if as_json:
        print_json(found.document())
    else:
        show(found, console())
    if html_path is not None:
        console(stderr=True).print(f"{html_path} has the charts.", soft_wrap=True)
    if interrupted is not None:
        console(stderr=True).print(f"Interrupted: this is of the first {found.log.lines:,} lines.")
        raise SystemExit(interrupted)


def _plans(config: Config, names: Sequence[str], limits: Sequence[Limit], per: str | None) -> list[Plan]:
    plans = [named_plan(config, name) for name in dict.fromkeys(names)]
    if limits:
        plans.append(tried_plan(limits))
    plans = [replace(plan, shadow=False) for plan in plans or [config.anonymous_plan]]  # as if it were in force
    return [per_address(plan) for plan in plans] if per == "ip" else plans


def _setup(config: Config, regions: int, delays: str) -> Setup:
    service = config.service
    if regions > len(service.regions):
        raise Failure(f"the configuration has {len(service.regions)} regions, not {regions}")
    home_of = {region: service.home_of[region] for region in service.regions[:regions]}
    return Setup(home_of, MODELS.get(delays, MODELS["typical"]), publish=service.publish, start_ms=0)


@contextmanager
def _progress(logs: Sequence[LogFile]) -> Iterator[Callable[[], None]]:
    """A bar of bytes read, or a count of lines when nobody knows how many there are; on a terminal only."""
    terminal = console(stderr=True)
    sizes = [log.size_bytes for log in logs]
    total = sum(size for size in sizes if size is not None) if None not in sizes else None
    columns = (TextColumn("reading"), BarColumn(), DownloadColumn()) if total is not None else (TextColumn("reading"),)
    with Progress(
        *columns,
        TextColumn("{task.fields[lines]:,} lines"),
        *((TimeRemainingColumn(),) if total is not None else ()),
        console=terminal,
        transient=True,
        disable=not terminal.is_terminal,
    ) as progress:
        task = progress.add_task("", total=total, lines=0)
        lines = 0

        def step() -> None:
            nonlocal lines
            lines += 1
            if lines % LINES_PER_LOOK == 0:
                progress.update(task, completed=sum(log.done_bytes for log in logs), lines=lines)

        yield step
