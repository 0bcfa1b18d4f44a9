"""The formats of files of tasks."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any

# Loaded on use, so that --help answers at once.
# ruff: noqa: PLC0415

_ENDINGS = {".csv": "csv", ".tsv": "csv", ".ics": "ics", ".ical": "ics", ".icalendar": "ics"}
# Only these names: other files that end in .txt may have any format.
_TODOTXT = ("todo.txt", "done.txt")


class Format(StrEnum):
    """The format of a file."""

    jsonl = "jsonl"
    csv = "csv"
    ics = "ics"
    taskwarrior = "taskwarrior"
    todotxt = "todotxt"

    @property
    def has_columns(self) -> bool:
        """Whether a file names its fields, so that --map can rename them."""
        return self in (Format.jsonl, Format.csv)

    @property
    def can_skip(self) -> bool:
        """Whether a file may have parts that are not tasks to import."""
        return self in (Format.ics, Format.taskwarrior)

    @property
    def part(self) -> tuple[str, str]:
        """How to count bad parts of a file: the words after a number, singular and plural."""
        return ("task is", "tasks are") if self.can_skip else ("line is", "lines are")

    def reader(self) -> Callable[..., Any]:
        """Return the library's function that reads such a file."""
        from taskcore import formats
        from taskcore.tasks import files

        return {
            Format.jsonl: files.read_jsonl,
            Format.csv: files.read_csv,
            Format.ics: formats.read_ics,
            Format.taskwarrior: formats.read_taskwarrior,
            Format.todotxt: formats.read_todotxt,
        }[self]


def format_of(file: Path, given: Format | None) -> Format:
    """Return the format that was given, or else the one that the file's name implies."""
    if given:
        return given
    if file.name.lower() in _TODOTXT:
        return Format.todotxt
    return Format(_ENDINGS.get(file.suffix.lower(), Format.jsonl))
