"""A task as it is stored."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import from_json

from taskcore.limits import MAX_ID, MAX_PRIORITY, MAX_TITLE, MAX_VERSION
from taskcore.rows import columns_of, json_writer_of, reader_of
from taskcore.tasks.due import Due, parse_due

Id = Annotated[int, Field(ge=1, le=MAX_ID, json_schema_extra={"format": "int64"})]


class Task(BaseModel):
    """One task as it is stored.

    A new task has a higher ``id`` than the user's other tasks. ``version`` starts at 1 and
    rises by one with each change. Times are UTC, from the database's clock. ``completed_at``
    is None unless the task is completed. An imported task keeps the id, version and times of
    its file. ``due`` is a `date`, or a `datetime` without ``tzinfo`` whose zone, if it has one, is
    ``due_zone``. ``extra`` holds fields of your own.
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
    extra: dict[str, Any]
    key: str | None
    completed: bool
    user_id: Id
    version: int = Field(ge=1, le=MAX_VERSION, json_schema_extra={"format": "int32"})
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None

    def __hash__(self) -> int:
        # An object of JSON has no hash.
        return hash((self.user_id, self.id, self.version))


FIELDS = tuple(Task.model_fields)
"""The names of a task's fields: the columns of a row, of an export, and of its JSON."""

TASK_COLUMNS = columns_of(Task)
"""The columns that `tasks_from_rows` and `json_from_rows` take, for a SELECT."""

tasks_from_rows = reader_of(Task, due=parse_due, tags=tuple, extra=from_json)
"""Makes tasks of rows with `TASK_COLUMNS`."""

json_from_rows = json_writer_of(Task, extra=from_json)
"""Makes of such rows the JSON array of their tasks."""
