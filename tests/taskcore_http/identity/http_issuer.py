"""An issuer that speaks HTTP on a port of this machine, and misbehaves as it is told."""

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

Answer = bytes | None
"""The bytes of an answer; None: say nothing and keep the connection."""


def answer(
    content: bytes | dict[str, Any] | list[Any],
    status: str = "200 OK",
    fields: tuple[str, ...] = (),
) -> bytes:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields, "", ""]
    return "\r\n".join(lines).encode() + body


def _is_whole(request: bytes) -> bool:
    head, end, content = request.partition(b"\r\n\r\n")
    length = re.search(rb"\ncontent-length: *([0-9]+)", head, re.IGNORECASE)
    return bool(end) and len(content) >= (int(length[1]) if length else 0)


class HttpIssuer:
    """A server of raw answers; each connection has one request, and its thread."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self.answers: dict[str, Answer] = {}
        self.drip: float | None = None
        """Seconds between two bytes of an answer."""
        self.requests: list[str] = []
        self.ended = threading.Event()
        self.hung_up = threading.Event()
        """Set when a client has closed a connection that got no answer."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def serve(self) -> None:
        while not self.ended.is_set():
            try:
                connection, _address = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._handle, args=(connection,), daemon=True).start()

    def _handle(self, connection: socket.socket) -> None:
        with connection:
            try:
                self._exchange(connection)
            except OSError:
                self.hung_up.set()

    def _exchange(self, connection: socket.socket) -> None:
        received = b""
        while not _is_whole(received):
            chunk = connection.recv(65_536)
            if not chunk:
                return
            received += chunk
        self.requests.append(received.decode())
        reply = self.answers.get(received.split(b" ")[1].decode(), answer(b"", "404 Not Found"))
        if reply is None:
            connection.recv(1)
            self.hung_up.set()
        elif self.drip is None:
            connection.sendall(reply)
        else:
            for byte in reply:
                if self.ended.wait(self.drip):
                    return
                connection.sendall(bytes([byte]))


@contextmanager
def http_issuer() -> Iterator[HttpIssuer]:
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        issuer = HttpIssuer(listener)
        thread = threading.Thread(target=issuer.serve, daemon=True)
        thread.start()
        yield issuer
        issuer.ended.set()
        # Closing a socket does not wake up a thread that accepts from it.
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()
