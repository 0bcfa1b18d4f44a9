"""A page of a user's tasks."""

from taskcore.pages import Page
from taskcore.tasks.task import Task


class TaskPage(Page[Task]):
    """Some of a user's tasks, in the order of their list."""
