"""The REST API with API tokens: what they reach, how they are made, and what refused ones learn."""

import logging
import re
import traceback
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import httpx2
import pytest
from fastapi import FastAPI, Request

from taskcore import ConfigurationError, Settings, TaskStore, TokenSecret
from taskcore_http import Bearer, TokenRefused, create_app, create_router
from taskcore_http.identity.configured import bearer_of
from tests.taskcore_http.answers import error_of, task_of, tasks_of
from tests.taskcore_http.client import client_of
from tests.taskcore_http.identity.issuing import ISSUER, Publisher, rsa_key, rules
from tests.taskcore_http.identity.test_api import signed, signed_in
from tests.wire import Wire

NOT_ACCEPTED = (
    'Bearer realm="taskcore", error="invalid_token", '
    'error_description="the API token is not accepted"'
)
ALONE = Bearer(api_tokens=True)
TOKENS = [
    ("GET", "/me/tokens", None),
    ("HEAD", "/me/tokens", None),
    ("POST", "/me/tokens", {"name": "x"}),
    ("DELETE", "/me/tokens/7", None),
    ("POST", "/me/tokens/7/rotate", None),
]


def beside(**arguments: Any) -> Bearer:
    """A `Bearer` with an issuer and API tokens."""
    publisher = Publisher(rsa_key().jwk(kid="k", alg="RS256"))
    return Bearer(rules(), api_tokens=True, fetch=publisher.fetch, **arguments)


def with_token(app: FastAPI, secret: str) -> httpx2.AsyncClient:
    client = client_of(app)
    client.headers["Authorization"] = f"Bearer {secret}"
    return client


async def made(store: TaskStore, *scopes: str, user: int = 42) -> str:
    token = await store.for_user(user).tokens.create("x", scopes=scopes or ["tasks:read"])
    return token.secret.get_secret_value()


@pytest.mark.parametrize("identity", [ALONE, beside()], ids=["alone", "beside an issuer"])
@pytest.mark.parametrize("mounted", [False, True])
async def test_a_token_reaches_the_tasks_of_its_user_only(
    store: TaskStore, identity: Bearer, *, mounted: bool
) -> None:
    """ID-816, ID-807."""
    app = create_app(store=store, identity=identity)
    if mounted:
        app = FastAPI()
        app.include_router(create_router(store, identity=identity))
    theirs = await store.for_user(43).create("theirs")
    async with with_token(app, await made(store, "tasks:read", "tasks:write")) as client:
        task = task_of(await client.post("/me/tasks", json={"title": "mine"}), 201)
        assert task["user_id"] == 42
        assert (await client.get("/me")).json() == {"user_id": 42}
        for whose in ("/me", "/users/42"):
            response = await client.get(f"{whose}/tasks")
            assert tasks_of(response) == [task]
            assert response.headers["cache-control"] == "no-store"
            error_of(await client.get(f"{whose}/tasks/{theirs.id}"), 404)
        for user in (43, 7):
            error = error_of(await client.get(f"/users/{user}/tasks"), 404)
            assert error["message"] == "user not found"
    async with with_token(app, signed("ann")) as client:
        status = 401 if identity is ALONE else 200
        assert (await client.get("/me/tasks")).status_code == status


