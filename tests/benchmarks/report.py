"""Results as tables on the terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from tests.benchmarks.figures import Bar, Panel, Results

_COLOURS = {"reached": "green", "missed": "bold red", "no bar": ""}


def show(console: Console, group: str, results: Results) -> None:
    """Print a table for each panel, and one of the bars."""
    for name, panel in results.panels().items():
        console.print(f"\n{group}: {name}", style="bold")
        console.print(_of_panel(panel))
    console.print(f"\n{group}: bars", style="bold")
    console.print(_of_bars(results.bars))


def rounded(value: float) -> str:
    """Return three significant digits, or all that stand before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _of_panel(panel: Panel) -> Table:
    peers = list(dict.fromkeys(peer for figures in panel.values() for peer in figures))
    table = Table()
    table.add_column("")
    for peer in peers:
        table.add_column(peer, justify="right")
    for case, figures in panel.items():
        shown = (rounded(figures[peer].median) if peer in figures else "" for peer in peers)
        table.add_row(case, *shown)
    return table


def _of_bars(bars: Sequence[Bar]) -> Table:
    table = Table()
    table.add_column("")
    table.add_column("is", justify="right")
    table.add_column("has to be")
    table.add_column("")
    for bar in bars:
        colour = _COLOURS[bar.verdict]
        table.add_row(bar.name, rounded(bar.value), bar.demand, bar.verdict, style=colour)
    return table
