"""A foreign application that mounts the routes, checked with `taskcore.testing`."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated

import httpx2
import pytest
from fastapi import FastAPI, Header, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from hypothesis import Phase, settings

from taskcore import TaskStore, UserTasks
from taskcore.testing import Interference, RestFace, check_noninterference
from taskcore_http import Identity, create_router
from tests.databases import Database

# The programs that are found need not be made small.
QUICK = settings(max_examples=100, phases=[Phase.generate], derandomize=False, database=None)


def shop(
    database_url: str, make_identity: Callable[[TaskStore], Identity] | None = None
) -> FastAPI:
    """An application with its own prefix, identity, error pages and middleware."""
    store = TaskStore(database_url)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with store:
            yield

    app = FastAPI(lifespan=lifespan)

    @app.exception_handler(404)
    async def not_found(_request: Request, _exc: Exception) -> Response:
        return HTMLResponse("<h1>no such page</h1>", 404)

    @app.exception_handler(HTTPException)
    async def refused(_request: Request, exc: Exception) -> Response:
        return JSONResponse({"shop": str(exc)}, getattr(exc, "status_code", 500))

    @app.middleware("http")
    async def branded(request: Request, call_next: Callable[..., Awaitable[Response]]) -> Response:
        response = await call_next(request)
        response.headers["X-Shop"] = "open"
        return response

    @app.get("/")
    async def front_page() -> str:
        return "welcome"

    identity = (make_identity or customer)(store)
    app.include_router(create_router(store, identity=identity), prefix="/shop/v2")
    return app


def customer(store: TaskStore) -> Identity:
    """Know a user by a header."""

    async def identify(x_customer: Annotated[int | None, Header()] = None) -> UserTasks:
        if x_customer is None:
            raise HTTPException(401, "sign in")
        return store.for_user(x_customer)

    return identify


def signed_in_as(user_id: int) -> dict[str, str]:
    return {"X-Customer": str(user_id)}


def client_of(app: FastAPI) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://shop")


@pytest.fixture
def app(database: Database) -> FastAPI:
    return shop(database.url)


def face_of(app: FastAPI) -> RestFace:
    return RestFace(client_of(app), app=app, prefix="/shop/v2", headers=signed_in_as)


@pytest.mark.parametrize("programs", [25, pytest.param(100, marks=pytest.mark.thorough)])
def test_no_customer_senses_another(app: FastAPI, programs: int) -> None:
    check_noninterference(face_of(app), settings=settings(max_examples=programs))


def found_in(app: FastAPI) -> str:
    with pytest.raises(Interference) as found:
        check_noninterference(face_of(app), settings=QUICK)
    return str(found.value)


def test_a_header_that_leaks_a_total_is_found(app: FastAPI) -> None:
    requests = itertools.count(1)

    @app.middleware("http")
    async def count(request: Request, call_next: Callable[..., Awaitable[Response]]) -> Response:
        response = await call_next(request)
        response.headers["X-Request-Count"] = str(next(requests))
        return response

    assert "x-request-count" in found_in(app)


def test_a_status_that_tells_foreign_from_missing_is_found(app: FastAPI) -> None:
    paths: set[str] = set()

    @app.middleware("http")
    async def forbid(request: Request, call_next: Callable[..., Awaitable[Response]]) -> Response:
        response = await call_next(request)
        paths.add(response.headers.get("Location", "").rpartition("/")[2])
        if response.status_code == 404 and request.url.path.rpartition("/")[2] in paths:
            return Response(status_code=403)
        return response

    assert "outcome = '403'" in found_in(app)


def first_come(store: TaskStore) -> Identity:
    """Keep the user of a moment ago, as a cache without a key does."""
    known: list[int] = []

    def identify(x_customer: Annotated[int, Header()]) -> UserTasks:
        known.append(x_customer)
        return store.for_user(known[-1 - (len(known) % 7 == 0)])

    return identify


def test_an_identity_that_takes_the_wrong_user_is_found(database: Database) -> None:
    assert "depends on what other users do" in found_in(shop(database.url, first_come))


def test_a_host_that_cannot_start_is_no_pass(unreachable_url: str) -> None:
    app = shop(unreachable_url)

    with pytest.raises(RuntimeError, match=r"lifespan\.startup failed"):
        check_noninterference(RestFace(client_of(app), app=app))
