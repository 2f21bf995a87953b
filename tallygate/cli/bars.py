"""Small bars beside figures, for those who look."""

from collections.abc import Sequence
from typing import Final

from rich.text import Text

WIDTH: Final = 24
ADMITTED: Final = "green"
DENIED: Final = "red"
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"


def stacked(parts: Sequence[tuple[float, str]], most: float, width: int = WIDTH) -> Text:
    """A bar of parts, each a number and a style, where `most` is as long as `width`. Only the last part is drawn to an
    eighth of a cell; one that is not nothing can be seen."""
    bar = Text()
    done = 0.0
    if most <= 0:
        return bar
    last = max((place for place, (number, _) in enumerate(parts) if number > 0), default=-1)
    for place, (number, style) in enumerate(parts):
        if number <= 0:
            continue
        done += number
        eighths = max(round(min(done / most, 1.0) * width * 8) - 8 * len(bar), 1)
        cells, rest = divmod(eighths, 8)
        if place == last:
            bar.append("█" * cells + (_EIGHTHS[rest] if rest else ""), style)
        else:
            bar.append("█" * max(cells, 1), style)
    return bar


def quota(used: float, limit: float, width: int = WIDTH) -> Text:
    """A bar of what is used of a limit; of another colour once nothing is left."""
    return stacked([(used, ADMITTED if used < limit else DENIED)], limit, width)