async def test_a_caller_makes_lists_replaces_and_revokes_tokens(store: TaskStore) -> None:
    """ID-817, ID-810."""
    app = create_app(store=store, identity=beside())
    async with signed_in(app, "ann") as ann:
        assert (await ann.get("/me/tokens")).json() == []
        response = await ann.post("/me/tokens", json={"name": " laptop "})
        assert response.status_code == 201
        assert response.headers["cache-control"] == "no-store"
        new = response.json()
        secret = new.pop("token")
        assert re.fullmatch("taskcore_pat_[0-9A-Za-z]{51}", secret)
        assert (new["name"], new["scopes"], new["last_used_on"]) == ("laptop", ["tasks:read"], None)
        made, ends = (datetime.fromisoformat(new[name]) for name in ("created_at", "expires_at"))
        assert ends - made == timedelta(days=90)
        response = await ann.get("/me/tokens")
        assert response.headers["cache-control"] == "no-store"
        assert response.json() == [new]
        assert (await ann.head("/me/tokens")).status_code == 200

        user = (await ann.get("/me")).json()["user_id"]
        async with with_token(app, secret) as client:
            assert (await client.get("/me")).json() == {"user_id": user}

        rotated = (await ann.post(f"/me/tokens/{new['id']}/rotate")).json()
        assert rotated["token"] != secret
        # The old token goes on for a day, but has one successor.
        error = error_of(await ann.post(f"/me/tokens/{new['id']}/rotate"), 400)
        assert error["details"] == {"field": "token_id", "constraint": "replaced"}
        assert len((await ann.get("/me/tokens")).json()) == 2
        for _ in range(2):
            response = await ann.delete(f"/me/tokens/{new['id']}")
        error_of(response, 404)
        async with with_token(app, secret) as client:
            error_of(await client.get("/me"), 401)
        async with with_token(app, rotated["token"]) as client:
            assert (await client.get("/me")).status_code == 200
        response = await ann.delete(f"/me/tokens/{rotated['id']}")
        assert response.json() == {"message": "token revoked"}

        forever = {"name": "x", "scopes": ["tasks:write"], "expires_in_days": None}
        made = (await ann.post("/me/tokens", json=forever)).json()
        assert (made["expires_at"], made["scopes"]) == (None, ["tasks:write"])
        # Bob has no such token, and neither has anybody.
        async with signed_in(app, "bob") as bob:
            for token_id in (made["id"], 7):
                for call in (bob.delete, lambda path: bob.post(f"{path}/rotate")):
                    error = error_of(await call(f"/me/tokens/{token_id}"), 404)
                    assert error["message"] == "token not found"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": "x", "scopes": []}, "scopes"),
        ({"name": "x", "scopes": ["admin"]}, "scopes"),
        ({"name": "x", "scopes": "tasks:read"}, "scopes"),
        ({"name": "x", "scopes": None}, "scopes"),
        ({"name": "x", "expires_in_days": 367}, "expires_in_days"),
        ({"name": "x", "user_id": 43}, "user_id"),
    ],
)
async def test_a_token_that_cannot_be_made_is_explained(
    store: TaskStore, body: dict[str, Any], field: str
) -> None:
    """ID-803. better-auth CVE-2025-61928: no body names another user."""
    async with signed_in(create_app(store=store, identity=beside()), "ann") as ann:
        error = error_of(await ann.post("/me/tokens", json=body), 400)
        assert error["details"]["field"] == field
        assert (await ann.get("/me/tokens")).json() == []
        error_of(await ann.delete("/me/tokens/007"), 400)
        error_of(await ann.get("/me/tokens?limit=1"), 400)
        error_of(await ann.post("/me/tokens/1"), 405)


async def test_no_token_makes_shows_or_ends_tokens(store: TaskStore) -> None:
    """ID-805: pocket-id#1334."""
    for identity in (ALONE, beside()):
        app = create_app(store=store, identity=identity)
        async with with_token(app, await made(store, "tasks:read", "tasks:write")) as client:
            for method, path, body in TOKENS:
                response = await client.request(method, path, json=body)
                if method == "HEAD":
                    assert response.status_code == 403
                else:
                    error_of(response, 403, "FORBIDDEN")
                assert 'error="insufficient_scope"' in response.headers["www-authenticate"]
                assert "scope=" not in response.headers["www-authenticate"]
        async with with_token(app, TokenSecret.random().get_secret_value()) as client:
            for method, path, body in TOKENS:
                response = await client.request(method, path, json=body)
                assert response.status_code == 401
    assert len(await store.for_user(42).tokens.list()) == 2


@pytest.mark.parametrize("scope", ["tasks:read", "tasks:write"])
async def test_every_route_of_the_document_asks_for_its_scope(store: TaskStore, scope: str) -> None:
    """ID-804: gitea GHSA-mg4f-x9v4-6h2p, where one endpoint did not ask."""
    app = create_app(store=store, identity=beside())
    task = await store.for_user(42).create("x")
    asked = 0
    async with with_token(app, await made(store, scope)) as client:
        for path, operations in app.openapi()["paths"].items():
            for method, operation in operations.items():
                if "security" not in operation:
                    continue
                asked += 1
                url = path.format(user_id=42, task_id=task.id, token_id=7)
                body = {"title": "y"} if "tasks" in operation["operationId"] else {"name": "x"}
                body = {"title": "y"} if "/tasks" in path else body
                several = path.endswith("/tasks") and method in ("patch", "delete")
                query = {"ids": task.id} if several else None
                response = await client.request(method, url, json=body, params=query)
                needed = "tasks:read" if method == "get" else "tasks:write"
                if "/tokens" in path:
                    error_of(response, 403)
                elif needed != scope:
                    assert error_of(response, 403)["message"].endswith(f"the scope {needed}")
                    assert response.headers["www-authenticate"] == (
                        'Bearer realm="taskcore", error="insufficient_scope", '
                        f'error_description="the token lacks a scope", scope="{needed}"'
                    )
                    assert response.headers["cache-control"] == "no-store"
                else:
                    # The second deletion finds nothing.
                    assert response.status_code in (200, 201, 404), (method, path)
    assert asked == 23


