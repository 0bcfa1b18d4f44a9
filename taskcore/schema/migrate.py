"""Bring a database to this release: roles, tables, policies, functions, grants.

It runs on a direct connection, as the database's owner (on Neon the role of the
console) or a superuser. It is safe to run again, and by several processes at once.
"""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

import asyncpg

from taskcore.database.url import direct_url, with_login
from taskcore.errors import ConfigurationError
from taskcore.schema import catalog, pinned, roles
from taskcore.schema.connection import connect, connection, translated

if TYPE_CHECKING:
    from sqlalchemy import Connection

HEAD = "0001"
"""The newest revision in ``taskcore/schema/revisions``; known without loading Alembic."""

_ADVISORY_LOCK = 0x7461736B636F7265  # "taskcore" in ASCII
_alembic = threading.Lock()


@dataclass(frozen=True, slots=True)
class MigrationStatus:
    """The state of a database, compared with this release.

    Attributes:
        revision: Alembic's revision of the tables. None: the database was never migrated.
        head: The revision that this release needs.
        differences: Differences between the catalogs and this release, a line each.
        schema_exists: Whether the database has a schema ``taskcore``.
    """

    revision: str | None
    head: str
    differences: tuple[str, ...]
    schema_exists: bool = True

    @property
    def current(self) -> bool:
        """Whether there is nothing to do."""
        return self.revision == self.head and not self.differences


@dataclass(frozen=True, slots=True)
class Migration:
    """The result of a migration.

    Attributes:
        before: The status before it.
        application_url: The URL for the application, with the generated password of its
            role, if this call created the role or rotated the password. The password is
            stored nowhere else.
    """

    before: MigrationStatus
    application_url: str | None

    @property
    def changed(self) -> bool:
        """Whether anything was migrated or repaired. A rotated password does not count."""
        return not self.before.current


async def read_status(url: str) -> MigrationStatus:
    """Compare a database with this release, without changing it.

    Raises:
        Unavailable: The database cannot be reached.
        ConfigurationError: The URL or the login is wrong.
        PermissionDenied: The role is not the one that migrated the database.
    """
    async with connection(url) as session:
        await _refuse_router(session)
        return await _status(session)


async def migrate(
    url: str, *, application_host_url: str | None = None, rotate_password: bool = False
) -> Migration:
    """Bring a database to this release. If it is current, change nothing.

    Args:
        url: The URL of the migrating role. Neon's direct host replaces the pooled one.
        application_host_url: A URL with the host for the application, if that is not
            the host of ``url``.
        rotate_password: Give the application's role a new password. Its old URL then
            opens no new connection.

    Raises:
        PermissionDenied: The role may not do this.
        ConfigurationError: The database is newer than this release, is not UTF8, has a
            PostgreSQL that is too old, or has grants that cannot be repaired.
        Unavailable: The database cannot be reached, or stayed locked.
    """
    given_url, url = url, direct_url(url)
    async with connection(url) as session:
        await _refuse_unsuitable(session)
        # Read before the roles are repaired: a repair is a change.
        found = await catalog.read(session)
        password = await roles.ensure_roles(session)
        before = await _compared(session, found)
        if before.revision is not None and before.revision > HEAD:
            raise ConfigurationError(
                f"the database has revision {before.revision}, newer than this release "
                f"({HEAD}): upgrade taskcore"
            )
    if not before.current:
        # The connection above is closed, because it would be idle during the migration.
        async with translated():
            await apply(url)
        after = await read_status(url)
        if not after.current:
            raise ConfigurationError(
                "the database still differs from this release; repair it by hand:\n"
                + "\n".join(after.differences)
            )
    if rotate_password and password is None:
        async with connection(url) as session:
            password = await roles.rotate_password(session)
    return Migration(
        before=before,
        application_url=password
        and with_login(application_host_url or given_url, roles.APPLICATION_ROLE, password),
    )


async def apply(url: str) -> None:
    """Apply revisions and scripts in one transaction, under an advisory lock."""
    await asyncio.to_thread(_apply_alone, url)


def _apply_alone(url: str) -> None:
    # Alembic keeps its context in globals of the process.
    with _alembic:
        asyncio.run(_apply(url))


async def _apply(url: str) -> None:
    # Loaded on use: a current database needs neither.
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415
    from sqlalchemy.pool import NullPool  # noqa: PLC0415

    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: connect(url), poolclass=NullPool
    )
    async with engine.begin() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        assert isinstance(driver, asyncpg.Connection)
        # The first statement through SQLAlchemy begins the transaction. The scripts are sent
        # by the simple protocol, and run in it.
        await connection.exec_driver_sql("SET LOCAL lock_timeout = '60s'")
        await driver.execute(pinned.creation(driver))
        await driver.execute(f"SELECT pg_catalog.pg_advisory_xact_lock({_ADVISORY_LOCK})")
        await driver.execute("SET LOCAL lock_timeout = '10s'")
        if (await _status(driver)).current:
            return
        await driver.execute("CREATE SCHEMA IF NOT EXISTS taskcore AUTHORIZATION taskcore_owner")
        await driver.execute("SET LOCAL ROLE taskcore_owner")
        await connection.run_sync(_upgrade)
        await driver.execute(catalog.sql("policies"))
        await driver.execute(catalog.sql("functions"))


def _upgrade(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option(
        "script_location", str(resources.files("taskcore.schema").joinpath("revisions"))
    )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def _status(connection: asyncpg.Connection) -> MigrationStatus:
    return await _compared(connection, await catalog.read(connection))


async def _compared(connection: asyncpg.Connection, found: catalog.Catalog) -> MigrationStatus:
    revision: str | None = None
    if "relation alembic_version" in found:
        async with catalog.rolled_back(connection):
            await connection.execute("SET LOCAL ROLE taskcore_owner")
            revision = await connection.fetchval("SELECT version_num FROM taskcore.alembic_version")
    exists = "privileges of schema taskcore" in found
    return MigrationStatus(revision, HEAD, catalog.differences(found), exists)


async def _refuse_router(connection: asyncpg.Connection) -> None:
    if await catalog.is_router(connection):
        raise ConfigurationError(
            "this database is a router, which holds no tasks: run `taskctl router migrate`"
        )


async def _refuse_unsuitable(connection: asyncpg.Connection) -> None:
    await _refuse_router(connection)
    if connection.get_server_version() < (16,):
        raise ConfigurationError(
            f"taskcore needs PostgreSQL 16 or newer, this is {connection.get_server_version()[0]}"
        )
    if (encoding := connection.get_settings().server_encoding) != "UTF8":
        raise ConfigurationError(f"taskcore needs a database with encoding UTF8, not {encoding}")
