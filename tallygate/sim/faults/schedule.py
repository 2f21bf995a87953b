"""A fault schedule as a value: what is sent, and every move in order. It is drawn from a seed, can be printed, and
stays runnable when moves are taken out of it: so it can be shrunk."""

from dataclasses import dataclass, replace
from random import Random
from typing import Final, Literal

from tallygate.core.lines import Increment, UsageLine, format_line
from tallygate.core.names import Kind
from tallygate.core.periods import DAY_MS, HOUR_MS, MINUTE_MS
from tallygate.core.plans import Policy
from tallygate.core.publish import PublishMode

WINDOW_MS: Final = HOUR_MS
"""The deduplication window of all schedules."""
LEAST_EVENTS: Final = 200
BORDERS_MS: Final = (
    1_709_164_800_000,  # 2024-02-29, a leap day
    1_709_251_200_000,  # 2024-03-01
    1_767_225_600_000,  # 2026-01-01
    1_795_996_800_000,  # 2026-11-30
    1_796_083_200_000,  # 2026-12-01
)
"""Starts of days at which periods turn."""

HOMES: Final = ("us-east-1", "eu-west-1")
REGIONS: Final = ("us-east-1", "eu-west-1", "ap-southeast-2")

LEVELS: Final = (50, 80, 95, 100, 150)
"""At which notices are due, of every limit that is counted."""

FIRST_STREAMS: Final = ("stream-0", "stream-1", "stream-2")
"""Log streams that reach each of the three shards with which a stream begins."""

FaultKind = Literal["throttled", "answer lost", "crash before", "crash after", "paused"]
FAULTS: Final[tuple[FaultKind, ...]] = ("throttled", "answer lost", "crash before", "crash after", "paused")
"""What can happen to one call of a store: refused; applied, but the client saw a timeout; the process dies before it
or after it; the process stands still and wakes up when others have gone on."""

LONG_AGO_MS: Final = 1_577_836_799_000  # 2019-12-31
FAR_AHEAD_MS: Final = 1_924_992_000_000  # 2031-01-01

Invalid = Literal["not JSON", "no id", "negative", "too old", "too new", "other home"]
INVALID: Final[tuple[Invalid, ...]] = ("not JSON", "no id", "negative", "too old", "too new", "other home")


@dataclass(frozen=True, slots=True)
class Event:
    """One logged call. `invalid` says why it can never be counted."""

    event_id: str
    line: UsageLine
    message: str
    invalid: Invalid | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """One payload of CloudWatch Logs: some events of one log stream, for one home, due `due_ms` after the start of
    the schedule; `garbage` when its bytes cannot be read."""

    home: str
    log_stream: str
    due_ms: int
    events: tuple[Event, ...]
    garbage: bool = False


@dataclass(frozen=True, slots=True)
class Put:
    """Payload `sent` arrives `at_ms` after the start of the schedule, whatever moves are taken out before it. A
    payload put again is a repeated delivery."""

    sent: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class Reshard:
    """The stream of a home splits a shard, or merges two."""

    home: str
    pick: int
    merge: bool


@dataclass(frozen=True, slots=True)
class Fault:
    """`kind` happens to the `call`-th call of a store within a turn."""

    kind: FaultKind
    call: int


@dataclass(frozen=True, slots=True)
class Turn:
    """A container is given up to `size` records of a shard. `container` picks a warm one, None is a cold start.
    Afterwards the mapping reads on behind the first `taken` of them (all, unless it bisects or never heard the
    answer), or `back` records earlier."""

    home: str
    pick: int
    size: int
    container: int | None
    faults: tuple[Fault, ...] = ()
    taken: int | None = None
    back: int = 0


@dataclass(frozen=True, slots=True)
class Wake:
    """A container that stood still goes on."""

    pick: int


@dataclass(frozen=True, slots=True)
class Tell:
    """So many publications of each home reach the administrative region, one that stands still there may go on, and a
    notifier is given up to `size` changes of a shard. Otherwise as Turn; a `busy` bus refuses some of the events."""

    pick: int
    size: int
    container: int | None
    arriving: tuple[int, ...] = ()
    faults: tuple[Fault, ...] = ()
    taken: int | None = None
    back: int = 0
    busy: bool = False
    wakes: bool = False


Move = Put | Reshard | Turn | Wake | Tell


@dataclass(frozen=True, slots=True)
class Schedule:
    """Everything that happens, from a seed. `scatter` seeds the order in which the items of a batch are written."""

    seed: int
    start_ms: int
    homes: tuple[str, ...]
    publish: PublishMode
    sent: tuple[Sent, ...]
    moves: tuple[Move, ...]
    scatter: int


