"""Start and stop an ASGI application, as a server does.

https://asgi.readthedocs.io/en/stable/specs/lifespan.html
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

_Message = MutableMapping[str, Any]
Application = Callable[
    [_Message, Callable[[], Awaitable[_Message]], Callable[[_Message], Awaitable[None]]],
    Coroutine[Any, Any, None],
]
"""An ASGI application, version 3."""


@asynccontextmanager
async def lifespan(app: Application) -> AsyncIterator[None]:
    """Run a block between an application's start-up and its shutdown.

    Raises:
        RuntimeError: The application says that it failed to start or to stop.
    """
    received: asyncio.Queue[_Message] = asyncio.Queue()
    sent: asyncio.Queue[_Message] = asyncio.Queue()

    scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}

    async def tell(event: str) -> None:
        await received.put({"type": event})
        answer = asyncio.create_task(sent.get())
        await asyncio.wait([answer, running], return_when=asyncio.FIRST_COMPLETED)
        if answer.done() and answer.result()["type"] == f"{event}.complete":
            return
        answer.cancel()
        (cause,) = await asyncio.gather(running, return_exceptions=True)
        raise RuntimeError(f"{event} failed") from cause

    running = asyncio.create_task(app(scope, received.get, sent.put))
    await tell("lifespan.startup")
    try:
        yield
    finally:
        await tell("lifespan.shutdown")
        await running
