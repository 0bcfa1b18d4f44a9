"""A user, for administrators."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from taskcore.limits import MAX_ID

Id = Annotated[int, Field(ge=1, le=MAX_ID)]


class User(BaseModel):
    """A user: somebody who has, or had, a task.

    ``updated_at`` is the last change of this record, not of the tasks. ``blocked_at`` is None
    unless the user is blocked.
    """

    model_config = ConfigDict(frozen=True)

    id: Id
    created_at: datetime
    updated_at: datetime
    blocked_at: datetime | None


class UserDetail(User):
    """A user, with the numbers of their tasks and of their open tasks."""

    task_count: int
    open_count: int
