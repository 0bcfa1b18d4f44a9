"""Inside another application: the routes keep their shape, the host keeps its own."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import FastAPI, Header, HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.applications import Starlette
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.routing import Mount

from taskcore import ConfigurationError, TaskStore, UserTasks
from taskcore_http import UserId, create_app, create_router
from tests.databases import Database
from tests.taskcore_http.answers import error_of, task_of, tasks_of
from tests.taskcore_http.client import client_of

JSON = {"Content-Type": "application/json"}


class SignedOut(Exception):
    """An error of the host's own, with a handler of its own."""


def host_of(store: TaskStore, **options: Any) -> FastAPI:
    """An application with error handling, pages and routes of its own."""
    host = FastAPI()

    @host.exception_handler(404)
    async def not_found(_request: Request, _exc: Exception) -> Response:
        return HTMLResponse("<h1>the host's page</h1>", 404)

    @host.exception_handler(StarletteHTTPException)
    async def http_error(_request: Request, exc: Exception) -> Response:
        assert isinstance(exc, StarletteHTTPException)
        return JSONResponse({"host": exc.detail}, exc.status_code, exc.headers)

    @host.exception_handler(RequestValidationError)
    async def invalid(_request: Request, _exc: Exception) -> Response:
        return JSONResponse({"host": "invalid"}, 422)

    @host.exception_handler(Exception)
    async def failed(_request: Request, _exc: Exception) -> Response:
        return JSONResponse({"host": "failed"}, 500)

    @host.get("/items/{number}")
    async def item(number: int) -> int:
        if number == 0:
            raise RuntimeError("the host's own failure")
        return number

    host.include_router(create_router(store, **options), prefix="/api/v1")
    return host


@pytest.fixture
async def host(store: TaskStore) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(host_of(store)) as client:
        yield client


async def test_the_hosts_own_errors_stay_its_own(host: httpx2.AsyncClient) -> None:
    assert (await host.get("/items/1")).json() == 1

    page = await host.get("/nowhere")
    invalid = await host.get("/items/one")
    refused = await host.post("/items/1")
    failed = await host.get("/items/0")

    assert (page.status_code, page.text) == (404, "<h1>the host's page</h1>")
    assert (invalid.status_code, invalid.json()) == (422, {"host": "invalid"})
    assert (refused.status_code, refused.json()) == (405, {"host": "Method Not Allowed"})
    assert (failed.status_code, failed.json()) == (500, {"host": "failed"})


async def test_a_path_beside_the_routes_is_the_hosts(host: httpx2.AsyncClient) -> None:
    for path in ("/users/123/tasks", "/api/v1/users", "/api/v1/users/123/tasks/1/more"):
        response = await host.get(path)
        assert (response.status_code, response.text) == (404, "<h1>the host's page</h1>")


async def test_the_routes_answer_under_a_prefix_as_alone(host: httpx2.AsyncClient) -> None:
    """SC-007; US1 to US4 inside a host."""
    response = await host.post("/api/v1/users/123/tasks", json={"title": "x"})

    task = task_of(response, 201)
    location = response.headers["location"]
    assert location == f"/api/v1/users/123/tasks/{task['id']}"
    assert task_of(await host.get(location)) == task
    assert tasks_of(await host.get("/api/v1/users/123/tasks")) == [task]
    assert task_of(await host.patch(location, json={"completed": True}))["completed"]
    assert task_of(await host.put(location, json={"title": "y"}))["title"] == "y"
    assert (await host.delete(location)).status_code == 200


