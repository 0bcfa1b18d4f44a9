"""Compression of answers, except those that are one task."""

from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

_SMALLEST = 1000
"""Bytes; a smaller answer fits into one packet anyway."""


class Compression:
    """Compress answers with gzip for clients that accept it.

    A compressed answer is another representation, and needs another strong ETag (RFC 9110,
    section 8.8.3), which a client could not send back in If-Match. So one task is never
    compressed; the ETag of a list is weak.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._plain = app
        self._compressing = GZipMiddleware(app, minimum_size=_SMALLEST, compresslevel=5)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        one = scope["type"] == "http" and scope["path"].rpartition("/")[2].isdigit()
        await (self._plain if one else self._compressing)(scope, receive, send)
