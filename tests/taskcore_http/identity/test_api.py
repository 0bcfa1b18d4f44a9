"""The REST API with a `Bearer`: whose tasks a token reaches, and what refused callers learn."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from taskcore import ConfigurationError, Settings, TaskStore
from taskcore.settings import load_settings
from taskcore_http import Bearer, Issuer, create_app, create_router
from taskcore_http.identity.configured import bearer_of
from taskcore_http.server.hosts import AllowedHosts
from tests.databases import Database
from tests.taskcore_http.answers import error_of, task_of, tasks_of
from tests.taskcore_http.client import client_of
from tests.taskcore_http.identity.issuing import (
    AUDIENCE,
    ISSUER,
    Publisher,
    claims,
    rsa_key,
    rules,
    token,
)
from tests.wire import Wire

REQUESTS = [
    ("GET", "/users/42/tasks"),
    ("POST", "/users/42/tasks"),
    ("GET", "/users/42/tasks/1"),
    ("PUT", "/users/42/tasks/1"),
    ("PATCH", "/users/42/tasks/1"),
    ("DELETE", "/users/42/tasks/1"),
]
MINE = [("GET", "/me"), *((method, path.replace("users/42", "me")) for method, path in REQUESTS)]
BARE = 'Bearer realm="taskcore"'


def bearer(*, subject_is_user_id: bool = False, **arguments: Any) -> Bearer:
    publisher = Publisher(rsa_key().jwk(kid="k", alg="RS256"))
    issuer = rules(subject_is_user_id=subject_is_user_id)
    return Bearer(issuer, **{"fetch": publisher.fetch} | arguments)


def signed(subject: str, **changes: Any) -> str:
    """A token that is valid for the machine's clock."""
    now = int(time.time())
    return token(claims(sub=subject, iat=now, exp=now + 3600, **changes)).decode()


def signed_in(app: FastAPI, subject: str) -> httpx2.AsyncClient:
    client = client_of(app)
    client.headers["Authorization"] = f"Bearer {signed(subject)}"
    return client


def _alone(store: TaskStore, identity: Bearer) -> FastAPI:
    return create_app(store=store, identity=identity)


def _mounted(store: TaskStore, identity: Bearer) -> FastAPI:
    app = FastAPI()
    app.include_router(create_router(store, identity=identity))
    return app


@pytest.mark.parametrize("make", [_alone, _mounted])
async def test_a_token_reaches_the_tasks_of_its_subject_only(
    store: TaskStore, make: Callable[[TaskStore, Bearer], FastAPI]
) -> None:
    """ID-701, ID-702."""
    app = make(store, bearer())
    async with signed_in(app, "ann") as ann, signed_in(app, "bob") as bob:
        assert (await ann.get("/me")).json() == {"user_id": None}
        assert tasks_of(await ann.get("/me/tasks")) == []
        response = await ann.post("/me/tasks", json={"title": "mine"})
        task = task_of(response, 201)
        assert response.headers["location"] == f"/me/tasks/{task['id']}"
        user = task["user_id"]
        assert (await ann.get("/me")).json() == {"user_id": user}
        for whose in ("/me", f"/users/{user}"):
            path = f"{whose}/tasks/{task['id']}"
            assert tasks_of(await ann.get(f"{whose}/tasks")) == [task]
            assert task_of(await ann.get(path)) == task
            task = task_of(await ann.patch(path, json={"title": f"of {whose}"}))
            task = task_of(await ann.put(path, json={"completed": whose == "/me"}))
            assert (await ann.head(path)).status_code == 200
            assert (await ann.get(path, headers={"If-None-Match": "*"})).status_code == 304

        # Bob before and after he has tasks: the same answers for Ann's path and for nobody's.
        for _ in range(2):
            for method, path in REQUESTS:
                answers = [
                    await bob.request(method, path.replace("42", other), json={"title": "x"})
                    for other in (str(user), "43")
                ]
                for answer in answers:
                    assert error_of(answer, 404)["message"] == "user not found"
            error_of(await bob.get(f"/me/tasks/{task['id']}"), 404)
            await bob.post("/me/tasks", json={"title": "his"})
        assert [each["title"] for each in tasks_of(await bob.get("/me/tasks"))] == ["his"] * 2
        assert (await ann.delete(f"/me/tasks/{task['id']}")).status_code == 200


