"""One call, one round trip: the connection pool, and what is sent again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import asyncpg
import tenacity

from taskcore.errors import (
    ConfigurationError,
    OutcomeUnknown,
    PoolExhausted,
    SchemaOutdated,
    StoreNotOpen,
)
from taskcore.failures import (
    DRIVER_ERRORS,
    Failure,
    IdsTaken,
    Outcome,
    while_connecting,
    while_executing,
)
from taskcore.url import connect_arguments, unknown_parameters

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from asyncpg.pool import PoolConnectionProxy

    from taskcore.settings import Settings

logger = logging.getLogger("taskcore")

SCHEMA_VERSION = 1
"""The ``taskcore.schema_version_v1()`` this release needs; it accepts newer ones."""

# What may pass: every write of the library is idempotent, so even a lost answer.
_PASSING = frozenset(Outcome) - {Outcome.REFUSED}

# Seconds that a cancelled call waits for the server to take note.
_CANCELLED = 1.0

_VERSION = "SELECT taskcore.schema_version_v1()"
_FIRST = (
    "SELECT taskcore.schema_version_v1() AS version, r.rolsuper OR r.rolbypassrls AS bypasses_rls "
    "FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user"
)


class Database:
    """The pool of one store.

    It keeps no session state, so every statement works on whichever server
    connection a transaction-mode pooler gives.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._checked = False
        self._reachable: bool | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._distrusted = 0.0
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
        self._checked, self._reachable = False, None
        self._loop = asyncio.get_running_loop()
        self._pool = await asyncpg.create_pool(
            **arguments,
            min_size=0,
            max_size=self._settings.pool_max_size,
            max_inactive_connection_lifetime=self._settings.pool_idle_lifetime,
            max_cached_statement_lifetime=0,
            command_timeout=self._settings.command_timeout,
            connection_class=_Connection,
            init=self._check,
            reset=_keep_session,
        )

    async def close(self) -> None:
        """Refuse new calls, wait for those under way, then close every connection."""
        if self._pool is not None:
            self._refuse_other_loop()
            pool, self._pool = self._pool, None
            try:
                await self._idle.wait()
                await pool.close()
            except BaseException:
                pool.terminate()
                raise

    async def fetch(self, statement: str, *args: object) -> list[Any]:
        """Run a statement that changes nothing and return its rows.

        Raises:
            TaskcoreError: See ``taskcore.errors``.
        """
        return await self._run(_Call(statement, args))

    async def write(self, statement: str, *args: object) -> tuple[list[Any], bool]:
        """Run an idempotent write; return its rows, and whether it may have run before.

        It is sent again after every failure that may pass, until the operation's
        time is over.

        Raises:
            OutcomeUnknown: Time is over, and an answer was lost.
            TaskcoreError: See ``taskcore.errors``.
        """
        call = _Call(statement, args, write=True)
        rows = await self._run(call)
        return rows, call.repeated

    async def connect(self) -> None:
        """Reach the database and check its schema; wait for one that is waking up.

        Raises:
            Unavailable: No server answers (which is not waited for), or not in time.
            TaskcoreError: See ``taskcore.errors``.
        """
        await self._run(_Call(_VERSION), retry={Outcome.NOT_YET})

    async def ready(self) -> None:
        """Raise unless the last operation reached the database.

        Asks the database only before the first success and after a failure: a
        readiness probe must not keep a suspended compute awake.
        """
        if not self._reachable:
            await self._run(_Call(_VERSION), retry=frozenset())

    async def _run(self, call: _Call, retry: Collection[Outcome] = _PASSING) -> list[Any]:
        """Send a statement until it is done, until it is refused, or until time is over."""
        call.deadline = asyncio.get_running_loop().time() + self._settings.operation_timeout
        try:
            try:
                return await self._attempt(call)
            except Failure as failure:
                wait = random.uniform(0, self._settings.retry_wait_initial)  # noqa: S311
                if failure.outcome not in retry or wait >= call.remaining():
                    raise
            await asyncio.sleep(wait)
            again = tenacity.AsyncRetrying(
                retry=tenacity.retry_if_exception(
                    lambda exc: isinstance(exc, Failure) and exc.outcome in retry
                ),
                wait=tenacity.wait_random_exponential(
                    multiplier=self._settings.retry_wait_initial,
                    max=self._settings.retry_wait_max,
                ),
                stop=tenacity.stop_before_delay(call.remaining()),
                reraise=True,
            )
            return await again(self._attempt_again, call)
        except Failure as failure:
            if call.write and call.uncertain:
                raise OutcomeUnknown(
                    "the connection to the database was lost before its answer: "
                    "the write took effect wholly or not at all"
                ) from failure.__cause__
            raise failure.error from failure.__cause__

    async def _attempt_again(self, call: _Call) -> list[Any]:
        call.repeated = call.uncertain
        return await self._attempt(call)

    async def _attempt(self, call: _Call) -> list[Any]:
        try:
            async with self._connection(call) as connection:
                timeout = min(self._settings.command_timeout, call.remaining())
                try:
                    rows = await connection.fetch(call.statement, *call.args, timeout=timeout)
                except DRIVER_ERRORS as exc:
                    raise while_executing(exc) from exc
                except asyncio.CancelledError:
                    call.uncertain = True
                    raise
        except Failure as failure:
            call.uncertain = call.uncertain or failure.outcome is Outcome.UNKNOWN
            if not isinstance(failure.error, IdsTaken | PoolExhausted) and (
                failure.outcome is not Outcome.ROLLED_BACK
            ):
                self._reachable = False
            raise
        self._reachable = True
        return rows

    @asynccontextmanager
    async def _connection(self, call: _Call) -> AsyncIterator[PoolConnectionProxy[asyncpg.Record]]:
        pool = self._pool
        if pool is None:
            raise StoreNotOpen(StoreNotOpen.__doc__)
        self._refuse_other_loop()
        # asyncpg's own close() would break those that wait for a connection.
        self._under_way += 1
        self._idle.clear()
        try:
            within = min(self._settings.pool_timeout, call.remaining())
            connection = await self._acquire(pool, within)
            try:
                yield connection
            except Failure as failure:
                if isinstance(failure.__cause__, TimeoutError):
                    # What has swallowed one connection has swallowed the idle ones too.
                    self._distrusted = call.now()
                    self._return_later(pool, connection)
                    raise
                if failure.lost:
                    # The pool must not hand out what is dying.
                    with contextlib.suppress(asyncpg.InterfaceError):
                        connection.terminate()
                await pool.release(connection)
                raise
            except asyncio.CancelledError:
                # Almost always the server has let go, or is done, before the caller goes on.
                await asyncio.wait([self._return_later(pool, connection)], timeout=_CANCELLED)
                raise
            await pool.release(connection)
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()

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
            # The pool has closed the connection, and opens another.
            logger.debug("a connection was given up: %s", exc)

    def _refuse_other_loop(self) -> None:
        if self._loop is not asyncio.get_running_loop():
            raise StoreNotOpen("the store belongs to the event loop that it was opened on")

    async def _acquire(
        self, pool: asyncpg.Pool[asyncpg.Record], within: float
    ) -> PoolConnectionProxy[asyncpg.Record]:
        try:
            while True:
                connection = await pool.acquire(timeout=within)
                # A proxy of ours, which the stubs do not know.
                if connection.born >= self._distrusted:  # type: ignore[attr-defined]
                    return connection
                connection.terminate()
                await pool.release(connection)
        except DRIVER_ERRORS as exc:
            if isinstance(exc, TimeoutError) and self._busy():
                error = PoolExhausted(
                    "no connection became free in time "
                    f"(pool_max_size is {self._settings.pool_max_size})"
                )
                raise Failure(Outcome.REFUSED, error) from exc
            raise while_connecting(exc) from exc

    def _busy(self) -> bool:
        pool = self._pool
        return (
            pool is not None
            and pool.get_size() >= pool.get_max_size()
            and pool.get_idle_size() == 0
        )

    async def _check(self, connection: asyncpg.Connection[Any]) -> None:
        """Look at the first connection: the schema's version, and the role."""
        assert isinstance(connection, _Connection)
        connection.born = asyncio.get_running_loop().time()
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


class _Call:
    """One operation on its way.

    Attributes:
        uncertain: An attempt was lost that may have taken effect.
        repeated: That was so before the last attempt.
        deadline: When its time is over, on the event loop's clock.
    """

    __slots__ = ("args", "deadline", "repeated", "statement", "uncertain", "write")

    def __init__(
        self, statement: str, args: tuple[object, ...] = (), *, write: bool = False
    ) -> None:
        self.statement = statement
        self.args = args
        self.write = write
        self.uncertain = False
        self.repeated = False
        self.deadline = 0.0

    def remaining(self) -> float:
        """Return the seconds left."""
        return self.deadline - self.now()

    @staticmethod
    def now() -> float:
        return asyncio.get_running_loop().time()


async def _keep_session(_connection: object) -> None:
    """Replace asyncpg's reset query; an open transaction is rolled back even so."""
