"""One call, one round trip: what is sent, what is sent again, and for how long."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import tenacity

from taskcore.database.driver import Driver
from taskcore.database.failures import Failure, IdsTaken, NotNewest, Outcome, ReadOnly
from taskcore.errors import (
    ConfigurationError,
    OutcomeUnknown,
    PoolExhausted,
    StoreNotOpen,
    Unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from taskcore.database.driver import Restart
    from taskcore.settings import Settings

# What may pass: every write of the library is idempotent, so even a lost answer.
_PASSING = frozenset(Outcome) - {Outcome.REFUSED}

_READY = (
    "SELECT taskcore.schema_version_v1() AS version, "
    "pg_catalog.current_setting('transaction_read_only') AS read_only"
)


class Database:
    """Statements of one store: each sent until it is done, refused, or out of time."""

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
        """Refuse new calls, wait for attempts under way, then close every connection.

        What fails from now on is not sent again.
        """
        if self._driver.is_open:
            self._driver.require_open()
            self._closing = True
            try:
                await self._idle.wait()
            finally:
                await self._driver.close()

    async def fetch(self, statement: str, *args: object) -> list[Any]:
        """Run a statement that changes nothing and return its rows.

        Raises:
            TaskcoreError: See ``taskcore.errors``.
        """
        return await self._operate(_Call(statement, args))

    async def write(self, statement: str, *args: object) -> tuple[list[Any], bool]:
        """Run an idempotent write; return its rows, and whether it may have run before.

        It is sent again after every failure that may pass, until the operation's
        time is over.

        Raises:
            OutcomeUnknown: Time is over, and an answer was lost.
            TaskcoreError: See ``taskcore.errors``.
        """
        call = _Call(statement, args, write=True)
        rows = await self._operate(call)
        self._writable = True
        return rows, call.repeated

    async def connect(self) -> None:
        """Reach the database and check its schema; wait for one that is waking up.

        Raises:
            Unavailable: No server answers (which is not waited for), or not in time.
            TaskcoreError: See ``taskcore.errors``.
        """
        self._remember_writable(await self._run(_Call(_READY), retry={Outcome.NOT_YET}))

    async def ready(self) -> None:
        """Raise unless the last operation reached the database, and the database takes writes.

        Asks the database only before the first success, after a failure, and while it
        takes no writes: a readiness probe must not keep a suspended compute awake.
        """
        self._require_open()
        if self._reachable and self._writable:
            return
        if self._writable is False:
            # A session that was opened read-only stays read-only.
            self._driver.retire_connections()
        self._remember_writable(await self._run(_Call(_READY), retry=frozenset()))
        if not self._writable:
            raise ReadOnly

    def _remember_writable(self, rows: list[Any]) -> None:
        """Remember whether the database says that it takes writes."""
        self._writable = rows[0]["read_only"] != "on"

    async def _operate(self, call: _Call) -> list[Any]:
        """Run an operation of an open store; a refused login is `Unavailable`.

        A password, a certificate or the server's rules may change while the store is open.
        """
        try:
            return await self._run(call)
        except ConfigurationError as exc:
            raise Unavailable(str(exc)) from exc.__cause__

    async def _run(self, call: _Call, retry: Collection[Outcome] = _PASSING) -> list[Any]:
        """Send a statement until it is done, until it is refused, or until time is over."""
        loop = self._require_open()
        call.deadline = loop.time() + self._settings.operation_timeout
        self._under_way += 1
        self._idle.clear()
        try:
            return await self._send(call, retry)
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()

    def _require_open(self) -> asyncio.AbstractEventLoop:
        if self._closing:
            raise StoreNotOpen
        return self._driver.require_open()

    async def _send(self, call: _Call, retry: Collection[Outcome]) -> list[Any]:
        try:
            try:
                return await self._attempt(call)
            except Failure as failure:
                wait = random.uniform(0, self._settings.retry_wait_initial)  # noqa: S311
                if not self._may_pass(failure, retry) or wait >= call.remaining():
                    raise
            await asyncio.sleep(wait)
            again = tenacity.AsyncRetrying(
                retry=tenacity.retry_if_exception(
                    lambda exc: isinstance(exc, Failure) and self._may_pass(exc, retry)
                ),
                wait=tenacity.wait_random_exponential(
                    multiplier=self._settings.retry_wait_initial,
                    max=self._settings.retry_wait_max,
                ),
                stop=tenacity.stop_before_delay(call.remaining()),
                reraise=True,
            )
            return await again(self._attempt_again, call)
        except Failure as last:
            # An earlier failure may say more than a timeout.
            reason = call.reason or last
            # A lost attempt with that id is refused too, as long as there is a newer task.
            if call.write and call.uncertain and not isinstance(last.error, NotNewest):
                raise OutcomeUnknown(
                    "the database's answer was lost or did not come in time: "
                    "the write took effect wholly or not at all"
                ) from reason.__cause__
            raise reason.error from reason.__cause__

    def _may_pass(self, failure: Failure, retry: Collection[Outcome]) -> bool:
        return failure.outcome in retry and not self._closing

    async def _attempt_again(self, call: _Call) -> list[Any]:
        call.repeated = call.uncertain
        return await self._attempt(call)

    async def _attempt(self, call: _Call) -> list[Any]:
        try:
            rows = await self._driver.fetch(call.statement, call.args, call.deadline)
        except Failure as failure:
            if call.reason is None or not isinstance(failure.__cause__, TimeoutError):
                call.reason = failure
            call.uncertain = call.uncertain or failure.outcome is Outcome.UNKNOWN
            if isinstance(failure.error, ReadOnly):
                self._writable = False
            elif not isinstance(failure.error, IdsTaken | NotNewest | PoolExhausted) and (
                failure.outcome is not Outcome.ROLLED_BACK
            ):
                self._reachable = False
            raise
        self._reachable = True
        if self._writable is None:
            self._writable = self._driver.took_writes
        return rows


class _Call:
    """One operation on its way.

    Attributes:
        uncertain: An attempt was lost that may have taken effect.
        repeated: That was so before the last attempt.
        reason: The last failure that was not a timeout; the first one if all were.
        deadline: When its time is over, on the event loop's clock.
    """

    __slots__ = ("args", "deadline", "reason", "repeated", "statement", "uncertain", "write")

    def __init__(
        self, statement: str, args: tuple[object, ...] = (), *, write: bool = False
    ) -> None:
        self.statement = statement
        self.args = args
        self.write = write
        self.uncertain = False
        self.repeated = False
        self.reason: Failure | None = None
        self.deadline = 0.0

    def remaining(self) -> float:
        """Return the seconds left."""
        return self.deadline - asyncio.get_running_loop().time()