@pytest.mark.parametrize("make", [_alone, _mounted])
async def test_without_a_valid_token_nothing_is_told(
    store: TaskStore, make: Callable[[TaskStore, Bearer], FastAPI]
) -> None:
    """ID-703: 401 before 404 and 400, with a challenge, and the body is not read."""
    app = make(store, bearer())
    forged = token(claims(), key=rsa_key("another")).decode()
    async with client_of(app) as client:
        for method, path in [*REQUESTS, *MINE, ("GET", "/users/042/tasks?limit=x")]:
            response = await client.request(method, path, content=b"{" * 200_000)
            error_of(response, 401, "UNAUTHENTICATED")
            assert response.headers["www-authenticate"] == BARE
            response = await client.request(
                method, path, headers={"Authorization": f"bearer   {forged}"}
            )
            error_of(response, 401, "UNAUTHENTICATED")
            assert 'error="invalid_token"' in response.headers["www-authenticate"]
            assert forged.split(".")[1] not in response.text


async def test_two_authorization_fields_are_a_bad_request(store: TaskStore) -> None:
    """ID-103: the field is named."""
    field = ("Authorization", f"Bearer {signed('ann')}")
    async with client_of(create_app(store=store, identity=bearer())) as client:
        response = await client.get("/me", headers=[field, field])
    details = error_of(response, 400)["details"]
    assert details == {"field": "Authorization", "constraint": "given_twice"}
    assert 'error="invalid_request"' in response.headers["www-authenticate"]


async def test_a_missing_scope_is_forbidden(store: TaskStore) -> None:
    """ID-107."""
    identity = Bearer(rules(required_scopes="tasks"), fetch=Publisher(rsa_key().jwk(kid="k")).fetch)
    async with signed_in(create_app(store=store, identity=identity), "ann") as client:
        response = await client.get("/me")
    error_of(response, 403, "FORBIDDEN")
    assert 'scope="tasks"' in response.headers["www-authenticate"]


async def test_keys_that_cannot_be_had_are_no_refusal(store: TaskStore) -> None:
    """ID-108: a 401 would make clients discard their login."""
    publisher = Publisher()
    publisher.failure = OSError("no network")
    app = create_app(store=store, identity=bearer(fetch=publisher.fetch))
    async with signed_in(app, "ann") as client:
        response = await client.post("/me/tasks", json={"title": "x"})
    error_of(response, 503)
    assert 1 <= int(response.headers["retry-after"]) <= 30
    assert "www-authenticate" not in response.headers


