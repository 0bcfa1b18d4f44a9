"""Files of tasks: JSON Lines and CSV, read and written a line at a time.

A line of JSON Lines (https://jsonlines.org) is a task as the REST API shows it. CSV
(RFC 4180) has the same fields as columns, named in its first line; an empty cell is
an absent value, tags are separated by commas, and ``extra`` is JSON. Times are RFC 3339
with an offset.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import pydantic
from pydantic_core import from_json

from taskcore.errors import ValidationError
from taskcore.limits import MAX_JSON
from taskcore.tasks.csv_rows import Fault, Rows
from taskcore.tasks.fields import type_of
from taskcore.tasks.task import FIELDS, Task
from taskcore.tasks.task_import import TaskImport
from taskcore.validation import explained, validate

COLUMNS = FIELDS
"""The columns of a CSV file."""

_BOM = b"\xef\xbb\xbf"
_TYPES = {name: type_of(field) for name, field in TaskImport.model_fields.items()}
_NULLABLE_TEXTS = [
    name
    for name, field in TaskImport.model_fields.items()
    if _TYPES[name] in (str, tuple, dict) and not field.is_required()
]
_BOOLEANS = {"true": True, "false": False}
# R's missing value.
_MISSING = "NA"
# pandas writes a column of integers of which some are missing as 5.0. Anything else
# stays text, which is refused: an exponent may have lost digits of an id.
_WHOLE = re.compile(r"[0-9]{1,19}(?:\.0+)?")


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is not a task.

    Attributes:
        number: Counted from 1.
        reason: Names the field and the limit.
    """

    number: int
    reason: str


def read_jsonl(
    file: BinaryIO, *, columns: Mapping[str, str] | None = None, ignore_unknown: bool = False
) -> Iterator[TaskImport | BadLine]:
    """Read JSON Lines in constant memory; empty lines are skipped.

    A file that begins with a bracket is a JSON array and is refused.

    Args:
        file: Of bytes, in UTF-8.
        columns: The task's field for each field that has another name in the file.
        ignore_unknown: Ignore fields that a task does not have, instead of refusing the
            line.

    Raises:
        ValidationError: ``columns`` names a field that a task does not have, or one twice.
    """
    names = _Names(columns or {}, ignore_unknown=ignore_unknown)
    return _objects(file, names)


def read_csv(
    file: BinaryIO,
    *,
    separator: str | None = None,
    columns: Mapping[str, str] | None = None,
    ignore_unknown: bool = False,
) -> Iterator[TaskImport | BadLine]:
    """Read CSV in constant memory; its first line names the columns.

    Only ``title`` must be there. Reading ends with the first broken quote.

    Args:
        file: Of bytes, in UTF-8, or in UTF-16 with a byte order mark.
        separator: The character between cells. None: the separator that a first line
            ``sep=;`` names, else the one of comma, semicolon and tab that gives the most
            known columns.
        columns: The task's field for each column that has another name in the file.
        ignore_unknown: Ignore columns that a task does not have, instead of refusing the
            file. A first column without a name, where pandas and R number the rows, is
            always ignored.

    Raises:
        ValidationError: ``separator`` cannot be used, or ``columns`` names a field that a task
            does not have, or one twice.
    """
    names = _Names(columns or {}, ignore_unknown=ignore_unknown)
    return _tasks_of(Rows(file, separator, names.is_known), names)


def write_jsonl(tasks: Iterable[Task[Any]]) -> bytes:
    """Return a line for each task."""
    return b"".join(task.model_dump_json(warnings=False).encode() + b"\n" for task in tasks)


