"""Compression of answers, except those that are one task."""

from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

_SMALLEST = 1000
"""Bytes; a smaller answer fits into one packet anyway."""


class Compression:
    """Compress answers with gzip for clients that accept it.

    A compressed answer is another representation, and needs another strong ETag (RFC 9110,
    section 8.8.3), which a client could not send back in If-Match. So one task is never
    compressed, neither where it is read nor where it is created or changed; the ETag of a list
    is weak.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._plain = app
        self._compressing = GZipMiddleware(app, minimum_size=_SMALLEST, compresslevel=5)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        # The answer to any other method is a task, or short.
        is_list = (
            scope["type"] == "http"
            and scope["method"] in ("GET", "HEAD")
            and not scope["path"].rpartition("/")[2].isdigit()
        )
        await (self._compressing if is_list else self._plain)(scope, receive, send)
