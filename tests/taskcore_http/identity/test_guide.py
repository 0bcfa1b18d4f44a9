"""The application of the guide to sign-in answers a request with a token."""

import json
import re
import time
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI

from taskcore_http.identity import bearer
from tests.databases import Database
from tests.taskcore_http.answers import error_of, task_of, tasks_of
from tests.taskcore_http.client import client_of
from tests.taskcore_http.identity.issuing import claims, rsa_key, token

GUIDE = Path(__file__).parents[3] / "docs/howto/sign-in.md"
ISSUER = "https://tenant.eu.auth0.com/"


async def fetched(url: str) -> tuple[bytes, float | None]:
    """What the issuer publishes."""
    assert url.startswith(ISSUER)
    if url.endswith("/.well-known/openid-configuration"):
        return json.dumps({"issuer": ISSUER, "jwks_uri": f"{ISSUER}keys"}).encode(), None
    return json.dumps({"keys": [rsa_key().jwk(kid="k", alg="RS256")]}).encode(), None


async def test_the_guides_application_serves_a_caller_who_has_a_token(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ID-701."""
    monkeypatch.setenv("TASKCORE_DATABASE_URL", database.url)
    monkeypatch.setattr(bearer, "fetch_url", fetched)
    code = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)[0]
    names: dict[str, FastAPI] = {}
    exec(code, names)  # noqa: S102
    app = names["app"]
    now = int(time.time())
    payload = claims(iss=ISSUER, aud="https://tasks.example.com", iat=now, exp=now + 600)

    async with app.router.lifespan_context(app), client_of(app) as client:
        error_of(await client.get("/me/tasks"), 401, "UNAUTHENTICATED")
        client.headers["Authorization"] = f"Bearer {token(payload).decode()}"
        task = task_of(await client.post("/me/tasks", json={"title": "x"}), 201)
        assert tasks_of(await client.get("/me/tasks")) == [task]
        answer: httpx2.Response = await client.get("/me")
        assert answer.json() == {"user_id": task["user_id"]}
