"""The figures that were measured, and the goals they have to reach."""

from collections import defaultdict
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Bar:
    """A ratio or a figure, and what it has to be.

    Attributes:
        name: What it is.
        value: What it was.
        least: What it has to be at least, or None.
        most: What it has to be at most, or None.
    """

    name: str
    value: float
    least: float | None = None
    most: float | None = None

    @property
    def demand(self) -> str:
        """The goal in words; empty if there is none."""
        if self.least is not None and self.least == self.most:
            return f"exactly {self.least:g}"
        if self.least is not None:
            return f"at least {self.least:g}"
        return "" if self.most is None else f"at most {self.most:g}"

    @property
    def verdict(self) -> str:
        if not self.demand:
            return "no bar"
        low = self.least is not None and self.value < self.least
        high = self.most is not None and self.value > self.most
        return "missed" if low or high else "reached"


@dataclass(frozen=True)
class Figure:
    """One peer's figures in one case, one of each round; the median is what counts."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.values)

    @property
    def lowest(self) -> float:
        return min(self.values)

    @property
    def highest(self) -> float:
        return max(self.values)


Panel = dict[str, dict[str, Figure]]
"""Figures of one kind: by case, then by peer."""


class Results:
    """The figures of one group, in panels that each become a table and a chart.

    Attributes:
        bars: In the order in which they were set.
    """

    def __init__(self) -> None:
        self._values: defaultdict[tuple[str, str, str], list[float]] = defaultdict(list)
        self.bars: list[Bar] = []

    def add(self, panel: str, case: str, peer: str, value: float) -> None:
        """Note one round's figure. A panel's name says what it shows, and the unit."""
        self._values[panel, case, peer].append(value)

    def of(self, panel: str, case: str, peer: str) -> float:
        """Return the median over the rounds so far."""
        return median(self._values[panel, case, peer])

    def ratio(self, panel: str, case: str, peer: str, other: str) -> float:
        """Return how many times another peer's figure a peer's is."""
        return self.of(panel, case, peer) / self.of(panel, case, other)

    def panels(self) -> dict[str, Panel]:
        found: dict[str, Panel] = {}
        for (panel, case, peer), values in self._values.items():
            found.setdefault(panel, {}).setdefault(case, {})[peer] = Figure(tuple(values))
        return found

    def as_json(self) -> dict[str, Any]:
        return {
            "figures": [
                {
                    "panel": panel,
                    "case": case,
                    "peer": peer,
                    "median": figure.median,
                    "min": figure.lowest,
                    "max": figure.highest,
                    "rounds": list(figure.values),
                }
                for panel, cases in self.panels().items()
                for case, peers in cases.items()
                for peer, figure in peers.items()
            ],
            "bars": [
                {
                    "name": bar.name,
                    "value": bar.value,
                    "at_least": bar.least,
                    "at_most": bar.most,
                    "verdict": bar.verdict,
                }
                for bar in self.bars
            ],
        }
