"""The database's catalogs: the objects that this release expects, and those that exist."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib import resources

import asyncpg

from taskcore.schema import pinned, role_settings
from taskcore.schema.roles import ROLES

Catalog = Mapping[str, str]
"""Objects, such as ``policy tasks.tasks_own``, and their definitions."""


_FOLDER = resources.files("taskcore.schema")


def sql(name: str) -> str:
    """Return the text of a ``.sql`` file of this package, or of all files of a folder."""
    if (folder := _FOLDER.joinpath(name)).is_dir():
        files = sorted(folder.iterdir(), key=lambda file: file.name)
        return "\n".join(file.read_text("utf-8") for file in files)
    return _FOLDER.joinpath(f"{name}.sql").read_text("utf-8")


def expected() -> Catalog:
    """Return the catalog of a database that this release has just migrated."""
    text = _FOLDER.joinpath("catalog.json").read_text("utf-8")
    catalog: dict[str, str] = json.loads(text)
    return catalog


@asynccontextmanager
async def rolled_back(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """Run a block in a transaction, or a savepoint, and roll it back."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        yield
    finally:
        await transaction.rollback()


async def is_router(connection: asyncpg.Connection) -> bool:
    """Return whether the database is a router, which holds no tasks."""
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_foreign_server AS s"
        " JOIN pg_catalog.pg_foreign_data_wrapper AS w ON w.oid = s.srvfdw"
        " WHERE s.srvname = 'taskcore' AND w.fdwname = 'plproxy')"
    )
    return found


async def read(connection: asyncpg.Connection) -> Catalog:
    """Return the catalog of the database. Every role may read it; no lock blocks others."""
    async with rolled_back(connection):
        # PostgreSQL prints the definitions, and settings change how.
        await connection.execute(pinned.meaning(connection))
        rows = await connection.fetch(sql("catalog"))
        rows += await connection.fetch(sql("roles"), list(ROLES))
        settings = await role_settings.read(connection)
    return {row["object"]: row["definition"] for row in rows} | role_settings.as_objects(settings)


def differences(actual: Catalog) -> tuple[str, ...]:
    """Return the differences between a catalog and the expected one, a line each."""
    wanted = expected()
    return tuple(
        f"{name}: is {actual.get(name, 'missing')!r}, should be {wanted.get(name, 'absent')!r}"
        for name in sorted(actual.keys() | wanted.keys())
        if actual.get(name) != wanted.get(name)
    )
