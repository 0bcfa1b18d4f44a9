"""Translate failures of statements: whether to retry, and which error to raise.

No other module reads SQLSTATEs of operations
(https://www.postgresql.org/docs/current/errcodes-appendix.html). Neon's proxy reports
XX000 for every failure and PgBouncer 08P01, so for these two the text decides.
"""

from __future__ import annotations

import os
import ssl
from enum import Enum

import asyncpg

from taskcore.access import SCOPES
from taskcore.errors import (
    ConfigurationError,
    DatabaseError,
    Forbidden,
    InsufficientScope,
    InvalidToken,
    PermissionDenied,
    SchemaOutdated,
    TaskcoreError,
    Unauthenticated,
    Unavailable,
    UserNotFound,
    ValidationError,
)

DRIVER_ERRORS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    # The server has ended an idle session, and the connection is still open.
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
"""Everything that asyncpg raises, its own timeouts included."""


class Outcome(Enum):
    """The outcome of a statement that failed."""

    UNREACHABLE = "nothing was sent: no server answers"
    NOT_YET = "nothing was sent: a server answers that it is not ready"
    ROLLED_BACK = "the database rolled it back, and may accept it next time"
    UNKNOWN = "the answer was lost: it took effect wholly or not at all"
    READ_ONLY = "the database rolled it back: this connection refuses writes, a new one may not"
    REFUSED = "the database rolled it back, and would refuse it again"


class Failure(Exception):
    """A failed attempt.

    Attributes:
        outcome: The statement's outcome.
        error: The error to raise if the statement is not sent again.
        of_shard: Whether it was a connection between a router and a shard that failed.
    """

    def __init__(self, outcome: Outcome, error: TaskcoreError, *, of_shard: bool = False) -> None:
        super().__init__(outcome.value)
        self.outcome = outcome
        self.error = error
        self.of_shard = of_shard

    @property
    def lost(self) -> bool:
        """Whether the connection cannot be used again."""
        lost = self.outcome in (Outcome.NOT_YET, Outcome.UNKNOWN, Outcome.READ_ONLY)
        return lost and not self.of_shard


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


class IdsMissing(DatabaseError):
    """The user does not have all tasks of a write (TC003); nothing was changed.

    Attributes:
        ids: The missing ids.
        repeated: Whether an earlier attempt may have taken effect.
    """

    def __init__(self, ids: frozenset[int]) -> None:
        super().__init__("tasks are missing")
        self.ids = ids
        self.repeated = False


ANSWERS = (
    IdsTaken,
    NotNewest,
    IdsMissing,
    Unauthenticated,
    Forbidden,
    UserNotFound,
    ValidationError,
)
"""Errors that the functions raise on purpose: the database is well."""


class ReadOnly(Unavailable):
    """The database takes no writes: a standby, or default_transaction_read_only (25006)."""

    def __init__(self) -> None:
        super().__init__(
            "the database takes no writes: it is a standby, or default_transaction_read_only "
            "is on for it or for the role"
        )


