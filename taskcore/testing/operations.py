"""What users do, written down so that it can be done twice.

An operation holds no id, as ids differ between two runs: it refers to a task, and the
reference is looked up when the operation's turn comes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Own:
    """A task the user has made, perhaps deleted since; ``place`` counts round and round."""

    place: int


@dataclass(frozen=True, slots=True)
class Foreign:
    """Another user's task, perhaps deleted since; for a user who is alone, an id like `Never`."""

    place: int


@dataclass(frozen=True, slots=True)
class Never:
    """An id that looks like a task's, and never was one."""


@dataclass(frozen=True, slots=True)
class Literal:
    """This very number: for ids out of range."""

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
    """Read a page: the tasks older than ``target``. Without a limit: all of these tasks."""

    limit: int | None = None
    target: Reference | None = None
    completed: bool | None = None


@dataclass(frozen=True, slots=True)
class Walk:
    """Read all pages, following the cursors that the answers give."""

    limit: int
    completed: bool | None = None
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
class Cancelled:
    """Cancel a call under way, then look whether it took effect wholly or not at all.

    Which of the two may differ from run to run, and anybody's load may shift it. So the
    call works on a task made for it, and whatever it left is deleted: the transcript
    says only that nothing was left half done.

    Attributes:
        call: ``create``, ``update``, ``delete`` or ``list``.
        turns: Turns of the event loop that the call is granted.
    """

    call: str
    turns: int
    target: None = field(default=None, init=False, repr=False)


Operation = Create | CreateMany | Get | List | Walk | Update | Delete | Cancelled


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of a program.

    Attributes:
        user: Who does it; 0 is the user who is observed.
        operation: What they do.
        together: Do not wait for the other users' steps before it to be done.
    """

    user: int
    operation: Operation
    together: bool = False


@dataclass(frozen=True, slots=True)
class Observation:
    """What a user is told.

    Attributes:
        outcome: The kind of answer: ``returned`` or an error's name, a status, an exit code.
        value: All the rest, as JSON has it: numbers, strings, lists and dictionaries. Ids
            and times need no treatment.
        created: The ids of tasks that this operation made, in order of creation.
    """

    outcome: str
    value: Any = None
    created: tuple[int, ...] = ()
