"""A pool of connections. Each statement uses a connection alone, the most recently used first.

asyncpg's own pool makes a task, a timer, a future and a proxy for each use of a
connection. These cost nearly as much as the statement
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
        created_at: When it was ready, on the event loop's clock.
        idle_since: When it was last released.
    """

    __slots__ = ("created_at", "idle_since")

    created_at: float
    idle_since: float


class Pool:
    """Connections that are opened when needed and closed when idle.

    A connection keeps no session state, so there is nothing to reset between two
    uses. The caller that has waited longest gets the next free connection.

    Args:
        connect: Opens a connection.
        max_size: The most connections at once, counting those that are being opened.
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
        # A waiter gets a connection, or None: room to open one.
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._size = 0
        self._retired_before = 0.0
        self._reaping: asyncio.TimerHandle | None = None
        self._closed = False
        self._emptied = self._loop.create_future()

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    @property
    def size(self) -> int:
        """The number of connections, counting those that are being opened."""
        return self._size

    async def acquire(self, limit: float) -> Connection:
        """Take a connection, to be given back with `release`.

        Args:
            limit: The latest time to wait until, on the event loop's clock.

        Raises:
            PoolExhausted: All connections stayed in use.
            TimeoutError: No connection was opened in time. Other errors of opening one pass.
            StoreNotOpen: The pool was closed during the wait.
        """
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
            self.discard(connection)
        if self._size < self._max_size:
            self._size += 1
        elif (given := await self._wait(limit)) is not None:
            return given
        return await self._open(limit)

    def release(self, connection: Connection) -> None:
        """Give a connection back; discard it if it is closed or retired."""
        if self._closed or connection.is_closed() or connection.created_at < self._retired_before:
            self.discard(connection)
        elif not self._hand_over(connection):
            connection.idle_since = self._loop.time()
            self._idle.append(connection)
            if self._reaping is None:
                self._reaping = self._loop.call_later(self._idle_lifetime, self._reap)

    def discard(self, connection: Connection) -> None:
        """Terminate a connection instead of releasing it. Safe to call twice."""
        connection.terminate()
        if connection in self._connections:
            self._connections.remove(connection)
            self._vacate()

    def retire(self) -> None:
        """Retire every current connection: idle ones now, busy ones on release."""
        self._retired_before = self._loop.time()
        while self._idle:
            self.discard(self._idle.pop())

    async def close(self, timeout: float) -> None:  # noqa: ASYNC109  (the driver's own)
        """Close idle connections in order, and busy ones on release.

        Args:
            timeout: Seconds to wait; the connections that are left then are terminated.
        """
        self._closed = True
        if self._reaping is not None:
            self._reaping.cancel()
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_exception(StoreNotOpen())
        idle, self._idle = self._idle, []
        try:
            closing = (self._close(connection, timeout) for connection in idle)
            await asyncio.gather(*closing, return_exceptions=True)
            if self._size:
                await asyncio.wait([self._emptied], timeout=timeout)
        finally:
            for connection in list(self._connections):
                self.discard(connection)

    async def _close(self, connection: Connection, timeout: float) -> None:  # noqa: ASYNC109
        try:
            await connection.close(timeout=timeout)
        finally:
            self.discard(connection)

    async def _wait(self, limit: float) -> Connection | None:
        waiter: asyncio.Future[Connection | None] = self._loop.create_future()
        self._waiting.append(waiter)
        timer = self._loop.call_at(limit, self._exhausted, waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled() and waiter.exception() is None:
                # It was served in the same moment.
                if (given := waiter.result()) is None:
                    self._vacate()
                else:
                    self.release(given)
            raise
        finally:
            timer.cancel()

    def _exhausted(self, waiter: asyncio.Future[Connection | None]) -> None:
        if waiter.done():
            return
        if len(self._connections) < self._max_size:
            # Connections are still being opened, so the server is slow, not the callers.
            waiter.set_exception(TimeoutError())
        else:
            error = f"no connection became free in time (pool_max_size is {self._max_size})"
            waiter.set_exception(PoolExhausted(error))

    async def _open(self, limit: float) -> Connection:
        """Open a connection that `size` counts already."""
        try:
            async with asyncio.timeout_at(limit):
                connection = await self._connect()
        except BaseException:
            self._vacate()
            raise
        connection.created_at = self._loop.time()
        self._connections.add(connection)
        if self._closed:
            self.discard(connection)
            raise StoreNotOpen
        return connection

    def _hand_over(self, given: Connection | None) -> bool:
        """Give the longest waiter a connection, or room to open one. False: nobody waits."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(given)
                return True
        return False

    def _vacate(self) -> None:
        if not self._hand_over(None):
            self._size -= 1
            if self._closed and not self._size and not self._emptied.done():
                self._emptied.set_result(None)

    def _reap(self) -> None:
        """Discard connections that were idle for too long; the list is in order of idle time."""
        now = self._loop.time()
        while self._idle and self._idle[0].idle_since + self._idle_lifetime <= now:
            self.discard(self._idle.pop(0))
        self._reaping = None
        if self._idle:
            due = self._idle[0].idle_since + self._idle_lifetime
            self._reaping = self._loop.call_at(due, self._reap)
