"""uvicorn's protocol classes as `taskctl serve` uses them: upgrades, requests and their bodies."""

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import product
from shutil import which

import pytest

from taskcore import TaskStore
from taskcore_http import create_app
from taskcore_http.server.protocol import MAX_HEAD, H11Protocol, HttpProtocol, HttpToolsProtocol
from tests.taskcore_http.server import Server, serving

TASKS = "/users/123/tasks"
BODY = b'{"title": "Buy groceries"}'
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
CHUNKED = b"Transfer-encoding: chunked\r\n"
CHUNKS = b"1a\r\n%s\r\n0\r\n\r\n" % BODY
LAST = b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
"""Ends the connection, so that all of the answers can be read."""

PROTOCOLS = pytest.mark.parametrize("protocol", [HttpToolsProtocol, H11Protocol])


@pytest.fixture
async def served(store: TaskStore, protocol: type) -> AsyncIterator[Server]:
    async with serving(create_app(store=store), http=protocol, ws="none") as server:
        yield server


async def answers(server: Server, *parts: bytes) -> list[tuple[int, bytes]]:
    """Send the parts, each in a packet of its own; return every answer's status and body."""
    loop = asyncio.get_running_loop()
    received = b""
    # A plain socket: a stream that was reset does not give what it has received before.
    with socket.socket() as client:
        client.setblocking(False)
        await loop.sock_connect(client, ("127.0.0.1", server.port))
        async with asyncio.timeout(60):
            # A server that closes with bytes left to read resets the connection.
            with suppress(ConnectionError):
                for part in parts:
                    await loop.sock_sendall(client, part)
                    await asyncio.sleep(0.01)
            with suppress(ConnectionError):
                while part := await loop.sock_recv(client, 2**16):
                    received += part
    found = []
    while received:
        head, _, received = received.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        size = int(length[1]) if length else len(received)
        found.append((int(head.split()[1]), received[:size]))
        received = received[size:]
    return found


def statuses(found: list[tuple[int, bytes]]) -> list[int]:
    return [status for status, _ in found]


# The bytes of java.net.http.HttpClient 17, whose default is to offer HTTP/2.
JAVA = (
    b"%s %s HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\n%sHost: 127.0.0.1:8000\r\n"
    b"HTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA\r\n%sUpgrade: h2c\r\n"
    b"User-Agent: Java-http-client/17.0.21.1\r\nContent-Type: application/json\r\n\r\n"
)


@PROTOCOLS
async def test_a_java_http_client_can_write(served: Server, store: TaskStore) -> None:
    """RFC 9110, section 7.8: an upgrade that is not taken is ignored; SC-005."""
    task = await store.for_user(123).create("x")
    paths = {"POST": TASKS, "PUT": f"{TASKS}/{task.id}", "PATCH": f"{TASKS}/{task.id}"}
    bodies = [((LENGTH, b""), BODY), ((b"", CHUNKED), CHUNKS)]
    for (method, path), (framing, body) in product(paths.items(), bodies):
        head = JAVA % (method.encode(), path.encode(), *framing)
        for parts in (head + body + LAST,), (head, body[:9], body[9:] + LAST):
            found = await answers(served, *parts)

            assert statuses(found) == [201 if method == "POST" else 200, 200], (method, parts)
            assert b'"title":"Buy groceries"' in found[0][1]