def write_csv(tasks: Iterable[Task[Any]], *, header: bool = False) -> bytes:
    """Return a row for each task. With ``header`` the names of the columns come first."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    if header:
        writer.writerow(COLUMNS)
    writer.writerows(_cells(task) for task in tasks)
    return text.getvalue().encode()


def _cells(task: Task) -> tuple[object, ...]:
    return tuple(_cell(value) for value in task.model_dump(mode="json", warnings=False).values())


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False) if value else ""
    # No tag has a comma.
    return ",".join(value) if isinstance(value, list) else value


def _objects(file: BinaryIO, names: "_Names") -> Iterator[TaskImport | BadLine]:
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
                yield _task_of_json(line, names)
            except ValidationError as exc:
                yield BadLine(number, str(exc) if _is_utf8(line) else "line must be UTF-8")


def _task_of_json(line: bytes, names: "_Names") -> TaskImport:
    if names.are_unchanged and b"NaN" not in line and b"Infinity" not in line:
        try:
            return TaskImport.model_validate_json(line)
        except pydantic.ValidationError as exc:
            raise explained(exc, where="line") from None
    try:
        # Pydantic accepts NaN and Infinity by default, which are not JSON.
        fields = from_json(line, allow_inf_nan=False)
    except ValueError:
        raise ValidationError(
            "line is not well-formed JSON", field="line", constraint="json"
        ) from None
    return validate(TaskImport, names.renamed(fields), where="line")


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


class _Names:
    """The names that a file uses for the fields of a task."""

    def __init__(self, columns: Mapping[str, str], *, ignore_unknown: bool) -> None:
        for name in columns.values():
            if name not in COLUMNS:
                raise _columns_error(f"{ascii(name)[:100]} is not a field of a task")
        if len(set(columns.values())) < len(columns):
            raise _columns_error("two columns cannot be one field")
        self._columns = columns
        self._ignore_unknown = ignore_unknown
        self.are_unchanged = not columns and not ignore_unknown

    def is_known(self, name: str) -> bool:
        return name in self._columns or name in COLUMNS

    def renamed(self, fields: object) -> object:
        """Return a JSON object with the task's names."""
        if not isinstance(fields, dict) or self.are_unchanged:
            return fields
        renamed: dict[str, Any] = {}
        for name, value in fields.items():
            if self._ignore_unknown and not self.is_known(name):
                continue
            field = self._columns.get(name, name)
            if field in renamed:
                raise ValidationError(
                    f"{field} is named twice", field=field, constraint="named_twice"
                )
            renamed[field] = value
        return renamed

    def fields_of(self, header: Sequence[str]) -> list[str | None]:
        """Return the field of each column; None: the column is ignored.

        Raises:
            ValidationError: A column is unknown, missing or repeated.
        """
        if any("\ud800" <= letter <= "\udfff" for name in header for letter in name):
            raise _columns_error("line must be UTF-8")
        for name in self._columns:
            if name not in header:
                raise _columns_error(f"{ascii(name)[:100]} is not a column of this file")
        fields = [self._field_of(name, place) for place, name in enumerate(header)]
        named = [field for field in fields if field]
        for field in named:
            if named.count(field) > 1:
                raise _columns_error(f"{field} is named twice as a column")
        if "title" not in named:
            raise _columns_error("title is required as a column")
        return fields

    def _field_of(self, name: str, place: int) -> str | None:
        if self.is_known(name):
            return self._columns.get(name, name)
        # pandas and R number the rows in a first column without a name.
        if self._ignore_unknown or not (name or place):
            return None
        # Spreadsheets write columns that are empty.
        if not name:
            return ""
        raise _columns_error(
            f"{ascii(name)[:100]} is not a known column: map it to a field, or ignore unknown "
            "columns"
        )


def _columns_error(text: str) -> ValidationError:
    return ValidationError(text, field="columns", constraint="columns")


def _tasks_of(rows: Rows, names: _Names) -> Iterator[TaskImport | BadLine]:
    fields: list[str | None] | None = None
    from_r = False
    for row in rows:
        if isinstance(row, Fault):
            yield BadLine(row.number, row.reason)
            if fields is None:
                return
        elif fields is None:
            try:
                fields = names.fields_of(row.cells)
            except ValidationError as exc:
                yield BadLine(row.number, str(exc))
                return
            from_r = all(rows.quoted())
        elif len(row.cells) > len(fields):
            yield BadLine(row.number, f"line has {len(row.cells)} cells for {len(fields)} columns")
        # Spreadsheets write rows that are empty.
        elif any(row.cells) or len(row.cells) == 1:
            cells = dict(zip(fields, row.cells, strict=False))
            if from_r and any(cells.get(name) == _MISSING for name in _NULLABLE_TEXTS):
                _unquoted_are_missing(cells, dict(zip(fields, rows.quoted(), strict=False)))
            try:
                yield _task_of(cells)
            except ValidationError as exc:
                # A surrogate stands for a byte that is not UTF-8.
                reason = f"{exc.field} must be UTF-8" if exc.constraint == "unicode" else str(exc)
                yield BadLine(row.number, reason)


def _task_of(cells: dict[str | None, str]) -> TaskImport:
    if cells.pop("", None):
        raise _columns_error("a column without a name must be empty")
    cells.pop(None, None)
    fields: dict[str | None, Any] = {
        name: cell for name, cell in cells.items() if cell or name == "title"
    }
    for name, cell in list(fields.items()):
        kind = _TYPES.get(name or "", str)
        if kind is str:
            continue
        if kind is tuple:
            fields[name] = tuple(cell.split(","))
        elif kind is dict:
            fields[name] = _json_in(cell)
        elif cell == _MISSING:
            del fields[name]
        elif kind is bool:
            # Python, R and spreadsheets differ in their capitals.
            fields[name] = _BOOLEANS.get(cell.lower(), cell)
        elif kind is int and _WHOLE.fullmatch(cell):
            fields[name] = int(cell.partition(".")[0])
    return validate(TaskImport, fields, where="line")


def _json_in(cell: str) -> Any:
    try:
        return from_json(cell, allow_inf_nan=False)
    except ValueError:
        return cell


def _unquoted_are_missing(cells: dict[str | None, str], quoted: dict[str | None, bool]) -> None:
    """Empty the text cells with R's missing value: R quotes text, but not missing values."""
    for name in _NULLABLE_TEXTS:
        if cells.get(name) == _MISSING and not quoted[name]:
            cells[name] = ""
