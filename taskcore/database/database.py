"""A store's statements: one round trip each, sent again after failures that may pass."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

from taskcore.database.call import Call
from taskcore.database.driver import Driver
from taskcore.database.failures import ANSWERS, Failure, Outcome, ReadOnly
from taskcore.errors import (
    ConfigurationError,
    PoolExhausted,
    StoreNotOpen,
    Unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from taskcore.database.driver import Restart
    from taskcore.settings import Settings

RETRYABLE = frozenset(Outcome) - {Outcome.REFUSED}
"""Outcomes worth retrying. Every write is idempotent, so this includes a lost answer."""

_READY = (
    "SELECT taskcore.schema_version_v1() AS version, "
    "pg_catalog.current_setting('transaction_read_only') AS read_only"
)


class Database:
    """Runs the statements of one store until they succeed, are refused, or time is over."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._driver = Driver(settings)
        self._reachable: bool | None = None
        self._writable: bool | None = None
        self._closing = False
        self._under_way = 0
        self._idle = asyncio.Event()

    def open(self, url: str, *, restart: Restart | None = None) -> None:
        """Set up the pool; nothing is connected yet.

        Args:
            url: The database.
            restart: As in `Driver.open`.
        """
        self._reachable, self._writable, self._closing = None, None, False
        # An event belongs to the event loop that has waited for it.
        self._idle = asyncio.Event()
        if not self._under_way:
            self._idle.set()
        self._driver.open(url, restart=restart)

    async def close(self) -> None:
        """Refuse new calls, wait for running attempts, then close every connection.

        A call that fails from now on is not retried.
        """
        if self._driver.is_open:
            self._driver.require_open()
            self._closing = True
            try:
                await self._idle.wait()
            finally:
                await self._driver.close()

    def deadline(self) -> float:
        """Return the end of the time of an operation that begins now, on the loop's clock."""
        return asyncio.get_running_loop().time() + self._settings.operation_timeout

    async def fetch(
        self, statement: str, *args: object, deadline: float | None = None
    ) -> list[Any]:
        """Run a statement that changes nothing and return its rows.

        Args:
            statement: The statement.
            args: Its parameters.
            deadline: The end of the operation's time, if it has begun before; see `deadline`.

        Raises:
            TaskcoreError: See ``taskcore.errors``.
        """
        return await self._operate(Call(statement, args, deadline=deadline))

    async def write(self, statement: str, *args: object) -> tuple[list[Any], bool]:
        """Run an idempotent write; return its rows, and whether it may have run before.

        The statement is sent again after every failure worth retrying, until the
        operation's time is over.

        Raises:
            OutcomeUnknown: Time is over, and an answer was lost.
            TaskcoreError: See ``taskcore.errors``.
        """
        call = Call(statement, args, write=True)
        rows = await self._operate(call)
        self._writable = True
        return rows, call.repeated

    async def connect(self) -> None:
        """Connect to the database and check its schema; wait while a database wakes up.

        Raises:
            Unavailable: No server answers, which fails at once, or none answers in time.
            TaskcoreError: See ``taskcore.errors``.
        """
        self._remember_writable(await self._run(Call(_READY), retry={Outcome.NOT_YET}))

    async def ready(self) -> None:
        """Raise unless the last operation reached the database, and the database takes writes.

        Asks the database only before the first success, after a failure, and while it
        takes no writes: a readiness probe must not keep a suspended compute awake.
        """
        self._require_open()
        if self._reachable and self._writable:
            return
        if self._writable is False:
            # A session that began read-only stays read-only.
            self._driver.retire_connections()
        self._remember_writable(await self._run(Call(_READY), retry=frozenset()))
        if not self._writable:
            raise ReadOnly

    def _remember_writable(self, rows: list[Any]) -> None:
        """Remember whether the database says that it takes writes."""
        self._writable = rows[0]["read_only"] != "on"

    async def _operate(self, call: Call) -> list[Any]:
        """Run an operation of an open store; a refused login is `Unavailable`.

        A password, a certificate or the server's rules may change while the store is open.
        """
        try:
            return await self._run(call)
        except ConfigurationError as exc:
            raise Unavailable(str(exc)) from exc.__cause__

    async def _run(self, call: Call, retry: Collection[Outcome] = RETRYABLE) -> list[Any]:
        """Send a statement until it is done, until it is refused, or until time is over."""
        self._require_open()
        call.deadline = call.deadline or self.deadline()
        self._under_way += 1
        self._idle.clear()
        try:
            return await self._send(call, retry)
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()

    def _require_open(self) -> None:
        if self._closing:
            raise StoreNotOpen
        self._driver.require_open()

    async def _send(self, call: Call, retry: Collection[Outcome]) -> list[Any]:
        """Attempt a call until it succeeds or must not be attempted again.

        No other code sends a statement again.
        """
        longest = self._settings.retry_wait_initial
        while True:
            try:
                return await self._attempt(call)
            except Failure as failure:
                call.record(failure)
                wait = random.uniform(0, longest)  # noqa: S311  (it spreads retries over time)
                if failure.outcome not in retry or self._closing or wait >= call.remaining():
                    raise call.error(failure) from call.cause
            await asyncio.sleep(wait)
            longest = min(2 * longest, self._settings.retry_wait_max)
            call.begin_again()

    async def _attempt(self, call: Call) -> list[Any]:
        """Send a statement once, and remember what its outcome says of the database."""
        try:
            rows = await self._driver.fetch(call.statement, call.args, call.deadline)
        except Failure as failure:
            if isinstance(failure.error, ReadOnly):
                self._writable = False
            elif not isinstance(failure.error, (*ANSWERS, PoolExhausted)) and (
                failure.outcome is not Outcome.ROLLED_BACK
            ):
                self._reachable = False
            raise
        self._reachable = True
        if self._writable is None:
            self._writable = self._driver.took_writes
        return rows