def caps_of(kind: str, value: str) -> dict[Policy, int]:
    """The limits of an identifier: always the same, from its name; small, so that many marks are crossed."""
    quota = (10, 60, 1000)[len(value) % 3]
    match kind:
        case "ref":
            return {"day": quota}
        case "ip":
            return {"hour": quota, "day": quota, "month": 4 * quota}
        case _:
            return {"minute": 5 * quota, "hour-soft": quota // 2, "day": quota, "month": 4 * quota}


def draw(seed: int) -> Schedule:
    """The schedule of `seed`: at least 200 events, 3 writers and 5 faults."""
    rng = Random(seed)
    homes = HOMES[: rng.choice((1, 1, 2))]
    start_ms = rng.choice(BORDERS_MS) + rng.choice((-20 * MINUTE_MS, -HOUR_MS, 0, 5 * HOUR_MS))
    sent = _draw_sent(rng, homes, start_ms)
    return Schedule(
        seed=seed,
        start_ms=start_ms,
        homes=homes,
        publish=rng.choice(("marks", "marks", "every")),
        sent=sent,
        moves=_with_notifiers(seed, _draw_moves(rng, homes, sent)),
        scatter=rng.getrandbits(32),
    )


def _draw_sent(rng: Random, homes: tuple[str, ...], start_ms: int) -> tuple[Sent, ...]:
    streams = [*FIRST_STREAMS, *(f"stream-{number}" for number in range(rng.randint(0, 3)))]
    sent: list[Sent] = []
    events = number = 0
    once: list[UsageLine] = []
    due_ms = 0
    while events < LEAST_EVENTS:
        home = rng.choice(homes)
        after_ms = rng.choice((0, 10, 400, 1_000, 1_000))
        if rng.random() < 0.02:  # nothing was called, or the consumer was down, for hours
            after_ms = rng.randint(HOUR_MS, 20 * HOUR_MS)
        due_ms += after_ms
        log_stream = FIRST_STREAMS[len(sent)] if len(sent) < len(FIRST_STREAMS) else rng.choice(streams)
        if rng.random() < 0.01:
            sent.append(Sent(home, log_stream, due_ms, (), garbage=True))
            continue
        size = rng.choice((1, 2, 3, 5, 8, 13))
        drawn = tuple(_draw_event(rng, home, start_ms + due_ms, number + place, once) for place in range(size))
        sent.append(Sent(home, log_stream, due_ms, drawn))
        number += size
        events += size
    return tuple(sent)


def _draw_event(rng: Random, home: str, arrives_ms: int, number: int, once: list[UsageLine]) -> Event:
    # A call repeated by its caller: another request with the same key, before the first is too old to be counted.
    may_repeat = home == HOMES[0] and rng.random() < 0.05
    repeated = [line for line in once if line.timestamp_ms > arrives_ms - 6 * DAY_MS] if may_repeat else []
    if repeated:
        line = replace(rng.choice(repeated), id=f"call-{number}")
        return Event(f"{number:056d}", line, format_line(line))
    # Calls lie before the arrival of their payload (see Sent.due_ms): mostly by seconds, some by days.
    late_ms = rng.choice((0, 1_000, 4_000, 4_000, 9_000, 120_000, HOUR_MS, DAY_MS, 6 * DAY_MS))
    at_ms = arrives_ms - rng.randint(0, late_ms)
    skewed = int(rng.paretovariate(1.0))
    key = f"{skewed % 7:016x}" if rng.random() < 0.4 else None
    ref = f"site{'x' * (skewed % 3)}.example" if rng.random() < 0.5 else None
    ip = f"192.0.2.{skewed % 23}"
    charge: tuple[Kind, ...] = ("key",) if key else ("ip", "ref") if ref else ("ip",)
    values: dict[Kind, str] = {"ip": ip, "ref": ref or "", "key": key or ""}
    refused = rng.random() < 0.1
    units = 0 if refused else rng.choice((1, 1, 1, 1, 2, 7, 0))
    line = UsageLine(
        id=f"call-{number}",
        timestamp_ms=at_ms,
        home=home,
        region=rng.choice(REGIONS),
        ip=ip,
        ref=ref,
        key=key,
        units=units,
        status=429 if refused else 200,
        charge=() if rng.random() < 0.1 else charge,
        caps={kind: caps_of(kind, values[kind]) for kind in charge},
        verdict="quota" if refused else None,
        ctr=(Increment("sold", rng.randint(-2, 9), 0), Increment("seen", 1, 3))
        if key and not refused and units
        else (),
        idem=f"order-{number}" if home == HOMES[0] and rng.random() < 0.04 else None,
    )
    if line.idem:
        once.append(line)
    event_id = f"{number:056d}"
    if not line.idem and rng.random() < 0.03:
        invalid = rng.choice(INVALID)
        return Event(event_id, line, _spoiled(line, invalid), invalid)
    return Event(event_id, line, format_line(line))


def _spoiled(line: UsageLine, invalid: Invalid) -> str:
    printed = format_line(line)
    match invalid:
        case "not JSON":
            return printed[:-1]
        case "no id":
            return printed.replace('"id":', '"di":')
        case "negative":
            return printed.replace('"units":', '"units":-1,"spare":')
        case "too old":
            return format_line(replace(line, timestamp_ms=LONG_AGO_MS))
        case "too new":
            return format_line(replace(line, timestamp_ms=FAR_AHEAD_MS))
        case "other home":
            return printed.replace(f'"home":"{line.home}"', '"home":"sa-east-1"')


def _draw_moves(rng: Random, homes: tuple[str, ...], payloads: tuple[Sent, ...]) -> tuple[Move, ...]:
    moves: list[Move] = []
    now_ms, last_ms = 0, [0] * len(payloads)
    for sent, payload in enumerate(payloads):
        now_ms = max(now_ms, payload.due_ms)  # the repeats before it may have come later than it was due
        last_ms[sent] = now_ms
        moves.append(Put(sent, now_ms))
        while rng.random() < 0.12:  # sent again: at once, later, after a reshard, up to the very end of the window
            again = rng.randint(max(0, sent - 30), sent)
            left_ms = WINDOW_MS - (now_ms - last_ms[again])
            if left_ms < 0:
                break
            after_ms = rng.choice((0, 0, min(5_000, left_ms), min(60_000, left_ms), left_ms))
            now_ms += after_ms
            last_ms[again] = now_ms
            moves.append(Put(again, now_ms))
        if rng.random() < 0.03:
            moves.append(Reshard(rng.choice(homes), rng.getrandbits(8), rng.random() < 0.4))
        if rng.random() < 0.02:
            moves.append(Wake(rng.getrandbits(8)))
        while rng.random() < 0.45:
            moves.append(_draw_turn(rng, homes))
    # Even a schedule whose turns all went well has its faults.
    moves += [_draw_turn(rng, homes, faulty=True) for _ in range(5)]
    return tuple(moves)


def _draw_turn(rng: Random, homes: tuple[str, ...], faulty: bool = False) -> Turn:
    size = rng.choice((1, 2, 4, 8, 20))
    faults = []
    while faulty or rng.random() < 0.4:
        faults.append(Fault(rng.choice(FAULTS), int(rng.random() ** 2 * 50)))
        faulty = False
    return Turn(
        home=rng.choice(homes),
        pick=rng.getrandbits(8),
        size=size,
        container=None if rng.random() < 0.15 else rng.getrandbits(1),
        faults=tuple(faults),
        taken=rng.randint(0, size) if rng.random() < 0.15 else None,
        back=rng.randint(1, 30) if rng.random() < 0.06 else 0,
    )


def _with_notifiers(seed: int, moves: tuple[Move, ...]) -> tuple[Move, ...]:
    """The same moves, with those of notifiers between them: drawn apart, so that neither changes the other."""
    rng = Random(f"notifiers of {seed}")
    woven: list[Move] = []
    for move in moves:
        woven.append(move)
        if rng.random() < 0.08:
            woven.append(_draw_tell(rng))
    return (*woven, *(_draw_tell(rng) for _ in range(3)))


def _draw_tell(rng: Random) -> Tell:
    size = rng.choice((1, 3, 10, 40))
    faults = []
    while rng.random() < 0.35:
        faults.append(Fault(rng.choice(FAULTS), rng.randrange(12)))
    return Tell(
        pick=rng.getrandbits(8),
        size=size,
        container=None if rng.random() < 0.2 else rng.getrandbits(1),
        arriving=tuple(rng.choice((0, 1, 10, 100)) for _ in HOMES),
        faults=tuple(faults),
        taken=rng.randint(0, size) if rng.random() < 0.15 else None,
        back=rng.randint(1, 40) if rng.random() < 0.1 else 0,
        busy=rng.random() < 0.2,
        wakes=rng.random() < 0.3,
    )
