"""A task to import."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, Strict, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from taskcore.limits import MAX_VERSION
from taskcore.tasks.fields import Key, TaskFields
from taskcore.tasks.moments import Moment
from taskcore.tasks.task import Id


class TaskImport(TaskFields):
    """A task from an export or another system, stored with its id, version and times.

    Only the title is required. A task without ``id`` gets a new one. A task without times
    was created now, and one with only ``updated_at`` was created then. A completed task
    without ``completed_at`` was completed when it was last updated. Times are aware
    `datetime` objects or RFC 3339 text with an offset. ``user_id``, the user of an
    exported task, is ignored.
    """

    id: Annotated[Id, Strict()] | None = None
    key: Key = None
    version: Annotated[int, Strict(), Field(ge=1, le=MAX_VERSION)] = 1
    created_at: Moment | None = None
    updated_at: Moment | None = None
    completed_at: Moment | None = None
    user_id: Any = Field(default=None, exclude=True)

    @field_validator("updated_at")
    @classmethod
    def _not_before_creation(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        created = info.data.get("created_at")
        if value is not None and created is not None and value < created:
            raise PydanticCustomError("min", "must not be before created_at")
        return value

    @field_validator("completed_at")
    @classmethod
    def _only_if_completed(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        # A wrong value of completed is reported itself.
        if value is not None and info.data.get("completed") is False:
            raise PydanticCustomError("not_completed", "must be null unless completed is true")
        return value