async def test_the_routes_errors_keep_their_shape(
    host: httpx2.AsyncClient, store: TaskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FR-015, FR-016: whatever handlers the host has."""
    tasks = "/api/v1/users/123/tasks"

    error_of(await host.get("/api/v1/users/abc/tasks"), 400)
    error_of(await host.get(f"{tasks}?limit=0"), 400)
    error_of(await host.post(tasks, json={"title": ""}), 400)
    error_of(await host.get(f"{tasks}/1"), 404)
    error_of(await host.post(tasks, content=b" " * 131_073, headers=JSON), 413)
    error_of(await host.post(tasks, content=b"x"), 415)
    for path, allowed in (
        (tasks, "DELETE, GET, HEAD, PATCH, POST"),
        (f"{tasks}/1", "DELETE, GET, HEAD, PATCH, PUT"),
    ):
        response = await host.options(path)
        error_of(response, 405)
        assert response.headers["allow"] == allowed

    async def broken(*_args: object, **_options: object) -> list[Any]:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(store._database, "_run", broken)
    error_of(await host.get(tasks), 500)


async def test_an_unreachable_database_is_told_in_our_shape(away: TaskStore) -> None:
    """FR-015: 503 with Retry-After."""
    async with client_of(host_of(away)) as client:
        response = await client.get("/api/v1/users/123/tasks")

    error_of(response, 503)
    assert "retry-after" in response.headers


Authenticate = Callable[..., Awaitable[UserTasks]]


def by_header(store: TaskStore, error: Exception | None = None) -> Authenticate:
    """Return an identity that believes a header and does not look at the path."""

    async def identify(x_user: Annotated[int | None, Header()] = None) -> UserTasks:
        if x_user is None:
            raise error or HTTPException(401, "sign in", {"WWW-Authenticate": "Bearer"})
        return store.for_user(x_user)

    return identify


async def test_the_hosts_identity_says_who_asks(store: TaskStore) -> None:
    """FR-018; spec 002 plugs in here."""
    task = await store.for_user(123).create("of 123")
    async with client_of(host_of(store, identity=by_header(store))) as client:
        own = tasks_of(await client.get("/api/v1/users/123/tasks", headers={"X-User": "123"}))
        other = tasks_of(await client.get("/api/v1/users/456/tasks", headers={"X-User": "456"}))
        foreign = f"/api/v1/users/456/tasks/{task.id}"

        assert [shown["id"] for shown in own] == [task.id]
        assert other == []
        error_of(await client.get(foreign, headers={"X-User": "456"}), 404)


async def test_a_path_of_another_user_than_the_one_who_asks_is_not_found(
    store: TaskStore,
) -> None:
    """SC-002: a URL means one user's tasks, whatever the identity forgets to compare."""
    tasks = {user: await store.for_user(user).create(f"of {user}") for user in (123, 456)}
    path = "/api/v1/users/456/tasks"
    answers = []
    async with client_of(host_of(store, identity=by_header(store))) as client:
        for method, url, body in (
            ("GET", path, None),
            ("POST", path, {"title": "x"}),
            *(
                (method, f"{path}/{task_id}", body)
                for task_id in (tasks[123].id, tasks[456].id, 1)
                for method, body in (
                    ("GET", None),
                    ("PUT", {"title": "x"}),
                    ("PATCH", {"title": "x"}),
                    ("DELETE", None),
                )
            ),
        ):
            response = await client.request(method, url, json=body, headers={"X-User": "123"})
            answers.append(error_of(response, 404)["message"])

    assert set(answers) == {"user 456 not found"}
    for user, task in tasks.items():
        assert (await store.for_user(user).list()).items == (task,)


@pytest.mark.parametrize(
    "error",
    [
        HTTPException(401, "sign in", {"WWW-Authenticate": "Bearer"}),
        StarletteHTTPException(401, "sign in", {"WWW-Authenticate": "Bearer"}),
    ],
    ids=["FastAPI's", "Starlette's"],
)
async def test_an_http_exception_of_the_identity_reaches_the_hosts_handler(
    store: TaskStore, error: Exception
) -> None:
    tasks = "/api/v1/users/123/tasks"
    host = host_of(store, identity=by_header(store, error))
    async with client_of(host) as client:
        for method, path, body in (
            ("GET", tasks, None),
            ("POST", tasks, {"title": "x"}),
            ("POST", tasks, {"title": ""}),
            ("GET", f"{tasks}/1", None),
            ("PUT", f"{tasks}/1", {"title": "x"}),
            ("PATCH", f"{tasks}/1", {"title": "x"}),
            ("DELETE", f"{tasks}/1", None),
        ):
            response = await client.request(method, path, json=body)
            assert response.status_code == 401, (method, body)
            assert response.json() == {"host": "sign in"}
            assert response.headers["www-authenticate"] == "Bearer"


async def test_an_exception_that_the_host_handles_reaches_its_handler(store: TaskStore) -> None:
    """Many authentication libraries raise errors of their own, and register a handler."""
    host = host_of(store, identity=by_header(store, SignedOut()))

    @host.exception_handler(SignedOut)
    async def signed_out(_request: Request, _exc: Exception) -> Response:
        return JSONResponse({"host": "signed out"}, 401)

    async with client_of(host) as client:
        response = await client.get("/api/v1/users/123/tasks")

    assert (response.status_code, response.json()) == (401, {"host": "signed out"})


async def test_a_bad_parameter_of_the_identity_is_never_a_422(store: TaskStore) -> None:
    """FR-015."""
    async with client_of(host_of(store, identity=by_header(store))) as client:
        response = await client.get("/api/v1/users/123/tasks", headers={"X-User": "abc"})

    assert error_of(response, 400)["details"] == {"field": "x-user", "constraint": "type"}


@pytest.mark.parametrize("user", ["042", "+42", "abc", "0", "4_2"])
async def test_the_path_is_read_as_strictly_with_an_identity(store: TaskStore, user: str) -> None:
    async with client_of(host_of(store, identity=by_header(store))) as client:
        response = await client.get(f"/api/v1/users/{user}/tasks", headers={"X-User": "42"})

    assert error_of(response, 400)["details"]["field"] == "user_id"


async def test_a_parameter_that_the_identity_misses_is_named_as_any_field(
    store: TaskStore,
) -> None:
    async def identify(x_user: Annotated[int, Header()]) -> UserTasks:
        return store.for_user(x_user)

    async with client_of(host_of(store, identity=identify)) as client:
        error = error_of(await client.get("/api/v1/users/123/tasks"), 400)

    assert error["message"] == "x-user is required"
    assert error["details"] == {"field": "x-user", "constraint": "required"}


async def test_a_parameter_in_a_list_of_the_identity_is_named_too(store: TaskStore) -> None:
    async def identify(teams: Annotated[list[int], Query()]) -> UserTasks:
        return store.for_user(teams[0])

    async with client_of(host_of(store, identity=identify)) as client:
        error = error_of(await client.get("/api/v1/users/123/tasks?teams=a"), 400)

    assert error["message"] == "teams must be an integer"


async def test_an_identity_may_compare_the_path_with_the_caller(store: TaskStore) -> None:
    async def identify(user_id: UserId, x_user: Annotated[int, Header()]) -> UserTasks:
        if x_user != user_id:
            raise HTTPException(403, "not yours")
        return store.for_user(user_id)

    async with client_of(host_of(store, identity=identify)) as client:
        own = await client.get("/api/v1/users/123/tasks", headers={"X-User": "123"})
        other = await client.get("/api/v1/users/123/tasks", headers={"X-User": "456"})
        wrong = await client.get("/api/v1/users/abc/tasks", headers={"X-User": "123"})

    assert tasks_of(own) == []
    assert (other.status_code, other.json()) == (403, {"host": "not yours"})
    assert error_of(wrong, 400)["details"] == {"field": "user_id", "constraint": "type"}


async def test_the_identity_can_be_overridden_as_any_dependency(store: TaskStore) -> None:
    identity = by_header(store)
    host = host_of(store, identity=identity)
    await store.for_user(456).create("of 456")
    host.dependency_overrides[identity] = lambda: store.for_user(456)

    async with client_of(host) as client:
        tasks = tasks_of(await client.get("/api/v1/users/456/tasks"))

    assert [task["title"] for task in tasks] == ["of 456"]


def test_a_url_and_a_store_are_one_too_many(store: TaskStore) -> None:
    with pytest.raises(ConfigurationError, match="not both"):
        create_app("postgresql://localhost/other", store=store)


def test_the_document_says_who_is_trusted(store: TaskStore) -> None:
    trusting = "caller is trusted to name the user"
    assert trusting in create_app(store=store).openapi()["info"]["description"]
    identified = create_app(store=store, identity=by_header(store))
    assert trusting not in identified.openapi()["info"]["description"]


async def test_create_app_takes_an_identity_too(store: TaskStore) -> None:
    async with client_of(create_app(store=store, identity=by_header(store))) as client:
        refused = await client.get("/users/123/tasks")
        served = await client.get("/users/123/tasks", headers={"X-User": "123"})

    assert refused.status_code == 401
    assert refused.json()["error"]["message"] == "sign in"
    assert refused.headers["www-authenticate"] == "Bearer"
    assert tasks_of(served) == []


@pytest.mark.parametrize(
    ("detail", "message", "details"),
    [
        ({"reason": "expired"}, "Forbidden", {"reason": "expired"}),
        (["a", "b"], "Forbidden", {"detail": ["a", "b"]}),
        ({"teams": {1}}, "Forbidden", {"teams": [1]}),
        ("not yours", "not yours", None),
    ],
)
async def test_whatever_detail_an_identity_gives_its_refusal_the_shape_is_one(
    store: TaskStore, detail: Any, message: str, details: dict[str, Any] | None
) -> None:
    """FR-016."""

    async def identify() -> UserTasks:
        raise HTTPException(403, detail)

    async with client_of(create_app(store=store, identity=identify)) as client:
        response = await client.get("/users/123/tasks")

    assert response.status_code == 403
    error = response.json()["error"]
    assert (error["message"], error.get("details")) == (message, details)


async def test_not_found_by_an_identity_is_no_unknown_path(store: TaskStore) -> None:
    async def identify() -> UserTasks:
        raise HTTPException(404)

    async with client_of(create_app(store=store, identity=identify)) as client:
        refused = await client.get("/users/123/tasks")
        unknown = await client.get("/nowhere")

    assert error_of(refused, 404)["message"] == "Not Found"
    assert error_of(unknown, 404)["message"] == "no such path"


async def test_an_identity_that_yields_something_else_is_told_so_in_the_log(
    store: TaskStore, caplog: pytest.LogCaptureFixture
) -> None:
    def identity(user_id: UserId) -> int:
        return user_id

    app = create_app(store=store, identity=identity)  # type: ignore[arg-type]
    async with client_of(app) as client:
        expecting = {"Expect": "100-continue"}
        answer = await client.request("GET", "/users/123/tasks", headers=expecting, content=b"x")

    assert answer.status_code == 500
    assert answer.headers["connection"] == "close"
    assert "identity must return UserTasks" in caplog.text


async def test_trusting_the_path_is_said_in_the_log(
    store: TaskStore, caplog: pytest.LogCaptureFixture
) -> None:
    create_router(store, identity=by_header(store))
    assert caplog.records == []

    create_router(store)

    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "trusted" in record.message


async def test_the_application_can_be_mounted_below_a_path(store: TaskStore) -> None:
    """SC-007: inside any ASGI application, with links that lead back."""
    host = Starlette(routes=[Mount("/todo", app=create_app(store=store))])
    async with client_of(host) as client:
        for title in ("first", "second"):
            response = await client.post("/todo/users/123/tasks", json={"title": title})
            task = task_of(response, 201)
            assert response.headers["location"] == f"/todo/users/123/tasks/{task['id']}"
            assert task_of(await client.get(response.headers["location"])) == task
        page = await client.get("/todo/users/123/tasks?limit=1")
        following = tasks_of(await client.get(page.links["next"]["url"]))

        assert page.links["next"]["url"].startswith("/todo/users/123/tasks?")
        assert [task["title"] for task in following] == ["first"]
        unknown = error_of(await client.get("/todo/nowhere"), 404)
        assert unknown["message"] == "no such path"
        error_of(await client.put("/todo/users/123/tasks"), 405)
        assert (await client.get("/todo/health/ready")).status_code == 200
        outside = await client.get("/nowhere")
        assert (outside.status_code, outside.text) == (404, "Not Found")


@pytest.mark.parametrize("tenant", ["a%20b", "%C3%A9", "%E6%97%A5%E6%9C%AC", "a%22%3Eb", "100%25"])
async def test_links_are_percent_encoded_like_the_path(store: TaskStore, tenant: str) -> None:
    """RFC 9110, section 10.2.2, and RFC 8288: they hold URI references."""
    host = FastAPI()
    host.include_router(create_router(store), prefix="/tenants/{tenant}")
    tasks = f"/tenants/{tenant}/users/123/tasks"
    async with client_of(host) as client:
        first = await client.post(tasks, json={"title": "x"})
        second = await client.post(tasks, json={"title": "y"})
        page = await client.get(f"{tasks}?limit=1")

        for response in (first, second):
            task = task_of(response, 201)
            assert response.headers["location"].isascii()
            assert " " not in response.headers["location"]
            assert task_of(await client.get(response.headers["location"])) == task
        assert tasks_of(await client.get(page.links["next"]["url"])) == [first.json()]


async def test_links_lead_back_through_a_proxy_that_takes_a_prefix_off(store: TaskStore) -> None:
    """As ``root_path`` says: the client's paths begin with it."""
    host = FastAPI()
    host.include_router(create_router(store))
    behind = httpx2.ASGITransport(app=host, root_path="/todo/v1/")
    async with httpx2.AsyncClient(transport=behind, base_url="http://testserver") as client:
        for _ in range(2):
            response = await client.post("/users/123/tasks", json={"title": "x"})
            task = task_of(response, 201)
            assert response.headers["location"] == f"/todo/v1/users/123/tasks/{task['id']}"
        page = await client.get("/users/123/tasks?limit=1")

    assert page.links["next"]["url"].startswith("/todo/v1/users/123/tasks?")


async def test_two_stores_in_one_application_do_not_mix(
    store: TaskStore, fresh_database: Database
) -> None:
    async with TaskStore(fresh_database.url) as other:
        host = FastAPI()
        host.include_router(create_router(store), prefix="/one")
        host.include_router(create_router(other), prefix="/two")
        async with client_of(host) as client:
            one = task_of(await client.post("/one/users/1/tasks", json={"title": "one"}), 201)
            two = task_of(await client.post("/two/users/1/tasks", json={"title": "two"}), 201)

            assert tasks_of(await client.get("/one/users/1/tasks")) == [one]
            assert tasks_of(await client.get("/two/users/1/tasks")) == [two]


async def test_the_hosts_document_keeps_its_422_and_gets_none_of_ours(store: TaskStore) -> None:
    """FR-015."""
    document = host_of(store, identity=by_header(store)).openapi()

    own = document["paths"].pop("/items/{number}")
    assert "422" in own["get"]["responses"]
    assert document["paths"].keys() == {
        "/api/v1/users/{user_id}/tasks",
        "/api/v1/users/{user_id}/tasks/count",
        "/api/v1/users/{user_id}/tasks/{task_id}",
        "/api/v1/me",
        "/api/v1/me/tasks",
        "/api/v1/me/tasks/count",
        "/api/v1/me/tasks/{task_id}",
    }
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert "422" not in operation["responses"]
            names_tasks = path.endswith("/tasks") and method in ("patch", "delete")
            assert ("404" in operation["responses"]) is ("{" in path or names_tasks)
            read = [(parameter["in"], parameter["name"]) for parameter in operation["parameters"]]
            named = [("path", "user_id")] if "{user_id}" in path else []
            assert read[: len(named) + 1] == [*named, ("header", "x-user")]
