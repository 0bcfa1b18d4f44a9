"""Checks of ids: they must not reveal other users' activity.

An id is a time in milliseconds and a counter that starts at random in each millisecond,
for each user (``taskcore.tasks.ids``). So ids cannot be compared between two runs. Instead
two things are checked:

* The time must lie between the begin and the end of the call that made the id. Only the
  user's own earlier ids may push it further, by at most one millisecond each, when their
  counter is full. An id from a sequence that users share lies outside.
* The counter must not continue another user's counter. By chance an id is just above
  another user's id three times in 4,096, for each id that others made in the same
  millisecond. These cases are counted in the whole check. If there are more than chance
  explains, users share a counter. Only calls in the same millisecond can show that;
  programs begin many calls at once, but over a network few may coincide.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from taskcore.tasks.ids import COUNTER_BITS, EPOCH_MS
from taskcore.testing.transcripts import Interference

_NEAR = 3
"""The greatest difference that counts as "just above"; lost creates take ids too."""

_CHANCE = 1e-9
"""The probability of a false alarm in a whole check."""


@dataclass(frozen=True, slots=True)
class Call:
    """The time that a call took, by this machine's clock, in milliseconds since 1970."""

    began: int
    ended: int


def check_order_and_time(
    new: Iterable[int], own: Sequence[int], call: Call, clock_error_ms: int
) -> None:
    """Check the ids that a call made for a user.

    Args:
        new: The ids, in order of creation.
        own: All earlier ids of this user.
        call: The time of the call.
        clock_error_ms: By how much the store's clock may differ from this one.

    Raises:
        Interference: The ids do not rise, or have another time than the call.
    """
    newest = own[-1] if own else 0
    for place, task_id in enumerate(new, start=len(own)):
        if task_id <= newest:
            raise Interference(f"ids fall: {task_id} was made after {newest}, for the same user")
        newest = task_id
        made = (task_id >> COUNTER_BITS) + EPOCH_MS
        if not call.began - clock_error_ms <= made <= call.ended + clock_error_ms + place:
            raise Interference(
                f"id {task_id} tells the time {made} ms, but was made between {call.began} "
                f"and {call.ended}: what it counts is not the user's own doing. "
                "(If the store's clock is not this machine's, give clock_error.)"
            )


@dataclass(slots=True)
class Continuations:
    """The number of ids just above another user's id, and the number expected by chance.

    Attributes:
        count: The number.
        expected: The expected number.
        examples: Some of the pairs: the other user's id, then the id above it.
    """

    count: int = 0
    expected: float = 0.0
    examples: list[tuple[int, int]] = field(default_factory=list)

    def add(self, ids: Sequence[Sequence[int]]) -> None:
        """Add the ids of one run.

        Args:
            ids: The ids of each user, in order of creation.
        """
        for user, own in enumerate(ids):
            others = [task for other, tasks in enumerate(ids) if other != user for task in tasks]
            mine = set(own)
            for task_id in own:
                if task_id - 1 in mine:
                    continue
                moment = task_id >> COUNTER_BITS
                near = [other for other in others if other >> COUNTER_BITS == moment]
                self.expected += _NEAR * len(near) / 2**COUNTER_BITS
                below = [other for other in near if 0 < task_id - other <= _NEAR]
                if below:
                    self.count += 1
                    self.examples.append((max(below), task_id))

    def check(self) -> None:
        """Raise an error if chance does not explain the number.

        Raises:
            Interference: With examples.
        """
        if self.count > self.expected:
            # Chernoff's bound on the upper tail of a Poisson distribution.
            tail = self.count * (1 + math.log(self.expected / self.count)) - self.expected
            if tail < math.log(_CHANCE):
                raise Interference(
                    f"ids carry on from other users' ids: {self.count} times, where chance does "
                    f"it {self.expected:.2f} times. Another's id, and the one after it: "
                    f"{self.examples[:5]}"
                )
