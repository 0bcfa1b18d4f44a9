"""todo.txt: a task on each line (https://github.com/todotxt/todo.txt).

``x`` marks a completed task, ``(A)`` a priority, ``+word`` a project, ``@word`` a context, and
``key:value`` anything else. A line that the fields alone cannot reproduce is kept in ``extra``.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time
from typing import Any, BinaryIO

from taskcore.errors import ValidationError
from taskcore.formats.own_fields import DEFAULTS, with_stored_extra
from taskcore.formats.tags import tag_of
from taskcore.limits import MAX_JSON, MAX_PRIORITY, MAX_PROJECT, MAX_TAGS
from taskcore.tasks.fields import TaskFields
from taskcore.tasks.files import BadLine
from taskcore.tasks.task import Task
from taskcore.tasks.task_import import TaskImport
from taskcore.validation import validate

EXTRA = "todotxt"
"""The member of ``extra`` that holds a line."""

_BOM = b"\xef\xbb\xbf"
_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_OPEN = re.compile(
    rf"(?:\((?P<priority>[A-Z])\)\s+)?(?:(?P<created>{_DAY})\s+)?(?P<text>.*)", re.DOTALL
)
# Programs write the priority in different places.
_DONE = re.compile(
    rf"x\s+(?:\((?P<before>[A-Z])\)\s+)?(?:(?P<completed>{_DAY})\s+)?"
    rf"(?:\((?P<after>[A-Z])\)\s+)?(?:(?P<created>{_DAY})\s+)?(?P<text>.*)",
    re.DOTALL,
)
_WORD = re.compile(r"\S+")
_SPACE = re.compile(r"\s+")
# At the beginning of a file U+FEFF is a byte order mark, which is not part of the first line.
_NOT_KEPT = re.compile(r"\A\ufeff|[\r\n]")
_PAIR = re.compile(r"([A-Za-z][\w-]*):([^\s:/]\S*)")
# The fields that every line has, and those that a line may have.
_SAID = ("title", "priority", "project", "tags", "due", "completed")
_MOMENTS = ("created_at", "completed_at")


def read_todotxt(file: BinaryIO, *, ignore_unknown: bool = False) -> Iterator[TaskImport | BadLine]:
    """Read a task from each line; empty lines are skipped.

    Lines have no ids: importing a file again adds its tasks again.

    Args:
        file: Of bytes, in UTF-8.
        ignore_unknown: Keep nothing in ``extra``.
    """
    number = 0
    while line := file.readline(MAX_JSON + 1):
        number += 1
        if number == 1:
            line = line.removeprefix(_BOM)
        if len(line) > MAX_JSON and not line.endswith(b"\n"):
            while line and not line.endswith(b"\n"):
                line = file.readline(MAX_JSON)
            yield BadLine(number, f"line must have at most {MAX_JSON} bytes")
            continue
        try:
            # Other programs take a carriage return for the end of a line, so it is not written.
            text = line.decode().replace("\r", " ").strip()
        except UnicodeDecodeError:
            yield BadLine(number, "line must be UTF-8")
            continue
        if not text:
            continue
        try:
            yield validate(TaskImport, _fields_of(text, keep=not ignore_unknown), where="line")
        except ValidationError as exc:
            yield BadLine(number, str(exc))


def write_todotxt(tasks: Iterable[Task[Any]]) -> bytes:
    """Return a line for each task.

    A line that was kept is written again as long as it agrees with the task. The format has no
    place for descriptions, ids, keys, zones and times of day, nor for the rest of ``extra``.
    """
    return b"".join(f"{_line_of(with_stored_extra(task))}\n".encode() for task in tasks)


def fits_todotxt(task: Task[Any]) -> bool:
    """Tell whether a line has a place for every field that users set."""
    fields = (task.description, task.key, task.due_zone)
    return (
        fields == (None, None, None)
        and not isinstance(task.due, datetime)
        and not with_stored_extra(task).extra.keys() - {EXTRA}
    )


def _line_of(task: Task) -> str:
    kept = task.extra.get(EXTRA)
    if not isinstance(kept, dict):
        kept = {}
    line, keys = kept.get("line"), kept.get("keys")
    if isinstance(line, str) and not _NOT_KEPT.search(line) and _says(line, task):
        return line
    pairs = keys.items() if isinstance(keys, dict) else ()
    words = [f"{name}:{value}" for name, value in pairs]
    return _composed(dict(task), [word for word in words if _PAIR.fullmatch(word)])


def _says(line: str, task: Task) -> bool:
    """Tell whether a line agrees with the task."""
    try:
        read = validate(TaskImport, _read(line)[0], where="line")
    except ValidationError:
        return False
    return all(getattr(read, name) == getattr(task, name) for name in _SAID) and all(
        getattr(read, name) in (None, getattr(task, name)) for name in _MOMENTS
    )


def _fields_of(line: str, *, keep: bool) -> dict[str, Any]:
    fields, keys = _read(line)
    if keep:
        kept: dict[str, Any] = {"keys": keys} if keys else {}
        words = [f"{name}:{value}" for name, value in keys.items()]
        if _composed(DEFAULTS | fields, words) != line:
            kept["line"] = line
        fields["extra"] = {EXTRA: kept} if kept else {}
    return fields


def _read(line: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the fields of a line, and the other pairs at its end."""
    done = _DONE.fullmatch(line)
    fields: dict[str, Any] = {"completed": done is not None}
    found = done or _OPEN.fullmatch(line)
    assert found is not None
    parts = found.groupdict()
    for field, name in (("completed_at", "completed"), ("created_at", "created")):
        if day := parts.get(name):
            fields[field] = _midnight(day)
    if letter := parts.get("priority") or parts.get("before") or parts.get("after"):
        fields["priority"] = _number_of(letter)
    text = found["text"].strip()
    keys = _read_words(text, fields)
    return fields, keys


