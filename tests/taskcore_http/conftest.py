"""The application on a real database: in process, and behind a real server."""

import socket
from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest
from fastapi import FastAPI

from taskcore import Settings, TaskStore
from taskcore.embedded import EmbeddedServer
from taskcore_http import create_app
from taskcore_http.errors import repeat_filter
from tests.conftest import MakeDatabase
from tests.databases import Cleaner, Database, numbers
from tests.router.plproxy import RouterServer
from tests.router.routed import created
from tests.taskcore_http.client import client_of
from tests.taskcore_http.server import Server, serving


@pytest.fixture(autouse=True)
def _every_fault_is_new() -> None:
    repeat_filter.forget()


@pytest.fixture(scope="session")
def shared_database(
    server: EmbeddedServer, router_server: RouterServer | None
) -> Iterator[Database]:
    with created(server, router_server, f"test_{next(numbers)}") as database:
        yield database


@pytest.fixture
def database(shared_database: Database, cleaner: Cleaner) -> Database:
    """An empty database, one for all tests of this folder.

    Tests that change more than rows take `fresh_database`.
    """
    cleaner.delete_rows(shared_database)
    return shared_database


@pytest.fixture
def fresh_database(server: EmbeddedServer, make_database: MakeDatabase) -> Database:
    """A database that a test may break."""
    return make_database(server)


@pytest.fixture(scope="session")
def shared_store(shared_database: Database) -> TaskStore:
    return TaskStore(shared_database.url, settings=Settings())


@pytest.fixture(scope="session")
def shared_app(shared_store: TaskStore) -> FastAPI:
    """The application of the store. Making one takes longer than most tests do."""
    return create_app(store=shared_store)


@pytest.fixture
async def store(shared_store: TaskStore, database: Database) -> AsyncIterator[TaskStore]:  # noqa: ARG001
    """One store, opened for each test on its empty database."""
    async with shared_store:
        yield shared_store


@pytest.fixture
async def client(shared_app: FastAPI, store: TaskStore) -> AsyncIterator[httpx2.AsyncClient]:  # noqa: ARG001
    async with client_of(shared_app) as client:
        yield client


@pytest.fixture
async def served(shared_app: FastAPI, store: TaskStore) -> AsyncIterator[Server]:  # noqa: ARG001
    """The application behind uvicorn, over TCP."""
    async with serving(shared_app) as server:
        yield server


@pytest.fixture
def unreachable_url() -> Iterator[str]:
    """A database URL with a port that nobody listens on, and that nobody else can take."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"postgresql://taskcore_app@127.0.0.1:{taken.getsockname()[1]}/taskcore"


@pytest.fixture
async def away(unreachable_url: str) -> AsyncIterator[TaskStore]:
    """A store whose database cannot be reached."""
    settings = Settings(operation_timeout=0.1)
    store = await TaskStore(unreachable_url, settings=settings).open(connect=False)
    yield store
    await store.close()
