"""Cursors of lists of tasks."""

from taskcore.cursors import cursor_after
from taskcore.tasks.task_page import ORDER


def cursor(task_id: int) -> str:
    """Return the cursor of the page that follows a task."""
    return cursor_after(ORDER, task_id)
