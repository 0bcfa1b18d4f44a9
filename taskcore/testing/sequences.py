"""What ids could tell of other users' activity, and the two ways in which it would show.

An id is a time in milliseconds and a counter that starts at random in each millisecond,
per user (``taskcore.tasks.ids``). So an id cannot be compared between two runs. Compared is:

* The time. It lies between the beginning and the end of the call that made the id. Only
  the user's own earlier ids can push it on, by a millisecond each at most, when their
  counter is full. An id from a sequence that all users share, or one that others' writes
  have pushed into the future, lies outside.
* The counter. It never carries on from another user's. That an id is just above another
  user's, and not above one of the same user, happens by chance: three times in 4,096 for
  each id that others made in its millisecond. Each such case is counted through a
  whole check, and more of them than chance explains are a shared counter. This sees
  as much as calls of several users fall into one millisecond: programs have many that
  begin at once, and still over a network few may meet.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from taskcore.tasks.ids import COUNTER_BITS, EPOCH_MS
from taskcore.testing.transcripts import Interference

_NEAR = 3
"""How far above another's id is "just above": others' lost or cancelled creates take ids too."""

_CHANCE = 1e-9
"""How improbable a false alarm is, of a whole check."""


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
        new: They, in order of creation.
        own: All ids made for this user before.
        call: When.
        clock_error_ms: How far the store's clock may be from this one.

    Raises:
        Interference: They do not rise, or do not tell the time of the call.
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
    """How often an id was just above another user's, and how often chance lets it be.

    Attributes:
        count: How often it was.
        expected: How often it is expected to be.
        examples: Some of the pairs: the other user's id, then the one above.
    """

    count: int = 0
    expected: float = 0.0
    examples: list[tuple[int, int]] = field(default_factory=list)

    def add(self, ids: Sequence[Sequence[int]]) -> None:
        """Count in the ids of one run.

        Args:
            ids: Of each user, in order of creation.
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
        """Raise if chance does not explain the count.

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
