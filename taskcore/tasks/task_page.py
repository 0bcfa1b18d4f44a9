"""A page of a user's tasks."""

from typing import Generic

from taskcore.pages import Page
from taskcore.tasks.extra import ExtraT
from taskcore.tasks.task import Task


class TaskPage(Page[Task[ExtraT]], Generic[ExtraT]):
    """Some of a user's tasks, in the order of their list."""
