"""The parameters of a decision, in one place for whoever measures better ones: docs/accuracy.md has the curves that
these were chosen by."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Tuning:
    """Where estimates begin, how long they are believed, and for how long a snapshot stands in for a read."""

    engage_percent: int = 75
    """Share of a quota that must be counted before an estimate may refuse. From here on two estimates must agree: the
    published rate, and what the container sees itself."""
    sure_percent: int = 90
    """From this share on, counted or admitted by the container itself since, either of the two suffices: whoever offers
    less in a window is certainly below it."""
    least_delay_ms: int = 1_000
    """A delay of counting seen shorter than this was luck; rates are measured over a second at least."""
    most_delay_ms: int = 60_000
    """A pipeline later than this is in trouble: guessing on would refuse callers for its sake."""
    horizon_delays: int = 3
    """How long a rate is believed, in delays. After one, the calls that it was measured on are counted; a second passes
    until a flush that tells those which followed them has reached every region."""
    noise_calls: int = 30
    """So many calls are a rate. Of fewer, chance is taken off: three standard deviations (3·√n)."""
    readmit_percent: int = 50
    """Share of what is left that may be used up within one delay by callers who are let back in."""
    reuse_ms: int = 1_000
    """How long a snapshot of a caller far from every limit stands in for a read: a hot key would otherwise meet the
    3,000 reads/s of its partition."""
    reuse_below_percent: int = 50
    """How far from every limit that is."""


TUNING: Final = Tuning()
