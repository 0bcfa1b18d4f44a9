"""Files of iCalendar. They need the package icalendar, which the extra ``ical`` installs."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from taskcore.errors import ConfigurationError
from taskcore.formats.skipped import Skipped
from taskcore.tasks.files import BadLine
from taskcore.tasks.task import Task
from taskcore.tasks.task_import import TaskImport

# Loaded on use: the package is optional.
# ruff: noqa: PLC0415
if TYPE_CHECKING:
    from taskcore.formats.ical import Writer


def read_ics(
    file: BinaryIO, *, ignore_unknown: bool = False
) -> Iterator[TaskImport | BadLine | Skipped]:
    """Read the VTODO components of an iCalendar file, one at a time.

    The UID becomes the task's ``key``. Properties that a task has no field for are kept in
    ``extra`` as a list of lines named ``ical``, and `write_ics` writes them again. Other components
    are skipped. The guide "Import from other programs" lists the fields of each property.

    Args:
        file: Of bytes, in UTF-8.
        ignore_unknown: Do not keep properties that a task has no field for.

    Raises:
        ConfigurationError: The extra ``ical`` is not installed.
    """
    try:
        from taskcore.formats.ical import read_tasks
    except ModuleNotFoundError as exc:
        raise _missing(exc) from exc
    return read_tasks(file, ignore_unknown=ignore_unknown)


def write_ics(tasks: Iterable[Task[Any]]) -> bytes:
    """Return an iCalendar file of tasks.

    Raises:
        ConfigurationError: The extra ``ical`` is not installed.
    """
    writer = ics_writer()
    return writer.begin() + writer.tasks(tasks) + writer.end()


def ics_writer() -> "Writer":
    """Return a writer for a file that is written in parts.

    Raises:
        ConfigurationError: The extra ``ical`` is not installed.
    """
    try:
        from taskcore.formats.ical import Writer
    except ModuleNotFoundError as exc:
        raise _missing(exc) from exc
    return Writer()


def _missing(exc: ModuleNotFoundError) -> ConfigurationError | ModuleNotFoundError:
    if exc.name is None or exc.name.partition(".")[0] != "icalendar":
        return exc
    return ConfigurationError("iCalendar needs the extra ical: pip install 'taskcore[ical]'")
