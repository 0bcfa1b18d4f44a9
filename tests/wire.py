"""The wire between a client and the server: counted, slowed down and cut when asked."""

import asyncio
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Self
from urllib.parse import quote

from taskcore.database.url import connect_arguments

_SOCKET = ".s.PGSQL.5432"


class Wire:
    """A proxy in front of a server's Unix socket.

    A round trip is whatever a client sends until it has to wait for an answer:
    bytes from the client that follow bytes from the server begin a new one.

    Attributes:
        url: The database's URL, through the proxy.
        delay: Seconds that whatever is sent takes, each way, on connections yet to come.
        round_trips: How many were made over all connections so far.
        connections: How many clients have come so far.
        sent: Bytes from the clients so far.
        received: Bytes to the clients so far.
        lost: Set when an answer was lost.
        clients: The connections that stand.
    """

    def __init__(self, url: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="taskcore-wire-")
        arguments = connect_arguments(url)
        host, port = arguments["host"], arguments.get("port", 5432)
        self._target = str(Path(host) / f".s.PGSQL.{port}")
        self.url = url.replace(quote(host, safe=""), quote(self._folder.name, safe="")).replace(
            f"port={port}", "port=5432"
        )
        self.delay = 0.0
        self.round_trips = 0
        self.connections = 0
        self.sent = 0
        self.received = 0
        self._lose = 0
        self._keep = 0
        self._open = asyncio.Event()
        self._open.set()
        self._swallowed: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self.lost = asyncio.Event()
        self.clients: dict[asyncio.Task[None], socket.socket] = {}

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_raised: object) -> None:
        await self.stop()
        self._folder.cleanup()

    def start(self) -> None:
        """Listen, for the first time or again."""
        path = Path(self._folder.name) / _SOCKET
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.setblocking(False)
        listener.bind(str(path))
        listener.listen(1024)
        # Not asyncio's server: it may still take a connection after it was closed.
        asyncio.get_running_loop().add_reader(listener, self._accept, listener)
        self._listener = listener

    def refuse(self) -> None:
        """Take no new connection; those that stand go on."""
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None

    async def stop(self) -> None:
        """Refuse new connections and break the others, as a server that is away."""
        self.refuse()
        await self.cut()

    async def cut(self) -> None:
        """Break every connection, as a network does."""
        clients = list(self.clients)
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)

    def say(self, message: bytes) -> None:
        """Send every client a message that its server did not send."""
        for client in self.clients.values():
            client.send(message)

    def lose_answers(self, count: int = 1, *, keep: int = 0) -> None:
        """Break a connection when its server answers, after `keep` bytes: so many times."""
        self._lose, self._keep = count, keep
        self.lost.clear()

    def hold(self) -> None:
        """Let new connections wait until `release`."""
        self._open.clear()

    def release(self) -> None:
        """Let connections through again."""
        self._open.set()

    def swallow(self) -> None:
        """Let nothing more through the connections that stand, and break none: a black hole."""
        self._swallowed.update(self.clients.values())

    async def until(self, round_trips: int) -> None:
        """Wait for so many round trips."""
        while self.round_trips < round_trips:  # noqa: ASYNC110  (nobody waits for long)
            await asyncio.sleep(0.001)

    def _accept(self, listener: socket.socket) -> None:
        try:
            client, _ = listener.accept()
        except BlockingIOError:
            return
        client.setblocking(False)
        self.connections += 1
        task = asyncio.get_running_loop().create_task(self._connect(client))
        self.clients[task] = client
        task.add_done_callback(self._hang_up)

    def _hang_up(self, task: asyncio.Task[None]) -> None:
        client = self.clients.pop(task)
        self._swallowed.discard(client)
        client.close()
        if not task.cancelled():
            # A server that is away refuses; its client sees the connection end.
            assert isinstance(task.exception(), OSError | None), task.exception()

    async def _connect(self, client: socket.socket) -> None:
        await self._open.wait()
        with socket.socket(socket.AF_UNIX) as server:
            server.setblocking(False)
            await asyncio.get_running_loop().sock_connect(server, self._target)
            await self._exchange(client, server)

    async def _exchange(self, client: socket.socket, server: socket.socket) -> None:
        answered = True

        def request(data: bytes) -> None:
            nonlocal answered
            self.round_trips += answered
            self.sent += len(data)
            answered = False

        def answer(data: bytes) -> None:
            nonlocal answered
            answered = True
            self.received += len(data)
            if self._lose:
                # The server has done the work, but the answer is dropped.
                self._lose -= 1
                self.lost.set()
                client.send(data[: self._keep])
                raise ConnectionResetError

        directions = [
            asyncio.ensure_future(self._carry(client, server, request)),
            asyncio.ensure_future(self._carry(server, client, answer)),
        ]
        try:
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for direction in directions:
                direction.cancel()
            await asyncio.gather(*directions, return_exceptions=True)

    async def _carry(
        self, source: socket.socket, target: socket.socket, see: Callable[[bytes], None]
    ) -> None:
        loop = asyncio.get_running_loop()
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            while True:
                due, data = await under_way.get()
                await asyncio.sleep(due - loop.time())
                await loop.sock_sendall(target, data)
                under_way.task_done()

        delivering = asyncio.ensure_future(deliver()) if self.delay else None
        try:
            while data := await loop.sock_recv(source, 65536):
                if {source, target} & self._swallowed:
                    continue
                see(data)
                if delivering is None:
                    await loop.sock_sendall(target, data)
                else:
                    under_way.put_nowait((loop.time() + self.delay, data))
            await under_way.join()
        finally:
            if delivering is not None:
                delivering.cancel()
                await asyncio.gather(delivering, return_exceptions=True)
