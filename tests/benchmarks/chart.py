"""Results as bar charts: one panel below the other, a group of bars for each case."""

import math
from pathlib import Path

from matplotlib import use
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from tests.benchmarks.figures import Panel, Results
from tests.benchmarks.report import rounded

use("Agg")

_COLOURS = ("#1b6ca8", "#e0a030", "#8a8a8a", "#5a9367", "#b04a5a")
_WIDTH, _HEIGHT = 7.0, 3.2
_PANELS_IN_A_ROW = 2


def draw(path: Path, title: str, results: Results) -> None:
    """Write an SVG; the bars are medians, the whiskers reach from the lowest to the highest."""
    panels = results.panels()
    columns = min(len(panels), _PANELS_IN_A_ROW)
    rows = math.ceil(len(panels) / columns)
    drawing = Drawing(figsize=(_WIDTH * columns, _HEIGHT * rows + 0.4), layout="constrained")
    drawing.suptitle(title)
    places = drawing.subplots(rows, columns, squeeze=False).flat
    for (name, panel), place in zip(panels.items(), places, strict=False):
        _draw_panel(place, name, panel)
    for place in places:
        place.set_axis_off()
    drawing.savefig(path, format="svg")


def _draw_panel(place: Axes, name: str, panel: Panel) -> None:
    peers = list(dict.fromkeys(peer for figures in panel.values() for peer in figures))
    width = 0.8 / len(peers)
    for number, peer in enumerate(peers):
        drawn = [
            (case + (number - (len(peers) - 1) / 2) * width, figures[peer])
            for case, figures in enumerate(panel.values())
            if peer in figures
        ]
        medians = [figure.median for _, figure in drawn]
        bars = place.bar(
            [centre for centre, _ in drawn],
            medians,
            width,
            label=peer,
            color=_COLOURS[number % len(_COLOURS)],
            yerr=[
                [figure.median - figure.lowest for _, figure in drawn],
                [figure.highest - figure.median for _, figure in drawn],
            ],
            error_kw={"elinewidth": 0.8, "ecolor": "#444444"},
        )
        place.bar_label(bars, [rounded(value) for value in medians], padding=2, fontsize=7)
    place.set_title(name, fontsize=10)
    place.set_xticks(range(len(panel)), list(panel))
    place.margins(y=0.3)
    place.spines[["top", "right"]].set_visible(False)
    place.legend(loc="upper center", ncols=len(peers), fontsize=8, frameon=False)
