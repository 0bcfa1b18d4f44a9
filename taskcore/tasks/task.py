"""A task as it is stored."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Generic

from msgspec import Raw
from pydantic import BaseModel, ConfigDict, Field, WrapSerializer
from pydantic_core import from_json, to_json

from taskcore.limits import MAX_ID, MAX_PRIORITY, MAX_TITLE, MAX_VERSION
from taskcore.rows import Maker, Nulls, Rows, columns_of, json_writer_of, reader_of
from taskcore.tasks.due import Due, parse_due
from taskcore.tasks.extra import ExtraT
from taskcore.tasks.extra_model import ExtraModel, serialized

Id = Annotated[int, Field(ge=1, le=MAX_ID, json_schema_extra={"format": "int64"})]


class Task(BaseModel, Generic[ExtraT]):
    """One task as it is stored.

    A new task has a higher ``id`` than the user's other tasks. ``version`` starts at 1 and
    rises by one with each change. Times are UTC, from the database's clock. ``completed_at``
    is None unless the task is completed. An imported task keeps the id, version and times of
    its file. ``due`` is a `date`, or a `datetime` without ``tzinfo`` whose zone, if it has one, is
    ``due_zone``. ``extra`` holds fields of your own: a dictionary, or with
    ``TaskStore(extra=Model)`` an instance of the model.
    """

    model_config = ConfigDict(frozen=True)

    id: Id
    title: str = Field(min_length=1, max_length=MAX_TITLE)
    description: str | None
    due: Due
    due_zone: str | None
    priority: int = Field(ge=0, le=MAX_PRIORITY, json_schema_extra={"format": "int32"})
    project: str | None
    tags: tuple[str, ...]
    # A lambda has no return annotation, which would replace the model in the JSON schema.
    extra: Annotated[
        ExtraT,
        WrapSerializer(lambda extra, write: serialized(extra, write)),  # noqa: PLW0108
    ]
    key: str | None
    completed: bool
    user_id: Id
    version: int = Field(ge=1, le=MAX_VERSION, json_schema_extra={"format": "int32"})
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None

    def __hash__(self) -> int:
        # `extra` may have no hash: it is a dictionary or a model.
        return hash((self.user_id, self.id, self.version))


FIELDS = tuple(Task.model_fields)
"""The names of a task's fields: the columns of a row, of an export, and of its JSON."""

ONE_TASK = columns_of(Task, times_as_text=False)
"""The columns of a statement for one task, for a SELECT."""

TASK_COLUMNS = columns_of(Task)
"""The columns of a statement for several tasks."""


class TaskRows(Generic[ExtraT]):
    """Makes tasks, or their JSON, from rows.

    Attributes:
        extra: The model of ``extra``; None: a dictionary.
        one: Makes tasks from rows with `ONE_TASK`.
        tasks: Makes tasks from rows with `TASK_COLUMNS`.
        json: Makes the JSON array of the tasks from such rows.
    """

    one: Callable[[Rows], tuple[Task[ExtraT], ...]]
    tasks: Callable[[Rows], tuple[Task[ExtraT], ...]]

    def __init__(self, extra: ExtraModel[Any] | None = None) -> None:
        self.extra = extra
        if extra is None:
            kind: Any = Task
            nulls: Nulls = {"extra": dict}
            make: Maker = from_json
            self.json = json_writer_of(
                Task, {"extra": dict}, extra=lambda text: _as_pydantic_writes(from_json(text))
            )
        else:
            # The type is known when the program runs.
            kind = Task[extra.model]  # type: ignore[name-defined]
            nulls, make = {"extra": extra.read_none}, extra.read
            self.json = json_writer_of(
                kind,
                {"extra": lambda: _as_pydantic_writes(extra.document_of_none())},
                extra=lambda text: _as_pydantic_writes(extra.document(text)),
            )
        self.one = reader_of(
            kind, nulls, times_as_text=False, due=parse_due, tags=tuple, extra=make
        )
        self.tasks = reader_of(kind, nulls, due=parse_due, tags=tuple, extra=make)


def _as_pydantic_writes(extra: dict[str, Any]) -> Raw:
    return Raw(to_json(extra))
