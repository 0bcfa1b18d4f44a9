"""``/docs``, also without the internet: Swagger UI from the package fastapi-offline."""

from importlib import resources
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

_HERE = Path(str(resources.files("taskcore_http.docs")))

_HEADERS = {
    # Nothing is loaded from elsewhere, and no text of the document runs as a script.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


_SESSION = b"""\
<p id="session" role="status" data-page="."></p>
<script src="docs/assets/session.js"></script>
"""


def docs_routes(*, sessions: bool = False) -> list[BaseRoute]:
    """Make the page at ``/docs``, and at ``/`` if nothing else is there, and what it loads.

    Args:
        sessions: Whether browsers have sessions. Then the page shows who is signed in.
    """
    page = (_HERE / "page.html").read_bytes()
    page = page.replace(b"<!-- session -->\n", _SESSION if sessions else b"")

    async def show(_request: Request) -> Response:
        return HTMLResponse(page, headers=_HEADERS)

    assets = StaticFiles(directory=_HERE / "assets", packages=[("fastapi_offline", "static")])
    return [Route("/", show), Route("/docs", show), Mount("/docs/assets", assets)]
