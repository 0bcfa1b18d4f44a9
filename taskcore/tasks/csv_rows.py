"""Rows of CSV files, as spreadsheets and data tools write them (RFC 4180).

A file is UTF-8, or UTF-16 with a byte order mark, as Excel's "Unicode Text" has it.
Cells are separated by commas, semicolons or tabs. Reading holds one row in memory.
"""

import csv
import io
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Self, TextIO

from taskcore.errors import ValidationError
from taskcore.limits import MAX_JSON

SEPARATORS = (",", ";", "\t")
"""The separators that are recognised when none is given."""

_DEFAULT = SEPARATORS[0]
# Excel writes the separator like this, on a line before the columns.
_SEPARATOR_LINE = re.compile(r'"?sep=([^"\r\n])"?[\r\n]*', re.IGNORECASE)
_UTF_16_BEGINS = (b"\xff", b"\xfe")


@dataclass(frozen=True, slots=True)
class Row:
    """One row.

    Attributes:
        number: The number of its first line, counted from 1.
        cells: The text of each cell.
    """

    number: int
    cells: Sequence[str]


@dataclass(frozen=True, slots=True)
class Fault:
    """A part of the file that is not a row.

    Attributes:
        number: The number of the line where it begins, counted from 1.
        reason: What is wrong.
    """

    number: int
    reason: str


class Rows:
    """The rows of a file, the one with the names of the columns first.

    Iterating ends after a broken quote: the lines after it may be inside a cell.
    """

    def __init__(self, file: BinaryIO, separator: str | None, known: Callable[[str], bool]) -> None:
        """Take a file.

        Args:
            file: The file. It stays open.
            separator: One character. None: the separator that a first line ``sep=;``
                names, else the one of `SEPARATORS` that gives the most known columns, or
                else the most columns.
            known: Returns whether a column's name is known.

        Raises:
            ValidationError: The separator cannot be used.
        """
        if separator is not None and (len(separator) != 1 or separator in '"\r\n\0'):
            raise ValidationError(
                "separator must be one character, but not a quote or a line end",
                field="separator",
                constraint="separator",
            )
        self._file = file
        self._row: list[str] = []
        self._separator = separator
        self._known = known

    def __iter__(self) -> Iterator[Row | Fault]:
        text = _text_of(self._file)
        lines = _Lines(text)
        try:
            separator = self._separator or self._recognised(lines)
            reader = csv.reader(lines, delimiter=separator, strict=True)
            while True:
                number = lines.number + 1
                self._row = lines.begin_row()
                try:
                    cells = next(reader)
                except _TooLong as exc:
                    yield Fault(number, f"line {exc}")
                except csv.Error as exc:
                    yield self._broken_quote(number, separator, exc)
                    return
                else:
                    yield Row(number, cells)
        except StopIteration:
            pass
        except UnicodeError:
            yield Fault(lines.number + 1, "line must be UTF-8, or UTF-16 with a byte order mark")
        finally:
            # The caller owns the file and may have closed it.
            if not self._file.closed:
                text.detach()

    def quoted(self) -> list[bool]:
        """Return for each cell of the last row whether it is quoted."""
        separator = self._separator or _DEFAULT
        return [quoted for _, quoted in _cells("".join(self._row), separator)]

    def _recognised(self, lines: "_Lines") -> str:
        """Find the separator in the first line, and go back to its start."""
        try:
            first = next(lines)
        except (StopIteration, csv.Error):
            self._separator = _DEFAULT
        else:
            if match := _SEPARATOR_LINE.fullmatch(first):
                self._separator = match[1]
                return self._separator
            # The first one, if several are equally good.
            self._separator = max(SEPARATORS, key=lambda one: self._columns(first, one))
        lines.back()
        return self._separator

    def _columns(self, line: str, separator: str) -> tuple[int, int]:
        """Return how many columns are known, and how many there are."""
        try:
            names = next(csv.reader([line], delimiter=separator, strict=True))
        except csv.Error:
            return -1, 0
        return sum(map(self._known, names)), len(names)

    def _broken_quote(self, number: int, separator: str, exc: csv.Error) -> Fault:
        cells = _cells("".join(self._row), separator)
        begin = max((at for at, quoted in cells if quoted), default=0)
        ends = itertools.accumulate(map(len, self._row))
        why = "ends inside its cell, where it must be doubled"
        if isinstance(exc, _TooLongInQuotes):
            why = f"is followed by more than {MAX_JSON} characters"
        elif "unexpected end" in str(exc):
            why = "is never closed"
        return Fault(
            number + sum(end <= begin for end in ends),
            f"line is not well-formed CSV: a quote begins here that {why}; "
            "nothing from here on was read",
        )


class _TooLong(csv.Error):
    """A line without quotes is too long. The whole line has been read."""

    def __init__(self) -> None:
        super().__init__(f"must have at most {MAX_JSON} characters")


class _TooLongInQuotes(csv.Error):
    """A row with quotes is too long."""


class _Lines:
    """The lines of a text, for ``csv.reader``.

    Attributes:
        number: The number of the last line.
        row: The lines of the row that is being read.
    """

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._again: str | None = None
        self._size = 0
        self.number = 0
        self.row: list[str] = []

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line, self._again = self._again, None
        if line is None:
            # The limit does not count the line end.
            line = self._text.readline(MAX_JSON + 2)
        if not line:
            raise StopIteration
        self.number += 1
        self._size += len(line)
        self.row.append(line)
        if self._size > MAX_JSON and (len(self.row) > 1 or len(line.rstrip("\r\n")) > MAX_JSON):
            self._refuse(line)
        return line

    def begin_row(self) -> list[str]:
        """Return a list to which the lines of the next row will be added."""
        self.row = []
        self._size = 0
        return self.row

    def back(self) -> None:
        """Go back to the start of the row, of which one line has been read."""
        self._again = self.row[0] if self.row else None
        self.number -= len(self.row)

    def _refuse(self, line: str) -> None:
        """Raise an error. First read a line without quotes to its end: the next row follows."""
        quotes = any('"' in one for one in self.row)
        while not quotes and line and not line.endswith("\n"):
            line = self._text.readline(MAX_JSON)
            quotes = '"' in line
        raise _TooLongInQuotes if quotes else _TooLong


def _cells(row: str, separator: str) -> Iterator[tuple[int, bool]]:
    """Yield the place where each cell of a row begins, and whether it is quoted.

    In a broken row the last cell is the broken one.
    """
    cell = re.compile(rf'"[^"]*(?:""[^"]*)*"?|[^{re.escape(separator)}\r\n]*')
    begin = 0
    while match := cell.match(row, begin):
        yield begin, match[0].startswith('"')
        begin = match.end() + 1
        if row[match.end() : begin] != separator:
            return


def _text_of(file: BinaryIO) -> io.TextIOWrapper:
    if _first_byte(file) in _UTF_16_BEGINS:
        return io.TextIOWrapper(file, "utf-16", newline="")
    # Bytes that are not UTF-8 become surrogates, which no field accepts: their line is bad.
    return io.TextIOWrapper(file, "utf-8-sig", "surrogateescape", newline="")


def _first_byte(file: BinaryIO) -> bytes:
    if isinstance(file, io.BufferedReader):
        return file.peek(1)[:1]
    if file.seekable():
        start = file.tell()
        first = file.read(1)
        file.seek(start)
        return first
    return b""
