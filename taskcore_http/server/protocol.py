r"""HTTP protocol classes for uvicorn, which ignore upgrades and have deadlines.

``taskctl serve`` uses `HttpProtocol`. To start uvicorn by hand, name it::

    uvicorn --factory taskcore_http.app:app_from_environment \
        --http taskcore_http.server.protocol:HttpProtocol --ws none

An upgrade that is offered and not taken is ignored (RFC 9110, section 7.8): the body is
read and the request is answered as if the field were absent. uvicorn with httptools
drops the body and runs its bytes as requests (https://github.com/Kludex/uvicorn/issues/2722).
"""

from typing import Any

import h11
from uvicorn.protocols.http import h11_impl

from taskcore_http.server.deadlines import Deadlines

try:
    import httptools
    from uvicorn.protocols.http import httptools_impl
except ImportError:  # uvicorn without its extra "standard"
    httptools = None  # type: ignore[assignment]

MAX_HEAD = 64 * 1024
"""Longest header of a request, including its first line, in bytes."""


class H11Protocol(Deadlines, h11_impl.H11Protocol):
    """uvicorn's protocol class over h11, a parser in Python, with deadlines."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn = h11.Connection(h11.SERVER, MAX_HEAD)

    def _should_upgrade(self) -> bool:
        if super()._should_upgrade():
            return True
        # h11 reads the body. The application need not know of the offer.
        self.headers[:] = [field for field in self.headers if field[0] != b"upgrade"]
        return False

    def _unsupported_upgrade_warning(self) -> None:
        pass  # offering an upgrade is not a fault


if httptools is None:
    HttpProtocol: type[Deadlines] = H11Protocol
else:

    class HttpToolsProtocol(Deadlines, httptools_impl.HttpToolsProtocol):
        """uvicorn's protocol class over httptools, a parser in C, with deadlines.

        httptools stops after the header of a request that offers an upgrade, and reads the
        body as the next request. At that point the application has not started. So the header
        is parsed a second time without its Upgrade fields, and the body and the requests after
        it are read as usual.
        """

        _unframed = 0
        """Bytes received since the last header or part of a body was complete."""

        _in_header = True

        def data_received(self, data: bytes) -> None:
            """Parse the bytes; refuse what is not HTTP and a header that is too long."""
            self._unset_keepalive_if_required()
            self._unframed += len(data)
            try:
                while data:
                    data = self._parsed(data)
                self._check_size(self._unframed)
            except httptools.HttpParserError:
                message = "Invalid HTTP request received."
                self.logger.warning(message)
                self.send_400_response(message)

        def _parsed(self, data: bytes) -> bytes:
            """Parse the bytes and return those that have to be parsed next."""
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as stopped:
                if self._should_upgrade():
                    self.handle_websocket_upgrade()
                    return b""
                if self.parser.get_method() == b"CONNECT":
                    raise httptools.HttpParserError("this is not a proxy") from None
                head = self._head_without_upgrade()
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
                return head + data[stopped.args[0] :]
            return b""

        def _head_without_upgrade(self) -> bytes:
            line = b"%s %s HTTP/%s" % (
                self.parser.get_method(),
                self.url,
                self.parser.get_http_version().encode(),
            )
            fields = [b"%s: %s" % field for field in self.headers if field[0] != b"upgrade"]
            return b"\r\n".join([line, *fields, b"", b""])

        def _check_size(self, size: int) -> None:
            if size > MAX_HEAD:
                raise httptools.HttpParserError("the header is too long")

        def on_message_begin(self) -> None:
            """Begin a request."""
            self._in_header = True
            super().on_message_begin()

        def on_header(self, name: bytes, value: bytes) -> None:
            """Take a field of the header; a trailer is not one (RFC 9110, section 6.5.1)."""
            if self._in_header:
                super().on_header(name, value)

        def on_headers_complete(self) -> None:
            """Start the application, unless the header is to be parsed again."""
            self._in_header = False
            if self._unframed > MAX_HEAD:
                # A body, or further requests, may have come with it.
                self._check_size(len(self._head_without_upgrade()))
            self._unframed = 0
            if not self.parser.should_upgrade() or self._should_upgrade():
                super().on_headers_complete()

        def on_body(self, body: bytes) -> None:
            """Pass on a part of the body."""
            self._unframed = 0
            super().on_body(body)

        def on_message_complete(self) -> None:
            """End the body, unless the header is to be parsed again."""
            if not self.parser.should_upgrade():
                super().on_message_complete()

    HttpProtocol = HttpToolsProtocol
