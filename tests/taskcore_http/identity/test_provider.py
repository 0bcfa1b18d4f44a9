"""A real OpenID provider, end to end: a person signs in, and the token reaches the tasks.

The provider is Authlib's, in the package oidc-provider-mock. Its access tokens are opaque, so the
ID token is the one that is sent here.
"""

import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from taskcore import TaskStore
from taskcore_http import Bearer, Issuer, create_app
from tests.ports import free_port
from tests.taskcore_http.answers import error_of, task_of, tasks_of
from tests.taskcore_http.client import client_of

CLIENT = "tasks"
REDIRECT = "https://app.example/signed-in"


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """The URL of a provider, which is its issuer."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "oidc_provider_mock", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while True:
            assert process.poll() is None, "the provider did not start"
            with suppress(OSError), socket.create_connection(("localhost", port)):
                break
            time.sleep(0.05)
        yield f"http://localhost:{port}"
    finally:
        process.terminate()
        process.wait()


async def _sign_in(provider: str, subject: str) -> dict[str, str]:
    """Go through the code flow as a browser and a client do (OpenID Connect Core, section 3.1)."""
    nonce, state = secrets.token_urlsafe(), secrets.token_urlsafe()
    asked = {
        "client_id": CLIENT,
        "redirect_uri": REDIRECT,
        "response_type": "code",
        "scope": "openid email",
        "nonce": nonce,
        "state": state,
    }
    async with httpx2.AsyncClient(trust_env=False) as browser:
        found = (await browser.get(f"{provider}/.well-known/openid-configuration")).json()
        page = await browser.get(found["authorization_endpoint"], params=asked)
        assert page.status_code == 200
        back = await browser.post(
            found["authorization_endpoint"], params=asked, data={"sub": subject}
        )
        assert back.status_code == 302
        answer = parse_qs(urlsplit(back.headers["Location"]).query)
        assert answer["state"] == [state]
        tokens = await browser.post(
            found["token_endpoint"],
            auth=(CLIENT, "any"),
            data={
                "grant_type": "authorization_code",
                "code": answer["code"][0],
                "redirect_uri": REDIRECT,
            },
        )
    given: dict[str, str] = tokens.json()
    return given


async def test_a_person_who_signed_in_reaches_their_tasks(store: TaskStore, provider: str) -> None:
    """ID-505: discovery, the keys and the token are the provider's."""
    bearer = Bearer(Issuer(provider, audience=CLIENT, accept_id_tokens=True))
    ann, bob = [await _sign_in(provider, subject) for subject in ("ann", "bob")]
    async with client_of(create_app(store=store, identity=bearer)) as client:

        def has(token: str) -> dict[str, str]:
            return {"Authorization": f"Bearer {token}"}

        created = await client.post(
            "/me/tasks", json={"title": "mine"}, headers=has(ann["id_token"])
        )
        task = task_of(created, 201)
        assert tasks_of(await client.get("/me/tasks", headers=has(ann["id_token"]))) == [task]
        assert tasks_of(await client.get("/me/tasks", headers=has(bob["id_token"]))) == []
        error_of(
            await client.get(f"/users/{task['user_id']}/tasks", headers=has(bob["id_token"])), 404
        )
        opaque = await client.get("/me/tasks", headers=has(ann["access_token"]))
        error_of(opaque, 401, "UNAUTHENTICATED")
    await bearer.close()


async def test_by_default_an_id_token_is_no_access_token(store: TaskStore, provider: str) -> None:
    """ID-505, ID-306."""
    bearer = Bearer(Issuer(provider, audience=CLIENT))
    token = (await _sign_in(provider, "ann"))["id_token"]
    async with client_of(create_app(store=store, identity=bearer)) as client:
        refused = await client.get("/me/tasks", headers={"Authorization": f"Bearer {token}"})
        assert error_of(refused, 401, "UNAUTHENTICATED")["message"] == (
            "the token is an ID token, not an access token"
        )
    await bearer.close()
