"""The errors of taskcore, in one tree. Each class has a ``code`` that never changes.

======================  ======================  ========================================
class                   code                    meaning
======================  ======================  ========================================
TaskcoreError           INTERNAL_ERROR          base of all
 ValidationError        VALIDATION_ERROR        the input is wrong; nothing was sent
 Unauthenticated        UNAUTHENTICATED         the identity or its user is blocked
  InvalidToken                                  the API token or session is not accepted
 Forbidden              FORBIDDEN               the identity has no user, and may not get one
  InsufficientScope                             the API token does not allow the operation
 NotFound               NOT_FOUND               the user has no such task
  TaskNotFound
  TokenNotFound
  UserNotFound
 VersionConflict        VERSION_CONFLICT        another version is stored; nothing changed
 Unavailable            UNAVAILABLE             the database cannot be used now; nothing changed
  PoolExhausted
 OutcomeUnknown         OUTCOME_UNKNOWN         the answer to a write was lost
 PermissionDenied       PERMISSION_DENIED       the database role may not do this
 SchemaOutdated         SCHEMA_OUTDATED         the database needs ``taskctl migrate``
 ConfigurationError     CONFIGURATION_ERROR     a setting, an extra or the environment is wrong
 StoreNotOpen           STORE_NOT_OPEN          the store was not opened, or was closed
 DatabaseError          DATABASE_ERROR          the database refused something else
======================  ======================  ========================================

A face needs a table from codes to its own answers, such as HTTP statuses or exit codes.

PostgreSQL's errors are translated in ``taskcore.database.failures``, by SQLSTATE
(https://www.postgresql.org/docs/current/errcodes-appendix.html); the driver's
exception is the ``__cause__``.
"""

from collections.abc import Sequence
from typing import Any, ClassVar


def printable(text: str) -> str:
    """Return the text with bytes that are not UTF-8 escaped, as paths may have them."""
    return text.encode(errors="backslashreplace").decode()


class TaskcoreError(Exception):
    """Base of all errors of taskcore."""

    code: ClassVar[str] = "INTERNAL_ERROR"
    """A name of the kind of error, for programs; subclasses may share it."""


class ValidationError(TaskcoreError, ValueError):
    """The input breaks a rule of the data model; nothing was sent to the database.

    Attributes:
        field: The invalid field, such as ``title`` or ``tasks[3].title``.
        constraint: The rule it breaks: ``required``, ``type``, ``non_empty``,
            ``max_length``, ``min``, ``max``, ``no_nul``, ``no_control``, ``unicode``,
            ``not_null``, ``unknown_field``, ``empty_update``, ``given_twice``,
            ``not_completed``, ``cursor``, ``json``, ``scope``; for files also
            ``separator``, ``columns`` and ``named_twice``.
        limits: The limit, where there is one: ``{"max": 500}``.
    """

    code = "VALIDATION_ERROR"

    def __init__(
        self, message: str, *, field: str, constraint: str, limits: dict[str, int] | None = None
    ) -> None:
        super().__init__(message)
        self.field = field
        self.constraint = constraint
        self.limits = limits or {}

    @property
    def details(self) -> dict[str, Any]:
        """Field, constraint and limit in one dictionary, as the REST API shows them."""
        return {"field": self.field, "constraint": self.constraint, **self.limits}


class Unauthenticated(TaskcoreError):
    """The identity, or its user, is blocked; nothing was read or changed."""

    code = "UNAUTHENTICATED"


class InvalidToken(Unauthenticated):
    """The API token, session or sign-in link is not accepted; nothing was read or changed.

    It is unknown, has expired, was revoked or used, or its user is blocked: all have one text.
    """

    def __init__(self, noun: str = "API token or session") -> None:
        super().__init__(f"the {noun} is not accepted")


class Forbidden(TaskcoreError):
    """The identity has no user, and ``provision="never"`` gives it none; nothing was changed."""

    code = "FORBIDDEN"


class InsufficientScope(Forbidden):
    """The API token does not allow the operation; nothing was read or changed.

    Attributes:
        scope: The scope that the operation needs, such as ``tasks:write``. None: no API token
            will do.
    """

    def __init__(self, message: str, *, scope: str | None) -> None:
        super().__init__(message)
        self.scope = scope


class NotFound(TaskcoreError, LookupError):
    """The user has no such thing. If another user has it, the answer is the same."""

    code = "NOT_FOUND"


class TaskNotFound(NotFound):
    """This user has no task with this id, or not all tasks with these ids; nothing was changed.

    Attributes:
        ids: If several tasks were asked for, the ids of the missing ones. The text names at most
            ten of them.
    """

    def __init__(self, message: str, *, ids: Sequence[int] = ()) -> None:
        super().__init__(message)
        self.ids = tuple(ids)

    @property
    def details(self) -> dict[str, Any]:
        """The missing ids, as the REST API shows them; nothing for a single task."""
        return {"ids": list(self.ids)} if self.ids else {}


class TokenNotFound(NotFound):
    """This user has no API token with this id."""


class UserNotFound(NotFound):
    """There is no user with this id, or the caller is another user."""


class VersionConflict(TaskcoreError):
    """The task's version does not meet ``if_version`` or ``unless_version``; nothing was changed.

    Attributes:
        current: The task's version. Read the task and decide again.
    """

    code = "VERSION_CONFLICT"

    def __init__(self, message: str, *, current: int) -> None:
        super().__init__(message)
        self.current = current


class Unavailable(TaskcoreError):
    """The database cannot be reached or used at the moment; nothing was changed.

    The text gives the reason, such as a database that is starting, read-only or full, and
    what an administrator can do. Try again later.
    """

    code = "UNAVAILABLE"


class PoolExhausted(Unavailable):
    """Every connection of the pool stayed busy for the whole waiting time; nothing was sent."""


class OutcomeUnknown(TaskcoreError):
    """The answer to a write was lost or late, or another write came before it was sent again.

    The write took effect wholly or not at all. Read or list the tasks before you repeat it.
    """

    code = "OUTCOME_UNKNOWN"


class PermissionDenied(TaskcoreError):
    """The role of this connection may not do this; nothing was changed."""

    code = "PERMISSION_DENIED"


class SchemaOutdated(TaskcoreError):
    """The database has no taskcore schema, or an older one: run ``taskctl migrate``."""

    code = "SCHEMA_OUTDATED"


class ConfigurationError(TaskcoreError):
    """A setting, a database URL, an optional package or a folder cannot be used."""

    code = "CONFIGURATION_ERROR"

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class StoreNotOpen(TaskcoreError):
    """The store is not open: use ``async with TaskStore(...)``, or ``await store.open()``."""

    code = "STORE_NOT_OPEN"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or StoreNotOpen.__doc__)


class DatabaseError(TaskcoreError):
    """The database refused a statement for a reason that should not occur."""

    code = "DATABASE_ERROR"
