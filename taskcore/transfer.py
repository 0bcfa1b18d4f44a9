"""Files of tasks: JSON Lines and CSV, read and written a line at a time.

A line of JSON Lines (https://jsonlines.org) is a task as the REST API shows it. CSV
(RFC 4180) has the same fields as columns, named in its first line; an empty cell is
an absent value. Times are RFC 3339 with an offset.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Self, TextIO

import pydantic

from taskcore.errors import ValidationError
from taskcore.limits import MAX_JSON
from taskcore.models import Task, TaskImport
from taskcore.validation import explained, validate

COLUMNS = tuple(Task.model_fields)
"""The columns of a CSV file."""

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is no task.

    Attributes:
        number: Counted from 1.
        reason: Names the field and the limit.
    """

    number: int
    reason: str


def read_jsonl(file: BinaryIO) -> Iterator[TaskImport | BadLine]:
    """Read JSON Lines in constant memory; empty lines are passed over.

    What begins with a bracket is one JSON array, of which nothing is read.
    """
    number = 0
    begun = False
    while line := file.readline(MAX_JSON + 1):
        number += 1
        if number == 1:
            line = line.removeprefix(_BOM)
        if not begun and line.lstrip().startswith(b"["):
            yield BadLine(number, "a JSON array is not JSON Lines: an object on each line")
            return
        begun = begun or bool(line.strip())
        if len(line) > MAX_JSON and not line.endswith(b"\n"):
            while line and not line.endswith(b"\n"):
                line = file.readline(MAX_JSON)
            yield BadLine(number, f"line must have at most {MAX_JSON} bytes")
        elif line.strip():
            try:
                yield TaskImport.model_validate_json(line)
            except pydantic.ValidationError as exc:
                reason = str(explained(exc, where="line"))
                yield BadLine(number, reason if _is_utf8(line) else "line must be UTF-8")


def read_csv(file: BinaryIO) -> Iterator[TaskImport | BadLine]:
    """Read CSV in UTF-8 with a line of column names, of which only ``title`` must be there."""
    # What is not UTF-8 becomes surrogates, which no field may have: the line is at fault.
    text = io.TextIOWrapper(file, "utf-8-sig", "surrogateescape", newline="")
    try:
        yield from _tasks_of(_Lines(text))
    finally:
        # The file is the caller's, who may have closed it.
        if not file.closed:
            text.detach()


def write_jsonl(tasks: Iterable[Task]) -> bytes:
    """Return a line for each task."""
    return b"".join(task.model_dump_json().encode() + b"\n" for task in tasks)


def write_csv(tasks: Iterable[Task], *, header: bool = False) -> bytes:
    """Return a row for each task, after the names of the columns if asked for."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    if header:
        writer.writerow(COLUMNS)
    writer.writerows(_cells(task) for task in tasks)
    return text.getvalue().encode()


def _cells(task: Task) -> tuple[object, ...]:
    fields = task.model_dump(mode="json")
    fields["completed"] = "true" if task.completed else "false"
    return tuple(fields[column] for column in COLUMNS)


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


class _Lines:
    """The lines of a text, for ``csv.reader``: one that is too long is an error.

    Attributes:
        number: Of the last line.
    """

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self.number = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = self._text.readline(MAX_JSON + 1)
        if not line:
            raise StopIteration
        self.number += 1
        if len(line) <= MAX_JSON or line.endswith("\n"):
            return line
        while line and not line.endswith("\n"):
            line = self._text.readline(MAX_JSON)
        raise csv.Error(f"more than {MAX_JSON} characters")


def _tasks_of(lines: _Lines) -> Iterator[TaskImport | BadLine]:
    reader = csv.reader(lines, strict=True)
    columns: Sequence[str] | None = None
    while True:
        number = lines.number + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as exc:
            yield BadLine(number, f"line is not well-formed CSV: {exc}")
            if columns is None:
                return
            continue
        if columns is None:
            columns = cells
            if fault := _fault_of_columns(columns):
                yield BadLine(number, fault)
                return
        elif len(cells) > len(columns):
            yield BadLine(number, f"line has {len(cells)} cells for {len(columns)} columns")
        elif cells:
            try:
                yield _task_of(dict(zip(columns, cells, strict=False)))
            except ValidationError as exc:
                # A surrogate is a byte that is not UTF-8.
                reason = f"{exc.field} must be UTF-8" if exc.constraint == "unicode" else str(exc)
                yield BadLine(number, reason)


def _fault_of_columns(columns: Sequence[str]) -> str | None:
    if any("\ud800" <= letter <= "\udfff" for name in columns for letter in name):
        return "line must be UTF-8"
    if unknown := [ascii(name)[:100] for name in columns if name not in COLUMNS]:
        return f"{unknown[0]} is not a known column; the first line names the columns"
    if len(set(columns)) < len(columns):
        return "a column is named twice"
    return None if "title" in columns else "title is required as a column"


def _task_of(cells: dict[str, str]) -> TaskImport:
    fields: dict[str, Any] = {name: cell for name, cell in cells.items() if cell or name == "title"}
    for name in ("id", "version"):
        cell = fields.get(name, "")
        # What is no number stays text, and is refused as such.
        if cell.isascii() and cell.isdigit() and len(cell) < 20:  # noqa: PLR2004
            fields[name] = int(cell)
    # Spreadsheets write them in capitals.
    if fields.get("completed") in ("true", "false", "TRUE", "FALSE"):
        fields["completed"] = fields["completed"].lower() == "true"
    return validate(TaskImport, fields, where="line")
