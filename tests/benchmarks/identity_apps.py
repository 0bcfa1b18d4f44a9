"""Our API with a `Bearer`, for ``uvicorn --factory``. The key comes from the environment."""

import json
import os
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI

from taskcore_http import Bearer, Issuer, create_app
from tests.benchmarks.freezing import frozen

ISSUER = "https://issuer.example/"
AUDIENCE = "https://tasks.example"
SUBJECT = "auth0|5f7c8ec7c33c6c004bbafe82"


@dataclass(frozen=True)
class Signer:
    """A key of the issuer.

    Attributes:
        name: The algorithm.
        jwk: The public key.
    """

    name: str
    jwk: dict[str, Any]


def with_api_tokens() -> FastAPI:
    """Make our application with the user of an API token."""
    return frozen(create_app(identity=Bearer(api_tokens=True)))


def identified() -> FastAPI:
    """Make our application with the identity of an issuer's token."""
    key = json.loads(os.environ["BENCH_JWK"]) | {"kid": "k"}
    cache = int(os.environ["BENCH_VERIFIED_CACHE"])

    async def fetch(_url: str) -> tuple[bytes, float | None]:
        return json.dumps({"keys": [key]}).encode(), None

    issuer = Issuer(ISSUER, audience=AUDIENCE, jwks_url=f"{ISSUER}keys", algorithms=(key["alg"],))
    bearer = Bearer(issuer, fetch=fetch, verified_cache=cache)
    return frozen(create_app(identity=bearer))
