"""The connections of one store: made when they are needed, given up when they are silent."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any

import asyncpg

from taskcore.errors import (
    ConfigurationError,
    PoolExhausted,
    SchemaOutdated,
    StoreNotOpen,
    Unavailable,
)
from taskcore.failures import (
    DRIVER_ERRORS,
    Failure,
    Outcome,
    while_connecting,
    while_executing,
)
from taskcore.url import connect_arguments, unknown_parameters

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    from taskcore.settings import Settings

logger = logging.getLogger("taskcore")

SCHEMA_VERSION = 1
"""The ``taskcore.schema_version_v1()`` this release needs; it accepts newer ones."""

# Seconds for a live server to take note of a cancelling, and of a farewell.
_ACKNOWLEDGED = 1.0

_FIRST = (
    "SELECT taskcore.schema_version_v1() AS version, r.rolsuper OR r.rolbypassrls AS bypasses_rls "
    "FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user"
)


class Pool:
    """asyncpg's pool, as a store uses it: a connection for one statement.

    It keeps no session state, so every statement works on whichever server
    connection a transaction-mode pooler gives.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._checked = False
        self._trusted_from = 0.0
        self._returning: set[asyncio.Task[None]] = set()

    async def open(self, url: str) -> None:
        """Set up the pool; nothing is connected yet.

        Idle connections are closed before Neon does it. Statements stay prepared:
        one round trip from a statement's second use on. Nothing is reset at
        release, as no session state is kept.
        """
        arguments: dict[str, Any] = {"timeout": self._settings.connect_timeout} | connect_arguments(
            url
        )
        if unknown := unknown_parameters(url):
            logger.warning("left out of the database URL, as not known: %s", unknown)
        self._checked = False
        self._loop = asyncio.get_running_loop()
        self._pool = await asyncpg.create_pool(
            **arguments,
            min_size=0,
            max_size=self._settings.pool_max_size,
            max_inactive_connection_lifetime=self._settings.pool_idle_lifetime,
            max_cached_statement_lifetime=0,
            command_timeout=self._settings.command_timeout,
            connection_class=_Connection,
            init=self._set_up,
            reset=_keep_session,
        )

    async def close(self) -> None:
        """Close every connection; one that is silent does not hold it up."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            await asyncio.gather(*self._returning)
            async with asyncio.timeout(_ACKNOWLEDGED):
                await pool.close()
        except DRIVER_ERRORS as exc:
            logger.debug("connections were not closed in order: %s", exc)
            pool.terminate()
        except BaseException:
            pool.terminate()
            raise

    @property
    def is_open(self) -> bool:
        """Whether `open` was called, and `close` not since."""
        return self._pool is not None

    def require_open(self) -> None:
        """Refuse to work when closed, or on another event loop than it was opened on.

        Raises:
            StoreNotOpen: Says which.
        """
        if self._pool is None:
            raise StoreNotOpen(StoreNotOpen.__doc__)
        if self._loop is not asyncio.get_running_loop():
            raise StoreNotOpen("the store belongs to the event loop that it was opened on")

    async def fetch(self, statement: str, args: tuple[object, ...], deadline: float) -> list[Any]:
        """Run a statement on a connection of its own and return its rows.

        Args:
            statement: One SQL statement.
            args: Its parameters.
            deadline: On the event loop's clock.

        Raises:
            Failure: It says what became of the statement.
        """
        loop = asyncio.get_running_loop()
        pool = self._pool
        if pool is None:
            raise Failure(Outcome.REFUSED, StoreNotOpen(StoreNotOpen.__doc__))
        connection = await self._acquire(pool, deadline)
        timeout = min(self._settings.command_timeout, deadline - loop.time())
        if timeout <= 0:
            await pool.release(connection)
            error = Unavailable("the database did not answer in time")
            raise Failure(Outcome.NOT_YET, error)
        try:
            rows = await connection.fetch(statement, *args, timeout=timeout)
        except DRIVER_ERRORS as exc:
            failure = while_executing(exc)
            if isinstance(exc, TimeoutError):
                # The next attempt has to know whether the server is alive, and who reads
                # next what became of this one.
                await asyncio.wait([self._cancel(pool, connection)])
            else:
                if failure.lost:
                    # The pool must not hand out what is dying.
                    with contextlib.suppress(asyncpg.InterfaceError):
                        connection.terminate()
                await pool.release(connection)
            raise failure from exc
        except asyncio.CancelledError:
            # What became of the statement is decided before the caller goes on.
            await asyncio.wait([self._cancel(pool, connection)])
            raise
        await pool.release(connection)
        return rows

    async def _acquire(
        self, pool: asyncpg.Pool[asyncpg.Record], deadline: float
    ) -> PoolConnectionProxy[asyncpg.Record]:
        limit = min(asyncio.get_running_loop().time() + self._settings.pool_timeout, deadline)
        try:
            while True:
                # Its own timeout argument costs a task.
                async with asyncio.timeout_at(limit):
                    connection = await pool.acquire()
                # A proxy of ours, which the stubs do not know.
                if connection.born >= self._trusted_from:  # type: ignore[attr-defined]
                    return connection
                connection.terminate()
                await pool.release(connection)
        except DRIVER_ERRORS as exc:
            busy = pool.get_size() >= pool.get_max_size() and pool.get_idle_size() == 0
            if isinstance(exc, TimeoutError) and busy:
                error = PoolExhausted(
                    "no connection became free in time "
                    f"(pool_max_size is {self._settings.pool_max_size})"
                )
                raise Failure(Outcome.REFUSED, error) from exc
            raise while_connecting(exc) from exc

    def _cancel(
        self, pool: asyncpg.Pool[asyncpg.Record], connection: PoolConnectionProxy[asyncpg.Record]
    ) -> asyncio.Task[None]:
        """Have the statement cancelled and the connection returned, whoever waits for it."""
        returning = asyncio.create_task(self._return_cancelled(pool, connection))
        self._returning.add(returning)
        returning.add_done_callback(self._returning.discard)
        return returning

    async def _return_cancelled(
        self, pool: asyncpg.Pool[asyncpg.Record], connection: PoolConnectionProxy[asyncpg.Record]
    ) -> None:
        # The driver has asked the server to cancel; it would wait for long.
        release = asyncio.ensure_future(pool.release(connection))
        await asyncio.wait([release], timeout=_ACKNOWLEDGED)
        if not release.done():
            # What has swallowed one connection has swallowed the idle ones too.
            self._trusted_from = asyncio.get_running_loop().time()
            # The driver may have given it up in the same moment.
            with contextlib.suppress(asyncpg.InterfaceError):
                connection.terminate()
        await asyncio.gather(release, return_exceptions=True)

    async def _set_up(self, connection: asyncpg.Connection[Any]) -> None:
        """Note a connection's age; on the first look at the schema's version and the role."""
        assert isinstance(connection, _Connection)
        connection.born = asyncio.get_running_loop().time()
        if self._checked:
            return
        try:
            row = await connection.fetchrow(_FIRST)
        except asyncio.CancelledError:
            # The driver would say goodbye, and wait for an answer.
            connection.terminate()
            raise
        except DRIVER_ERRORS as exc:
            connection.terminate()
            failure = while_executing(exc)
            raise (
                while_connecting(exc) if failure.outcome is Outcome.UNKNOWN else failure
            ) from exc
        assert row is not None
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
        self._checked = True


class _Connection(asyncpg.Connection):
    """A connection that knows its age.

    Attributes:
        born: When it was set up, on the event loop's clock.
    """

    born: float


async def _keep_session(_connection: object) -> None:
    """Replace asyncpg's reset query; an open transaction is rolled back even so."""
