"""A FastAPI application for opaque tokens: the issuer says whose each one is (RFC 7662).

    pip install 'taskcore[embedded,http]' httpx2
    export INTROSPECTION_URL=https://issuer.example/introspect AUDIENCE=https://tasks.example
    export CLIENT_ID=tasks CLIENT_SECRET=…
    uvicorn --factory examples.introspection:create_app

Each request asks the issuer, so that a token that was revoked is refused at once.
"""

import os
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager

import httpx2
from fastapi import FastAPI

from taskcore import TaskStore
from taskcore_http import (
    Authenticator,
    KeysUnavailable,
    Principal,
    TokenRefused,
    bearer_token,
    create_router,
)


class Introspection(Authenticator):
    """An identity that asks an issuer about tokens."""

    provision = "on_write"

    def __init__(self, client: httpx2.AsyncClient, url: str, audience: str) -> None:
        self._client = client
        self._url = url
        self._audience = audience

    async def authenticate(self, headers: Iterable[tuple[bytes, bytes]]) -> Principal:
        """Return the caller whom the issuer names."""
        token = bearer_token(headers)
        try:
            response = await self._client.post(self._url, data={"token": token.decode("latin-1")})
            response.raise_for_status()
            said = response.json()
        except (httpx2.HTTPError, ValueError, RecursionError):
            # 503, not 401: the token may be valid.
            raise KeysUnavailable(self._url, retry_after=5) from None
        if not isinstance(said, dict) or said.get("active") is not True:
            raise TokenRefused("inactive")
        audience = said.get("aud")
        if self._audience not in (audience if isinstance(audience, list) else [audience]):
            raise TokenRefused("aud")
        if "cnf" in said:
            # It is bound to a key of its sender, which is not checked here (RFC 9449).
            raise TokenRefused("cnf")
        if str(said.get("token_type", "bearer")).lower() not in ("access_token", "bearer"):
            raise TokenRefused("typ")
        issuer, subject, scope = said.get("iss", self._url), said.get("sub"), said.get("scope", "")
        if not isinstance(issuer, str) or not isinstance(subject, str):
            raise TokenRefused("sub")
        if not isinstance(scope, str):
            raise TokenRefused("scopes")
        return Principal(issuer, subject, frozenset(scope.split()), said.get("exp", 0))

    def challenge(self, refused: TokenRefused) -> str:
        """Return the value of ``WWW-Authenticate`` (RFC 6750, section 3)."""
        return f'Bearer error="{refused.error}"' if refused.error else "Bearer"


def create_app(environment: Mapping[str, str] = os.environ) -> FastAPI:
    """Make the application."""
    store = TaskStore()
    # Not redirected, and no proxy of the environment: the token is a secret.
    client = httpx2.AsyncClient(
        auth=(environment["CLIENT_ID"], environment["CLIENT_SECRET"]), trust_env=False, timeout=5
    )
    identity = Introspection(client, environment["INTROSPECTION_URL"], environment["AUDIENCE"])

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with store, client:
            yield

    app = FastAPI(lifespan=lifespan)
    app.include_router(create_router(store, identity=identity))
    return app