async def test_a_blocked_caller_is_refused_at_once_with_a_warm_cache(
    store: TaskStore, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """ID-608: and let in again."""
    caplog.set_level("INFO", "taskcore.http.identity")
    app = create_app(store=store, identity=bearer(resource="https://tasks.example/api"))
    async with (
        signed_in(app, "ann") as client,
        TaskStore(database.administrator_url) as administration,
    ):
        user = task_of(await client.post("/me/tasks", json={"title": "x"}), 201)["user_id"]
        block: list[Callable[[], Awaitable[object]]] = [
            lambda: administration.users.block(user),
            lambda: administration.identities.block(ISSUER, "ann"),
        ]
        unblock: list[Callable[[], Awaitable[object]]] = [
            lambda: administration.users.unblock(user),
            lambda: administration.identities.unblock(ISSUER, "ann"),
        ]
        for number in range(2):
            await block[number]()
            for method, path in [*MINE, ("GET", f"/users/{user}/tasks"), ("GET", "/users/7/tasks")]:
                response = await client.request(method, path, json={"title": "x"})
                assert error_of(response, 401, "UNAUTHENTICATED")["message"] == (
                    "the caller is blocked"
                )
                challenge = response.headers["www-authenticate"]
                assert 'error="invalid_token"' in challenge
                assert "https://tasks.example/.well-known/oauth-protected-resource/api" in challenge
            await unblock[number]()
            assert len(tasks_of(await client.get("/me/tasks"))) == 1
    assert f"refused: blocked (issuer: {ISSUER})" in caplog.text
    assert "ann" not in caplog.text


async def test_a_deleted_users_token_begins_anew(store: TaskStore, database: Database) -> None:
    """ID-607."""
    app = create_app(store=store, identity=bearer())
    async with (
        signed_in(app, "ann") as client,
        TaskStore(database.administrator_url) as administration,
    ):
        old = task_of(await client.post("/me/tasks", json={"title": "old"}), 201)
        await administration.users.delete(old["user_id"])
        assert tasks_of(await client.get("/me/tasks")) == []
        error_of(await client.get(f"/users/{old['user_id']}/tasks"), 404)
        new = task_of(await client.post("/me/tasks", json={"title": "new"}), 201)
        assert new["user_id"] != old["user_id"]


async def test_unknown_callers_are_forbidden_if_nobody_is_to_be_made(
    store: TaskStore, caplog: pytest.LogCaptureFixture
) -> None:
    """ID-606, ID-111."""
    caplog.set_level("INFO", "taskcore.http.identity")
    await store.for_identity(ISSUER, "ann").create("x")
    app = create_app(store=store, identity=bearer(provision="never"))
    async with signed_in(app, "ann") as ann, signed_in(app, "bob") as bob:
        assert len(tasks_of(await ann.get("/me/tasks"))) == 1
        for method, path in [*MINE, *REQUESTS]:
            caplog.clear()
            response = await bob.request(method, path, json={"title": "x"})
            error_of(response, 403, "FORBIDDEN")
            assert caplog.messages == [f"refused: unknown (issuer: {ISSUER})"]
    with pytest.raises(ConfigurationError, match="provision must be on_write or never"):
        bearer(provision="always")


async def test_an_issuer_whose_subjects_are_user_ids(store: TaskStore) -> None:
    """ID-613: an application with accounts of its own issues the tokens."""
    own = await store.for_user(42).create("x")
    app = create_app(store=store, identity=bearer(subject_is_user_id=True))
    async with signed_in(app, "42") as client:
        assert tasks_of(await client.get("/me/tasks"))[0]["id"] == own.id
        assert (await client.get("/me")).json() == {"user_id": 42}
        assert len(tasks_of(await client.get("/users/42/tasks"))) == 1
        error_of(await client.get("/users/43/tasks"), 404)
    for subject in ("0", "042", " 42", "٤٢", str(2**52), "ann"):
        async with signed_in(app, subject) as client:
            error_of(await client.get("/me/tasks"), 401, "UNAUTHENTICATED")


def test_only_one_issuer_can_name_users_by_their_ids() -> None:
    """ID-613."""
    with pytest.raises(ConfigurationError, match="only one issuer can have subject_is_user_id"):
        Bearer(
            Issuer("https://a.example", audience="x", subject_is_user_id=True),
            Issuer("https://b.example", audience="x", subject_is_user_id=True),
        )


async def test_a_victims_email_in_a_token_reaches_nothing(store: TaskStore) -> None:
    """ID-314: CVE-2023-3128, and other reports of accounts that were matched by e-mail."""
    await store.for_identity(ISSUER, "victim").create("secret")
    app = create_app(store=store, identity=bearer())
    stolen = signed("attacker", email="victim@example.org", email_verified=True)
    async with client_of(app) as client:
        client.headers["Authorization"] = f"Bearer {stolen}"
        assert tasks_of(await client.get("/me/tasks")) == []


async def test_a_request_with_a_token_is_one_round_trip(wire: Wire) -> None:
    """ID-611: counted on the wire, with the signature in the cache and without."""
    async with TaskStore(wire.url, settings=Settings(pool_max_size=1)) as store:
        app = create_app(store=store, identity=bearer())
        for subject in ("ann", "bob"):
            async with signed_in(app, subject) as client:
                task = task_of(await client.post("/me/tasks", json={"title": "x"}), 201)
                for path in ("/me", "/me/tasks", f"/users/{task['user_id']}/tasks/{task['id']}"):
                    await client.get(path)
                    before = wire.round_trips
                    assert (await client.get(path)).status_code == 200
                    assert wire.round_trips - before == 1


async def test_an_identity_of_a_hosts_own_may_name_users_by_identity(store: TaskStore) -> None:
    """ID-605: the path is compared in the statement."""

    async def identify() -> Any:
        return store.for_identity("https://host.example", "ann")

    async with client_of(create_app(store=store, identity=identify)) as client:
        user = task_of(await client.post("/me/tasks", json={"title": "x"}), 201)["user_id"]
        assert len(tasks_of(await client.get(f"/users/{user}/tasks"))) == 1
        error_of(await client.get(f"/users/{user + 1}/tasks"), 404)


def test_the_document_says_how_to_authenticate(store: TaskStore) -> None:
    """ID-704: also if the application has routes of its own, without tags."""
    app = create_app(store=store, identity=bearer())

    @app.get("/hello")
    async def hello() -> str:
        return "hello"

    document = app.openapi()
    schemes = document["components"]["securitySchemes"]
    assert schemes["bearerAuth"] | {"description": ""} == {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "",
    }
    secured = [
        operation["operationId"]
        for operations in document["paths"].values()
        for operation in operations.values()
        if operation.get("security") == [{"bearerAuth": []}]
    ]
    assert len(secured) == 19
    assert "securitySchemes" not in create_app(store=store).openapi()["components"]

    discovered = Bearer(rules(jwks_url=None), fetch=Publisher().fetch)
    document = create_app(store=store, identity=discovered).openapi()
    assert document["components"]["securitySchemes"]["openIdConnect"] == {
        "type": "openIdConnect",
        "openIdConnectUrl": f"{ISSUER}.well-known/openid-configuration",
    }


@pytest.mark.parametrize("suffix", ["", "/", "/api", "/api/", "/a%20b"])
async def test_a_resource_publishes_its_metadata_where_the_challenge_says(
    store: TaskStore, suffix: str
) -> None:
    """ID-705, ID-109."""
    resource = f"https://tasks.example{suffix}"
    path = f"/.well-known/oauth-protected-resource{suffix.removesuffix('/') or ''}"
    if suffix == "/api/":
        path += "/"
    async with client_of(create_app(store=store, identity=bearer(resource=resource))) as client:
        challenge = (await client.get("/me")).headers["www-authenticate"]
        assert f'resource_metadata="https://tasks.example{path}"' in challenge
        assert (await client.get(path)).json() == {
            "resource": resource,
            "authorization_servers": [ISSUER],
            "bearer_methods_supported": ["header"],
        }
    async with client_of(create_app(store=store, identity=bearer())) as client:
        error_of(await client.get(path), 404)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "set TASKCORE_ISSUER and TASKCORE_AUDIENCE"),
        ({"audience": (AUDIENCE,)}, "TASKCORE_AUDIENCE needs TASKCORE_ISSUER"),
        ({"trust_callers": True, "resource": "https://x"}, "TASKCORE_RESOURCE needs"),
        ({"issuer": ISSUER, "audience": (AUDIENCE,), "trust_callers": True}, "not both"),
        ({"issuer": ISSUER}, "TASKCORE_ISSUER and the settings that belong to it.*an audience"),
        ({"provision": "never"}, "TASKCORE_PROVISION needs TASKCORE_ISSUER"),
        (
            {"issuer": f"https://i.example/{'x' * 255}", "audience": (AUDIENCE,)},
            "issuer must have at most 255 characters",
        ),
        ({"issuer": "http://idp.example", "audience": (AUDIENCE,)}, "https"),
        ({"issuer": ISSUER, "audience": (AUDIENCE,), "jwt_secret": "short"}, "32 random bytes"),
    ],
)
def test_settings_that_let_anybody_in_are_refused(values: dict[str, Any], message: str) -> None:
    """ID-706."""
    with pytest.raises(ConfigurationError, match=message):
        bearer_of(Settings(**values))


