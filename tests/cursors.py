"""Cursors of lists of tasks."""

from taskcore.cursors import cursor_after
from taskcore.tasks.task_order import NEWEST


def cursor(task_id: int) -> str:
    """Return the cursor of the page that follows a task."""
    return cursor_after(NEWEST, task_id)
