"""Tasks for the tests of formats, and tasks as the database stores what was read."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from taskcore import Task, TaskImport
from taskcore.formats import Skipped
from taskcore.limits import MAX_ID, MAX_VERSION
from taskcore.tasks.files import BadLine
from taskcore.testing.strategies import valid

Read = TaskImport | BadLine | Skipped

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=40)
TITLES = TEXTS.map(str.strip).filter(bool)
TAGS = st.text("aß木\"' ;\\", min_size=1, max_size=4).map(str.strip).filter(bool)
KEYS = TITLES.filter(lambda text: not re.search("[\x00-\x1f\x7f-\x9f]", text)) | st.sampled_from(
    ["taskcore-1-1", "taskcore-7-100", "sha256-0"]
)
MOMENTS = st.datetimes(timezones=st.just(UTC)) | st.datetimes(timezones=st.just(UTC)).map(
    lambda moment: moment.replace(microsecond=0)
)
ZONES = st.none() | st.sampled_from(["UTC", "Etc/UTC", "Europe/Berlin", "America/New_York"])


@st.composite
def tasks(draw: st.DrawFn, extra: st.SearchStrategy[Any] = valid["extra"]) -> Task:
    created, updated = sorted((draw(MOMENTS), draw(MOMENTS)))
    due = draw(st.none() | st.dates() | st.datetimes().map(lambda at: at.replace(microsecond=0)))
    completed = draw(st.booleans())
    fields = {
        "id": draw(st.integers(1, MAX_ID) | st.just(1) | st.just(100)),
        "title": draw(TITLES),
        "description": draw(st.none() | TEXTS.filter(bool)),
        "due": due,
        "due_zone": draw(ZONES) if isinstance(due, datetime) else None,
        "priority": draw(st.integers(0, 9)),
        "project": draw(st.none() | TITLES),
        "tags": tuple(sorted(draw(st.sets(TAGS, max_size=3)))),
        "extra": draw(extra) or {},
        "key": draw(st.none() | KEYS),
        "completed": completed,
        "completed_at": draw(MOMENTS) if completed else None,
        "user_id": draw(st.integers(1, MAX_ID) | st.just(7)),
        "version": draw(st.integers(1, MAX_VERSION) | st.just(1)),
        "created_at": created,
        "updated_at": updated,
    }
    return Task.model_validate(fields)


def local(*parts: int) -> datetime:
    return datetime(*parts)  # type: ignore[arg-type]  # noqa: DTZ001


def utc(*parts: int) -> datetime:
    return local(*parts).replace(tzinfo=UTC)


def stored(read: Iterable[Read], user_id: int = 7) -> list[Task]:
    """Return tasks as the database stores them: those without ids and times get some."""
    now = datetime(2026, 11, 27, 12, 30, 15, 123456, tzinfo=UTC)
    stored = []
    for number, task in enumerate(read, 100):
        assert isinstance(task, TaskImport), task
        updated = task.updated_at or task.created_at or now
        fields = {
            "id": number,
            "updated_at": updated,
            "created_at": updated,
            "completed_at": updated if task.completed else None,
        }
        given = {name: value for name, value in dict(task).items() if value is not None}
        stored.append(
            Task.model_validate(
                dict.fromkeys(Task.model_fields) | fields | given | {"user_id": user_id}
            )
        )
    return stored


def same(found: Sequence[Read], written: Sequence[Task]) -> list[Task]:
    """Return tasks that were read, which are those that were written, as the database has them."""
    for task, one in zip(written, found, strict=True):
        assert isinstance(one, TaskImport), one
        assert one.model_dump() == task.model_dump(exclude={"user_id"})
    return [
        task.model_copy(update={"user_id": old.user_id})
        for task, old in zip(stored(found), written, strict=True)
    ]
