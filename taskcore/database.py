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
    TaskcoreError,
    Unavailable,
)
from taskcore.failures import (
    DRIVER_ERRORS,
    Failure,
    IdsTaken,
    Outcome,
    while_connecting,
    while_executing,
)
from taskcore.url import connect_arguments

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from asyncpg.pool import PoolConnectionProxy

    from taskcore.settings import Settings

logger = logging.getLogger("taskcore")

SCHEMA_VERSION = 1
"""The ``taskcore.schema_version_v1()`` this release needs; it accepts newer ones."""

# What may pass: every write of the library is idempotent, so even a lost answer.
_PASSING = frozenset(Outcome) - {Outcome.REFUSED}

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

    async def open(self, url: str) -> None:
        """Set up the pool; nothing is connected yet.

        Idle connections are closed before Neon does it. Statements stay prepared:
        one round trip from a statement's second use on. Nothing is reset at
        release, as no session state is kept.
        """
        arguments: dict[str, Any] = {"timeout": self._settings.connect_timeout} | connect_arguments(
            url
        )
        self._checked, self._reachable = False, None
        self._loop = asyncio.get_running_loop()
        self._pool = await asyncpg.create_pool(
            **arguments,
            min_size=0,
            max_size=self._settings.pool_max_size,
            max_inactive_connection_lifetime=self._settings.pool_idle_lifetime,
            max_cached_statement_lifetime=0,
            command_timeout=self._settings.command_timeout,
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
        deadline = self._settings.operation_timeout
        try:
            async with asyncio.timeout(deadline):
                try:
                    return await self._attempt(call)
                except Failure as failure:
                    if failure.outcome not in retry:
                        raise
                again = tenacity.AsyncRetrying(
                    retry=tenacity.retry_if_exception(
                        lambda exc: isinstance(exc, Failure) and exc.outcome in retry
                    ),
                    wait=tenacity.wait_random_exponential(
                        multiplier=self._settings.retry_wait_initial,
                        max=self._settings.retry_wait_max,
                    ),
                    reraise=True,
                )
                await asyncio.sleep(random.uniform(0, self._settings.retry_wait_initial))  # noqa: S311
                return await again(self._attempt_again, call)
        except Failure as failure:
            raise self._final_error(call, failure) from failure.__cause__
        except TimeoutError as exc:
            self._reachable = False
            raise self._final_error(call, call.failure) from exc

    def _final_error(self, call: _Call, failure: Failure | None) -> TaskcoreError:
        if call.write and call.uncertain:
            return OutcomeUnknown(
                "the connection to the database was lost before its answer: "
                "the write took effect wholly or not at all"
            )
        if failure is not None:
            return failure.error
        if self._busy():
            return self._exhausted()
        return Unavailable(
            f"the database did not answer within {self._settings.operation_timeout:g} s"
        )

    async def _attempt_again(self, call: _Call) -> list[Any]:
        call.repeated = call.uncertain
        return await self._attempt(call)

    async def _attempt(self, call: _Call) -> list[Any]:
        try:
            async with self._connection() as connection:
                try:
                    rows = await connection.fetch(call.statement, *call.args)
                except DRIVER_ERRORS as exc:
                    failure = while_executing(exc)
                    if failure.lost and not isinstance(exc, TimeoutError):
                        # The pool must not hand out what is dying; of a timeout the
                        # driver tells the server.
                        with contextlib.suppress(asyncpg.InterfaceError):
                            connection.terminate()
                    raise failure from exc
                except asyncio.CancelledError:
                    call.uncertain = True
                    raise
        except Failure as failure:
            call.failure = failure
            call.uncertain = call.uncertain or failure.outcome is Outcome.UNKNOWN
            if not isinstance(failure.error, IdsTaken | PoolExhausted) and (
                failure.outcome is not Outcome.ROLLED_BACK
            ):
                self._reachable = False
            raise
        self._reachable = True
        return rows

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[PoolConnectionProxy[asyncpg.Record]]:
        pool = self._pool
        if pool is None:
            raise StoreNotOpen(StoreNotOpen.__doc__)
        self._refuse_other_loop()
        # asyncpg's own close() would break those that wait for a connection.
        self._under_way += 1
        self._idle.clear()
        try:
            connection = await self._acquire(pool)
            try:
                yield connection
            finally:
                await pool.release(connection)
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()

    def _refuse_other_loop(self) -> None:
        if self._loop is not asyncio.get_running_loop():
            raise StoreNotOpen("the store belongs to the event loop that it was opened on")

    async def _acquire(
        self, pool: asyncpg.Pool[asyncpg.Record]
    ) -> PoolConnectionProxy[asyncpg.Record]:
        try:
            return await pool.acquire(timeout=self._settings.pool_timeout)
        except DRIVER_ERRORS as exc:
            if isinstance(exc, TimeoutError) and self._busy():
                raise Failure(Outcome.REFUSED, self._exhausted()) from exc
            raise while_connecting(exc) from exc

    def _busy(self) -> bool:
        pool = self._pool
        return (
            pool is not None
            and pool.get_size() >= pool.get_max_size()
            and pool.get_idle_size() == 0
        )

    def _exhausted(self) -> PoolExhausted:
        return PoolExhausted(
            f"no connection became free in time (pool_max_size is {self._settings.pool_max_size})"
        )

    async def _check(self, connection: asyncpg.Connection[Any]) -> None:
        """Look at the first connection: the schema's version, and the role."""
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


class _Call:
    """One operation on its way.

    Attributes:
        uncertain: An attempt was lost that may have taken effect.
        repeated: That was so before the last attempt.
        failure: The last one.
    """

    __slots__ = ("args", "failure", "repeated", "statement", "uncertain", "write")

    def __init__(
        self, statement: str, args: tuple[object, ...] = (), *, write: bool = False
    ) -> None:
        self.statement = statement
        self.args = args
        self.write = write
        self.uncertain = False
        self.repeated = False
        self.failure: Failure | None = None


async def _keep_session(_connection: object) -> None:
    """Replace asyncpg's reset query; an open transaction is rolled back even so."""
