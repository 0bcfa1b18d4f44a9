"""Task ids: 53 bits, time-ordered, made before the call so that a create can be repeated.

41 bits are the milliseconds since 2025-01-01T00:00Z, 12 bits count from a random
start in each millisecond. The state is kept per user: no id tells of another
user's activity. Two stores may make the same id for one user; the primary key
finds that out, and the store takes a new one.
"""

import secrets
import time

EPOCH_MS = 1_735_689_600_000
"""2025-01-01T00:00Z in milliseconds since the Unix epoch."""

COUNTER_BITS = 12

ID_ATTEMPTS = 10
"""How often a write that meets a taken id takes a new one.

Two stores make the same id for one user within a millisecond once in 4,096 times; ten
in a row is a broken clock or random source.
"""


class IdGenerator:
    """Makes the ids of one store, strictly rising for each user.

    Not thread-safe: a store lives on one event loop.
    """

    def __init__(self) -> None:
        self._now = 0
        self._last: dict[int, int] = {}

    def next(self, user_id: int) -> int:
        """Return a new task id for this user."""
        now = time.time_ns() // 1_000_000 - EPOCH_MS
        # A clock that steps back must not make ids fall.
        if now > self._now:
            self._now = now
            self._last = {
                user: last for user, last in self._last.items() if last >> COUNTER_BITS >= now
            }
        last = self._last.get(user_id)
        if last is None:
            task_id = _first_of(self._now)
        elif (last + 1) >> COUNTER_BITS == last >> COUNTER_BITS:
            task_id = last + 1
        else:
            task_id = _first_of((last >> COUNTER_BITS) + 1)
        self._last[user_id] = task_id
        return task_id


def _first_of(millisecond: int) -> int:
    return millisecond << COUNTER_BITS | secrets.randbits(COUNTER_BITS)


def new_write_id() -> int:
    """Return a random id for one write, so that repeating it is recognised."""
    return secrets.randbits(63)
