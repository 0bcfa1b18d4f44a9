"""Everything that taskcore raises, one tree.

* TaskcoreError
  + ValidationError (also ValueError)    the input is wrong; nothing was sent
  + NotFound (also LookupError)
    - TaskNotFound
    - UserNotFound
  + VersionConflict                      the row has moved on; nothing was changed
  + Unavailable                          the database cannot be reached or used; nothing was changed
    - PoolExhausted
  + OutcomeUnknown                       the answer to a write was lost
  + PermissionDenied                     the database role may not do this
  + SchemaOutdated                       the database needs ``taskctl migrate``
  + ConfigurationError                   a setting, an extra or the environment is wrong
  + StoreNotOpen                         the store is not open (yet, or any more)
  + DatabaseError                        anything else the database refuses

PostgreSQL's errors are translated in ``taskcore.database.failures``, by SQLSTATE
(https://www.postgresql.org/docs/current/errcodes-appendix.html); the driver's
exception is the ``__cause__``.
"""

from typing import Any


def printable(text: str) -> str:
    """Return the text with a path's bytes that are not UTF-8 escaped, so that it can be printed."""
    return text.encode(errors="backslashreplace").decode()


class TaskcoreError(Exception):
    """Base of all errors of taskcore."""


class ValidationError(TaskcoreError, ValueError):
    """The input breaks a rule of the data model; nothing was sent to the database.

    Attributes:
        field: The field at fault, such as ``title`` or ``tasks[3].title``.
        constraint: The rule it breaks: ``required``, ``type``, ``non_empty``,
            ``max_length``, ``min``, ``max``, ``no_nul``, ``unicode``, ``not_null``,
            ``unknown_field``, ``empty_update``, ``given_twice``, ``cursor`` or ``json``.
        limits: The limit, where there is one: ``{"max": 500}``.
    """

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


class NotFound(TaskcoreError, LookupError):
    """What was asked for does not exist, or is another user's: the two are not told apart."""


class TaskNotFound(NotFound):
    """This user has no task with this id."""


class UserNotFound(NotFound):
    """There is no user with this id, or whoever asks is another user."""


class VersionConflict(TaskcoreError):
    """``if_version`` is not the task's version; nothing was changed.

    Attributes:
        current: The task's version. Read the task, decide again, try again.
    """

    def __init__(self, message: str, *, current: int) -> None:
        super().__init__(message)
        self.current = current


class Unavailable(TaskcoreError):
    """The database cannot be reached or used at the moment; nothing was changed.

    It is starting, takes no writes, has no room, or refuses the login. The text says
    which, and what an administrator can do. Try again later.
    """


class PoolExhausted(Unavailable):
    """Every connection of the pool stayed busy for the whole waiting time; nothing was sent."""


class OutcomeUnknown(TaskcoreError):
    """The connection broke before the answer to a write: it took effect wholly, or not at all.

    Read the task to learn which.
    """


class PermissionDenied(TaskcoreError):
    """The role of this connection may not do this; nothing was changed."""


class SchemaOutdated(TaskcoreError):
    """The database has no taskcore schema, or an older one: run ``taskctl migrate``."""


class ConfigurationError(TaskcoreError):
    """A setting, a database URL, an optional package or a folder cannot be used."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class StoreNotOpen(TaskcoreError):
    """The store is not open: use ``async with TaskStore(...)``, or ``await store.open()``."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or StoreNotOpen.__doc__)


class DatabaseError(TaskcoreError):
    """The database refused a statement for a reason that should not occur."""
