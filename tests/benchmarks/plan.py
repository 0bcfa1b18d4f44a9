"""How much is measured: in a run that counts, and in a quick one that only shows that it works."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

# More than the driver alone deletes.
_DELETED_IN_A_SECOND = 12_000
_DELETED_TO_WARM_UP = 10

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Plan:
    """How much to measure.

    Attributes:
        rounds: How often everybody has a turn.
        seconds: How long one turn at one operation takes.
        quick: Use small tables and files too.
        huge: Use a table of 10,000,000 tasks too.
    """

    rounds: int
    seconds: float
    quick: bool
    huge: bool

    def turns(self, takers: Sequence[_Item]) -> Iterator[list[_Item]]:
        """Yield who has a turn in each round: all of them, each time another one first."""
        for number in range(self.rounds):
            first = number % len(takers)
            yield [*takers[first:], *takers[:first]]

    def dispensable(self, clients: int = 1) -> int:
        """Return how many tasks have to be there to be deleted in one turn."""
        return int(_DELETED_IN_A_SECOND * self.seconds) + _DELETED_TO_WARM_UP * clients
