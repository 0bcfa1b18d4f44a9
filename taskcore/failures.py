"""What a failed statement means: may it be sent again, and what is the caller told.

The one place that reads SQLSTATEs
(https://www.postgresql.org/docs/current/errcodes-appendix.html) and, for Neon's
proxy and PgBouncer, texts: the first says XX000 to everything, the second 08P01.
"""

from __future__ import annotations

import ssl
from enum import Enum

import asyncpg

from taskcore.errors import (
    ConfigurationError,
    DatabaseError,
    PermissionDenied,
    SchemaOutdated,
    TaskcoreError,
    Unavailable,
)

DRIVER_ERRORS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    # The server has said farewell on an idle connection, and has not hung up yet.
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
"""Everything asyncpg raises; `TimeoutError` is its answer to its own timeouts."""


class Outcome(Enum):
    """What became of a statement that failed."""

    UNREACHABLE = "nothing was sent: no server answers"
    NOT_YET = "nothing was sent: a server answers, and is not ready"
    ROLLED_BACK = "the database undid it, and would take it again"
    UNKNOWN = "the answer was lost: it took effect wholly or not at all"
    READ_ONLY = "the database undid it: this connection takes no writes, a new one may"
    REFUSED = "the database undid it, and would refuse it again"


class Failure(Exception):
    """A failed attempt.

    Attributes:
        outcome: What became of the statement.
        error: What to raise if it is not sent again.
    """

    def __init__(self, outcome: Outcome, error: TaskcoreError) -> None:
        super().__init__(outcome.value)
        self.outcome = outcome
        self.error = error

    @property
    def lost(self) -> bool:
        """Whether the connection is of no more use."""
        return self.outcome in (Outcome.NOT_YET, Outcome.UNKNOWN, Outcome.READ_ONLY)


class IdsTaken(DatabaseError):
    """Other writes hold ids of a batch (SQLSTATE TC001); nothing was stored."""

    def __init__(self, ids: frozenset[int]) -> None:
        super().__init__("task ids are taken")
        self.ids = ids


class NotNewest(DatabaseError):
    """The user has tasks with ids above those of a write (TC002); nothing was stored.

    Attributes:
        newest: The highest id.
        server_ms: The server's clock, in milliseconds since 1970.
    """

    def __init__(self, newest: int, server_ms: int) -> None:
        super().__init__("the user has newer tasks")
        self.newest = newest
        self.server_ms = server_ms


class ReadOnly(Unavailable):
    """The database takes no writes: a standby, or default_transaction_read_only (25006)."""

    def __init__(self) -> None:
        super().__init__(
            "the database takes no writes: it is a standby, or default_transaction_read_only "
            "is on for it or for the role"
        )


_LOGIN_REFUSED = frozenset({"28000", "28P01", "3D000"})
_SCHEMA_MISSING = frozenset({"3F000", "42883", "42P01"})
# 23503: a create lost its user to a deletion.
_ROLLED_BACK = frozenset({"40001", "40P01", "55P03", "23503"})
# Starting up, too many connections.
_NOT_YET = frozenset({"57P03", "53300"})
_SHUT_DOWN = frozenset({"57P01", "57P02", "57P05"})
_LOGIN_REFUSED_TEXTS = (
    "authentication failed",
    "no such user",
    "no such database",
)
_NOT_YET_TEXTS = (
    # Neon's proxy: https://github.com/neondatabase/neon, proxy/src
    "Couldn't connect to compute node",
    "Control plane request failed",
    "Failed to acquire permit to connect to the database",
    # PgBouncer
    "query_wait_timeout",
    "server login has been failing",
    "no more connections allowed",
)


def while_connecting(exc: BaseException) -> Failure:
    """Translate an error before a statement was sent."""
    code = getattr(exc, "sqlstate", None) or ""
    if code in _LOGIN_REFUSED or _says(exc, code, _LOGIN_REFUSED_TEXTS):
        error: TaskcoreError = ConfigurationError(f"the database refused the login: {exc}")
        return Failure(Outcome.REFUSED, error)
    if code in _NOT_YET or _says(exc, code, _NOT_YET_TEXTS):
        return Failure(Outcome.NOT_YET, Unavailable(f"the database is not ready: {exc}"))
    if isinstance(exc, ssl.SSLCertVerificationError):
        error = ConfigurationError(
            f"the database's certificate is not trusted: {exc.verify_message}; "
            "name its authority with sslrootcert=FILE in the database URL"
        )
        return Failure(Outcome.REFUSED, error)
    if isinstance(exc, ConnectionError) and "rejected SSL upgrade" in str(exc):
        error = ConfigurationError(
            "the database's server offers no TLS; sslmode=disable in the URL goes without"
        )
        return Failure(Outcome.REFUSED, error)
    if isinstance(exc, TimeoutError):
        error = Unavailable("the database did not answer in time")
    else:
        error = Unavailable(f"the database cannot be reached: {str(exc) or type(exc).__name__}")
    return Failure(Outcome.UNREACHABLE, error)


def while_executing(exc: BaseException) -> Failure:
    """Translate an error while a statement was sent, or after."""
    code: str = getattr(exc, "sqlstate", None) or ""
    if code == "TC001":
        taken = getattr(exc, "detail", None) or ""
        ids = frozenset(int(task_id) for task_id in taken.split(","))
        return Failure(Outcome.REFUSED, IdsTaken(ids))
    if code == "TC002":
        newest, server_ms = (getattr(exc, "detail", None) or "").split(",")
        return Failure(Outcome.REFUSED, NotNewest(int(newest), int(server_ms)))
    if code in _ROLLED_BACK:
        error: TaskcoreError = Unavailable(
            f"other writes came between: the database rolled the statement back ({code})"
        )
        return Failure(Outcome.ROLLED_BACK, error)
    if code == "25006":
        return Failure(Outcome.READ_ONLY, ReadOnly())
    if code == "42501":
        error = PermissionDenied(f"the database role is not allowed to do this: {exc}")
        return Failure(Outcome.REFUSED, error)
    if code in _SCHEMA_MISSING:
        error = SchemaOutdated(
            "the database has no taskcore schema, or an older one: run `taskctl migrate`"
        )
        return Failure(Outcome.REFUSED, error)
    # asyncpg's own errors, without a SQLSTATE, come before it sends anything; but for
    # that of an answer it does not understand.
    unsent = (
        isinstance(exc, asyncpg.InterfaceError | asyncpg.InternalClientError)
        and not isinstance(exc, asyncpg.exceptions.ProtocolError)
        and not code
    )
    if unsent or code in _NOT_YET or _says(exc, code, _NOT_YET_TEXTS):
        return Failure(Outcome.NOT_YET, Unavailable(f"the database is not ready: {exc}"))
    if not code or code in _SHUT_DOWN or code.startswith("08"):
        text = "the connection to the database was lost"
        if isinstance(exc, TimeoutError):
            text = "the database did not answer in time"
        return Failure(Outcome.UNKNOWN, Unavailable(text))
    if code == "57014":
        error = Unavailable("the database cancelled the statement (statement_timeout)")
        return Failure(Outcome.REFUSED, error)
    return Failure(Outcome.REFUSED, DatabaseError(f"the database refused the statement ({code})"))


def _says(exc: BaseException, code: str, texts: tuple[str, ...]) -> bool:
    return code in ("XX000", "08P01") and any(text in str(exc) for text in texts)
