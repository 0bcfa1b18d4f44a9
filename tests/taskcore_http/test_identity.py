"""How an identity is asked, and what stands in front of it."""

from collections.abc import Callable
from typing import Annotated, Any

import fastapi.routing
import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Request
from fastapi.dependencies.utils import solve_dependencies
from starlette.requests import HTTPConnection

from taskcore import ConfigurationError, TaskStore, UserTasks
from taskcore_http import Identity, create_app, create_router
from tests.taskcore_http.answers import error_of, task_of, tasks_of
from tests.taskcore_http.client import client_of

REQUESTS = [
    ("GET", "/users/42/tasks"),
    ("POST", "/users/42/tasks"),
    *((method, "/users/42/tasks/1") for method in ("GET", "PUT", "PATCH", "DELETE")),
]


def _awaited(store: TaskStore) -> Identity:
    async def identity(request: Request) -> UserTasks:
        return store.for_user(int(request.headers["X-User"]))

    return identity


def _connection(store: TaskStore) -> Identity:
    def identity(connection: HTTPConnection) -> UserTasks:
        return store.for_user(int(connection.headers["X-User"]))

    return identity


def _named_only(store: TaskStore) -> Identity:
    return lambda request: store.for_user(int(request.headers["X-User"]))


def _instance(store: TaskStore) -> Identity:
    class Identified:
        async def __call__(self, request: Request) -> UserTasks:
            return store.for_user(int(request.headers["X-User"]))

    return Identified()


def _constant(store: TaskStore) -> Identity:
    return lambda: store.for_user(42)


def _dependency(store: TaskStore) -> Identity:
    async def identity(x_user: Annotated[int, Header()]) -> UserTasks:
        return store.for_user(x_user)

    return identity


def _generator(store: TaskStore) -> Identity:
    async def identity(request: Request) -> Any:
        yield store.for_user(int(request.headers["X-User"]))

    return identity


DIRECT = [_awaited, _connection, _named_only, _instance, _constant]
SOLVED = [_dependency, _generator]
MakeIdentity = Callable[[TaskStore], Identity | None]


def _none(_store: TaskStore) -> None:
    return None


@pytest.mark.parametrize("make", [*DIRECT, *SOLVED])
@pytest.mark.parametrize("alone", [True, False])
async def test_an_identity_says_who_asks(store: TaskStore, make: MakeIdentity, alone: bool) -> None:  # noqa: FBT001
    """FR-018: in an application of ours, and in a host's."""
    if alone:
        app = create_app(store=store, identity=make(store))
    else:
        app = FastAPI()
        app.include_router(create_router(store, identity=make(store)))
    async with client_of(app) as client:
        client.headers["X-User"] = "42"
        task = task_of(await client.post("/users/42/tasks", json={"title": "x"}), 201)
        assert tasks_of(await client.get("/users/42/tasks")) == [task]
        for method, path in REQUESTS:
            foreign = path.replace("42", "43")
            response = await client.request(method, foreign, json={"title": "y"})
            assert error_of(response, 404)["message"] == "user 43 not found"
        error_of(await client.get("/users/042/tasks"), 400)
    assert (await store.for_user(43).list()).items == ()


