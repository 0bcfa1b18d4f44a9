"""Connections of a migration: they wait for a database that wakes up, and translate failures."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import asyncpg
import tenacity

from taskcore.database.failures import (
    DRIVER_ERRORS,
    Outcome,
    one_line,
    while_connecting,
    while_executing,
)
from taskcore.database.url import address, connect_arguments
from taskcore.errors import ConfigurationError, PermissionDenied, TaskcoreError, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_CONNECT_TIMEOUT = 15.0


async def _connect(url: str) -> asyncpg.Connection:
    return await asyncpg.connect(**({"timeout": _CONNECT_TIMEOUT} | connect_arguments(url)))


def _is_waking_up(exc: BaseException) -> bool:
    return isinstance(exc, DRIVER_ERRORS) and while_connecting(exc, "").outcome is Outcome.NOT_YET


# A suspended compute wakes up, which takes some attempts.
connect = tenacity.retry(
    retry=tenacity.retry_if_exception(_is_waking_up),
    wait=tenacity.wait_random_exponential(multiplier=0.1, max=1),
    stop=tenacity.stop_after_delay(_CONNECT_TIMEOUT),
    reraise=True,
)(_connect)


@asynccontextmanager
async def connection(url: str) -> AsyncIterator[asyncpg.Connection]:
    """Connect for a block, and translate the driver's errors within it."""
    try:
        opened = await connect(url)
    except DRIVER_ERRORS as exc:
        raise while_connecting(exc, address(connect_arguments(url))).error from exc
    try:
        async with translated():
            yield opened
    finally:
        # The server may have closed it already.
        with suppress(*DRIVER_ERRORS):
            await opened.close()


@asynccontextmanager
async def translated() -> AsyncIterator[None]:
    """Translate the driver's errors within a block."""
    try:
        yield
    except Exception as exc:
        if (error := _migration_error(exc)) is exc:
            raise
        raise error from exc


_TIME_LIMITS = {
    "25P03": "idle_in_transaction_session_timeout",
    "25P04": "transaction_timeout",
    "57014": "statement_timeout",
    "57P05": "idle_session_timeout",
}
"""Time limits. A migration turns them off, but one of a few milliseconds ends the session first."""


def _migration_error(exc: Exception) -> Exception:
    """Translate a failure of a migration, whose transaction was rolled back."""
    # SQLAlchemy wraps the driver's exception.
    cause = getattr(exc, "orig", None)
    cause = getattr(cause, "__cause__", None) or exc
    if isinstance(cause.__cause__, asyncpg.PostgresError):
        # The server gave a reason before it closed the connection.
        cause = cause.__cause__
    code = getattr(cause, "sqlstate", None) or ""
    if isinstance(exc, TaskcoreError) or not isinstance(cause, DRIVER_ERRORS):
        return exc
    if code == "42501":
        return PermissionDenied(
            f"{one_line(cause)}: this needs the migrating role, the owner of the database with "
            "CREATEROLE that migrated it the first time, or a superuser"
        )
    if code == "25006":
        return Unavailable(
            "the database takes no writes: migrate the primary, or RESET "
            "default_transaction_read_only for the database and the role"
        )
    if code == "55P03":
        return Unavailable("another session holds a lock on the tables: try again later")
    if code in _TIME_LIMITS:
        name = _TIME_LIMITS[code]
        return ConfigurationError(
            f"{name} ended the migration ({code}): RESET it for the database and the role, "
            "or give it more time"
        )
    if code.startswith(("53", "54000", "58")):
        return while_executing(cause).error
    if code and not code.startswith(("08", "57P")):
        return ConfigurationError(f"the database refused the migration: {one_line(cause)} ({code})")
    return Unavailable(
        "the connection to the database was lost: nothing was changed; if it is lost each time, "
        "RESET transaction_timeout, idle_in_transaction_session_timeout and "
        "idle_session_timeout for the database and the role"
    )
