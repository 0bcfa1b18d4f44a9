"""Fetching a key set or a discovery document over HTTP."""

import asyncio
import http.client
import re
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import closing, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from taskcore.version import __version__

Fetch = Callable[[str], Awaitable[tuple[bytes, float | None]]]
"""Returns the content at a URL and, if the answer names one, its ``max-age`` in seconds.

It must not follow redirects. If it raises an exception, the fetch has failed.
"""

MAX_CONTENT = 64 * 1024
"""The most bytes of a document that is fetched."""

TIMEOUT = 5.0
"""The most seconds for fetching one document."""

_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "Connection": "close",
    "User-Agent": f"taskcore/{__version__}",
}

_MAX_AGE = re.compile(r"(?:^|[,\s])max-age=(\d{1,9})(?=$|[,\s])", re.IGNORECASE)


class FetchFailed(Exception):
    """The content could not be fetched. The text says why; nothing in it is from a server."""


async def fetch_url(url: str) -> tuple[bytes, float | None]:
    """Return the content at a URL, and the ``max-age`` of the answer.

    Redirects are not followed and proxies are not used, because both would let others choose
    the keys. The request runs in a thread, and its connection is cut off after 5 seconds.

    Raises:
        FetchFailed: There is no answer in time, or not one with the status 200 and a content of
            at most 64 KiB.
    """
    return await _exchanged(_Exchange(url))


async def clock_of(url: str) -> float | None:
    """Return by how many seconds the clock of a server is ahead of this machine's.

    None: the answer has no date (RFC 9110, section 6.6.1). It has whole seconds, and was made
    up to some seconds ago.

    Raises:
        FetchFailed: As `fetch_url`.
    """
    exchange = _Exchange(url)
    await _exchanged(exchange)
    if exchange.date is None:
        return None
    return exchange.date.timestamp() - time.time()


async def _exchanged(exchange: "_Exchange") -> tuple[bytes, float | None]:
    # Not in the loop's own executor: that has few threads, and the process waits for them.
    threading.Thread(target=exchange.run, name="taskcore-fetch", daemon=True).start()
    try:
        async with asyncio.timeout(TIMEOUT):
            return await asyncio.wrap_future(exchange.answer)
    except TimeoutError:
        failure = f"no answer within {TIMEOUT:g} seconds"
    except OSError as exc:
        failure = str(exc)
    except http.client.HTTPException as exc:
        # The texts of these exceptions can repeat the answer.
        failure = f"the answer is not HTTP: {type(exc).__name__}"
    finally:
        exchange.cut_off()
    raise FetchFailed(failure)


class _Exchange:
    """One request and its answer, which another thread can cut off."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._socket: socket.socket | None = None
        self._is_cut_off = False
        self.date: datetime | None = None
        self.answer: Future[tuple[bytes, float | None]] = Future()
        self.answer.set_running_or_notify_cancel()

    def run(self) -> None:
        """Send the request, and wait for the answer."""
        try:
            self.answer.set_result(self._get())
        except Exception as exc:  # noqa: BLE001  (raised again by the thread that waits)
            self.answer.set_exception(exc)

    def cut_off(self) -> None:
        """Wake up the thread that waits for a server."""
        self._is_cut_off = True
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def _get(self) -> tuple[bytes, float | None]:
        query = f"?{self._parts.query}" if self._parts.query else ""
        with closing(self._connection()) as connection:
            connection.connect()
            self._socket = connection.sock
            if self._is_cut_off:
                raise FetchFailed("the connection came too late")
            connection.request("GET", (self._parts.path or "/") + query, headers=_HEADERS)
            with connection.getresponse() as response:
                self.date = _date(response.headers.get("Date"))
                if response.status != 200:
                    raise FetchFailed(f"the status is {response.status}")
                content = response.read(MAX_CONTENT + 1)
                if len(content) > MAX_CONTENT:
                    raise FetchFailed(f"the content has more than {MAX_CONTENT} bytes")
                return content, _max_age(response.headers.get("Cache-Control", ""))

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._parts.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=context)
        return http.client.HTTPConnection(host, port, timeout=TIMEOUT)


def _date(field: str | None) -> datetime | None:
    try:
        found = None if field is None else parsedate_to_datetime(field)
    except ValueError:
        return None
    # Without an offset it is UTC (RFC 5322, section 3.3).
    return found if found is None or found.tzinfo else found.replace(tzinfo=UTC)


def _max_age(field: str) -> float | None:
    """Return the freshness lifetime of ``Cache-Control`` (RFC 9111, section 5.2.2)."""
    found = _MAX_AGE.search(field)
    return float(found[1]) if found else None
