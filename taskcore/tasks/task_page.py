"""A page of a user's tasks."""

from taskcore.pages import Page
from taskcore.tasks.task import Task

ORDER = "newest"
"""The order of a list of tasks, as its cursors name it."""


class TaskPage(Page[Task]):
    """Some of a user's tasks, newest first."""