@PROTOCOLS
async def test_curl_that_offers_http2_can_write(served: Server) -> None:
    """SC-007: curl --http2, twice over one connection."""
    if which("curl") is None:
        pytest.skip("curl is not installed")
    url = f"{served.url}{TASKS}"
    process = await asyncio.create_subprocess_exec(
        *("curl", "--silent", "--http2", "--json", BODY.decode(), url),
        *("--next", "--silent", "--http2", "--json", BODY.decode(), url),
        *("--write-out", "%{http_code} %{num_connects}"),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()

    assert output.count(b'"title":"Buy groceries"') == 2
    assert output.endswith(b"201 0")


OFFERS = {
    "HTTP/2": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n",
    "WebSocket": b"Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    "TLS": b"Upgrade: TLS/1.0\r\nConnection: Upgrade\r\n",
    "several in a field": b"Upgrade: h2c, websocket, x\r\nConnection: keep-alive, Upgrade\r\n",
    "several fields": b"Upgrade: h2c\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Connection: HTTP2-Settings\r\nUpgrade: x\r\n",
}
"""Fields by which a client offers to change the protocol."""

NO_OFFERS = {
    "nothing": b"Upgrade:\r\nConnection: Upgrade\r\n",
    "no connection field": b"Upgrade: h2c\r\n",
    "no upgrade field": b"Connection: Upgrade\r\n",
}


@PROTOCOLS
@pytest.mark.parametrize("offer", OFFERS)
async def test_an_offered_upgrade_is_ignored(served: Server, store: TaskStore, offer: str) -> None:
    """Each request is answered for what it is, and the connection goes on."""
    fields = b"Host: x\r\nContent-Type: application/json\r\n" + OFFERS[offer]

    def request(method: str, path: str, *, body: bytes = b"", framing: bytes = b"") -> bytes:
        line = f"{method} {path} HTTP/1.1\r\n".encode()
        return line + fields + framing + b"\r\n" + body

    for framing, body in ((LENGTH, BODY), (CHUNKED, CHUNKS)):
        found = await answers(
            served,
            request("POST", TASKS, body=body, framing=framing)
            + request("GET", "/health/live")
            + request("GET", TASKS, body=body, framing=framing)
            + request("PUT", TASKS, body=body, framing=framing)
            + request("POST", TASKS, body=b"{}", framing=b"Content-Length: 2\r\n")
            + LAST,
        )

        assert statuses(found) == [201, 200, 200, 405, 400, 200]
    assert len((await store.for_user(123).list()).items) == 2


@PROTOCOLS
@pytest.mark.parametrize("offer", OFFERS | NO_OFFERS)
async def test_a_body_is_never_run_as_requests(
    served: Server, store: TaskStore, offer: str
) -> None:
    """Whichever protocol a request offers, and whatever its answer is."""
    within = b"POST %s HTTP/1.1\r\nHost: x\r\n%sContent-Type: application/json\r\n\r\n%s" % (
        TASKS.encode(),
        LENGTH,
        BODY,
    )
    framings = [
        (b"Content-Length: %d\r\n" % len(within), within),
        (CHUNKED, b"%x\r\n%s\r\n0\r\n\r\n" % (len(within), within)),
    ]
    requests = [
        ("GET", "application/json", 200),
        ("POST", "application/json", 400),
        ("POST", "text/plain", 415),
        ("PUT", "application/json", 405),
    ]
    for (method, media_type, expected), (framing, body) in product(requests, framings):
        line = f"{method} {TASKS} HTTP/1.1\r\nHost: x\r\nContent-Type: {media_type}\r\n".encode()
        head = line + (OFFERS | NO_OFFERS)[offer] + framing + b"\r\n"
        for parts in (head + body + LAST,), (head, body + LAST):
            found = await answers(served, *parts)

            # Behind an error the connection may be closed.
            assert statuses(found) in ([expected], [expected, 200]), (method, parts)
    assert (await store.for_user(123).list()).items == ()


@PROTOCOLS
async def test_an_expectation_beside_an_upgrade_is_met(served: Server) -> None:
    """RFC 9110, section 10.1.1."""
    reader, writer = await served.connect()
    head = JAVA % (b"POST", TASKS.encode(), LENGTH, b"Expect: 100-continue\r\n")
    writer.write(head)
    continued = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    writer.write(BODY)
    created = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    writer.close()

    assert continued.startswith(b"HTTP/1.1 100 ")
    assert created.startswith(b"HTTP/1.1 201 ")


@PROTOCOLS
@pytest.mark.parametrize("version", [b"HTTP/1.0", b"HTTP/1.1"])
async def test_a_connection_that_is_to_be_closed_is_closed_behind_an_upgrade(
    served: Server, version: bytes
) -> None:
    head = b"POST %s %s\r\nHost: x\r\nConnection: close, Upgrade\r\nUpgrade: h2c\r\n" % (
        TASKS.encode(),
        version,
    )

    found = await answers(
        served, head + b"Content-Type: application/json\r\n" + LENGTH + b"\r\n" + BODY
    )

    assert statuses(found) == [201]


@PROTOCOLS
@pytest.mark.parametrize("target", [b"tasks.example:443", TASKS.encode()])
async def test_connect_opens_no_tunnel(served: Server, target: bytes) -> None:
    """The bytes that follow belong to the tunnel, and are not run."""
    head = b"CONNECT %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % target

    (status, _), *others = await answers(served, head + LAST)

    assert status in (400, 404, 405)
    assert others == []


@PROTOCOLS
async def test_a_broken_body_behind_an_upgrade_stores_nothing(
    served: Server, store: TaskStore
) -> None:
    head = JAVA % (b"POST", TASKS.encode(), b"", CHUNKED)

    found = await answers(served, head + b"1a\r\n" + BODY + b"\r\nnonsense\r\n")

    assert statuses(found) == [400]
    assert (await store.for_user(123).list()).items == ()


@PROTOCOLS
async def test_a_header_may_have_64_kib(served: Server) -> None:
    """FR-015: the server refuses a longer one in its own words."""
    line = b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: "
    longest = line.ljust(MAX_HEAD - 4, b"x")

    assert statuses(await answers(served, longest[:1000], longest[1000:] + b"\r\n\r\n")) == [200]
    assert statuses(await answers(served, longest[:1000], longest[1000:] + b"xxxxx")) == [400]


@PROTOCOLS
async def test_a_header_of_64_mib_is_not_read(served: Server) -> None:
    """The connection is closed at 64 KiB and what had been received by then."""
    _reader, writer = await served.connect()
    writer.write(b"GET /health/live HTTP/1.1\r\nHost: x\r\nX: ")
    sent = 0
    with contextlib.suppress(ConnectionError):
        while sent < 1024:
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 1
    writer.close()

    assert sent < 512  # less than 32 MiB, for the buffers of both sides


@PROTOCOLS
async def test_chunks_may_not_carry_anything_endless_beside_the_body(served: Server) -> None:
    """An extension of a chunk and a trailer are bounded as the header is."""
    head = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" % TASKS.encode()
    for begun in (b"2;x=", b"2\r\n{}\r\n0\r\nX: "):
        found = await answers(
            served, head + CHUNKED + b"\r\n" + begun, b"x" * 100_000, b"x" * 300_000
        )
        assert statuses(found) == [400]


def test_the_faster_parser_is_used_where_it_is_installed() -> None:
    assert HttpProtocol is HttpToolsProtocol


@PROTOCOLS
async def test_a_trailer_is_not_a_field_of_the_header(served: Server, store: TaskStore) -> None:
    """RFC 9110, section 6.5.1: a proxy in front has not looked at it."""
    head = f"POST {TASKS} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n".encode() + CHUNKED + b"\r\n"
    body = b"%x\r\n%s\r\n0\r\nContent-Type: application/json\r\n\r\n" % (len(BODY), BODY)

    (status, _), *others = await answers(served, head + body)

    assert (status, others) == (415, [])
    assert (await store.for_user(123).list()).items == ()
