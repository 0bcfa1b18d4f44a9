"""Operations of users, in a form that can be performed twice.

Ids differ between two runs, so an operation has a reference to a task instead of an id.
The reference is resolved when the operation is performed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from taskcore.tasks.task_order import NEWEST, TaskOrder


@dataclass(frozen=True, slots=True)
class Own:
    """A task of the user, which may have been deleted. ``place`` is taken modulo their number."""

    place: int


@dataclass(frozen=True, slots=True)
class Foreign:
    """Another user's task, which may have been deleted. Without other users, as `Never`."""

    place: int


@dataclass(frozen=True, slots=True)
class Never:
    """An id that looks like a task's, and that no task ever had."""


@dataclass(frozen=True, slots=True)
class Literal:
    """This number, for ids out of range."""

    number: int


Reference = Own | Foreign | Never | Literal


@dataclass(frozen=True, slots=True)
class Create:
    """Create a task from its fields, which may be invalid."""

    task: Mapping[str, Any]
    target: None = field(default=None, init=False, repr=False)


@dataclass(frozen=True, slots=True)
class CreateMany:
    """Create a batch of tasks, each a mapping of its fields, which may be invalid."""

    tasks: tuple[Mapping[str, Any], ...]
    target: None = field(default=None, init=False, repr=False)


@dataclass(frozen=True, slots=True)
class Get:
    """Read one task."""

    target: Reference


@dataclass(frozen=True, slots=True)
class List:
    """Read a page: the tasks older than ``target``. Without a limit: all of these tasks.

    With ``search``, which may be invalid, only those that have its words.
    """

    limit: int | None = None
    target: Reference | None = None
    completed: bool | None = None
    search: str | None = None


@dataclass(frozen=True, slots=True)
class Walk:
    """Read all pages, from cursor to cursor."""

    limit: int
    completed: bool | None = None
    order: TaskOrder = NEWEST
    target: None = field(default=None, init=False, repr=False)


@dataclass(frozen=True, slots=True)
class Count:
    """Count the tasks, those of a project, or those that have the words of ``search``."""

    completed: bool | None = None
    project: str | None = None
    search: str | None = None
    target: None = field(default=None, init=False, repr=False)


@dataclass(frozen=True, slots=True)
class Update:
    """Change the fields given, which may be invalid; with ``if_version`` where a face has it."""

    target: Reference
    changes: Mapping[str, Any]
    if_version: int | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete a task; with ``if_version`` where a face has it."""

    target: Reference
    if_version: int | None = None


@dataclass(frozen=True, slots=True)
class UpdateMany:
    """Make one change, which may be invalid, to several tasks: to all of them, or to none.

    A face gets a `Literal` for each of ``targets``; `ids` reads them.
    """

    targets: tuple[Reference, ...]
    changes: Mapping[str, Any]
    target: None = field(default=None, init=False, repr=False)


@dataclass(frozen=True, slots=True)
class DeleteMany:
    """Delete several tasks: all of them, or none. Its ``targets`` are as in `UpdateMany`."""

    targets: tuple[Reference, ...]
    target: None = field(default=None, init=False, repr=False)


def ids(operation: UpdateMany | DeleteMany) -> list[int]:
    """Return the ids of an operation on several tasks, as a face gets it."""
    return [target.number for target in operation.targets if isinstance(target, Literal)]


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Cancel a running call, then check that it took effect wholly or not at all.

    Either outcome is right, and any load may change it from run to run. So the call works
    on its own task, which is deleted afterwards, and the transcript says only whether
    the effect was whole.

    Attributes:
        call: ``create``, ``update``, ``delete`` or ``list``.
        turns: Turns of the event loop before the call is cancelled.
    """

    call: str
    turns: int
    target: None = field(default=None, init=False, repr=False)


@dataclass(frozen=True, slots=True)
class ChangeToken:
    """Change the user's own API tokens. From then on the user acts with the newest one, if any.

    The observation shows no id, no secret and no time.

    Attributes:
        change: ``create``, ``rotate`` or ``revoke``. The last two change the newest token; a user
            without a token creates one first.
    """

    change: str
    target: None = field(default=None, init=False, repr=False)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens to a user who is not observed, beside their tasks.

    Attributes:
        kind: One of `EVENTS`.
    """

    kind: str
    target: None = field(default=None, init=False, repr=False)


EVENTS = ("sign up", "block user", "block identity", "unblock", "delete", "rotate keys", "forge")
"""The events of users whom an issuer names.

In this order: somebody else signs up with the user's issuer; the user is blocked; the identity is
blocked; both are unblocked; the user is deleted; the issuer replaces a key; somebody sends a token
that pretends to be from the issuer.
"""

Operation = (
    Create
    | CreateMany
    | Get
    | List
    | Walk
    | Count
    | Update
    | UpdateMany
    | Delete
    | DeleteMany
    | Cancelled
    | ChangeToken
    | Event
)


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of a program.

    Attributes:
        user: The user; 0 is the observed user.
        operation: The operation.
        together: Do not wait for the end of the other users' steps before it.
    """

    user: int
    operation: Operation
    together: bool = False


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything that a user sees of an operation.

    Attributes:
        outcome: The kind of answer: ``returned`` or an error's name, a status, an exit code.
        value: The rest of the answer as JSON values, ids and times included.
        created: The ids of tasks that this operation created, in order of creation.
    """

    outcome: str
    value: Any = None
    created: tuple[int, ...] = ()
