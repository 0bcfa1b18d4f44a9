"""A router in front of two databases of the test server, in the place of one database."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from taskcore.embedded import EmbeddedServer
from taskcore.router.migrate import migrate_router
from taskcore.router.shards import Shard
from tests.databases import Database, execute
from tests.router.plproxy import RouterServer


@dataclass(frozen=True)
class RoutedDatabase(Database):
    """Two databases behind a router."""

    router: RouterServer

    @property
    def url(self) -> str:
        return self.router.url(self.name, "taskcore_app")

    @property
    def administrator_url(self) -> str:
        return self.router.url(self.name)

    @property
    def parts(self) -> tuple[Database, ...]:
        return tuple(Database(self.server, f"{self.name}_{letter}") for letter in "ab")


def create(server: EmbeddedServer, router: RouterServer | None, name: str) -> Database:
    """Create a migrated database, or two of them and a router in front of them."""
    database = RoutedDatabase(server, name, router) if router else Database(server, name)
    for part in database.parts:
        _maintain(server, f"CREATE DATABASE {part.name} TEMPLATE taskcore")
    if router:
        asyncio.run(router.create_database(name))
        shards = [Shard(part.owner_url) for part in database.parts]
        asyncio.run(migrate_router(router.url(name), shards))
    return database


@contextmanager
def created(server: EmbeddedServer, router: RouterServer | None, name: str) -> Iterator[Database]:
    """Create a database for a block."""
    database = create(server, router, name)
    yield database
    for part in database.parts:
        _maintain(server, f"DROP DATABASE {part.name} WITH (FORCE)")


def _maintain(server: EmbeddedServer, statement: str) -> None:
    asyncio.run(execute(server.owner_url.replace("/taskcore?", "/postgres?"), statement))
