"""Reports are free of charge, but not of work: each is a strongly consistent read of the one partition that its caller
is counted in. In one container, a caller has so many within a second; then the same question gets the same answer."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

READS_PER_SECOND: Final = 10
MAX_CALLERS: Final = 1_024

Answer = TypeVar("Answer")


class TooManyReportsError(Exception):
    """The caller has read enough within this second, and asks for something else now."""


@dataclass(slots=True)
class _Second(Generic[Answer]):
    """What one caller was answered within one second."""

    number: int
    answers: dict[Hashable, Answer] = field(default_factory=dict)
    reads: int = 0


class Sparing(Generic[Answer]):
    """Answers remembered until their second is over."""

    def __init__(self) -> None:
        self._callers: OrderedDict[Hashable, _Second[Answer]] = OrderedDict()

    def ask(self, caller: Hashable, question: Hashable, now_ms: int, read: Callable[[], Answer]) -> Answer:
        """The answer to `question`: of `read`, while the caller has reads left, else the last one of this second.
        TooManyReportsError when there is none."""
        second = self._callers.get(caller)
        if second is None or second.number != now_ms // 1000:
            second = self._callers[caller] = _Second(now_ms // 1000)
        self._callers.move_to_end(caller)
        if len(self._callers) > MAX_CALLERS:
            self._callers.popitem(last=False)
        if second.reads < READS_PER_SECOND:
            second.reads += 1
            second.answers[question] = read()
        if question not in second.answers:
            raise TooManyReportsError
        return second.answers[question]
