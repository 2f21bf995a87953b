"""What counters stand at: the shares of homes and writers added up, one counter or page by page."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tallygate.core.history import InvalidParameterError
from tallygate.core.lines import COUNTER_NAME, format_timestamp
from tallygate.core.names import counter_sk


class Share(NamedTuple):
    """What one home counted of a counter in one epoch: in all and by writer; `at_ms` is when the newest of it
    arrived."""

    home: str
    name: str
    epoch: int
    total: int
    at_ms: int
    writers: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Stretch:
    """The counters of one home after some position, as far as `last`, the position of the last one read; None when
    there are no more."""

    shares: Sequence[Share]
    last: str | None


@dataclass(frozen=True, slots=True)
class Counter:
    """A counter in one epoch, homes added up. `unread` are the homes that could not be asked: what they counted is
    missing from `total`."""

    name: str
    epoch: int
    shares: Mapping[str, Share]
    unread: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        return sum(share.total for share in self.shares.values())

    @property
    def at_ms(self) -> int:
        """When the newest increment in it arrived; 0 when there is none."""
        return max((share.at_ms for share in self.shares.values()), default=0)

    def summary(self) -> dict[str, object]:
        """What it stands at, as JSON values."""
        return {"name": self.name, "epoch": self.epoch, "total": self.total, "as_of": _time(self.at_ms)}

    def document(self) -> dict[str, object]:
        """The same with the share of each home and writer."""
        return {
            **self.summary(),
            "unread": list(self.unread),
            "homes": {
                home: {
                    "total": share.total,
                    "as_of": _time(share.at_ms),
                    "writers": dict(sorted(share.writers.items())),
                }
                for home, share in self.shares.items()
            },
        }


def page_of(stretches: Mapping[str, Stretch | None], epochs: Mapping[str, int]) -> tuple[list[Counter], str | None]:
    """The counters that all homes told of, by name, each in the epoch that it is in; and the position to go on from,
    None at the end. A home that was not read has None. Of past epochs nothing is told, so a page may be short."""
    read = {home: stretch for home, stretch in stretches.items() if stretch is not None}
    unread = tuple(home for home in stretches if home not in read)
    # What one home has after the last position of another is for the next page: it may not be all there is of it.
    last = min((stretch.last for stretch in read.values() if stretch.last is not None), default=None)
    shares: dict[str, dict[str, Share]] = {}
    for home, stretch in read.items():
        for share in stretch.shares:
            is_current = share.epoch == epochs.get(share.name, 0)
            if is_current and (last is None or counter_sk(share.name, share.epoch) <= last):
                shares.setdefault(share.name, {})[home] = share
    counters = [Counter(name, epochs.get(name, 0), shares[name], unread) for name in sorted(shares)]
    return counters, last


def cursor_of(position: str) -> str:
    """A position as its caller is given it. It is no secret: all that it leads to is the same caller's."""
    return urlsafe_b64encode(position.encode()).decode().rstrip("=")


def position_of(cursor: str) -> str:
    """The position that a cursor stands for. InvalidParameterError when it is none that a page ended with."""
    try:
        position = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except ValueError:
        position = ""
    name, _, epoch = position.rpartition("#")
    if not COUNTER_NAME.fullmatch(name) or len(epoch) != 8 or not (epoch.isascii() and epoch.isdecimal()):
        raise InvalidParameterError("cursor", "that of the page before")
    return position


def _time(at_ms: int) -> str | None:
    return format_timestamp(at_ms) if at_ms else None
