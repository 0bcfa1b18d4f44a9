"""A stand-in for Neon, from a real server: TLS at a proxy, compute that sleeps and wakes.

Rebuilt from the proxy's source (https://github.com/neondatabase/neon, proxy/src):
it ends TLS, reads the start-up message, drops most of its parameters, wakes the
compute, and says whatever it has to say itself as XX000.
"""

import asyncio
import contextlib
import ssl
import struct
import time
from pathlib import Path
from typing import Self

import trustme

from taskcore.database.url import connect_arguments
from tests.clusters import Cluster

HOST = "localhost"

_SSL_REQUEST = 80877103
_PROTOCOL = 196608
_CANCEL_REQUEST = 80877102
# proxy/src/compute.rs: what it sends on of the client's parameters.
_SENT_ON = frozenset({"user", "database", "application_name", "replication"})

COULD_NOT_CONNECT = "Couldn't connect to compute node"


class Neon:
    """The proxy and the compute behind it.

    Attributes:
        connections: How many clients have come.
        wakes: How long each waking took, in seconds.
        logins: Parameters of each client's start-up message.
        refusals: Texts to refuse the next clients with, in order.
        cancels: Cancellings are passed on while it is set.
    """

    def __init__(self, cluster: Cluster, authority: trustme.CA, *, host: str = HOST) -> None:
        self._cluster = cluster
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert(host).configure_cert(self._context)
        arguments = connect_arguments(cluster.server.owner_url)
        self._socket = Path(arguments["host"]) / f".s.PGSQL.{arguments['port']}"
        self._awake = asyncio.Lock()
        self._clients: set[asyncio.Task[None]] = set()
        self._heard = 0.0
        self._stopped = False
        self.asleep = False
        self.connections = 0
        self.wakes: list[float] = []
        self.logins: list[dict[str, str]] = []
        self.refusals: list[str] = []
        self.cancels = asyncio.Event()
        self.cancels.set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_raised: object) -> None:
        self._stopped = True
        self._server.close()
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        if self.asleep:
            await asyncio.to_thread(self._cluster.start)

    def url(self, role: str, database: str, *, host: str = HOST, parameters: str = "") -> str:
        """Return a URL as Neon's console shows it."""
        query = f"sslmode=require&channel_binding=require{parameters}"
        return f"postgresql://{role}@{host}:{self._port}/{database}?{query}"

    async def suspend(self) -> None:
        """Stop the compute; the connections to it are cut."""
        async with self._awake:
            await asyncio.to_thread(self._cluster.stop)
            self.asleep = True

    async def suspend_when_idle(self, after: float) -> None:
        """Suspend whenever nobody has said anything for so many seconds, until cancelled.

        Neon goes by ``pg_stat_activity.state_change``, which every query moves.
        """
        while True:
            await asyncio.sleep(after / 10)
            if not self.asleep and time.monotonic() - self._heard > after:
                await self.suspend()

    async def _wake(self) -> None:
        async with self._awake:
            if self.asleep:
                began = time.monotonic()
                await asyncio.to_thread(self._cluster.start)
                self.asleep = False
                self.wakes.append(time.monotonic() - began)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a client; its connection is aborted even if the task is cancelled unstarted."""
        if self._stopped:
            writer.transport.abort()
            return
        self.connections += 1
        task = asyncio.create_task(self._serve(reader, writer))
        self._clients.add(task)
        task.add_done_callback(self._clients.discard)
        task.add_done_callback(lambda _task: writer.transport.abort())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A client that closes its connection, and the end of a test, are not errors.
        with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
            await self._talk(reader, writer)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        code, body = await _first_message(reader)
        if code != _SSL_REQUEST:
            writer.write(_error("connection is insecure (try using `sslmode=require`)"))
            await writer.drain()
            return
        writer.write(b"S")
        await writer.start_tls(self._context)
        code, body = await _first_message(reader)
        if code == _PROTOCOL:
            words = body.decode().split("\0")
            parameters = dict(zip(words[:-2:2], words[1:-2:2], strict=True))
            self.logins.append(parameters)
            if self.refusals:
                writer.write(_error(self.refusals.pop(0)))
                await writer.drain()
                return
            body = "".join(
                f"{name}\0{value}\0" for name, value in parameters.items() if name in _SENT_ON
            ).encode()
            body += b"\0"
            await self._wake()
        if code == _CANCEL_REQUEST:
            # proxy/src/proxy: it hangs up, and cancels in a task that nobody waits for.
            writer.transport.abort()
            await self.cancels.wait()
        server_reader, server_writer = await asyncio.open_unix_connection(self._socket)
        try:
            server_writer.write(struct.pack("!ii", len(body) + 8, code) + body)
            await self._exchange((reader, server_writer), (server_reader, writer))
        finally:
            server_writer.transport.abort()

    async def _exchange(
        self, *directions: tuple[asyncio.StreamReader, asyncio.StreamWriter]
    ) -> None:
        async def carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                self._heard = time.monotonic()
                target.write(data)
                await target.drain()

        carrying = [asyncio.ensure_future(carry(*direction)) for direction in directions]
        try:
            await asyncio.wait(carrying, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for direction in carrying:
                direction.cancel()
            await asyncio.gather(*carrying, return_exceptions=True)


async def _first_message(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    length, code = struct.unpack("!ii", await reader.readexactly(8))
    return code, await reader.readexactly(length - 8)


def _error(text: str) -> bytes:
    fields = f"SFATAL\0VFATAL\0CXX000\0M{text}\0\0".encode()
    return b"E" + struct.pack("!i", len(fields) + 4) + fields
