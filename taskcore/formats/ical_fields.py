"""The properties of a VTODO (RFC 5545, section 3.6.2) that are fields of a task.

Each group of properties is read into fields and written from them. A line that says more than its
fields, such as ``STATUS:IN-PROCESS``, is also kept as it is. It is written again as long as it
says what the fields say.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

from taskcore.errors import ValidationError
from taskcore.formats.basic_times import basic, basic_utc, put_in_order
from taskcore.formats.content_lines import ContentLine, text_in, texts_in, value_of
from taskcore.formats.ical_zones import Zones
from taskcore.formats.tags import tag_of
from taskcore.limits import MAX_KEY, MAX_PRIORITY, MAX_TAGS
from taskcore.tasks.task import Task

_DATE = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:T([0-9]{2})([0-9]{2})([0-9]{2})?(Z)?)?")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_WHOLE = re.compile("[0-9]{1,3}")
_DONE = ("COMPLETED", "CANCELLED")
_NOT_DONE = ("NEEDS-ACTION", "IN-PROCESS")
_OWN_UID = re.compile("taskcore-([0-9]{1,16})-([0-9]{1,16})")
# Times that may be missing in a file; the database then sets them.
_MOMENTS = frozenset({"created_at", "updated_at", "completed_at"})


@dataclass(slots=True)
class Reading:
    """A VTODO as it was read.

    Attributes:
        fields: The fields of a task.
        kept: The lines that the fields alone do not replace.
        numbers: The number of each field's line in the file.
    """

    fields: dict[str, Any] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)


AnyTask = Task | SimpleNamespace
"""A task with its fields as attributes: a stored task, or one that was read from a file."""

_Read = Callable[[Sequence[ContentLine], Zones], tuple[dict[str, Any], bool]]


@dataclass(frozen=True, slots=True)
class _Group:
    """Properties that belong together.

    Attributes:
        names: Their names.
        read: Returns fields, and whether the fields say everything that the lines say.
        write: Returns lines for a task.
    """

    names: tuple[str, ...]
    read: _Read
    write: Callable[[AnyTask], list[str]]


def read_fields(lines: Sequence[ContentLine], zones: Zones) -> Reading:
    """Read the lines of a VTODO, without its own BEGIN and END.

    Raises:
        ValidationError: A line cannot be read; ``field`` is the property.
    """
    reading = Reading()
    grouped: dict[str, list[ContentLine]] = {}
    others: list[str] = []
    for line, is_nested in _nested(lines):
        if is_nested:
            others.append(line.text)
        elif line.value.strip() or line.parameters:
            # A property without a value is ignored: programs write one for an empty field.
            if line.name in _NAMES:
                grouped.setdefault(line.name, []).append(line)
            else:
                others.append(line.text)
    for group in _GROUPS:
        found = [line for name in group.names for line in grouped.get(name, ())]
        if not found:
            continue
        fields, is_all = group.read(found, zones)
        if group is _STAMP:
            # DTSTAMP sets the field only if LAST-MODIFIED has not, and is kept if they differ.
            is_all = is_all and fields["updated_at"] == reading.fields.setdefault(
                "updated_at", fields["updated_at"]
            )
        else:
            reading.fields |= fields
        reading.numbers |= dict.fromkeys(fields, found[0].number)
        if not is_all:
            reading.kept += [line.text for line in found]
    reading.kept += others
    put_in_order(reading.fields)
    return reading


def write_fields(task: AnyTask, kept: Sequence[ContentLine]) -> tuple[list[str], list[str]]:
    """Return the lines of a task's fields, and the other lines that were kept.

    Args:
        task: The task.
        kept: Lines that were kept when the task was read.
    """
    lines: list[str] = []
    others: list[str] = []
    grouped: dict[str, list[ContentLine]] = {}
    for line, is_nested in _nested(kept):
        if not is_nested and line.name in _NAMES:
            grouped.setdefault(line.name, []).append(line)
        else:
            others.append(line.text)
    for group in _GROUPS:
        found = [line for name in group.names for line in grouped.get(name, ())]
        if found and _says(group, found, task):
            lines += [line.text for line in found]
        else:
            lines += group.write(task)
    return lines, others


def own_uid_of(uid: str, task_id: object) -> str | None:
    """Return the user's id in a UID that we made for a task without a key; None for others."""
    found = _OWN_UID.fullmatch(uid)
    return found[1] if found and found[2] == str(task_id) else None