async def test_a_refused_token_has_one_answer(
    store: TaskStore, owner: asyncpg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    """ID-806: unknown, malformed, expired, revoked, of a blocked user; also for another's path."""
    caplog.set_level(logging.DEBUG)
    app = create_app(store=store, identity=beside())
    secrets = [await made(store, user=user) for user in (42, 43, 44)]
    secrets.append(TokenSecret.random().get_secret_value())
    secrets.append(secrets[0][:-1] + ("0" if secrets[0][-1] != "0" else "1"))
    secrets.append("taskcore_pat_")
    await owner.execute("UPDATE taskcore.tokens SET expires_at = now() WHERE user_id = 42")
    await owner.execute("UPDATE taskcore.users SET blocked_at = now() WHERE id = 43")
    (revoked,) = await store.for_user(44).tokens.list()
    await store.for_user(44).tokens.revoke(revoked.id)

    answers = set()
    for secret in secrets:
        async with with_token(app, secret) as client:
            for path in ("/me", "/me/tasks", "/users/42/tasks", "/users/7/tasks/1"):
                response = await client.get(path)
                error_of(response, 401, "UNAUTHENTICATED")
                assert response.headers["www-authenticate"] == NOT_ACCEPTED
                assert response.headers["cache-control"] == "no-store"
                answers.add(response.text)
    assert len(answers) == 1
    refusals = [record.message for record in caplog.records if record.message.startswith("refused")]
    assert set(refusals) == {"refused: api_token (issuer: API tokens)"}
    for secret in secrets[:4]:
        assert not [part for part in (secret, secret[13:], secret[-12:]) if part in caplog.text]


@pytest.mark.parametrize("identity", [ALONE, beside()], ids=["alone", "beside an issuer"])
async def test_a_refused_form_shows_nothing_of_the_token(identity: Bearer) -> None:
    """ID-813: also in the traceback, which error trackers keep with all variables."""
    secret = TokenSecret.random().get_secret_value()
    with pytest.raises(TokenRefused) as caught:
        await identity.authenticate([(b"authorization", f"Bearer {secret}0".encode())])

    exc = caught.value
    assert (exc.reason, exc.__cause__, exc.__context__) == ("api_token", None, None)
    frames = [frame.f_code.co_name for frame, _line in traceback.walk_tb(exc.__traceback__)]
    assert frames[1:] == ["authenticate"]
    assert secret[13:] not in repr(exc) + "".join(traceback.format_exception(exc))
    accepted = await identity.authenticate([(b"authorization", f"Bearer {secret}".encode())])
    assert secret not in f"{accepted} {accepted!r}"


async def test_a_bearer_without_api_tokens_takes_none(store: TaskStore) -> None:
    """ID-816."""
    publisher = Publisher(rsa_key().jwk(kid="k", alg="RS256"))
    app = create_app(store=store, identity=Bearer(rules(), fetch=publisher.fetch))
    async with with_token(app, await made(store)) as client:
        error_of(await client.get("/me/tasks"), 401)
    async with signed_in(app, "ann") as ann:
        error_of(await ann.get("/me/tokens"), 404)


async def test_the_challenge_of_a_resource_is_in_every_refusal(store: TaskStore) -> None:
    """ID-818."""
    app = create_app(store=store, identity=beside(resource="https://tasks.example"))
    for secret, status in ((await made(store), 403), (await made(store, "tasks:write"), 401)):
        if status == 401:
            (token, *_) = await store.for_user(42).tokens.list()
            await store.for_user(42).tokens.revoke(token.id)
        async with with_token(app, secret) as client:
            response = await client.post("/me/tasks", json={"title": "x"})
            error_of(response, status)
            assert "resource_metadata=" in response.headers["www-authenticate"]


async def test_a_host_may_take_tokens_itself(store: TaskStore) -> None:
    """ID-818: the refusals of the database are answered in the same way."""

    async def identify(request: Request) -> Any:
        return store.for_token(request.headers["x-token"])

    app = create_app(store=store, identity=identify)
    good, bad = await made(store), TokenSecret.random().get_secret_value()
    async with client_of(app) as client:
        for secret, method, status in (
            (good, "GET", 200),
            (good, "POST", 403),
            (bad, "GET", 401),
            ("x", "GET", 401),
        ):
            response = await client.request(
                method, "/me/tasks", headers={"X-Token": secret}, json={"title": "x"}
            )
            assert response.status_code == status
            assert ("www-authenticate" in response.headers) == (status != 200)


def test_the_document_says_which_operations_take_api_tokens(store: TaskStore) -> None:
    """ID-819."""

    def secured(identity: Bearer) -> dict[str, Any]:
        document = create_app(store=store, identity=identity).openapi()
        assert document["components"]["securitySchemes"]["apiToken"]["scheme"] == "bearer"
        return {
            operation["operationId"]: [name for one in operation["security"] for name in one]
            for operations in document["paths"].values()
            for operation in operations.values()
            if "security" in operation
        }

    both = secured(beside())
    tokens = {"list_my_tokens", "create_my_token", "rotate_my_token", "revoke_my_token"}
    assert {name for name, schemes in both.items() if schemes == ["bearerAuth"]} == tokens
    assert all(both[name] == ["bearerAuth", "apiToken"] for name in both.keys() - tokens)
    alone = secured(ALONE)
    assert all(alone[name] == ["apiToken"] for name in both.keys() - tokens)

    document = create_app(store=store, identity=beside()).openapi()
    create = document["paths"]["/me/tokens"]["post"]
    reference = create["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    assert reference.rpartition("/")[2] in document["components"]["schemas"]
    assert create["requestBody"]["content"]["application/json"]["example"]["name"]


async def test_a_request_with_an_api_token_is_one_round_trip(wire: Wire) -> None:
    """ID-814."""
    async with TaskStore(wire.url, settings=Settings(pool_max_size=1)) as store:
        app = create_app(store=store, identity=ALONE)
        task = await store.for_user(42).create("x")
        async with with_token(app, await made(store)) as client:
            for path in ("/me", "/me/tasks", f"/users/42/tasks/{task.id}"):
                await client.get(path)
                before = wire.round_trips
                assert (await client.get(path)).status_code == 200
                assert wire.round_trips - before == 1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "TASKCORE_API_TOKENS=true"),
        ({"api_tokens": True, "trust_callers": True}, "set TASKCORE_API_TOKENS or TASKCORE_TRUST"),
        ({"api_tokens": True, "audience": ("x",)}, "TASKCORE_AUDIENCE needs TASKCORE_ISSUER"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    values: dict[str, Any], message: str
) -> None:
    """ID-820."""
    with pytest.raises(ConfigurationError, match=message):
        bearer_of(Settings(**values))


def test_settings_make_a_bearer_that_takes_api_tokens() -> None:
    """ID-820."""
    alone = bearer_of(Settings(api_tokens=True))
    assert alone is not None
    assert (alone.issuers, alone.api_tokens) == ((), True)
    both = bearer_of(Settings(api_tokens=True, issuer=ISSUER, audience=("x",)))
    assert both is not None
    assert (both.issuers, both.api_tokens) == ((ISSUER,), True)
    neither = bearer_of(Settings(issuer=ISSUER, audience=("x",)))
    assert neither is not None
    assert not neither.api_tokens


def test_a_bearer_needs_something_to_accept() -> None:
    """ID-816."""
    with pytest.raises(ConfigurationError, match="api_tokens=True"):
        Bearer()


def test_without_an_issuer_the_document_has_no_operation_that_nobody_may_call(
    store: TaskStore,
) -> None:
    """ID-819."""
    alone = create_app(store=store, identity=Bearer(api_tokens=True)).openapi()["paths"]
    both = create_app(store=store, identity=beside()).openapi()["paths"]
    assert both.keys() - alone.keys() == {path for path in both if path.startswith("/me/tokens")}
    assert all(
        one["security"]
        for path in both.values()
        for one in path.values()
        if "tokens" in one["tags"]
    )
