"""iCalendar (RFC 5545): tasks as VTODO components.

Properties that a task has no field for are kept in ``extra``, as a list of content lines named
``ical``, and written again. Fields that a VTODO has no property for are written as JSON in a
property of our own, ``X-TASKCORE``.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, BinaryIO

from icalendar.parser import Contentline

from taskcore.errors import ValidationError
from taskcore.formats.content_lines import ContentLine, are_whole, text_in, value_of
from taskcore.formats.ical_components import Component, components
from taskcore.formats.ical_fields import AnyTask, Reading, own_uid_of, read_fields, write_fields
from taskcore.formats.ical_zones import Zones, definition
from taskcore.formats.own_fields import (
    as_json,
    other_extra,
    own_fields,
    own_in,
    whole_extra,
    with_stored_extra,
)
from taskcore.formats.skipped import Skipped
from taskcore.limits import MAX_PROJECT
from taskcore.tasks.files import BadLine
from taskcore.tasks.task import Task
from taskcore.tasks.task_import import TaskImport
from taskcore.validation import validate

EXTRA = "ical"
"""The member of ``extra`` that holds lines."""

_OWN = "X-TASKCORE"
_NAMES_OF_LISTS = ("X-WR-CALNAME", "NAME")
_HEAD = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//taskcore//taskcore//EN\r\n"
_TAIL = b"END:VCALENDAR\r\n"
_EMPTY = {"DTSTAMP", "UID"}
# Fields that other programs have no property for, and therefore do not change.
_ONLY_OWN = ("id", "version", "project")
_TASKS = ("VTODO", "VCALENDAR")


def read_tasks(
    file: BinaryIO, *, ignore_unknown: bool = False
) -> Iterator[TaskImport | BadLine | Skipped]:
    """Read the VTODO components of a file. See `taskcore.formats.read_ics`."""
    zones = Zones()
    project: str | None = None
    for one in components(file):
        if isinstance(one, BadLine):
            yield one
        elif isinstance(one, ContentLine):
            if one.name in _NAMES_OF_LISTS and project is None:
                name = text_in(one.value).strip()
                project = name if 0 < len(name) <= MAX_PROJECT and "\x00" not in name else None
        elif one.name == "VTIMEZONE":
            zones.add(one.lines)
        elif one.name != "VTODO":
            yield Skipped(one.number, f"{one.name} is not a task")
        elif not {line.name for line in one.lines} - _EMPTY:
            # jtx Board writes such VTODOs.
            yield Skipped(one.number, "an empty VTODO")
        else:
            yield _task_of(one, zones, project, ignore_unknown=ignore_unknown)


class Writer:
    """Writes a file in parts: `begin`, then `tasks` any number of times, then `end`."""

    def __init__(self) -> None:
        self._zones: set[str] = set()

    def begin(self) -> bytes:
        """Return the beginning of the file."""
        return _HEAD

    def tasks(self, tasks: Iterable[Task[Any]]) -> bytes:
        """Return a VTODO for each task, and a VTIMEZONE before the first use of a zone."""
        return b"".join(self._task(with_stored_extra(task)) for task in tasks)

    def end(self) -> bytes:
        """Return the end of the file."""
        return _TAIL

    def _task(self, task: Task) -> bytes:
        lines = _lines_of(task)
        zone = b""
        if task.due_zone and task.due_zone != "UTC" and task.due_zone not in self._zones:
            self._zones.add(task.due_zone)
            zone = definition(task.due_zone)
        written = map(_folded, lines)
        return b"".join((zone, b"BEGIN:VTODO\r\n", *written, b"END:VTODO\r\n"))


def _folded(line: str) -> bytes:
    folded: bytes = Contentline(line).to_ical()  # type: ignore[no-untyped-call]
    return folded + b"\r\n"


def _task_of(
    component: Component, zones: Zones, project: str | None, *, ignore_unknown: bool
) -> TaskImport | BadLine:
    try:
        own = _own_of(component.lines)
        lines = [line for line in component.lines if line.name != _OWN]
        reading = read_fields(lines, zones)
    except ValidationError as exc:
        return BadLine(component.number_of(exc.field), str(exc))
    kept = {} if ignore_unknown else _extra_of(reading)
    fields = {"project": project, **reading.fields, "extra": kept}
    try:
        if own is not None:
            fields = _with_own(fields | {"project": None}, own, lines, kept)
        return validate(TaskImport, fields, where="VTODO")
    except ValidationError as exc:
        number = reading.numbers.get(exc.field, component.number)
        return BadLine(number, _explained(exc, reading))


def _extra_of(reading: Reading) -> dict[str, Any]:
    return {EXTRA: reading.kept} if reading.kept else {}


def _own_of(lines: Sequence[ContentLine]) -> dict[str, Any] | None:
    """Return the fields of our own property.

    Raises:
        ValidationError: It is not an object of JSON.
    """
    line = next((line for line in lines if line.name == _OWN), None)
    return None if line is None else own_in(text_in(line.value), _OWN)


def _with_own(
    fields: dict[str, Any],
    own: dict[str, Any],
    lines: Sequence[ContentLine],
    kept: Mapping[str, Any],
) -> dict[str, Any]:
    """Add the fields of our own property.

    If the other lines are as we wrote them, all of its fields are taken. If another program has
    changed a line, the lines take precedence, and only the fields that other programs have no
    property for are taken.

    Raises:
        ValidationError: The fields are not those of a task.
    """
    uid = next((text_in(line.value) for line in lines if line.name == "UID"), "")
    if own_uid_of(uid, own.get("id")):
        fields = fields | {"key": None}
    whole = fields | own | {"extra": whole_extra(own, kept, EXTRA)}
    task = validate(TaskImport, whole, where=_OWN)
    user_id = own_uid_of(uid, task.id)
    written, kept_lines = _written(SimpleNamespace(**dict(task) | {"user_id": user_id}))
    if sorted(written + kept_lines) == sorted(line.text for line in lines):
        return whole
    only = {name: own[name] for name in _ONLY_OWN if name in own}
    return fields | only | {"extra": other_extra(own, kept, EXTRA)}


def _written(task: AnyTask) -> tuple[list[str], list[str]]:
    return write_fields(task, _kept_of(task.extra))


def _lines_of(task: Task) -> list[str]:
    """Return the lines of a VTODO, without its BEGIN and END."""
    lines, others = _written(task)
    known = _known_from(task, [*lines, *others])
    own = as_json(own_fields(task, known, EXTRA))
    return [*lines, f"{_OWN}:{value_of(own)}", *others]


def _known_from(task: Task, written: Sequence[str]) -> dict[str, Any]:
    """Return the fields that a reader gets from these lines."""
    lines = [line for line in (ContentLine.parsed(0, text) for text in written) if line]
    reading = read_fields(lines, Zones())
    known = reading.fields | {"extra": _extra_of(reading)}
    if own_uid_of(known["key"], task.id):
        known["key"] = None
    return known


def _kept_of(extra: Mapping[str, Any]) -> list[ContentLine]:
    """Return the lines kept in ``extra``; none if the member is anything but whole lines."""
    kept = extra.get(EXTRA)
    if not isinstance(kept, list):
        return []
    lines = [ContentLine.parsed(0, text) if isinstance(text, str) else None for text in kept]
    known = [line for line in lines if line and line.name != _OWN]
    if len(known) < len(kept) or not are_whole(known):
        return []
    if any(line.name == "BEGIN" and line.component in _TASKS for line in known):
        return []
    return known


def _explained(exc: ValidationError, reading: Reading) -> str:
    """Return the text of an error in terms of iCalendar's properties."""
    if exc.field == "title" and exc.constraint == "required":
        return "SUMMARY is required"
    if exc.constraint != "max_bytes" or not reading.kept:
        return str(exc)
    largest = max(reading.kept, key=len)
    name = re.split("[;:]", largest, maxsplit=1)[0]
    return (
        f"{exc}, for everything without a field of its own: {name} alone has "
        f"{len(largest.encode())} bytes; unknown properties can be ignored"
    )
