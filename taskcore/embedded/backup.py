"""Backups of the embedded database, by ``pg_dump`` and ``pg_restore``.

A backup is consistent even while the server is in use, and can be restored into a newer
release or a newer PostgreSQL. It holds the tasks of every user.
https://www.postgresql.org/docs/current/app-pgdump.html
"""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import IO

import asyncpg

from taskcore.database.failures import DRIVER_ERRORS, while_executing
from taskcore.database.url import connect_arguments
from taskcore.embedded.programs import environment
from taskcore.embedded.server import DATABASE, EmbeddedServer
from taskcore.errors import ConfigurationError
from taskcore.schema.migrate import migrate

_RESTORING = "taskcore_restoring"
_REPLACED = "taskcore_replaced"
_CHUNK = 1 << 20


async def backup(server: EmbeddedServer, write: Callable[[bytes], object]) -> int:
    """Write a backup of the whole database, in ``pg_dump``'s custom format.

    Args:
        server: A started server.
        write: Called with each part of the backup, in order.

    Returns:
        The number of bytes.

    Raises:
        ConfigurationError: ``pg_dump`` failed.
    """
    process = await asyncio.create_subprocess_exec(
        server.program("pg_dump"),
        *server.login(),
        "--format=custom",
        DATABASE,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        errors = asyncio.ensure_future(process.stderr.read())
        size = 0
        while part := await process.stdout.read(_CHUNK):
            write(part)
            size += len(part)
        if await process.wait():
            raise ConfigurationError(f"the backup failed: {_last_line(await errors)}")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return size


async def restore(server: EmbeddedServer, file: IO[bytes]) -> None:
    """Replace the empty database of a new home with a backup, completely or not at all.

    The backup may run SQL of its own as the database's owner: restore only what you trust.

    Args:
        server: A started server, whose database has no users yet.
        file: A backup, as `backup` writes it.

    Raises:
        ConfigurationError: The home has users already or is in use, the file is not a
            backup of taskcore, or it is newer than this release.
    """
    await _remove_leftovers(server)
    await _refuse_users(server, DATABASE)
    await _administer(server, f"CREATE DATABASE {_RESTORING} TEMPLATE template0")
    try:
        await _fill(server, file)
        await migrate(server.owner_url.replace(f"/{DATABASE}?", f"/{_RESTORING}?"))
        await _swap(server, (DATABASE, _REPLACED), (_RESTORING, DATABASE))
        try:
            # Somebody may have used it since it was found empty.
            await _refuse_users(server, _REPLACED)
        except BaseException:
            await _swap(server, (DATABASE, _RESTORING), (_REPLACED, DATABASE))
            raise
    except BaseException:
        await _administer(server, f"DROP DATABASE IF EXISTS {_RESTORING} WITH (FORCE)")
        raise
    await _administer(server, f"DROP DATABASE {_REPLACED}")


async def _remove_leftovers(server: EmbeddedServer) -> None:
    """Remove what a restore that was killed has left; a database with users is kept."""
    async with _connected(server, "postgres") as connection:
        left = await connection.fetchval(
            "SELECT true FROM pg_catalog.pg_database WHERE datname = $1", _REPLACED
        )
    if left:
        await _refuse_users(server, _REPLACED)
    await _administer(
        server,
        f"DROP DATABASE IF EXISTS {_REPLACED}",
        f"DROP DATABASE IF EXISTS {_RESTORING} WITH (FORCE)",
    )


async def _swap(server: EmbeddedServer, *renamed: tuple[str, str]) -> None:
    """Rename databases at once; refused while one of them is in use."""
    async with _connected(server, "postgres") as connection, connection.transaction():
        for before, after in renamed:
            await connection.execute(f"ALTER DATABASE {before} RENAME TO {after}")


async def _fill(server: EmbeddedServer, file: IO[bytes]) -> None:
    process = await asyncio.create_subprocess_exec(
        server.program("pg_restore"),
        *server.login(),
        f"--dbname={_RESTORING}",
        "--exit-on-error",
        "--single-transaction",
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    assert process.stdin is not None
    assert process.stderr is not None
    try:
        errors_read = asyncio.ensure_future(process.stderr.read())
        # It may end early, with a reason.
        with suppress(BrokenPipeError, ConnectionResetError):
            while part := await asyncio.to_thread(file.read, _CHUNK):
                process.stdin.write(part)
                await process.stdin.drain()
        process.stdin.close()
        errors = await errors_read
        await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise ConfigurationError(f"the backup cannot be restored: {_last_line(errors)}")
    async with _connected(server, _RESTORING) as connection:
        if await connection.fetchval("SELECT to_regclass('taskcore.alembic_version') IS NULL"):
            raise ConfigurationError("the backup cannot be restored: it is not one of taskcore")


async def _refuse_users(server: EmbeddedServer, database: str) -> None:
    async with _connected(server, database) as connection:
        if await connection.fetchval(
            "SELECT EXISTS (SELECT FROM taskcore.users UNION ALL SELECT FROM taskcore.identities)"
        ):
            raise ConfigurationError(
                f"the embedded database in {server.home} has users already: restore into a new "
                "folder (--home, TASKCORE_HOME)"
            )


async def _administer(server: EmbeddedServer, *statements: str) -> None:
    async with _connected(server, "postgres") as connection:
        for statement in statements:
            await connection.execute(statement)


@asynccontextmanager
async def _connected(server: EmbeddedServer, database: str) -> AsyncIterator[asyncpg.Connection]:
    arguments = connect_arguments(server.owner_url) | {"database": database}
    try:
        connection = await asyncpg.connect(**arguments)
        try:
            yield connection
        finally:
            await connection.close(timeout=5)
    except asyncpg.ObjectInUseError as exc:
        raise ConfigurationError(
            f"other processes use the embedded database in {server.home}: end them first"
        ) from exc
    except DRIVER_ERRORS as exc:
        raise while_executing(exc).error from exc


def _last_line(output: bytes) -> str:
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "no reason was given"