def _nested(lines: Sequence[ContentLine]) -> Iterator[tuple[ContentLine, bool]]:
    """Yield each line of a VTODO, and whether it is one of a component within the VTODO."""
    depth = 0
    for line in lines:
        depth += line.name == "BEGIN"
        yield line, bool(depth)
        depth -= line.name == "END"


def _says(group: _Group, lines: Sequence[ContentLine], task: AnyTask) -> bool:
    """Tell whether lines still agree with the task."""
    try:
        fields, _ = group.read(lines, Zones())
    except ValidationError:
        return False
    if group is _STAMP:
        return True
    return bool(fields) and all(
        value == getattr(task, name) or (value is None and name in _MOMENTS)
        for name, value in fields.items()
    )


def _is_plain(line: ContentLine, *allowed: str) -> bool:
    return all(name in ("VALUE", *allowed) for name in line.parameters)


def _read_uid(lines: Sequence[ContentLine], _zones: Zones) -> tuple[dict[str, Any], bool]:
    uid = next((line for line in lines if line.name == "UID"), None)
    if uid is None:
        return {}, False
    key = text_in(uid.value).strip()
    is_all = len(lines) == 1 and _is_plain(uid)
    # A recurring task and its overrides are VTODOs with the same UID.
    for line in lines:
        if line.name == "RECURRENCE-ID":
            key = f"{key}#{line.value}"
            break
    if len(key) > MAX_KEY or _CONTROL.search(key):
        digest = hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()
        return {"key": f"sha256-{digest}"}, False
    return {"key": key}, is_all


def _write_uid(task: AnyTask) -> list[str]:
    key = f"taskcore-{task.user_id}-{task.id}" if task.key is None else task.key
    return [f"UID:{value_of(key)}"]


def _text(name: str, property_: str) -> _Group:
    def read(lines: Sequence[ContentLine], _zones: Zones) -> tuple[dict[str, Any], bool]:
        return {name: text_in(lines[0].value)}, len(lines) == 1 and _is_plain(lines[0])

    def write(task: AnyTask) -> list[str]:
        value = getattr(task, name)
        return [] if value is None else [f"{property_}:{value_of(value)}"]

    return _Group((property_,), read, write)


def _title(lines: Sequence[ContentLine], _zones: Zones) -> tuple[dict[str, Any], bool]:
    return {"title": text_in(lines[0].value).strip()}, len(lines) == 1 and _is_plain(lines[0])


def _read_due(lines: Sequence[ContentLine], zones: Zones) -> tuple[dict[str, Any], bool]:
    line = lines[0]
    value, is_utc = _date_in(line)
    is_all = len(lines) == 1 and _is_plain(line, "TZID")
    if not isinstance(value, datetime):
        return {"due": value, "due_zone": None}, is_all
    if is_utc:
        return {"due": value, "due_zone": "UTC"}, is_all
    if (tzid := line.parameters.get("TZID")) is None:
        return {"due": value, "due_zone": None}, is_all
    due, zone, is_known = zones.due(tzid, value)
    return {"due": due, "due_zone": zone}, is_all and is_known


def _write_due(task: AnyTask) -> list[str]:
    due, zone = task.due, task.due_zone
    if due is None:
        return []
    if not isinstance(due, datetime):
        return [f"DUE;VALUE=DATE:{basic(due)}"]
    if zone == "UTC":
        return [f"DUE:{basic(due)}Z"]
    return [f"DUE;TZID={zone}:{basic(due)}" if zone else f"DUE:{basic(due)}"]


def _read_priority(lines: Sequence[ContentLine], _zones: Zones) -> tuple[dict[str, Any], bool]:
    value = lines[0].value.strip()
    if not _WHOLE.fullmatch(value) or int(value) > MAX_PRIORITY:
        raise _unusable(lines[0], f"must be 0 to {MAX_PRIORITY}")
    return {"priority": int(value)}, len(lines) == 1 and _is_plain(lines[0])


def _write_priority(task: AnyTask) -> list[str]:
    return [f"PRIORITY:{task.priority}"] if task.priority else []


def _read_tags(lines: Sequence[ContentLine], _zones: Zones) -> tuple[dict[str, Any], bool]:
    texts = [text for line in lines for text in texts_in(line.value) if text.strip()]
    tags = [tag for tag in map(tag_of, texts) if tag is not None]
    names = list(dict.fromkeys(tags))
    is_all = len(tags) == len(texts) and len(names) <= MAX_TAGS
    return {"tags": tuple(sorted(names[:MAX_TAGS]))}, is_all and all(map(_is_plain, lines))


