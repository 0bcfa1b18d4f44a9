"""A file of tasks that is read for an import."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from taskcore_cli.exit_codes import say
from taskcore_cli.input.files import size_of, unreadable
from taskcore_cli.input.formats import Format
from taskcore_cli.output.progress import Show
from taskcore_cli.output.visible import visible

# Loaded on use, so that --help answers at once.
# ruff: noqa: PLC0415
if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from taskcore.tasks.task_import import TaskImport

# The most bad lines, and the most kinds of skipped parts, to show. In a file of another format
# every line is bad.
_SHOWN = 20
# Lines between two checks for Ctrl-C, when the bar moves.
_STRETCH = 500


class Reading:
    """A file of tasks that is read once. Bad lines are reported, skipped parts counted.

    Attributes:
        form: The format.
        good: The number of tasks so far.
        bad: The number of bad lines or tasks so far.
    """

    def __init__(
        self, path: Path, file: BinaryIO, form: Format, options: Mapping[str, Any]
    ) -> None:
        self._path = path
        self._file = file
        self._read = form.reader()(file, **options)
        self._skipped: Counter[str] = Counter()
        self.form = form
        self.good = 0
        self.bad = 0

    @property
    def skipped(self) -> int:
        """The number of parts so far that are not tasks to import."""
        return self._skipped.total()

    def check(self, show: Show) -> None:
        """Read to the end."""
        for number, _ in enumerate(self._lines()):
            if not number % _STRETCH:
                self._show(show)

    async def tasks(self, show: Show) -> "AsyncIterator[TaskImport]":
        """Yield the tasks."""
        import asyncio

        for number, task in enumerate(self._lines()):
            if not number % _STRETCH:
                self._show(show)
                # Let Ctrl-C and the statements that store tasks go on.
                await asyncio.sleep(0)
            if task is not None:
                yield task

    def _show(self, show: Show) -> None:
        show(self.good, 0 if size_of(self._file) is None else self._file.tell())

    def _lines(self) -> "Iterator[TaskImport | None]":
        from taskcore.formats import Skipped
        from taskcore.tasks.files import BadLine

        try:
            for line in self._read:
                if isinstance(line, BadLine):
                    self.bad += 1
                    if self.bad <= _SHOWN:
                        say(f"line {line.number}: {visible(line.reason)}")
                    yield None
                elif isinstance(line, Skipped):
                    known = len(self._skipped) < _SHOWN or line.reason in self._skipped
                    self._skipped[line.reason if known else "something else"] += 1
                    yield None
                else:
                    self.good += 1
                    yield line
        except OSError as exc:
            raise unreadable(self._path, exc) from exc
        self.tell_rest()

    def tell_rest(self) -> None:
        """Print the number of bad lines that were not shown, and what was skipped."""
        if self.bad > _SHOWN:
            say(f"and {self.bad - _SHOWN} more bad lines, {self.bad} in all")
        for reason, count in self._skipped.items():
            say(f"skipped: {visible(reason)} ({count})")
