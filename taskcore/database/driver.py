"""asyncpg, as a store uses it: one statement on a connection, and what became of it."""

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
from taskcore.database.url import connect_arguments, unknown_parameters
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

# Seconds. A younger connection shows the database's present state.
_YOUNG = 1.0

# Seconds for a live server to take note of a cancelling, and of a farewell.
_ACKNOWLEDGED = 1.0

_FIRST = (
    "SELECT taskcore.schema_version_v1() AS version, r.rolsuper OR r.rolbypassrls AS bypasses_rls, "
    "pg_catalog.current_setting('transaction_read_only') AS read_only "
    "FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user"
)


class Driver:
    """asyncpg, as a store uses it: one statement on a connection of its own.

    It keeps no session state, so every statement works on whichever server
    connection a transaction-mode pooler gives.

    Attributes:
        took_writes: Whether the first connection took writes; None: there was none yet.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pool: Pool | None = None
        self._restart: Restart | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._checked = False
        self.took_writes: bool | None = None
        self._settling: set[asyncio.Task[None]] = set()

    def open(self, url: str, *, restart: Restart | None = None) -> None:
        """Set up the pool; nothing is connected yet.

        Idle connections are closed before Neon does it. Statements stay prepared:
        one round trip from a statement's second use on.

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
        """Close every connection; one that is silent does not hold it up."""
        pool, self._pool = self._pool, None
        if pool is not None:
            try:
                await asyncio.gather(*self._settling, return_exceptions=True)
            finally:
                await pool.close(_ACKNOWLEDGED)

    @property
    def is_open(self) -> bool:
        """Whether `open` was called, and `close` not since."""
        return self._pool is not None

    def require_open(self) -> asyncio.AbstractEventLoop:
        """Return the event loop; refuse when closed, or on another than it was opened on.

        Raises:
            StoreNotOpen: Says which.
        """
        if self._pool is None:
            raise StoreNotOpen
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            raise StoreNotOpen("the store belongs to the event loop that it was opened on")
        return loop

    async def fetch(self, statement: str, args: tuple[object, ...], deadline: float) -> list[Any]:
        """Run a statement on a connection of its own and return its rows.

        Args:
            statement: One SQL statement.
            args: Its parameters.
            deadline: On the event loop's clock.

        Raises:
            Failure: It says what became of the statement.
            SchemaOutdated: The first look found that the database needs ``taskctl migrate``.
            ConfigurationError: It found a role that the settings refuse.
        """
        loop, pool = self._loop, self._pool
        if loop is None or pool is None:
            raise Failure(Outcome.REFUSED, StoreNotOpen())
        connection = await _acquire(pool, min(loop.time() + self._settings.pool_timeout, deadline))
        timeout = min(self._settings.command_timeout, deadline - loop.time())
        if timeout <= 0:
            pool.release(connection)
            error = Unavailable("the database did not answer in time")
            raise Failure(Outcome.NOT_YET, error) from TimeoutError()
        try:
            rows = await connection.fetch(statement, *args, timeout=timeout)
        except (TimeoutError, asyncio.CancelledError) as exc:
            # What became of the statement is decided before the caller goes on; and the
            # next attempt has to know whether the server is alive.
            await asyncio.wait([self._settle(pool, connection)])
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
                # The driver does not expect to be closed between an answer and the next step.
                error = Unavailable("the store was closed")
                raise Failure(Outcome.UNKNOWN, error) from exc
            raise
        pool.release(connection)
        return rows

    def retire_connections(self) -> None:
        """Retire every connection: idle ones now, busy ones when they come back."""
        if self._pool is not None:
            self._pool.distrust()

    def _read_only(self, pool: Pool, connection: Connection) -> Failure:
        """Decide whether a write that was refused may succeed on a new connection.

        After a failover old connections may take no writes although new ones do. If a
        new one does not either, it is the database, and reads go on using it.
        """
        if connection.born + _YOUNG > asyncio.get_running_loop().time():
            return Failure(Outcome.REFUSED, ReadOnly())
        pool.distrust()
        return Failure(Outcome.READ_ONLY, ReadOnly())

    def _settle(self, pool: Pool, connection: Connection) -> asyncio.Task[None]:
        """Have a cancelled statement come to its end, and its connection closed."""
        settling = asyncio.create_task(_hang_up(pool, connection))
        self._settling.add(settling)
        settling.add_done_callback(self._settling.discard)
        # However it ends, and if it never begins.
        settling.add_done_callback(lambda _settled: pool.discard(connection))
        return settling

    async def _connect(self, arguments: dict[str, Any]) -> Connection:
        try:
            connection = await asyncpg.connect(**arguments, connection_class=Connection)
        except (ConnectionRefusedError, FileNotFoundError):
            if self._restart is None:
                raise
            arguments.update(self._arguments(await self._restarted(self._restart)))
            connection = await asyncpg.connect(**arguments, connection_class=Connection)
        if not self._checked:
            await self._look(connection)
        return connection

    async def _restarted(self, restart: Restart) -> str:
        try:
            return await restart()
        except ConfigurationError as exc:
            raise Failure(Outcome.REFUSED, Unavailable(str(exc))) from exc

    async def _look(self, connection: Connection) -> None:
        """Look at the schema's version and the role, on the first connection."""
        try:
            row = await connection.fetchrow(_FIRST)
            assert row is not None
            self._check(row)
        except DRIVER_ERRORS as exc:
            connection.terminate()
            failure = while_executing(exc)
            raise (
                while_connecting(exc) if failure.outcome is Outcome.UNKNOWN else failure
            ) from exc
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


async def _acquire(pool: Pool, limit: float) -> Connection:
    try:
        return await pool.acquire(limit)
    except (PoolExhausted, StoreNotOpen) as exc:
        raise Failure(Outcome.REFUSED, exc) from None
    except DRIVER_ERRORS as exc:
        raise while_connecting(exc) from exc


async def _hang_up(pool: Pool, connection: Connection) -> None:
    """Close a connection when the server has taken note of the cancelling.

    It is not used again: the cancelling may arrive late, and would meet another
    caller's statement. Neon's proxy hangs up before it passes one on.
    """
    try:
        await connection.close(timeout=_ACKNOWLEDGED)
    except TimeoutError:
        # What has swallowed one connection has swallowed the others too.
        pool.distrust()
    except DRIVER_ERRORS as exc:
        logger.debug("a connection was not closed in order: %s", exc)
