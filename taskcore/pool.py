"""The connections of one store: made when they are needed, given up when they are silent."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any

import asyncpg

from taskcore.errors import ConfigurationError, PoolExhausted, SchemaOutdated, StoreNotOpen
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

# Seconds that a cancelled call waits for the server to take note.
_CANCELLED = 1.0

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
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._trusted_from = 0.0
        self._returning: set[asyncio.Future[None]] = set()

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
            logger.warning("the database URL's %s is not known and left out", ", ".join(unknown))
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
        """Refuse new calls, wait for those under way, then close every connection."""
        if self._pool is not None:
            self._running_loop()
            pool, self._pool = self._pool, None
            try:
                # asyncpg's own close() would break those that wait for a connection.
                await self._idle.wait()
                await pool.close()
            except BaseException:
                pool.terminate()
                raise

    async def fetch(self, statement: str, args: tuple[object, ...], deadline: float) -> list[Any]:
        """Run a statement on a connection of its own and return its rows.

        Args:
            statement: One SQL statement.
            args: Its parameters.
            deadline: On the event loop's clock.

        Raises:
            Failure: It says what became of the statement.
            StoreNotOpen: The pool is closed, or belongs to another event loop.
        """
        loop = self._running_loop()
        pool = self._pool
        if pool is None:
            raise StoreNotOpen(StoreNotOpen.__doc__)
        self._under_way += 1
        self._idle.clear()
        try:
            connection = await self._acquire(pool, deadline - loop.time())
            timeout = min(self._settings.command_timeout, deadline - loop.time())
            try:
                rows = await connection.fetch(statement, *args, timeout=timeout)
            except DRIVER_ERRORS as exc:
                failure = while_executing(exc)
                await self._give_up(pool, connection, failure, silent=isinstance(exc, TimeoutError))
                raise failure from exc
            except asyncio.CancelledError:
                # Almost always the server has let go, or is done, before the caller goes on.
                await asyncio.wait([self._return_later(pool, connection)], timeout=_CANCELLED)
                raise
            await pool.release(connection)
            return rows
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.get_running_loop()
        if self._loop is not loop and self._pool is not None:
            raise StoreNotOpen("the store belongs to the event loop that it was opened on")
        return loop

    async def _acquire(
        self, pool: asyncpg.Pool[asyncpg.Record], left: float
    ) -> PoolConnectionProxy[asyncpg.Record]:
        try:
            while True:
                connection = await pool.acquire(timeout=min(self._settings.pool_timeout, left))
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

    async def _give_up(
        self,
        pool: asyncpg.Pool[asyncpg.Record],
        connection: PoolConnectionProxy[asyncpg.Record],
        failure: Failure,
        *,
        silent: bool,
    ) -> None:
        """Return a connection whose statement failed."""
        if silent:
            # What has swallowed one connection has swallowed the idle ones too.
            self._trusted_from = self._running_loop().time()
            self._return_later(pool, connection)
            return
        if failure.lost:
            # The pool must not hand out what is dying.
            with contextlib.suppress(asyncpg.InterfaceError):
                connection.terminate()
        await pool.release(connection)

    def _return_later(
        self, pool: asyncpg.Pool[asyncpg.Record], connection: PoolConnectionProxy[asyncpg.Record]
    ) -> asyncio.Future[None]:
        """Return a connection that did not answer; it may take long.

        The driver asks the server to cancel the statement, and waits for the answer to
        that as long as for the statement's.
        """
        returning = asyncio.ensure_future(pool.release(connection))
        self._returning.add(returning)
        returning.add_done_callback(self._returned)
        return returning

    def _returned(self, returning: asyncio.Future[None]) -> None:
        self._returning.discard(returning)
        if not returning.cancelled() and (exc := returning.exception()) is not None:
            # asyncpg has closed the connection, and opens another.
            logger.debug("a connection was given up: %s", exc)

    async def _set_up(self, connection: asyncpg.Connection[Any]) -> None:
        """Note a connection's age; on the first look at the schema's version and the role."""
        assert isinstance(connection, _Connection)
        connection.born = self._running_loop().time()
        if self._checked:
            return
        try:
            row = await connection.fetchrow(_FIRST)
        except DRIVER_ERRORS as exc:
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
