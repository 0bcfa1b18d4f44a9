"""An event loop in a background thread, by anyio's blocking portal."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from concurrent.futures import Future
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal

from taskcore.errors import ConfigurationError, StoreNotOpen

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")
_Item = TypeVar("_Item")

# Items that are handed from one thread to the other at once.
_CHUNK = 1_000


class Background:
    """The background thread of one store. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._starting: AbstractContextManager[BlockingPortal] | None = None
        self._portal: BlockingPortal | None = None
        self._process = 0

    def start(self) -> None:
        """Start the thread.

        Raises:
            ConfigurationError: It runs already.
        """
        with self._lock:
            if self._portal is not None and self._process == os.getpid():
                raise ConfigurationError("the store is open already")
            self._starting = start_blocking_portal()
            self._portal = self._starting.__enter__()
            self._process = os.getpid()

    def stop(self) -> None:
        """Wait for running calls and end the thread. Safe to call twice."""
        with self._lock:
            starting, self._starting, self._portal = self._starting, None, None
        if starting is not None and self._process == os.getpid():
            starting.__exit__(None, None, None)

    @property
    def is_running(self) -> bool:
        """Whether calls can be made."""
        return self._portal is not None and self._process == os.getpid()

    def call(
        self,
        function: Callable[_Parameters, Awaitable[_Result]],
        *args: _Parameters.args,
        **kwargs: _Parameters.kwargs,
    ) -> _Result:
        """Run an asynchronous function in the background and wait for its result.

        An exception in this thread, such as Ctrl-C, cancels the call.

        Raises:
            StoreNotOpen: The thread does not run, for example because this process was
                forked from the one that opened the store.
        """
        portal = self._running()

        async def run() -> _Result:
            return await function(*args, **kwargs)

        future = self._start(portal, run)
        try:
            return future.result()
        finally:
            # Does nothing unless the wait was interrupted.
            future.cancel()

    def iterate(self, items: AsyncIterator[_Item]) -> Iterator[_Item]:
        """Yield the items of an asynchronous iterator."""

        async def chunk() -> list[_Item]:
            found: list[_Item] = []
            async for item in items:
                found.append(item)
                if len(found) == _CHUNK:
                    break
            return found

        # Nothing to close if the caller stops early: between two pages no connection is held,
        # and the event loop ends the generator. This one may be collected in any thread.
        while found := self.call(chunk):
            yield from found

    def feed(
        self,
        items: Iterable[_Item],
        consume: Callable[[AsyncIterator[_Item]], Awaitable[_Result]],
    ) -> _Result:
        """Let an asynchronous function consume items that are made in this thread.

        The thread may have what the iterator needs, such as a database connection.
        """
        portal = self._running()
        sender, receiver = anyio.create_memory_object_stream[list[_Item]](0)

        async def received() -> AsyncIterator[_Item]:
            async with receiver:
                async for chunk in receiver:
                    for item in chunk:
                        yield item

        async def run() -> _Result:
            async with receiver:
                return await consume(received())

        future = self._start(portal, run)
        try:
            rest = iter(items)
            while chunk := list(islice(rest, _CHUNK)):
                try:
                    self.call(sender.send, chunk)
                except anyio.BrokenResourceError:
                    # The consumer has failed: its error is the result.
                    break
            self.call(sender.aclose)
            return future.result()
        finally:
            future.cancel()
            try:
                self.call(sender.aclose)
            except StoreNotOpen:
                sender.close()

    def _running(self) -> BlockingPortal:
        if self._portal is None:
            raise StoreNotOpen("the store is not open: use `with TaskStore(...)`, or store.open()")
        if self._process != os.getpid():
            raise StoreNotOpen("the store was opened before this process was forked: open it here")
        return self._portal

    def _start(
        self, portal: BlockingPortal, run: Callable[[], Awaitable[_Result]]
    ) -> Future[_Result]:
        try:
            return portal.start_task_soon(run)
        except RuntimeError as exc:
            if self._portal is portal:
                raise
            raise StoreNotOpen("the store was closed") from exc
