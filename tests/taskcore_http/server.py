"""uvicorn on a free port, in the test's own event loop."""

import asyncio
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


def listener() -> socket.socket:
    """A socket that takes connections at once: no client comes too early."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.listen(1024)
    return listener


@asynccontextmanager
async def serving(app: ASGIApp, **options: Any) -> AsyncIterator[Server]:
    """Serve until the end of the block, then stop cleanly; options are uvicorn's."""
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, **options))
    socket = listener()
    running = asyncio.create_task(server.serve([socket]))
    try:
        yield Server(socket.getsockname()[1])
    finally:
        server.should_exit = True
        await running
        socket.close()
