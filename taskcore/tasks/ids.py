"""Task ids: 53 bits, ordered by time.

An id is made before the call, so that a create can be repeated. 41 bits are the
milliseconds since 2025-01-01T00:00Z. 12 bits are a counter that starts at random in each
millisecond. Each user has their own counter, so no id tells of another user's activity.

The clock may be wrong. So the database refuses an id that is not above the ids of all of
the user's tasks. Its answer has the highest of these ids and its own time, and the store
makes a higher id. Tasks of the same store do not count, because they may be stored in
another order than they were sent. If two stores make the same id for one user, the primary
key refuses the second one, and that store makes another id.
"""

import os
import secrets
import time
from collections.abc import Hashable

EPOCH_MS = 1_735_689_600_000
"""2025-01-01T00:00Z in milliseconds since the Unix epoch."""

COUNTER_BITS = 12

LAST_MS = 2**41 - 1
"""The last millisecond after `EPOCH_MS` that an id has room for: in September 2094."""

ID_ATTEMPTS = 10
"""The most attempts of a write that finds its id taken.

Two stores that make an id for one user in the same millisecond make the same id once in
4,096 times. Ten in a row mean that the random source is broken.
"""

# With more users, the state of users whose ids are not ahead of the clock is dropped.
_REMEMBERED = 10_000
_COUNTER = 2**COUNTER_BITS - 1
# Hours before the last millisecond, so that ids ahead of the clock have room.
_LAST_NOW = LAST_MS - 2**24
_MARK_BITS = 31
_MARK = (1 << _MARK_BITS) - 1


class IdGenerator:
    """Makes the ids of one store, strictly rising for each user.

    A user is an id, or the issuer and subject of an identity.

    Not thread-safe: a store lives on one event loop.
    """

    def __init__(self) -> None:
        self._now = 0
        self._last: dict[Hashable, int] = {}
        self._mark = secrets.randbits(_MARK_BITS)
        self._process = os.getpid()

    def next(self, user: Hashable) -> int:
        """Return a new task id for this user. It rises even if the clock does not."""
        now = self._clock()
        # Put back at the end: the users at the front have been idle longest.
        last: int = self._last.pop(user, 0)
        millisecond = last >> COUNTER_BITS
        if millisecond < now:
            task_id = _first_of(now)
        elif last & _COUNTER < _COUNTER:
            task_id = last + 1
        else:
            # After the last millisecond that has ids, use the clock.
            task_id = _first_of(millisecond + 1 if millisecond < LAST_MS else now)
        self._remember(user, task_id)
        return task_id

    def write_id(self, user: Hashable) -> int:
        """Return a random id for a write that stores new ids of `next` for this user.

        Its upper half identifies the user in this store and process, whose ids rise without
        the database's help. A user who is named in two ways, by id and by an identity, counts
        as two.
        """
        if self._process != os.getpid():
            # The process was forked: its parent makes ids too.
            self._process, self._mark = os.getpid(), secrets.randbits(_MARK_BITS)
        mark = self._mark ^ hash(user) & _MARK
        return mark << 32 | secrets.randbits(32)

    def rise(self, user: Hashable, newest: int, server_ms: int | None = None) -> None:
        """Make the next ids of this user higher than their newest task, if there are higher ones.

        Args:
            user: The user, as named for `next`.
            newest: The highest id of the user's tasks.
            server_ms: The server's clock, in milliseconds since 1970. The next ids are not
                earlier, because this machine's clock may be wrong.
        """
        self._clock()
        millisecond = newest >> COUNTER_BITS
        if server_ms is not None and server_ms - EPOCH_MS < LAST_MS:
            millisecond = max(millisecond, server_ms - EPOCH_MS - 1)
        last = millisecond << COUNTER_BITS | _COUNTER
        if millisecond < LAST_MS and last > self._last.get(user, 0):
            self._remember(user, last)

    def _clock(self) -> int:
        """Return the milliseconds since `EPOCH_MS`, or 0 if ids cannot hold the time.

        The database refuses an id with time 0, and its answer has the server's time.
        """
        now = time.time_ns() // 1_000_000 - EPOCH_MS
        if not 0 <= now <= _LAST_NOW:
            now = 0
        if now < self._now:
            # Users whose state was dropped may have ids ahead of the clock now.
            self._mark = secrets.randbits(_MARK_BITS)
        self._now = now
        return now

    def _remember(self, user: Hashable, last: int) -> None:
        self._last[user] = last
        if len(self._last) <= _REMEMBERED:
            return
        ahead = {
            user: last for user, last in self._last.items() if last >> COUNTER_BITS >= self._now
        }
        kept = list(ahead.items())[-_REMEMBERED // 2 :]
        if len(kept) < len(ahead):
            self._mark = secrets.randbits(_MARK_BITS)
        self._last = dict(kept)


def _first_of(millisecond: int) -> int:
    return millisecond << COUNTER_BITS | secrets.randbits(COUNTER_BITS)


def new_write_id() -> int:
    """Return a random id for one write, so that repeating it is recognised."""
    return secrets.randbits(63)