# Wrong password or no rule for this login, no such role, no such database.
_LOGIN_REFUSED = frozenset({"28000", "28P01", "3D000"})
_CONNECTION_REFUSED = _LOGIN_REFUSED | {
    "42501",  # CONNECT was revoked
    "55000",  # ALLOW_CONNECTIONS is false
    "58P01",  # local_preload_libraries names a library that is not there
    "42704",  # the URL's options name a setting that is not there,
    "22023",  # or a value that it cannot have
}
_SCHEMA_MISSING = frozenset({"3F000", "42883", "42P01"})
# The texts say nothing of the caller: they are the same for every identity.
_REFUSED_CALLERS: dict[str, tuple[type[TaskcoreError], str]] = {
    "TC401": (Unauthenticated, "the caller is blocked"),
    "TC403": (Forbidden, "the caller has no account here"),
    "TC404": (UserNotFound, "user not found"),
}
_CAME_BETWEEN = "other writes came between: the database rolled the statement back"
_ROLLED_BACK = {
    "23503": _CAME_BETWEEN,  # a create lost its user to a deletion
    "40001": _CAME_BETWEEN,
    "40P01": _CAME_BETWEEN,
    "55P03": _CAME_BETWEEN,
    "53200": "the database's server is out of memory",
}
# The statement was rolled back. No caller can help: an administrator has to act.
_ADMINISTRATOR_NEEDED = {
    "25P04": "the database cancelled the statement (transaction_timeout)",
    "53000": "the database's server is short of a resource",
    "53100": "the database's disk is full: free space on it, or enlarge it",
    "53400": "the database's server has reached a limit of its configuration",
    "54000": "the database's server has reached a limit: see its log",
    "57014": "the database cancelled the statement (statement_timeout)",
    "58000": "the database's server reports a system error: see its log",
    "58030": "the database's disk reports an error: see the server's log",
    "58P01": "a file of the database's server is missing: see its log",
}
_CORRUPTED = frozenset({"XX001", "XX002"})
# Starting up, too many connections.
_NOT_YET = frozenset({"57P03", "53300"})
_SHUT_DOWN = frozenset({"57P01", "57P02", "57P04", "57P05", "40003"})
_LOGIN_REFUSED_TEXTS = (
    "authentication failed",
    "no such user",
    "no such database",
    "unsupported startup parameter",
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
# PL/Proxy names the function of libpq that has failed.
_SHARD_NOT_YET = ("PQconnectStart", "PQconnectPoll", "connect timeout to")
_SHARD_LOST = ("PQconsumeInput", "PQflush", "PQsendQuery", "Lost result", "poll() failed")


def while_connecting(exc: BaseException, address: str) -> Failure:
    """Translate an error before a statement was sent.

    Args:
        exc: The driver's exception.
        address: Host and port, or the socket's folder.
    """
    code = getattr(exc, "sqlstate", None) or ""
    if code in _CONNECTION_REFUSED or _says(exc, code, _LOGIN_REFUSED_TEXTS):
        return _login_refused(exc)
    if code in _NOT_YET or _says(exc, code, _NOT_YET_TEXTS):
        return Failure(Outcome.NOT_YET, Unavailable(f"the database is not ready: {one_line(exc)}"))
    if isinstance(exc, ssl.SSLCertVerificationError):
        error: TaskcoreError = ConfigurationError(
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
        error = Unavailable(f"the database at {address} did not answer in time")
    else:
        number = getattr(exc, "errno", None) or 0
        reason = os.strerror(number) if number > 0 else one_line(exc)
        error = Unavailable(f"the database at {address} cannot be reached: {reason}")
    return Failure(Outcome.UNREACHABLE, error)


def while_executing(exc: BaseException) -> Failure:
    """Translate an error after a statement was sent, or while it was."""
    said = exc.__cause__
    if isinstance(exc, asyncpg.ConnectionDoesNotExistError) and isinstance(
        said, asyncpg.PostgresError
    ):
        # The server or a pooler gave a reason before it closed the connection.
        failure = while_executing(said)
        if not isinstance(failure.error, DatabaseError):
            return failure
    code: str = getattr(exc, "sqlstate", None) or ""
    return (
        _of_ids(exc, code)
        or _of_tokens(exc, code)
        or _of_identities(code)
        or _of_fields(exc, code)
        or _of_shard(exc, code)
        or _reported(exc, code)
        or _lost(exc, code)
        or _refused(code)
    )


def _detail_of(exc: BaseException) -> str:
    """Return an error's DETAIL, which a router passes on with words before it."""
    detail: str = getattr(exc, "detail", None) or ""
    return detail.removeprefix("Remote detail: ")


def _ids_in(exc: BaseException) -> frozenset[int]:
    return frozenset(int(task_id) for task_id in _detail_of(exc).split(","))


def _of_ids(exc: BaseException, code: str) -> Failure | None:
    """Translate an error that the functions raise about ids."""
    error: DatabaseError
    if code == "TC001":
        error = IdsTaken(_ids_in(exc))
    elif code == "TC002":
        newest, server_ms = _detail_of(exc).split(",")
        error = NotNewest(int(newest), int(server_ms))
    elif code == "TC003":
        error = IdsMissing(_ids_in(exc))
    else:
        return None
    return Failure(Outcome.REFUSED, error)


def _of_fields(exc: BaseException, code: str) -> Failure | None:
    """Translate an error that the functions raise about a change that the task cannot take."""
    if code == "TC007":
        error = ValidationError(
            "due_zone needs a due date with a time",
            field="due_zone",
            constraint="zone_without_time",
        )
    elif code == "TC008":
        limit = _limit_in(exc)
        error = ValidationError(
            f"tags must have at most {limit} tags",
            field="tags",
            constraint="max_items",
            limits={"max": limit},
        )
    elif code == "TC009":
        limit = _limit_in(exc)
        error = ValidationError(
            f"extra must have at most {limit} bytes as JSON",
            field="extra",
            constraint="max_bytes",
            limits={"max": limit},
        )
    else:
        return None
    return Failure(Outcome.REFUSED, error)


def _limit_in(exc: BaseException) -> int:
    return int(_detail_of(exc) or 0)


def _of_identities(code: str) -> Failure | None:
    """Translate an error that the functions raise about identities."""
    if code == "TC005":
        error = ValidationError(
            "a new identity already exists: check again with dry_run",
            field="to_issuer",
            constraint="exists",
        )
    elif code == "TC010":
        error = ValidationError(
            "a router can move an identity to another issuer, but not to another subject",
            field="subjects",
            constraint="place",
        )
    else:
        return None
    return Failure(Outcome.REFUSED, error)


def _of_tokens(exc: BaseException, code: str) -> Failure | None:
    """Translate an error that the functions raise about API tokens; DETAIL may have a value."""
    detail = _detail_of(exc)
    error: TaskcoreError
    if code == "TC411":
        error = InvalidToken()
    elif code == "TC413":
        known = detail in SCOPES
        error = InsufficientScope(
            f"the API token lacks the scope {detail}"
            if known
            else "this cannot be done with an API token",
            scope=detail if known else None,
        )
    elif code == "TC004":
        error = ValidationError(
            f"a user has at most {detail} API tokens, sessions and sign-in links: revoke one first",
            field="tokens",
            constraint="max",
            limits={"max": int(detail)},
        )
    elif code == "TC006":
        error = ValidationError(
            "the token was replaced before: revoke it, or wait until it ends",
            field="token_id",
            constraint="replaced",
        )
    else:
        return None
    return Failure(Outcome.REFUSED, error)


def _of_shard(exc: BaseException, code: str) -> Failure | None:
    """Translate an error of a router that has lost, or did not get, a connection to a shard."""
    text = str(exc)
    own = code == "XX000" and text.startswith("PL/Proxy function ")
    lost = own and any(word in text for word in _SHARD_LOST)
    if own and any(word in text for word in _SHARD_NOT_YET):
        outcome = Outcome.NOT_YET
    elif lost or (code in _SHUT_DOWN and "] REMOTE FATAL: " in text):
        outcome = Outcome.UNKNOWN
    else:
        return None
    if _says(exc, code, _LOGIN_REFUSED_TEXTS):
        return _login_refused(exc)
    error = Unavailable(f"a shard of the database cannot be reached: {one_line(exc)}")
    return Failure(outcome, error, of_shard=True)


def _reported(exc: BaseException, code: str) -> Failure | None:
    """Translate an error with a known cause; the statement was rolled back."""
    if code in _REFUSED_CALLERS:
        kind, text = _REFUSED_CALLERS[code]
        return Failure(Outcome.REFUSED, kind(text))
    if code in _ROLLED_BACK:
        return Failure(Outcome.ROLLED_BACK, Unavailable(f"{_ROLLED_BACK[code]} ({code})"))
    if code == "25006":
        return Failure(Outcome.READ_ONLY, ReadOnly())
    # A pooler logs in to the server when a statement needs it.
    if code in _LOGIN_REFUSED or _says(exc, code, _LOGIN_REFUSED_TEXTS):
        return _login_refused(exc)
    if code == "42501":
        denied = PermissionDenied(f"the database role is not allowed to do this: {one_line(exc)}")
        return Failure(Outcome.REFUSED, denied)
    if code in _SCHEMA_MISSING:
        outdated = SchemaOutdated(
            "the database has no taskcore schema, or an older one: run `taskctl migrate`"
        )
        return Failure(Outcome.REFUSED, outdated)
    if code in _ADMINISTRATOR_NEEDED:
        return Failure(Outcome.REFUSED, Unavailable(f"{_ADMINISTRATOR_NEEDED[code]} ({code})"))
    return None


def _lost(exc: BaseException, code: str) -> Failure | None:
    """Translate an error without a cause: nothing was sent, or the answer was lost."""
    # asyncpg raises errors without a SQLSTATE before it sends anything, except when it
    # does not understand an answer.
    unsent = (
        isinstance(exc, asyncpg.InterfaceError | asyncpg.InternalClientError)
        and not isinstance(exc, asyncpg.exceptions.ProtocolError)
        and not code
    )
    if unsent or code in _NOT_YET or _says(exc, code, _NOT_YET_TEXTS):
        error = Unavailable(f"the database is not ready: {one_line(exc)}")
        return Failure(Outcome.NOT_YET, error)
    if not code or code in _SHUT_DOWN or code.startswith("08"):
        text = "the connection to the database was lost"
        if isinstance(exc, TimeoutError):
            text = "the database did not answer in time"
        return Failure(Outcome.UNKNOWN, Unavailable(text))
    return None


def _refused(code: str) -> Failure:
    """Translate an error that should not occur."""
    text = f"the database refused the statement ({code})"
    if code in _CORRUPTED:
        text = (
            f"the database reports corrupted data ({code}): examine its server, and restore a "
            "backup if need be"
        )
    return Failure(Outcome.REFUSED, DatabaseError(text))


def _login_refused(exc: BaseException) -> Failure:
    """Translate a refused login; the server or the pooler would refuse the next one too."""
    if getattr(exc, "sqlstate", None) == "58P01":
        error = ConfigurationError(
            f"the database ends every session at once: {one_line(exc)}; "
            "RESET local_preload_libraries for the database and the role"
        )
        return Failure(Outcome.REFUSED, error)
    return Failure(
        Outcome.REFUSED, ConfigurationError(f"the database refused the login: {one_line(exc)}")
    )


def one_line(exc: BaseException) -> str:
    """Return an error's text, with its DETAIL and HINT, in one line."""
    return " ".join(str(exc).split()) or type(exc).__name__


def _says(exc: BaseException, code: str, texts: tuple[str, ...]) -> bool:
    return code in ("XX000", "08P01") and any(text in str(exc) for text in texts)
