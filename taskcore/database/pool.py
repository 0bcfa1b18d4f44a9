"""A pool of connections: for each statement one of its own, the one used last first.

asyncpg's own pool makes a task, a timer, a future and a proxy for each use of a
connection, which cost nearly as much as the statement
(``specs/001-backend-core/research.md``, D33).
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

import asyncpg

from taskcore.errors import PoolExhausted, StoreNotOpen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Connection(asyncpg.Connection):
    """A connection that knows its age.

    Attributes:
        born: When it was ready, on the event loop's clock.
        idle_since: When it was last given back.
    """

    __slots__ = ("born", "idle_since")

    born: float
    idle_since: float


class Pool:
    """Connections that are taken and given back; made when needed, closed when idle.

    A connection keeps no session state, so there is nothing to reset between two
    uses. Whoever waits longest gets the next one that becomes free.

    Args:
        connect: Makes a connection.
        max_size: Most connections at once, those included that are being made.
        idle_lifetime: Seconds until an unused connection is closed.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Connection]],
        *,
        max_size: int,
        idle_lifetime: float,
    ) -> None:
        self._connect = connect
        self._max_size = max_size
        self._idle_lifetime = idle_lifetime
        self._loop = asyncio.get_running_loop()
        self._connections: set[Connection] = set()
        self._idle: list[Connection] = []
        # What they wait for is a connection, or None: a place to make one.
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._size = 0
        self._trusted_from = 0.0
        self._reaping: asyncio.TimerHandle | None = None
        self._closed = False
        self._emptied = self._loop.create_future()

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    @property
    def size(self) -> int:
        """How many connections there are, those included that are being made."""
        return self._size

    async def acquire(self, limit: float) -> Connection:
        """Take a connection, to be given back with `release`.

        Args:
            limit: Until when to wait, on the event loop's clock.

        Raises:
            PoolExhausted: All of them stayed in use.
            TimeoutError: None was made in time; or what making one raised.
            StoreNotOpen: The pool was closed meanwhile.
        """
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
            self.discard(connection)
        if self._size < self._max_size:
            self._size += 1
        elif (given := await self._turn(limit)) is not None:
            return given
        return await self._made(limit)

    def release(self, connection: Connection) -> None:
        """Give a connection back; one that is closed, or not trusted any more, is discarded."""
        if self._closed or connection.is_closed() or connection.born < self._trusted_from:
            self.discard(connection)
        elif not self._hand_over(connection):
            connection.idle_since = self._loop.time()
            self._idle.append(connection)
            if self._reaping is None:
                self._reaping = self._loop.call_later(self._idle_lifetime, self._reap)

    def discard(self, connection: Connection) -> None:
        """Close a connection without a word, in place of giving it back; twice is harmless."""
        connection.terminate()
        if connection in self._connections:
            self._connections.remove(connection)
            self._vacate()

    def distrust(self) -> None:
        """Use no connection any more that is there now: those in use until they come back."""
        self._trusted_from = self._loop.time()
        while self._idle:
            self.discard(self._idle.pop())

    async def close(self, timeout: float) -> None:  # noqa: ASYNC109  (the driver's own)
        """Close all connections: the idle ones politely, those in use when they come back.

        Args:
            timeout: Seconds to wait for both; what is left then is cut off.
        """
        self._closed = True
        if self._reaping is not None:
            self._reaping.cancel()
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(StoreNotOpen())
        idle, self._idle = self._idle, []
        try:
            farewells = (self._say_goodbye(connection, timeout) for connection in idle)
            await asyncio.gather(*farewells, return_exceptions=True)
            if self._size:
                await asyncio.wait([self._emptied], timeout=timeout)
        finally:
            for connection in list(self._connections):
                self.discard(connection)

    async def _say_goodbye(self, connection: Connection, timeout: float) -> None:  # noqa: ASYNC109
        try:
            await connection.close(timeout=timeout)
        finally:
            self.discard(connection)

    async def _turn(self, limit: float) -> Connection | None:
        turn: asyncio.Future[Connection | None] = self._loop.create_future()
        self._waiting.append(turn)
        timer = self._loop.call_at(limit, self._exhausted, turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if not turn.cancelled() and turn.exception() is None:
                # It had its turn in the same moment.
                if (given := turn.result()) is None:
                    self._vacate()
                else:
                    self.release(given)
            raise
        finally:
            timer.cancel()

    def _exhausted(self, turn: asyncio.Future[Connection | None]) -> None:
        if turn.done():
            return
        if len(self._connections) < self._max_size:
            # Places are taken by connections to come: it is the server that is waited for.
            turn.set_exception(TimeoutError())
        else:
            error = f"no connection became free in time (pool_max_size is {self._max_size})"
            turn.set_exception(PoolExhausted(error))

    async def _made(self, limit: float) -> Connection:
        """Make a connection in a place that is taken already."""
        try:
            async with asyncio.timeout_at(limit):
                connection = await self._connect()
        except BaseException:
            self._vacate()
            raise
        connection.born = self._loop.time()
        self._connections.add(connection)
        if self._closed:
            self.discard(connection)
            raise StoreNotOpen
        return connection

    def _hand_over(self, given: Connection | None) -> bool:
        """Give whoever waits longest a connection, or a place for one; False: nobody waits."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(given)
                return True
        return False

    def _vacate(self) -> None:
        if not self._hand_over(None):
            self._size -= 1
            if self._closed and not self._size and not self._emptied.done():
                self._emptied.set_result(None)

    def _reap(self) -> None:
        """Close what was idle for too long; the list begins with what was so for longest."""
        now = self._loop.time()
        while self._idle and self._idle[0].idle_since + self._idle_lifetime <= now:
            self.discard(self._idle.pop(0))
        self._reaping = None
        if self._idle:
            due = self._idle[0].idle_since + self._idle_lifetime
            self._reaping = self._loop.call_at(due, self._reap)
