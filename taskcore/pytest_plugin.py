"""Fixtures for the tests of an application: a real database for each test.

pytest finds them by itself where taskcore is installed::

    async def test_a_task_is_shown(taskcore_store):
        async with taskcore_store as store:
            await store.for_user(42).create("Buy groceries")

    def test_the_application(taskcore_url):
        client = TestClient(create_app(taskcore_url))

They need ``taskcore[embedded]``. The first use in a session starts a PostgreSQL
server in a folder for temporary files, which takes some seconds; a database takes 0.2.
"""

# Loaded in every run of pytest where taskcore is installed, so all else is loaded on use.
# ruff: noqa: PLC0415
from __future__ import annotations

import asyncio
import itertools
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from taskcore import TaskStore
    from taskcore.embedded import EmbeddedServer

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def taskcore_server() -> Iterator[EmbeddedServer]:
    """A PostgreSQL server for the test session. It is fast: it does not wait for the disk."""
    from taskcore.embedded import EmbeddedServer

    with tempfile.TemporaryDirectory(prefix="taskcore-pytest-", ignore_cleanup_errors=True) as name:
        # As root the server runs as another user.
        Path(name).chmod(0o755)
        server = EmbeddedServer(Path(name))
        asyncio.run(server.start())
        asyncio.run(
            _execute(
                server,
                "ALTER SYSTEM SET fsync = off",
                "ALTER SYSTEM SET full_page_writes = off",
                "SELECT pg_reload_conf()",
            )
        )
        yield server
        asyncio.run(server.stop())


@pytest.fixture
def taskcore_url(taskcore_server: EmbeddedServer) -> Iterator[str]:
    """The URL of a fresh migrated database, for the application's role."""
    name = f"test_{next(_numbers)}"
    asyncio.run(_execute(taskcore_server, f"CREATE DATABASE {name} TEMPLATE taskcore"))
    yield taskcore_server.application_url.replace("/taskcore?", f"/{name}?")
    asyncio.run(_execute(taskcore_server, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def taskcore_store(taskcore_url: str) -> TaskStore:
    """A store on a fresh database; the test opens it, on its own event loop."""
    from taskcore import TaskStore

    return TaskStore(taskcore_url)


async def _execute(server: EmbeddedServer, *statements: str) -> None:
    """Run statements as the superuser, outside of the template."""
    import asyncpg

    from taskcore.database.url import connect_arguments

    url = server.owner_url.replace("/taskcore?", "/postgres?")
    connection = await asyncpg.connect(**connect_arguments(url))
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()
