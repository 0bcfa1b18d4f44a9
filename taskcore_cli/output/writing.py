"""A file of tasks that is written by an export."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from taskcore_cli.input.files import Write
from taskcore_cli.input.formats import Format

# Loaded on use, so that --help answers at once.
# ruff: noqa: PLC0415
if TYPE_CHECKING:
    from taskcore import Task


class Writing:
    """A file of tasks that is written in parts: `tasks` any number of times, then `end`.

    Attributes:
        count: The number of tasks so far.
        cut: The number of tasks with fields that the format has no place for.
    """

    def __init__(self, form: Format, write: Write) -> None:
        from taskcore import formats
        from taskcore.formats.ics import ics_writer
        from taskcore.formats.taskwarrior import TaskwarriorWriter
        from taskcore.tasks.files import write_csv, write_jsonl

        self._form = form
        self._write = write
        self._end = b""
        self.count = self.cut = 0
        self._text_of: Any = {
            Format.jsonl: write_jsonl,
            Format.csv: write_csv,
            Format.todotxt: formats.write_todotxt,
        }.get(form)
        if form is Format.csv:
            write(write_csv((), header=True))
        elif self._text_of is None:
            writer = ics_writer() if form is Format.ics else TaskwarriorWriter()
            self._text_of, self._end = writer.tasks, writer.end()
            write(writer.begin())

    def tasks(self, tasks: Sequence["Task"]) -> None:
        """Write some tasks."""
        from taskcore.formats import fits_todotxt

        self._write(self._text_of(tasks))
        self.count += len(tasks)
        if self._form is Format.todotxt:
            self.cut += sum(not fits_todotxt(task) for task in tasks)

    def end(self) -> None:
        """Write the end of the file."""
        self._write(self._end)