@pytest.mark.parametrize("make", [_none, *DIRECT, *SOLVED])
async def test_fastapi_solves_nothing_where_there_is_nothing_to_solve(
    store: TaskStore, make: MakeIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Solving costs a request more than its statement."""
    calls = []
    solve = solve_dependencies

    async def counted(**arguments: Any) -> Any:
        calls.append(arguments["request"].url.path)
        return await solve(**arguments)

    monkeypatch.setattr(fastapi.routing, "solve_dependencies", counted)
    host = FastAPI()
    host.include_router(create_router(store, identity=make(store)), prefix="/api")
    for app, prefix in ((host, "/api"), (create_app(store=store, identity=make(store)), "")):
        calls.clear()
        async with client_of(app) as client:
            tasks_of(await client.get(f"{prefix}/users/42/tasks", headers={"X-User": "42"}))
        assert bool(calls) == (make in SOLVED)


def _on_the_application(router: APIRouter, guard: Any) -> FastAPI:
    host = FastAPI(dependencies=[guard])
    host.include_router(router)
    return host


def _on_the_inclusion(router: APIRouter, guard: Any) -> FastAPI:
    host = FastAPI()
    host.include_router(router, dependencies=[guard])
    return host


def _on_a_parent(router: APIRouter, guard: Any) -> FastAPI:
    host, parent = FastAPI(), APIRouter(dependencies=[guard])
    parent.include_router(router)
    host.include_router(parent)
    return host


def _on_the_inclusion_of_a_parent(router: APIRouter, guard: Any) -> FastAPI:
    host, parent = FastAPI(), APIRouter()
    parent.include_router(router)
    host.include_router(parent, dependencies=[guard])
    return host


def _on_the_applications_router(router: APIRouter, guard: Any) -> FastAPI:
    host = FastAPI()
    host.router.dependencies.append(guard)
    host.include_router(router)
    return host


HOSTS = [
    _on_the_application,
    _on_the_inclusion,
    _on_a_parent,
    _on_the_inclusion_of_a_parent,
    _on_the_applications_router,
]


@pytest.mark.parametrize("make", [_none, _awaited, _constant, _dependency])
@pytest.mark.parametrize("of_an_application", [False, True])
async def test_a_hosts_own_dependencies_guard_every_route(
    store: TaskStore,
    make: MakeIdentity,
    of_an_application: bool,  # noqa: FBT001
) -> None:
    """Also in front of the router of an application of ours."""
    calls = []

    async def refuse(request: Request) -> None:
        calls.append(request.url.path)
        raise HTTPException(429, "slow down")

    identity = make(store)
    router = (
        create_app(store=store, identity=identity).router
        if of_an_application
        else create_router(store, identity=identity)
    )
    headers = {"X-User": "42"}
    for host_of in HOSTS:
        calls.clear()
        host = host_of(router, Depends(refuse))
        async with client_of(host) as client:
            for method, path in REQUESTS:
                response = await client.request(method, path, json={"title": "x"}, headers=headers)
                assert (response.status_code, response.json()) == (429, {"detail": "slow down"})
            assert len(calls) == len(REQUESTS), host_of

            # The host's override decides, and what it allows passes.
            host.dependency_overrides[refuse] = lambda: None
            assert tasks_of(await client.get("/users/42/tasks", headers=headers)) == []


async def test_a_guard_that_lets_pass_is_asked_each_time(store: TaskStore) -> None:
    calls = []
    host = FastAPI()
    router = create_router(store, identity=_awaited(store))
    host.include_router(router, dependencies=[Depends(lambda: calls.append(1))])
    # Without a guard beside it: what one inclusion has, the other has not.
    host.include_router(router, prefix="/open")
    async with client_of(host) as client:
        for path in ("/users/42/tasks", "/open/users/42/tasks", "/users/42/tasks"):
            tasks_of(await client.get(path, headers={"X-User": "42"}))
    assert len(calls) == 2


async def test_a_caller_who_is_refused_learns_nothing_else(store: TaskStore) -> None:
    """401 comes before 404 and 400."""

    async def refuse(request: Request) -> UserTasks:
        if "X-User" not in request.headers:
            raise HTTPException(401, "sign in")
        return store.for_user(42)

    async with client_of(create_app(store=store, identity=refuse)) as client:
        for path in ("/users/abc/tasks", "/users/43/tasks", "/users/42/tasks?limit=0"):
            response = await client.get(path)
            assert (response.status_code, response.json()["error"]["message"]) == (401, "sign in")


def test_something_that_cannot_be_called_is_no_identity(store: TaskStore) -> None:
    function: Any = _awaited(store)
    wrong: Any = Depends(function)
    with pytest.raises(
        ConfigurationError, match=r"identity must be a Bearer.*It must not be Depends"
    ):
        create_router(store, identity=wrong)
