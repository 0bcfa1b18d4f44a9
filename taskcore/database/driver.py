"""Statements on connections of asyncpg, and their outcomes."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import asyncpg

from taskcore.database.failures import (
    DRIVER_ERRORS,
    Failure,
    Outcome,
    ReadOnly,
    while_connecting,
    while_executing,
)
from taskcore.database.pool import Connection, Pool
from taskcore.database.url import address, connect_arguments, unknown_parameters
from taskcore.errors import (
    ConfigurationError,
    PoolExhausted,
    SchemaOutdated,
    StoreNotOpen,
    Unavailable,
)

if TYPE_CHECKING:
    from taskcore.settings import Settings

logger = logging.getLogger("taskcore")

Restart = Callable[[], Awaitable[str]]
"""Starts a server that has ended and returns its URL; raises `ConfigurationError`."""

SCHEMA_VERSION = 1
"""The ``taskcore.schema_version_v1()`` this release needs; it accepts newer ones."""

# Seconds. A connection that is younger than this shows the database's present state.
_YOUNG = 1.0

# Seconds for a live server to acknowledge a cancellation, or the end of a connection.
_ACKNOWLEDGED = 1.0

_FIRST = (
    "SELECT taskcore.schema_version_v1() AS version, r.rolsuper OR r.rolbypassrls AS bypasses_rls, "
    "pg_catalog.current_setting('transaction_read_only') AS read_only "
    "FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user"
)


class Driver:
    """Runs each statement on a pooled connection.

    It keeps no session state, so a transaction-mode pooler may give each statement
    another server connection.

    Attributes:
        took_writes: Whether the first connection accepted writes; None before it.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pool: Pool | None = None
        self._restart: Restart | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._checked = False
        # The server's address, for messages.
        self._address = ""
        self.took_writes: bool | None = None
        self._cancelling: set[asyncio.Task[None]] = set()

    def open(self, url: str, *, restart: Restart | None = None) -> None:
        """Set up the pool, without connecting.

        The pool closes idle connections before Neon does. Statements stay prepared, so
        from its second use on a statement is one round trip.

        Args:
            url: The database.
            restart: Called when no server listens, before one more attempt to connect.
        """
        arguments = self._arguments(url)
        if unknown := unknown_parameters(url):
            logger.warning("left out of the database URL, as not known: %s", unknown)
        self._restart = restart
        self._checked = False
        self._loop = asyncio.get_running_loop()
        self._pool = Pool(
            functools.partial(self._connect, arguments),
            max_size=self._settings.pool_max_size,
            idle_lifetime=self._settings.pool_idle_lifetime,
        )

    def _arguments(self, url: str) -> dict[str, Any]:
        return {
            "timeout": self._settings.connect_timeout,
            "command_timeout": self._settings.command_timeout,
            "max_cached_statement_lifetime": 0,
            **connect_arguments(url),
        }

    async def close(self) -> None:
        """Close every connection, without waiting for one that does not answer."""
        pool, self._pool = self._pool, None
        if pool is not None:
            try:
                await asyncio.gather(*self._cancelling, return_exceptions=True)
            finally:
                await pool.close(_ACKNOWLEDGED)

    @property
    def is_open(self) -> bool:
        """Whether the driver is open."""
        return self._pool is not None

    def require_open(self) -> asyncio.AbstractEventLoop:
        """Return the event loop.

        Raises:
            StoreNotOpen: The driver is closed, or was opened on another event loop.
        """
        if self._pool is None:
            raise StoreNotOpen
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            raise StoreNotOpen("the store belongs to the event loop that it was opened on")
        return loop

    async def fetch(self, statement: str, args: tuple[object, ...], deadline: float) -> list[Any]:
        """Run a statement on a connection and return its rows.

        Args:
            statement: One SQL statement.
            args: Its parameters.
            deadline: The latest time for the answer, on the event loop's clock.

        Raises:
            Failure: Has the outcome of the statement.
            SchemaOutdated: On the first connection: the database needs ``taskctl migrate``.
            ConfigurationError: On the first connection: the settings forbid its role.
        """
        loop, pool = self._loop, self._pool
        if loop is None or pool is None:
            raise Failure(Outcome.REFUSED, StoreNotOpen())
        connection = await self._acquire(
            pool, min(loop.time() + self._settings.pool_timeout, deadline)
        )
        timeout = min(self._settings.command_timeout, deadline - loop.time())
        if timeout <= 0:
            pool.release(connection)
            error = Unavailable("the database did not answer in time")
            raise Failure(Outcome.NOT_YET, error) from TimeoutError()
        try:
            rows = await connection.fetch(statement, *args, timeout=timeout)
        except (TimeoutError, asyncio.CancelledError) as exc:
            # The statement ends before the caller continues, and the next attempt learns
            # whether the server is alive.
            await asyncio.wait([self._cancel(pool, connection)])
            if isinstance(exc, TimeoutError):
                raise while_executing(exc) from exc
            raise
        except DRIVER_ERRORS as exc:
            failure = while_executing(exc)
            if failure.outcome is Outcome.READ_ONLY:
                failure = self._read_only(pool, connection)
            if failure.lost:
                pool.discard(connection)
            else:
                pool.release(connection)
            raise failure from exc
        except BaseException as exc:
            pool.discard(connection)
            if pool.is_closed and isinstance(exc, Exception):
                # asyncpg fails in its own ways when it is closed between two steps.
                error = Unavailable("the store was closed")
                raise Failure(Outcome.UNKNOWN, error) from exc
            raise
        pool.release(connection)
        return rows

    def retire_connections(self) -> None:
        """Retire every current connection: idle ones now, busy ones on release."""
        if self._pool is not None:
            self._pool.retire()

    def _read_only(self, pool: Pool, connection: Connection) -> Failure:
        """Decide whether a refused write may succeed on a new connection.

        After a failover old connections may refuse writes that new ones accept. If a new
        connection refuses them too, the database is read-only, and reads keep using it.
        """
        if connection.created_at + _YOUNG > asyncio.get_running_loop().time():
            return Failure(Outcome.REFUSED, ReadOnly())
        pool.retire()
        return Failure(Outcome.READ_ONLY, ReadOnly())

    def _cancel(self, pool: Pool, connection: Connection) -> asyncio.Task[None]:
        """Start a task that waits for a cancelled statement and closes its connection."""
        task = asyncio.create_task(_close_after_cancelling(pool, connection))
        self._cancelling.add(task)
        task.add_done_callback(self._cancelling.discard)
        # Also if the task is cancelled before it begins.
        task.add_done_callback(lambda _task: pool.discard(connection))
        return task

    async def _acquire(self, pool: Pool, limit: float) -> Connection:
        try:
            return await pool.acquire(limit)
        except (PoolExhausted, StoreNotOpen) as exc:
            raise Failure(Outcome.REFUSED, exc) from None
        except DRIVER_ERRORS as exc:
            raise while_connecting(exc, self._address) from exc

    async def _connect(self, arguments: dict[str, Any]) -> Connection:
        self._address = address(arguments)
        try:
            connection = await asyncpg.connect(**arguments, connection_class=Connection)
        except (ConnectionRefusedError, FileNotFoundError):
            if self._restart is None:
                raise
            arguments.update(self._arguments(await self._restarted(self._restart)))
            connection = await asyncpg.connect(**arguments, connection_class=Connection)
        if not self._checked:
            await self._check_first(connection)
        return connection

    async def _restarted(self, restart: Restart) -> str:
        try:
            return await restart()
        except ConfigurationError as exc:
            raise Failure(Outcome.REFUSED, Unavailable(str(exc))) from exc

    async def _check_first(self, connection: Connection) -> None:
        """Check the schema's version and the role, on the first connection."""
        try:
            row = await connection.fetchrow(_FIRST)
            assert row is not None
            self._check(row)
        except DRIVER_ERRORS as exc:
            connection.terminate()
            failure = while_executing(exc)
            if failure.outcome is Outcome.UNKNOWN:
                failure = while_connecting(exc, self._address)
            raise failure from exc
        except BaseException:
            connection.terminate()
            raise
        self._checked = True

    def _check(self, row: asyncpg.Record) -> None:
        self.took_writes = row["read_only"] == "off"
        if row["version"] < SCHEMA_VERSION:
            raise SchemaOutdated(
                f"the database has schema version {row['version']}, this release needs "
                f"{SCHEMA_VERSION}: run `taskctl migrate`"
            )
        if row["bypasses_rls"]:
            if self._settings.require_restricted_role:
                raise ConfigurationError(
                    "the database role bypasses row-level security, and "
                    "TASKCORE_REQUIRE_RESTRICTED_ROLE forbids it: use the application's URL"
                )
            logger.warning(
                "the database role bypasses row-level security; users are kept apart by the "
                "functions alone: use the application's URL, which `taskctl migrate` prints"
            )


async def _close_after_cancelling(pool: Pool, connection: Connection) -> None:
    """Close a connection when the server has acknowledged the cancellation.

    The connection is not used again: the cancellation may arrive late, and would end
    another caller's statement. Neon's proxy closes its side before it cancels.
    """
    try:
        await connection.close(timeout=_ACKNOWLEDGED)
    except TimeoutError:
        # If one connection is dead, assume the others are too.
        pool.retire()
    except DRIVER_ERRORS as exc:
        logger.debug("a connection was not closed in order: %s", exc)
