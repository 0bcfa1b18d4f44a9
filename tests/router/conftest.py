"""A router in front of two databases, on a server of its own."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import asyncpg
import pytest

from taskcore import TaskStore
from taskcore.database.url import connect_arguments
from taskcore.embedded import EmbeddedServer
from taskcore.router.migrate import RouterMigration, migrate_router
from taskcore.router.shards import Shard
from tests.conftest import MakeDatabase
from tests.databases import Database, execute, numbers
from tests.router.plproxy import RouterServer, running_router


@pytest.fixture(scope="session")
def plproxy(server: EmbeddedServer) -> Iterator[RouterServer]:  # noqa: ARG001  (it makes the user)
    with running_router() as router:
        yield router


@dataclass(frozen=True)
class Bench:
    """An empty database with PL/Proxy, and two migrated databases that are no shards yet."""

    plproxy: RouterServer
    name: str
    databases: tuple[Database, ...]

    @property
    def url(self) -> str:
        """The superuser's URL of the router."""
        return self.plproxy.url(self.name)

    @property
    def application_url(self) -> str:
        return self.plproxy.url(self.name, "taskcore_app")

    @property
    def shards(self) -> tuple[Shard, ...]:
        return tuple(Shard(database.owner_url) for database in self.databases)

    @property
    def file(self) -> str:
        """The file of shards, for ``taskctl``."""
        return "".join(f"{shard.url}\n" for shard in self.shards)

    async def migrate(self) -> RouterMigration:
        return await migrate_router(self.url, self.shards)

    async def execute(self, *statements: str) -> None:
        """Run statements on the router, as a superuser."""
        await execute(self.url, *statements)

    async def users(self) -> list[set[int]]:
        """The ids of the users in each database."""
        found = list[set[int]]()
        for database in self.databases:
            connection = await asyncpg.connect(**connect_arguments(database.owner_url))
            found.append({row["id"] for row in await connection.fetch("TABLE taskcore.users")})
            await connection.close()
        return found


@pytest.fixture
def bench(
    plproxy: RouterServer, server: EmbeddedServer, make_database: MakeDatabase
) -> Iterator[Bench]:
    with _router_database(plproxy) as name:
        yield Bench(plproxy, name, (make_database(server), make_database(server)))


@pytest.fixture
def beside(bench: Bench) -> Iterator[Bench]:
    """Another database with PL/Proxy, for a second router of the same shards."""
    with _router_database(bench.plproxy) as name:
        yield replace(bench, name=name)


@contextmanager
def _router_database(plproxy: RouterServer) -> Iterator[str]:
    name = f"router_{next(numbers)}"
    asyncio.run(plproxy.create_database(name))
    yield name
    asyncio.run(execute(plproxy.url("postgres"), f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def another(server: EmbeddedServer, make_database: MakeDatabase) -> Shard:
    """A migrated database beside those of the bench."""
    return Shard(make_database(server).owner_url)


@pytest.fixture
async def routed(bench: Bench) -> AsyncIterator[TaskStore]:
    """A store of the application, through a router."""
    await bench.migrate()
    async with TaskStore(bench.application_url) as store:
        yield store
