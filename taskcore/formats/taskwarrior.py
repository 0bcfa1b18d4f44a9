"""Taskwarrior's JSON, as ``task export`` writes it and ``task import`` reads it.

Attributes that a task has no field for, such as ``annotations``, ``depends``, ``recur`` and those
that users define, are kept in ``extra``, in an object named ``taskwarrior``. Fields without an
attribute are written as JSON in an attribute of our own, ``taskcore``.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time
from types import SimpleNamespace
from typing import Any, BinaryIO
from uuid import NAMESPACE_URL, uuid5
from zoneinfo import ZoneInfo

from pydantic_core import PydanticCustomError, from_json

from taskcore.errors import ValidationError
from taskcore.formats.basic_times import basic, basic_utc, put_in_order
from taskcore.formats.json_objects import objects
from taskcore.formats.own_fields import (
    as_json,
    other_extra,
    own_fields,
    own_in,
    whole_extra,
    with_stored_extra,
)
from taskcore.formats.skipped import Skipped
from taskcore.tasks.due import validate_zone
from taskcore.tasks.fields import TaskFields
from taskcore.tasks.files import BadLine
from taskcore.tasks.task import Task
from taskcore.tasks.task_import import TaskImport
from taskcore.validation import validate

EXTRA = "taskwarrior"
"""The member of ``extra`` that holds attributes."""

_PRIORITIES = {"H": 1, "M": 5, "L": 9}
_LETTERS = (None, "H", "H", "H", "M", "M", "M", "L", "L", "L")
_OWN = "taskcore"
# Fields that Taskwarrior has no attribute for, and therefore does not change.
_ONLY_OWN = ("id", "version", "key", "description")
_UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
# A task's place in a list, and a number computed from other attributes: an import ignores both.
_COMPUTED = ("id", "urgency")
_OPEN = ("pending", "waiting", "recurring")
_MOMENT = re.compile(
    r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})(?:T([0-9]{2}):?([0-9]{2}):?([0-9]{2})(Z)?)?"
)
# Seconds since 1970, as in the output of old versions and in Taskwarrior's data files.
_SECONDS = re.compile("[0-9]{9,11}")
_NAMES = {
    "title": "description",
    "key": "uuid",
    "created_at": "entry",
    "updated_at": "modified",
    "completed_at": "end",
}


def read_taskwarrior(
    file: BinaryIO, *, zone: str | None = None, ignore_unknown: bool = False
) -> Iterator[TaskImport | BadLine | Skipped]:
    """Read the output of ``task export``, one task at a time.

    The ``uuid`` becomes the task's ``key``. Deleted tasks are skipped.

    Args:
        file: Of bytes, in UTF-8: an array of objects, or an object on each line.
        zone: The IANA name of the time zone in which the tasks were written. Taskwarrior stores
            a due date as the moment of midnight there. None: due dates become times in UTC.
        ignore_unknown: Do not keep attributes that a task has no field for.

    Raises:
        ValidationError: There is no such zone.
    """
    try:
        place = None if zone is None else ZoneInfo(validate_zone(zone))
    except PydanticCustomError as exc:
        raise ValidationError(f"zone {exc}", field="zone", constraint="zone") from None
    return _tasks(file, place, ignore_unknown=ignore_unknown)


def _tasks(
    file: BinaryIO, zone: ZoneInfo | None, *, ignore_unknown: bool
) -> Iterator[TaskImport | BadLine | Skipped]:
    for one in objects(file):
        if isinstance(one, BadLine):
            yield one
            continue
        number, text = one
        try:
            attributes = from_json(text, allow_inf_nan=False)
        except ValueError:
            yield BadLine(number, "line is not well-formed JSON")
            continue
        if attributes.get("status") == "deleted":
            yield Skipped(number, "a deleted task")
            continue
        try:
            fields = _fields_of(attributes, zone, ignore_unknown=ignore_unknown)
            yield validate(TaskImport, fields, where="line")
        except ValidationError as exc:
            yield BadLine(number, _explained(exc))


class TaskwarriorWriter:
    """Writes a file in parts: `begin`, then `tasks` any number of times, then `end`."""

    def __init__(self) -> None:
        self._begun = False

    def begin(self) -> bytes:
        """Return the beginning of the file."""
        return b"["

    def tasks(self, tasks: Iterable[Task[Any]]) -> bytes:
        """Return an object on a line for each task."""
        return b"".join(self._line(with_stored_extra(task)) for task in tasks)

    def end(self) -> bytes:
        """Return the end of the file."""
        return b"\n]\n"

    def _line(self, task: Task) -> bytes:
        attributes = _attributes_of(task)
        fields, kept = _read(attributes, None)
        known = fields | {"extra": {EXTRA: kept} if kept else {}}
        own = own_fields(task, known, EXTRA)
        if task.due_zone is not None:
            own |= {"due": task.due, "due_zone": task.due_zone}
        attributes[_OWN] = as_json(own)
        before, self._begun = b",\n" if self._begun else b"\n", True
        return before + json.dumps(attributes, ensure_ascii=False).encode()


def write_taskwarrior(tasks: Iterable[Task[Any]]) -> bytes:
    """Return tasks as ``task import`` reads them."""
    writer = TaskwarriorWriter()
    return writer.begin() + writer.tasks(tasks) + writer.end()


def _fields_of(
    attributes: Mapping[str, Any], zone: ZoneInfo | None, *, ignore_unknown: bool
) -> dict[str, Any]:
    given = {name: value for name, value in attributes.items() if name != _OWN}
    own = own_in(attributes[_OWN], _OWN) if _OWN in attributes else None
    # A moment that we wrote has its zone in our attribute. Any other is one of Taskwarrior's.
    fields, rest = _read(given, None if own is not None and "due_zone" in own else zone)
    kept: dict[str, Any] = {EXTRA: rest} if rest and not ignore_unknown else {}
    if own is None:
        return fields | {"extra": kept}
    whole = fields | own | {"extra": whole_extra(own, kept, EXTRA)}
    task = validate(TaskImport, whole, where=_OWN)
    written = _attributes_of(SimpleNamespace(**dict(task) | {"user_id": 0}))
    if task.key is None:
        written["uuid"] = given.get("uuid")
    if written == {name: value for name, value in given.items() if name not in _COMPUTED}:
        return whole
    # Another program has changed it.
    fields, _ = _read(given, zone)
    if "due" in given and given["due"] == written.get("due"):
        fields |= {"due": task.due, "due_zone": task.due_zone}
    only = {name: own[name] for name in _ONLY_OWN if name in own}
    return fields | only | {"extra": other_extra(own, kept, EXTRA)}


def _attributes_of(task: Task | SimpleNamespace) -> dict[str, Any]:
    kept = task.extra.get(EXTRA)
    kept = dict(kept) if isinstance(kept, dict) else {}
    for name in (_OWN, *_COMPUTED):
        kept.pop(name, None)
    status = "completed" if task.completed else "pending"
    if not task.completed and kept.get("status") in _OPEN:
        status = kept["status"]
    uuid = task.key
    if uuid is None or not _UUID.fullmatch(uuid):
        name = f"taskcore:{task.user_id}:{task.id}" if uuid is None else f"taskcore:{uuid}"
        uuid = str(uuid5(NAMESPACE_URL, name))
    attributes = {
        "uuid": uuid,
        "status": status,
        "description": task.title,
        "entry": _stamp(task.created_at),
        "modified": _stamp(task.updated_at),
        "end": _stamp(task.completed_at),
        "due": _due_of(task),
        "priority": _LETTERS[task.priority] or kept.get("priority"),
        "project": task.project,
        "tags": kept["tags"] if _are_tags(kept, task) else list(task.tags) or None,
    }
    found = {name: value for name, value in attributes.items() if value is not None}
    return found | {name: value for name, value in kept.items() if name not in attributes}


def _are_tags(kept: Mapping[str, Any], task: Task | SimpleNamespace) -> bool:
    """Tell whether the kept tags, without those that cannot be tags, are those of the task."""
    try:
        return "tags" in kept and _tags(kept["tags"])[0] == task.tags
    except ValidationError:
        return False


def _stamp(moment: datetime | None) -> str | None:
    return None if moment is None else basic_utc(moment)


def _due_of(task: Task | SimpleNamespace) -> str | None:
    """Return a moment, or a local date or time, which Taskwarrior reads in its own zone."""
    due, zone = task.due, task.due_zone
    if not isinstance(due, datetime):
        return None if due is None else str(due.isoformat())
    if zone is None:
        return basic(due)
    try:
        return basic_utc(due.replace(tzinfo=ZoneInfo(zone)))
    except OverflowError:
        return basic(due)


def _read(
    attributes: Mapping[str, Any], zone: ZoneInfo | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return fields, and the attributes that the fields do not replace.

    Raises:
        ValidationError: An attribute has an invalid value.
    """
    kept = {name: value for name, value in attributes.items() if name not in _COMPUTED}
    fields: dict[str, Any] = {}
    for field, name in (("title", "description"), ("key", "uuid"), ("project", "project")):
        if name in kept:
            fields[field] = kept.pop(name) or None
    if kept.get("priority") in ("", *_PRIORITIES):
        fields["priority"] = _PRIORITIES.get(kept.pop("priority"), 0)
    for field, name in (("created_at", "entry"), ("updated_at", "modified")):
        if name in kept:
            fields[field] = _moment(name, kept.pop(name))
    if "due" in kept:
        fields |= _due(kept.pop("due"), zone)
    if "tags" in kept:
        fields["tags"], is_all = _tags(kept["tags"])
        if is_all:
            del kept["tags"]
    fields |= _state(kept)
    put_in_order(fields)
    return fields, kept