def _read_words(text: str, fields: dict[str, Any]) -> dict[str, str]:
    """Set fields from the words of a text, and return the other pairs at its end.

    Projects, contexts and pairs at the end are not part of the title; those before them are.
    """
    words = _WORD.findall(text)
    end = len(text)
    at_end = True
    keys: dict[str, str] = {}
    projects: list[str] = []
    tags: list[str] = []
    for word in reversed(words):
        pair = _PAIR.fullmatch(word)
        if word[0] == "+" and 1 < len(word) <= MAX_PROJECT + 1:
            projects.append(word[1:])
        elif word[0] == "@" and (tag := tag_of(word[1:])):
            tags.append(tag)
        elif pair and pair[1] == "due" and (due := _due(pair[2])) and "due" not in fields:
            fields["due"] = due
        elif pair and pair[1] == "pri" and len(pair[2]) == 1 and "A" <= pair[2] <= "Z":
            fields.setdefault("priority", _number_of(pair[2]))
        elif pair and at_end and pair[1] not in ("due", "pri"):
            keys[pair[1]] = pair[2]
        else:
            at_end = False
        if at_end:
            end = text.rindex(word, 0, end)
    title = text[:end].strip() or text
    first, *others = reversed(projects) if projects else [None]
    tags += filter(None, (tag_of(f"+{name}") for name in others))
    fields |= {"title": title, "project": first, "tags": _first(tags)}
    return dict(reversed(keys.items()))


def _composed(task: Mapping[str, Any], words: list[str]) -> str:
    """Return the line of a task as the format's description writes it."""
    parts = ["x"] if task["completed"] else []
    if task["priority"]:
        parts.append(f"({chr(ord('A') - 1 + task['priority'])})")
    if task["completed"] and task.get("completed_at"):
        parts.append(task["completed_at"].astimezone(UTC).date().isoformat())
    if task.get("created_at"):
        parts.append(task["created_at"].astimezone(UTC).date().isoformat())
    title = " ".join(task["title"].splitlines())
    parts.append(title)
    said = title.split()
    more = [f"+{_word(task['project'])}"] if task["project"] else []
    more += [tag if _is_project(tag) else f"@{_word(tag)}" for tag in task["tags"]]
    if due := task["due"]:
        text = due.isoformat(timespec="minutes") if isinstance(due, datetime) else due.isoformat()
        more.append(f"due:{text}")
    return " ".join([*parts, *(word for word in more if word not in said), *words])


def _is_project(tag: str) -> bool:
    return len(tag) > 1 and tag[0] == "+" and not _SPACE.search(tag)


def _word(text: str) -> str:
    return _SPACE.sub("_", text)


def _midnight(day: str) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(day), time(), UTC)
    except ValueError:
        raise ValidationError(
            f"{day} must be a valid date", field="date", constraint="date"
        ) from None


def _number_of(letter: str) -> int:
    return min(ord(letter) - ord("A") + 1, MAX_PRIORITY)


def _first(tags: list[str]) -> tuple[str, ...]:
    return tuple(sorted({*tags})[:MAX_TAGS])


def _due(text: str) -> date | None:
    try:
        return validate(TaskFields, {"title": "-", "due": text}, where="line").due
    except ValidationError:
        return None
