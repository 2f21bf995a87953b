"""Pictures of runs: what the watched caller of each scenario offered and was given, beside the quota. matplotlib takes
half a second to import: only who plots imports this."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tallygate.sim.traffic.report import Figures
from tallygate.sim.traffic.scenarios import Scenario

_WIDTH_INCHES, _HEIGHT_INCHES = 7.0, 3.2
_ACROSS = 2


@dataclass(frozen=True, slots=True)
class Panel:
    """One scenario, as it came out for both."""

    scenario: Scenario
    ours: Figures
    naive: Figures


def plot(panels: Sequence[Panel], path: Path) -> None:
    """Draw `panels` into `path`, in the format of its suffix (`.svg`, `.png`). The same runs make the same bytes.
    ValueError for a suffix that is no format."""
    across = min(_ACROSS, len(panels))
    down = -(-len(panels) // across)
    figure = Figure(figsize=(_WIDTH_INCHES * across, _HEIGHT_INCHES * down), layout="constrained")
    axes = figure.subplots(down, across, squeeze=False).flatten()
    for panel, place in zip(panels, axes, strict=False):
        _draw(panel, place)
    for place in axes[len(panels) :]:
        place.set_axis_off()
    with mpl.rc_context({"svg.hashsalt": "tallygate"}):
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _draw(panel: Panel, axes: Axes) -> None:
    scenario, quota = panel.scenario, panel.scenario.watched_quota
    offered = panel.ours.series
    axes.plot([at for at, _, _ in offered], [units for _, units, _ in offered], color="0.7", label="offered")
    for figures, label, style in ((panel.naive, "naive counter", "C1--"), (panel.ours, "Tallygate", "C0-")):
        axes.plot([at for at, _, _ in figures.series], [units for _, _, units in figures.series], style, label=label)
    axes.axhline(quota, color="C3", linewidth=0.8, label=f"quota {quota:,}")
    axes.set_ylim(0, quota * 1.6)
    axes.set_title(f"{scenario.name}: {scenario.watched[1]}", fontsize="medium")
    axes.set_xlabel("seconds")
    axes.set_ylabel("units in the window")
    axes.legend(fontsize="small", loc="lower right")