def _state(kept: dict[str, Any]) -> dict[str, Any]:
    status = kept.get("status", "pending")
    if status == "completed":
        del kept["status"]
        return {
            "completed": True,
            "completed_at": _moment("end", kept.pop("end")) if "end" in kept else None,
        }
    if status not in _OPEN:
        raise _error("status", f"must be {', '.join(_OPEN)}, completed or deleted")
    if status == "pending":
        kept.pop("status", None)
    return {"completed": False}


def _tags(value: Any) -> tuple[tuple[str, ...], bool]:
    """Return the texts that can be tags, and whether all can.

    Raises:
        ValidationError: The value is not a list of texts.
    """
    texts = value.split(",") if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise _error("tags", "must be an array of strings")
    tags: tuple[str, ...] = ()
    for text in texts:
        try:
            tags = validate(TaskFields, {"title": "-", "tags": (*tags, text)}, where="line").tags
        except ValidationError:
            continue
    return tags, {text.strip() for text in texts} == {*tags}


def _due(value: Any, zone: ZoneInfo | None) -> dict[str, Any]:
    moment = _time(value, "due")
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        return {"due": moment, "due_zone": None}
    if zone is None:
        return {"due": moment.replace(tzinfo=None), "due_zone": "UTC"}
    try:
        local = moment.astimezone(zone)
    except OverflowError:
        raise _error("due", "must be in the years 1 to 9999") from None
    if local.time() == time():
        return {"due": local.date(), "due_zone": None}
    return {"due": local.replace(tzinfo=None), "due_zone": zone.key}