def _write_tags(task: AnyTask) -> list[str]:
    return [f"CATEGORIES:{','.join(map(value_of, task.tags))}"] if task.tags else []


def _read_state(lines: Sequence[ContentLine], zones: Zones) -> tuple[dict[str, Any], bool]:
    first: dict[str, ContentLine] = {}
    for line in lines:
        first.setdefault(line.name, line)
    status = first["STATUS"].component if "STATUS" in first else ""
    percent = first["PERCENT-COMPLETE"].value.strip() if "PERCENT-COMPLETE" in first else ""
    moment, is_utc = None, True
    if "COMPLETED" in first:
        moment, is_utc = _moment_in(first["COMPLETED"], zones)
    if status in (*_DONE, *_NOT_DONE):
        completed = status in _DONE
    else:
        completed = moment is not None or percent == "100"
    is_all = len(first) == len(lines) and is_utc and all(map(_is_plain, lines))
    if completed:
        is_all = is_all and status in ("", "COMPLETED") and percent in ("", "100")
        return {"completed": True, "completed_at": moment}, is_all
    is_all = is_all and status in ("", "NEEDS-ACTION") and percent in ("", "0") and moment is None
    return {"completed": False}, is_all


def _write_state(task: AnyTask) -> list[str]:
    if not task.completed:
        return ["STATUS:NEEDS-ACTION"]
    lines = ["STATUS:COMPLETED", "PERCENT-COMPLETE:100"]
    if task.completed_at is not None:
        lines.append(f"COMPLETED:{basic_utc(task.completed_at)}")
    return lines


def _moment(name: str, property_: str) -> _Group:
    def read(lines: Sequence[ContentLine], zones: Zones) -> tuple[dict[str, Any], bool]:
        moment, is_utc = _moment_in(lines[0], zones)
        return {name: moment}, len(lines) == 1 and is_utc and _is_plain(lines[0])

    def write(task: AnyTask) -> list[str]:
        moment = getattr(task, name)
        return [] if moment is None else [f"{property_}:{basic_utc(moment)}"]

    return _Group((property_,), read, write)


def _date_in(line: ContentLine) -> tuple[datetime | date, bool]:
    """Return the date or time of a line, and whether it is in UTC.

    Raises:
        ValidationError: The value is of another form, or does not exist in the calendar.
    """
    found = _DATE.fullmatch(line.value.strip().upper())
    if not found:
        raise _unusable(line, "must be a date or a time, such as 20261130 or 20261130T170000")
    day = [int(digits) for digits in found.groups()[:3]]
    try:
        if found[4] is None:
            return date(day[0], day[1], day[2]), False
        time = datetime(  # noqa: DTZ001  (a local time)
            day[0], day[1], day[2], int(found[4]), int(found[5]), min(int(found[6] or 0), 59)
        )
    except ValueError:
        raise _unusable(line, "must be a valid date and time") from None
    return time, found[7] is not None


def _moment_in(line: ContentLine, zones: Zones) -> tuple[datetime, bool]:
    """Return the moment of a line, and whether the line has it in UTC, as RFC 5545 requires.

    Raises:
        ValidationError: As in `_date_in`.
    """
    value, is_utc = _date_in(line)
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)  # noqa: DTZ001  (set below)
    elif not is_utc and (moment := zones.moment(line.parameters.get("TZID", ""), value)):
        return moment, False
    return value.replace(tzinfo=UTC), is_utc


def _unusable(line: ContentLine, why: str) -> ValidationError:
    return ValidationError(f"{line.name} {why}", field=line.name, constraint="type")


_STAMP = _moment("updated_at", "DTSTAMP")

_GROUPS = (
    _Group(("UID", "RECURRENCE-ID"), _read_uid, _write_uid),
    _moment("created_at", "CREATED"),
    _moment("updated_at", "LAST-MODIFIED"),
    # After LAST-MODIFIED: DTSTAMP is used only without it.
    _STAMP,
    _Group(("SUMMARY",), _title, _text("title", "SUMMARY").write),
    _text("description", "DESCRIPTION"),
    _Group(("DUE",), _read_due, _write_due),
    _Group(("PRIORITY",), _read_priority, _write_priority),
    _Group(("CATEGORIES",), _read_tags, _write_tags),
    _Group(("STATUS", "PERCENT-COMPLETE", "COMPLETED"), _read_state, _write_state),
)

_NAMES: Mapping[str, _Group] = {name: group for group in _GROUPS for name in group.names}
