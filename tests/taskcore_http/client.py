"""A client of an application in this process."""

import httpx2
from starlette.types import ASGIApp


def client_of(app: ASGIApp) -> httpx2.AsyncClient:
    """Return a client to whom a failure of the application is an answer, as over a network."""
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=transport, base_url="http://testserver")
