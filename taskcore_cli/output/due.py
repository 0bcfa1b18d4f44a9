"""Due dates for people: the date, and how far away it is."""

from contextlib import suppress
from datetime import date, datetime
from typing import TYPE_CHECKING

# Loaded on use, so that --help answers at once.
# ruff: noqa: PLC0415
if TYPE_CHECKING:
    from taskcore import Task

# "2026-11-30 17:00 today", or the number of days with a sign and a d.
WIDTH = len("2026-11-30 17:00 +1234d")


def due_cell(task: "Task", now: datetime) -> str:
    """Return when a task is due, and in how many days: ``-`` if it has no due date.

    Args:
        task: The task.
        now: The current time, with an offset.
    """
    if task.due is None:
        return "-"
    day = task.due.date() if isinstance(task.due, datetime) else task.due
    days = (day - _here(task, now).date()).days
    return f"{due_text(task.due)} {f'{days:+d}d' if days else 'today'}"


def due_text(due: date) -> str:
    """Return a due date without its zone; seconds only if there are any."""
    if not isinstance(due, datetime):
        return due.isoformat()
    return due.isoformat(" ", "seconds" if due.second else "minutes")


def is_overdue(task: "Task", now: datetime) -> bool:
    """Tell whether a task is open and its due date has passed."""
    if task.due is None or task.completed:
        return False
    here = _here(task, now)
    return task.due < (here if isinstance(task.due, datetime) else here.date())


def _here(task: "Task", now: datetime) -> datetime:
    """Return the local time, without ``tzinfo``, in the task's zone or else in that of ``now``."""
    if task.due_zone is not None:
        from zoneinfo import ZoneInfo

        # This machine may not know the zone.
        with suppress(KeyError, ValueError, OSError):
            now = now.astimezone(ZoneInfo(task.due_zone))
    return now.replace(tzinfo=None)
