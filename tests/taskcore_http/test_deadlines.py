"""Clients that keep the server waiting, with limits that a test can wait for."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
from starlette.types import Receive, Scope, Send

from taskcore import Settings, TaskStore
from taskcore.limits import MAX_DESCRIPTION
from taskcore_http import create_app
from taskcore_http.server.deadlines import Deadlines
from taskcore_http.server.protocol import H11Protocol, HttpToolsProtocol
from tests.databases import Database
from tests.taskcore_http.answers import error_of, tasks_of
from tests.taskcore_http.server import Server, serving

TASKS = "/users/123/tasks"
LIVE = b"GET /health/live HTTP/1.1\r\nHost: x\r\n"
POST = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" % TASKS.encode()


class Short(Deadlines):
    """The limits of this file."""

    head_seconds = body_seconds = read_seconds = 0.3
    interval_seconds = stopping_seconds = 0.1


class ShortHttpTools(Short, HttpToolsProtocol):
    pass


class ShortH11(Short, H11Protocol):
    pass


PROTOCOLS = pytest.mark.parametrize("protocol", [ShortHttpTools, ShortH11])


@pytest.fixture
async def served(store: TaskStore, protocol: type) -> AsyncIterator[Server]:
    app = create_app(store=store)
    async with serving(app, http=protocol, ws="none", timeout_keep_alive=1) as server:
        yield server


async def is_ended(server: Server, *parts: bytes, drip: bytes = b"") -> bytes:
    """Send the parts, then a drop now and then; return what came before the server closed."""
    reader, writer = await server.connect()
    for part in parts:
        writer.write(part)
        await writer.drain()
    received = b""
    try:
        async with asyncio.timeout(10):
            while True:
                try:
                    async with asyncio.timeout(0.05):
                        part = await reader.read(65536)
                except TimeoutError:
                    writer.write(drip)
                    await writer.drain()
                    continue
                if not part:
                    break
                received += part
    except ConnectionError:
        pass
    writer.close()
    return received


BEGUN = {
    "nothing": (b"", b""),
    "half a header": (LIVE + b"X: ", b""),
    "a header without an end": (LIVE + b"X: ", b"x"),
    "line feeds": (b"", b"\r\n"),
    "half a header behind an answer": (LIVE + b"\r\n" + LIVE, b""),
    "half a body": (POST + b"Content-Length: 9\r\n\r\n{", b""),
    "a body that drips": (POST + b"Content-Length: 9999\r\n\r\n{", b" "),
    "half a chunk": (POST + b"Transfer-Encoding: chunked\r\n\r\n9\r\n{", b""),
    "chunks without an end": (POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "half a body behind an upgrade": (
        POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 9\r\n\r\n{",
        b"",
    ),
    "a body that was asked for": (
        POST + b"Expect: 100-continue\r\nContent-Length: 9\r\n\r\n",
        b"",
    ),
    "the rest of a body that was refused": (
        POST + b"Content-Length: 9999999\r\n\r\n",
        b" ",
    ),
    "a body that nobody reads": (LIVE + b"Content-Length: 9999999\r\n\r\n", b" "),
}


@PROTOCOLS
async def test_clients_that_do_not_finish_their_requests_are_ended_and_disturb_nobody(
    served: Server, store: TaskStore
) -> None:
    ends = {
        case: asyncio.create_task(is_ended(served, begun, drip=drip))
        for case, (begun, drip) in BEGUN.items()
    }
    async with served.client() as client:
        for _ in range(20):
            error_of(await client.post(TASKS, json={}), 400)

    await asyncio.wait(ends.values())

    assert [case for case, end in ends.items() if end.exception() is not None] == []
    assert (await store.for_user(123).list()).items == ()


@PROTOCOLS
async def test_a_request_may_come_slowly_within_its_time(served: Server) -> None:
    request = POST + b'Connection: close\r\nContent-Length: 14\r\n\r\n{"title": "x"}'

    received = await is_ended(served, *(request[at : at + 20] for at in range(0, len(request), 20)))

    assert received.startswith(b"HTTP/1.1 201 ")


@PROTOCOLS
async def test_an_answer_may_take_as_long_as_it_needs(protocol: type[Deadlines]) -> None:
    """The limits are the clients', not the application's."""

    async def slow(_scope: Scope, _receive: Receive, send: Send) -> None:
        await asyncio.sleep(1)
        headers = [(b"content-length", b"4")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"slow"})

    async with (
        serving(slow, http=protocol, ws="none", lifespan="off") as server,
        server.client() as client,
    ):
        assert (await client.get("/")).text == "slow"
        # A body that the application has not asked for stays where it is.
        assert (await client.post("/", content=b"x" * 1_000_000)).text == "slow"


@PROTOCOLS
async def test_a_client_that_does_not_read_is_ended_and_holds_no_connection(
    database: Database, protocol: type[Deadlines]
) -> None:
    """FR-006: a complete list waits for its reader without a connection to the database."""
    many = [{"title": "x", "description": "x" * MAX_DESCRIPTION}] * 5_000
    async with TaskStore(database.url, settings=Settings(pool_max_size=1)) as store:
        await store.for_user(123).create_many(many)
        async with serving(create_app(store=store), http=protocol, ws="none") as server:
            with socket.socket() as stalled:
                stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                stalled.setblocking(False)
                loop = asyncio.get_running_loop()
                await loop.sock_connect(stalled, ("127.0.0.1", server.port))
                await loop.sock_sendall(
                    stalled, b"GET /users/123/tasks HTTP/1.1\r\nHost: x\r\n\r\n"
                )
                async with server.client() as client:
                    for _ in range(10):
                        assert len(tasks_of(await client.get(f"{TASKS}?limit=1"))) == 1
                # The kernels' buffers hold less than the list: it is cut off.
                async with asyncio.timeout(10):
                    received = 0
                    await asyncio.sleep(1)
                    try:
                        while part := await loop.sock_recv(stalled, 1_000_000):
                            received += len(part)
                    except ConnectionError:
                        pass
    assert received < 5_000 * MAX_DESCRIPTION


class Patient(ShortHttpTools):
    read_seconds = 2.0


@pytest.mark.parametrize("protocol", [Patient])
async def test_a_slow_reader_gets_the_whole_list(served: Server, store: TaskStore) -> None:
    """It takes longer than the limit, and makes progress."""
    many = [{"title": "x", "description": "x" * MAX_DESCRIPTION}] * 3_000
    await store.for_user(123).create_many(many)
    reader, writer = await served.connect()
    writer.write(b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % TASKS.encode())
    received = 0
    began = asyncio.get_running_loop().time()
    async with asyncio.timeout(60):
        while part := await reader.read(200_000):
            received += len(part)
            await asyncio.sleep(0.03)
    writer.close()

    assert received > 3_000 * MAX_DESCRIPTION
    assert asyncio.get_running_loop().time() - began > Patient.read_seconds


@pytest.mark.parametrize("protocol", [HttpToolsProtocol, H11Protocol])
def test_the_limits_are_those_of_the_specification(protocol: type[Deadlines]) -> None:
    assert (protocol.head_seconds, protocol.body_seconds, protocol.read_seconds) == (20, 60, 300)
    assert protocol.interval_seconds == 5
    assert protocol.stopping_seconds <= 1
