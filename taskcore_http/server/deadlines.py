"""Deadlines for clients. uvicorn has a deadline only between two requests."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from uvicorn.protocols.http.flow_control import FlowControl

    class _Protocol(asyncio.Protocol):
        """The attributes of uvicorn's protocol classes that `Deadlines` uses."""

        loop: asyncio.AbstractEventLoop
        transport: asyncio.Transport
        flow: FlowControl
        cycle: Any
        timeout_keep_alive_task: asyncio.TimerHandle | None

        def shutdown(self) -> None: ...

else:
    _Protocol = asyncio.Protocol


class Deadlines(_Protocol):
    """Close a connection whose client keeps the server waiting; a mixin for uvicorn's classes.

    One timer for each connection checks every `interval_seconds` whether the client has
    made progress. It closes the connection if there was none for too long, so a limit may
    be exceeded by one interval. Requests cost nothing extra.

    Attributes:
        head_seconds: For the header of a request, and from connecting to the first one.
        body_seconds: For the body of a request, counted from the end of its header.
        read_seconds: For reading more of an answer.
        stopping_seconds: For each of these while the server stops.
        interval_seconds: Time between two checks.
    """

    head_seconds = 20.0
    body_seconds = 60.0
    read_seconds = 300.0
    stopping_seconds = 0.5
    interval_seconds = 5.0

    _watch: asyncio.TimerHandle
    _awaited: object = None
    _since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the timer."""
        super().connection_made(transport)
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        self._watch.cancel()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Stop serving: finish running requests, unless their clients keep the server waiting."""
        super().shutdown()
        self.head_seconds = self.body_seconds = self.read_seconds = self.stopping_seconds
        self.interval_seconds = self.stopping_seconds / 2
        self._awaited = None
        self._watch.cancel()
        self._look()

    def _look(self) -> None:
        if self.transport.get_protocol() is not self:
            return  # a WebSocket now
        awaited, limit = self._awaited_from_client()
        now = self.loop.time()
        if awaited is None or awaited != self._awaited:
            self._awaited, self._since = awaited, now
        elif now - self._since >= limit:
            # close() would wait until the client has read the rest.
            self.transport.abort()
            return
        self._watch = self.loop.call_later(self.interval_seconds, self._look)

    def _awaited_from_client(self) -> tuple[object, float]:
        """Return a value that changes when the client makes progress, and its limit in seconds.

        The value is None while the server answers, and while uvicorn's own timer runs.
        """
        cycle = self.cycle
        unread = self.transport.get_write_buffer_size()
        if unread:
            return ("read", cycle, unread), self.read_seconds
        if self.timeout_keep_alive_task is not None or self.flow.read_paused:
            return None, 0.0
        if cycle is not None and cycle.more_body:
            return ("body", cycle), self.body_seconds
        if cycle is None or cycle.response_complete:
            return ("head", cycle), self.head_seconds
        return None, 0.0
