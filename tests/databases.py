"""Databases of the test server."""

import asyncio
import itertools
from dataclasses import dataclass
from urllib.parse import quote

import asyncpg

from taskcore.database.url import connect_arguments
from taskcore.embedded import EmbeddedServer
from taskcore.schema import catalog
from taskcore.schema.migrate import HEAD

numbers = itertools.count(1)


@dataclass(frozen=True)
class Database:
    """A database of the test server, and who may connect to it."""

    server: EmbeddedServer
    name: str

    @property
    def url(self) -> str:
        """The application's URL: what the product uses."""
        return self._of(self.server.application_url)

    @property
    def owner_url(self) -> str:
        """The superuser's URL: to set things up and to look behind them."""
        return self._of(self.server.owner_url)

    @property
    def administrator_url(self) -> str:
        """The URL of an administrator of the product."""
        return self.owner_url

    @property
    def parts(self) -> "tuple[Database, ...]":
        """The databases that hold the rows."""
        return (self,)

    def url_of(self, role: str) -> str:
        return self.owner_url.replace("//postgres@", f"//{quote(role)}@")

    def _of(self, url: str) -> str:
        return url.replace("/taskcore?", f"/{self.name}?")


async def execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(**connect_arguments(url))
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def fetch(url: str, query: str) -> str:
    """Return the one value of a query, as text."""
    connection = await asyncpg.connect(**connect_arguments(url))
    try:
        return str(await connection.fetchval(query))
    finally:
        await connection.close()


async def read_catalog(url: str) -> catalog.Catalog:
    """Read the catalog as a superuser."""
    connection = await asyncpg.connect(**connect_arguments(url))
    try:
        return await catalog.read(connection)
    finally:
        await connection.close()


class Cleaner:
    """Empties databases between tests. It keeps its connections, because connecting is slow."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._connections: dict[str, asyncpg.Connection] = {}

    def delete_rows(self, database: Database) -> None:
        for part in database.parts:
            self._loop.run_until_complete(self._delete_rows(part))

    def emptied(self, database: Database, template: catalog.Catalog) -> bool:
        """Delete every row and end every session; tell whether the schema is the template's."""
        return not [part for part in database.parts if not self._as_new(part, template)]

    def _as_new(self, database: Database, template: catalog.Catalog) -> bool:
        as_new = self._loop.run_until_complete(self._emptied(database, template))
        if not as_new:
            # The database is not used again.
            self._loop.run_until_complete(self._connections.pop(database.name).close())
        return as_new

    def close(self) -> None:
        for connection in self._connections.values():
            connection.terminate()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _connected(self, database: Database) -> asyncpg.Connection:
        connection = self._connections.get(database.name)
        try:
            if connection is not None:
                await connection.execute("SELECT")
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            # A test has ended every session of its database.
            connection = None
        if connection is None:
            connection = await asyncpg.connect(**connect_arguments(database.owner_url))
            self._connections[database.name] = connection
        return connection

    async def _delete_rows(self, database: Database) -> None:
        connection = await self._connected(database)
        await connection.execute("DELETE FROM taskcore.users; DELETE FROM taskcore.identities")

    async def _emptied(self, database: Database, template: catalog.Catalog) -> bool:
        connection = await self._connected(database)
        # Wait until they are gone: a pooler would give the next test a session that is ending.
        while await connection.fetchval(  # noqa: ASYNC110  (PostgreSQL does not announce the end)
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ):
            await asyncio.sleep(0.001)
        if await catalog.read(connection) != template or await connection.fetchval(
            "SELECT true FROM pg_db_role_setting AS s JOIN pg_database AS d "
            "ON d.oid = s.setdatabase WHERE d.datname = current_database() LIMIT 1"
        ):
            return False
        if await connection.fetchval("SELECT version_num FROM taskcore.alembic_version") != HEAD:
            return False
        await self._delete_rows(database)
        return True
