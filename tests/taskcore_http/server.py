"""uvicorn on a free port, in the test's own event loop."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import uvicorn
from starlette.types import ASGIApp


@dataclass(frozen=True)
class Server:
    """Where the application is served."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self) -> httpx2.AsyncClient:
        # Not HTTPS: the authorities need not be loaded.
        return httpx2.AsyncClient(base_url=self.url, timeout=60, verify=False)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a bare connection, for what no client would send."""
        return await asyncio.open_connection("127.0.0.1", self.port)


def listener(port: int = 0) -> socket.socket:
    """A socket that takes connections at once: no client comes too early."""
    listener = socket.create_server(("127.0.0.1", port))
    listener.listen(1024)
    return listener


class _Server(uvicorn.Server):
    """It ends as soon as it is asked to; uvicorn's own looks ten times a second."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._asked = asyncio.Event()

    def end(self) -> None:
        self.should_exit = True
        self._asked.set()

    async def main_loop(self) -> None:
        ticks = 0
        while not await self.on_tick(ticks):
            ticks += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), 0.1)


@asynccontextmanager
async def serving(app: ASGIApp, *, port: int = 0, **options: Any) -> AsyncIterator[Server]:
    """Serve until the end of the block, then stop cleanly; options are uvicorn's."""
    server = _Server(uvicorn.Config(app, log_config=None, **options))
    socket = listener(port)
    running = asyncio.create_task(server.serve([socket]))
    try:
        yield Server(socket.getsockname()[1])
    finally:
        server.end()
        await running
        socket.close()
