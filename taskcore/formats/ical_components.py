"""The components of a calendar (RFC 5545, section 3.4), read one at a time."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from taskcore.formats.content_lines import ContentLine, unfolded
from taskcore.limits import MAX_JSON
from taskcore.tasks.files import BadLine

_CALENDAR = "VCALENDAR"
_TASK = "VTODO"
_ZONE = "VTIMEZONE"
_NO_LINE = "line is not NAME:VALUE"


@dataclass(slots=True)
class Component:
    """A component of a calendar.

    Attributes:
        number: The number of the line where it begins.
        name: Its name, in upper case.
        lines: Its lines and those of the components within it, without its own BEGIN and END.
            They are collected only for a VTODO and a VTIMEZONE. A VTIMEZONE with an invalid line
            has none.
    """

    number: int
    name: str
    lines: list[ContentLine] = field(default_factory=list)

    def number_of(self, name: str) -> int:
        """Return the number of the first line with this name, or else of the component."""
        return next((line.number for line in self.lines if line.name == name), self.number)


_Part = Component | ContentLine | BadLine


def components(file: BinaryIO) -> Iterator[_Part]:
    """Yield each component of the calendars in a file, and each property of the calendars.

    Only one component is in memory. For a VTODO with an invalid line a `BadLine` is yielded.
    """
    reader = _Reader()
    first = True
    for number, data in unfolded(file):
        if first and data.lstrip()[:6].upper() != b"BEGIN:":
            yield BadLine(number, "file must begin with BEGIN:VCALENDAR")
            return
        first = False
        yield from reader.read(number, data)
    yield from reader.unclosed()


class _Reader:
    """Collects the lines of one component."""

    def __init__(self) -> None:
        self._component: Component | None = None
        self._inside: list[str] = []
        self._size = 0
        self._bad: BadLine | None = None

    def read(self, number: int, data: bytes) -> Iterator[_Part]:
        """Take a line, and yield the parts that are complete with it."""
        word, name = _bracket(data)
        if name == _CALENDAR or (word == "BEGIN" and name == _TASK):
            yield from self.unclosed()
        if self._component is None:
            if word == "BEGIN" and name != _CALENDAR:
                self._component = Component(number, name)
            elif not word:
                line = _parsed(number, data)
                yield BadLine(number, line) if isinstance(line, str) else line
        elif word == "END" and name == self._component.name and not self._inside:
            # A VTIMEZONE is never a bad line: without lines its zone is unknown.
            yield (self._component.name == _TASK and self._bad) or self._component
            self._forget()
        else:
            self._add(self._component, number, data)
            if word == "BEGIN":
                self._inside.append(name)
            elif word == "END" and (not self._inside or self._inside.pop() != name):
                self._fail(number, f"END:{ascii(name)[1:-1][:100]} has no BEGIN before it")

    def unclosed(self) -> Iterator[_Part]:
        """Yield an error if a component has begun and not ended."""
        if self._component is not None:
            name = ascii(self._component.name)[1:-1][:100]
            yield BadLine(self._component.number, f"{name} has no END:{name}")
            self._forget()

    def _add(self, component: Component, number: int, data: bytes) -> None:
        self._size += len(data)
        if component.name not in (_TASK, _ZONE) or self._bad:
            return
        if self._size > MAX_JSON:
            self._fail(component.number, f"{component.name} must have at most {MAX_JSON} bytes")
            return
        line = _parsed(number, data)
        if isinstance(line, str):
            self._fail(number, line)
        else:
            component.lines.append(line)

    def _fail(self, number: int, reason: str) -> None:
        if self._component:
            self._component.lines.clear()
        self._bad = self._bad or BadLine(number, reason)

    def _forget(self) -> None:
        self._component, self._bad = None, None
        self._inside.clear()
        self._size = 0


def _bracket(data: bytes) -> tuple[str, str]:
    """Return ``BEGIN`` or ``END`` and the name of a component, or two empty texts."""
    word, colon, name = data[:200].partition(b":")
    if not colon or word.strip().upper() not in (b"BEGIN", b"END"):
        return "", ""
    return word.strip().upper().decode(), name.strip().upper().decode(errors="replace")


def _parsed(number: int, data: bytes) -> ContentLine | str:
    """Return the line, or what is wrong with it."""
    try:
        return ContentLine.parsed(number, data.decode()) or _NO_LINE
    except UnicodeDecodeError:
        return "line must be UTF-8"
