"""What a command ends with."""

import signal
from typing import Final, NamedTuple


class ExitCode(NamedTuple):
    """A code, what it says in a word, and in a sentence."""

    code: int
    short: str
    means: str


DONE: Final = 0
FAILED: Final = 1
NOT_UNDERSTOOD: Final = 2
INTERRUPTED: Final = 128 + signal.SIGINT
ENDED: Final = 128 + signal.SIGTERM

EXIT_CODES: Final = (
    ExitCode(DONE, "done", "What was asked for was done, and is as it should be."),
    ExitCode(
        FAILED,
        "failed or not as it should be",
        "It could not be done: one line on standard error says why, and what to do next. Or it was done and what it "
        "found is not as it should be (`demo`, `simulate faults`, `rejects retry`, `plans check`): the answer is on "
        "standard output as ever.",
    ),
    ExitCode(
        NOT_UNDERSTOOD,
        "not understood",
        "The command line itself: an unknown command or option, or a value that can be none. Nothing was asked of AWS.",
    ),
    ExitCode(INTERRUPTED, "interrupted", "By Ctrl-C (SIGINT). Files are there whole or not at all."),
    ExitCode(ENDED, "ended", "By SIGTERM; 129 by a terminal that was closed (SIGHUP). As by Ctrl-C."),
)