def _moment(name: str, value: Any) -> datetime:
    found = _time(value, name)
    if not isinstance(found, datetime):
        found = datetime.combine(found, time())
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _time(value: Any, name: str) -> datetime | date:
    """Return a moment in UTC, a local time without a zone, or a date.

    Raises:
        ValidationError: The value is of another form, or does not exist in the calendar.
    """
    text = str(value) if isinstance(value, str | int) else ""
    try:
        if _SECONDS.fullmatch(text):
            return datetime.fromtimestamp(int(text), UTC)
        if found := _MOMENT.fullmatch(text):
            day = date(int(found[1]), int(found[2]), int(found[3]))
            if found[4] is None:
                return day
            at = time(int(found[4]), int(found[5]), int(found[6]))
            return datetime.combine(day, at, UTC if found[7] else None)
    except (ValueError, OverflowError, OSError):
        pass
    raise _error(name, "must be a time, such as 20261130T170000Z")


def _error(name: str, why: str) -> ValidationError:
    return ValidationError(f"{name} {why}", field=name, constraint="type")


def _explained(exc: ValidationError) -> str:
    """Return the text of an error, with Taskwarrior's name of the attribute."""
    name = _NAMES.get(exc.field)
    text = str(exc)
    if exc.field == "extra" and exc.constraint == "max_bytes":
        return (
            f"{text}, for everything without a field of its own; unknown attributes can be ignored"
        )
    return text if name is None else f"{name}{text.removeprefix(exc.field)}"