def test_settings_make_a_bearer() -> None:
    """ID-706."""
    identity = bearer_of(
        Settings(
            issuer=ISSUER,
            audience=(AUDIENCE,),
            resource="https://tasks.example",
            provision="never",
        )
    )
    assert identity is not None
    assert (identity.issuers, identity.resource, identity.provision) == (
        (ISSUER,),
        "https://tasks.example",
        "never",
    )
    assert bearer_of(Settings(trust_callers=True)) is None


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (["localhost"], 200),
        (["LOCALHOST:8000"], 200),
        (["[::1]:8000"], 200),
        (["[::1]"], 200),
        (["127.0.0.1:"], 200),
        (["evil.example"], 421),
        (["localhost.evil.example:8000"], 421),
        (["localhost:8000@evil.example"], 421),
        (["::1"], 421),
        ([""], 421),
        (["localhost", "localhost"], 421),
        ([], 421),
    ],
)
async def test_a_request_for_another_host_is_misdirected(
    store: TaskStore, fields: list[str], status: int
) -> None:
    """ID-707: a page of another site cannot call the API under its own name."""
    app = create_app(store=store)
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/users/1/tasks",
        "raw_path": b"/users/1/tasks",
        "query_string": b"",
        "headers": [(b"host", field.encode()) for field in fields],
    }
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await AllowedHosts(app, ("localhost", "127.0.0.1", "[::1]"))(scope, receive, send)

    assert sent[0]["status"] == status
    if status == 421:
        assert b"MISDIRECTED_REQUEST" in sent[1]["body"]


@pytest.mark.parametrize(
    "host", ["tasks.example:8000", "https://tasks.example", "tasks.example/", "::1", "*", "a b"]
)
def test_what_is_not_a_host_is_refused(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """ID-707: a list that no request can match would close the server."""
    monkeypatch.setenv("TASKCORE_ALLOWED_HOSTS", "tasks.example, 192.0.2.1,[2001:db8::1]")
    assert load_settings().allowed_hosts == ("tasks.example", "192.0.2.1", "[2001:db8::1]")
    monkeypatch.setenv("TASKCORE_ALLOWED_HOSTS", f"tasks.example,{host}")
    with pytest.raises(ConfigurationError, match="TASKCORE_ALLOWED_HOSTS: must be hosts such as"):
        load_settings()
