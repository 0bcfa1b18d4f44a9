"""Due dates, priorities, projects and tags, in the library and in the database."""

# ruff: noqa: DTZ001  (a due time has no zone)

import asyncio
import importlib.resources
import os
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taskcore import (
    Task,
    TaskChanges,
    TaskCreate,
    TaskStore,
    TaskUpdate,
    UserTasks,
    ValidationError,
)
from taskcore.embedded import EmbeddedServer
from taskcore.tasks.due import parse_due
from taskcore.testing.strategies import changes, new_tasks
from tests.conftest import MakeDatabase
from tests.databases import execute
from tests.sessions import until_blocked

ZONES = ("Pacific/Kiritimati", "Etc/GMT+12", "America/Los_Angeles", "Europe/Copenhagen")


@pytest.fixture
def tasks(store: TaskStore) -> UserTasks:
    return store.for_user(42)


@pytest.fixture(params=ZONES)
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The time zone of this process."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


async def test_a_task_has_none_of_them_by_default(tasks: UserTasks) -> None:
    """TK-110."""
    task = await tasks.create("x")
    assert (task.due, task.due_zone, task.priority, task.project) == (None, None, 0, None)
    assert (task.tags, task.extra) == ((), {})


@pytest.mark.parametrize(
    ("given", "due", "due_zone"),
    [
        ("2026-11-30", date(2026, 11, 30), None),
        (date(2024, 2, 29), date(2024, 2, 29), None),
        ("2026-11-30T17:00", datetime(2026, 11, 30, 17), None),
        ("2026-11-30T17:00:59", datetime(2026, 11, 30, 17, 0, 59), None),
        (datetime(2026, 11, 30, 17), datetime(2026, 11, 30, 17), None),
        (
            datetime(2026, 11, 30, 17, tzinfo=ZoneInfo("Europe/Berlin")),
            datetime(2026, 11, 30, 17),
            "Europe/Berlin",
        ),
        # 02:30 does not exist when clocks go forward, and is there twice when they go back.
        (
            datetime(2026, 3, 29, 2, 30, tzinfo=ZoneInfo("Europe/Berlin")),
            datetime(2026, 3, 29, 2, 30),
            "Europe/Berlin",
        ),
        (
            datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")),
            datetime(2026, 10, 25, 2, 30),
            "Europe/Berlin",
        ),
        ("0001-01-01", date(1, 1, 1), None),
        ("9999-12-31T23:59:59", datetime(9999, 12, 31, 23, 59, 59), None),
        (None, None, None),
    ],
)
async def test_a_due_date_is_what_was_written(
    tasks: UserTasks, given: Any, due: object, due_zone: str | None
) -> None:
    """TK-101, TK-104."""
    created = await tasks.create("x", due=given)
    changed = await tasks.update((await tasks.create("y")).id, due=given)
    for task in (created, changed, await tasks.get(created.id), (await tasks.list())[1]):
        assert (task.due, type(task.due), task.due_zone) == (due, type(due), due_zone)
    assert Task.model_validate_json(created.model_dump_json()) == created


def test_no_clock_and_no_zone_changes_a_due_date(
    zone: str, each_server: EmbeddedServer, make_database: MakeDatabase
) -> None:
    """TK-103: home-assistant/core#125191, calendar-link#678."""
    database = make_database(each_server)
    statement = f"ALTER DATABASE {database.name} SET timezone = '{zone}'"
    asyncio.run(execute(database.owner_url, statement))
    days = (date(2024, 8, 30), datetime(2022, 7, 14, 15), date(2026, 3, 29), date(2026, 10, 25))

    async def write_again() -> None:
        async with TaskStore(database.url) as store:
            tasks = store.for_user(42)
            if not len(await tasks.list()):
                await tasks.create_many({"title": "x", "due": day} for day in days)
            stored = (await tasks.list()).items[::-1]
            assert tuple(task.due for task in stored) == days
            for task in stored:
                await tasks.update(task.id, due=task.due, title="y")

    for _ in range(3):
        asyncio.run(write_again())


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-30T17:00Z",
        "2026-11-30T17:00:00+01:00",
        "2026-11-30T17:00-0130",
        datetime(2026, 11, 30, 17, tzinfo=UTC),
        datetime(2026, 11, 30, 17, tzinfo=timezone(timedelta(hours=1))),
    ],
)
async def test_an_offset_is_refused_with_what_to_send(tasks: UserTasks, value: Any) -> None:
    """TK-102."""
    for call in (tasks.create("x", due=value), tasks.update(1, due=value)):
        with pytest.raises(ValidationError, match="send the local time") as caught:
            await call
        assert (caught.value.field, caught.value.constraint) == ("due", "no_offset")


async def test_a_zone_goes_with_the_time(tasks: UserTasks) -> None:
    """TK-105."""
    task = await tasks.create("x", due="2026-11-30T17:00", due_zone="Europe/Berlin")
    later = await tasks.update(task.id, due="2026-12-01T09:00")
    assert (later.due, later.due_zone) == (datetime(2026, 12, 1, 9), "Europe/Berlin")
    other = await tasks.update(task.id, due_zone="UTC")
    assert (other.due, other.due_zone) == (later.due, "UTC")
    for without in ("2026-12-01", None):
        day = await tasks.update(task.id, due=without)
        assert (day.due, day.due_zone) == (without and date(2026, 12, 1), None)
        with pytest.raises(ValidationError) as caught:
            await tasks.update(task.id, due_zone="UTC")
        assert (caught.value.field, caught.value.constraint) == ("due_zone", "zone_without_time")
        with pytest.raises(ValidationError):
            await tasks.update_many([task.id], due_zone="UTC")
        assert await tasks.get(task.id) == day
        await tasks.update(task.id, due="2026-11-30T17:00", due_zone="Europe/Berlin")
    floating = await tasks.update(task.id, due_zone=None)
    assert (floating.due, floating.due_zone) == (datetime(2026, 11, 30, 17), None)


async def test_two_zones_contradict_each_other(tasks: UserTasks) -> None:
    """TK-104."""
    berlin = datetime(2026, 11, 30, 17, tzinfo=ZoneInfo("Europe/Berlin"))
    with pytest.raises(ValidationError, match="the same zone in due and due_zone"):
        await tasks.create("x", due=berlin, due_zone="UTC")
    task = await tasks.create("x", due=berlin, due_zone="Europe/Berlin")
    assert task.due_zone == "Europe/Berlin"


async def test_a_zone_without_a_name_is_refused(tasks: UserTasks) -> None:
    """TK-104: it would be lost."""
    with (importlib.resources.files("tzdata.zoneinfo.Europe") / "Berlin").open("rb") as opened:
        nameless = ZoneInfo.from_file(opened)
    with pytest.raises(ValidationError, match="time zone that has a name"):
        await tasks.create("x", due=datetime(2026, 11, 30, 17, tzinfo=nameless))


async def test_tags_are_a_set(tasks: UserTasks) -> None:
    """TK-108: nextcloud/tasks#1102."""
    task = await tasks.create("x", tags=["a", " b ", "a", "cafe\u0301", "Z"])
    assert task.tags == ("Z", "a", "b", "caf\xe9")
    same = await tasks.update(task.id, tags=["b", "a", "caf\xe9", "Z"])
    assert same == task
    assert (await tasks.update(task.id, tags=[])).tags == ()
    assert (await tasks.update(task.id, tags=map(str, range(20)))).tags[0] == "0"


async def test_project_and_priority_are_written_and_changed(tasks: UserTasks) -> None:
    """TK-106, TK-107."""
    task = await tasks.create("x", project=" Household ", priority=1)
    assert (task.project, task.priority) == ("Household", 1)
    task = await tasks.update(task.id, project=None, priority=9)
    assert (task.project, task.priority) == (None, 9)
    assert (await tasks.create(TaskCreate(title="y", priority=5))).priority == 5
    assert (await tasks.update(task.id, TaskUpdate(priority=0))).priority == 0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(new=new_tasks, change=changes)
async def test_every_way_of_writing_stores_the_same(
    store: TaskStore, new: dict[str, Any], change: dict[str, Any]
) -> None:
    """TK-110: one by one, in a batch, by import, and by changes."""
    # Two users, because a user has one task with a key.
    tasks, others = store.for_user(1), store.for_user(2)

    def written(task: Task) -> dict[str, Any]:
        return task.model_dump(
            exclude={"id", "user_id", "created_at", "updated_at", "completed_at"}
        )

    one = await tasks.create(**new)
    (batched,) = await others.create_many([new])
    assert written(batched) == written(one)
    changed = await tasks.update(one.id, **change)
    (many,) = await others.update_many([batched.id], **change)
    assert written(many) == written(changed)
    await tasks.delete(one.id)
    await tasks.import_tasks([changed])
    assert await tasks.get(one.id) == changed
    await tasks.delete(one.id)
    await others.delete(batched.id)


BROKEN: dict[str, tuple[str, object]] = {
    "a due date that does not exist": ("due", "2026-02-30"),
    "a due time that does not exist": ("due", "2026-02-28T24:00:00"),
    "a due date with an offset": ("due", "2026-11-30T17:00:00Z"),
    "a due date without seconds": ("due", "2026-11-30T17:00"),
    "another due date": ("due", "tomorrow"),
    "an empty due date": ("due", ""),
    "a zone without a time": ("due_zone", "UTC"),
    "a negative priority": ("priority", -1),
    "a high priority": ("priority", 10),
    "a blank project": ("project", "\u3000"),
    "an empty project": ("project", ""),
    "a long project": ("project", "x" * 101),
    "a blank key": ("key", "\u3000"),
    "a long key": ("key", "x" * 201),
    "a key with a line break": ("key", "a\nb"),
    "an array for extra": ("extra", "[]"),
    "null for extra": ("extra", "null"),
    "empty extra": ("extra", "{}"),
    "large extra": ("extra", f'{{"a": "{"x" * 4089}"}}'),
    "deep extra": ("extra", f'{{"a": {"[" * 32 + "]" * 32}}}'),
    "tags out of order": ("tags", ["b", "a"]),
    "a tag twice": ("tags", ["a", "a"]),
    "a tag with a comma": ("tags", ["a,b"]),
    "a tag with a line break": ("tags", ["a\nb"]),
    "an empty tag": ("tags", [""]),
    "a null tag": ("tags", [None]),
    "a long tag": ("tags", ["x" * 51]),
    "too many tags": ("tags", [f"{number:02}" for number in range(21)]),
    "tags of tags": ("tags", [["a"], ["b"]]),
}


@pytest.mark.parametrize(("column", "value"), BROKEN.values(), ids=BROKEN)
async def test_the_database_refuses_what_breaks_a_rule(
    tasks: UserTasks, owner: asyncpg.Connection, column: str, value: object
) -> None:
    """TK-109."""
    task = await tasks.create("x")
    with pytest.raises((asyncpg.CheckViolationError, asyncpg.DataError)):
        await owner.execute(
            f"UPDATE taskcore.tasks SET {column} = $1 WHERE id = $2",  # noqa: S608
            value,
            task.id,
        )


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="needs a time zone of the process")
def test_the_test_of_zones_changes_the_zone(zone: str) -> None:
    assert os.environ["TZ"] == zone
    assert datetime.fromtimestamp(0, ZoneInfo(zone)).hour == time.localtime(0).tm_hour


def test_the_order_of_texts_is_that_of_time() -> None:
    """TK-101: what the database stores can be compared as it is."""
    texts = ["2026-11-29T23:59:59", "2026-11-30", "2026-11-30T00:00:00", "2026-12-01"]
    assert sorted(texts) == texts
    assert [parse_due(text).isoformat() for text in texts] == texts


@given(st.dates() | st.datetimes().map(lambda moment: moment.replace(microsecond=0)))
def test_a_due_date_survives_its_text(due: date) -> None:
    """TK-101."""
    new = TaskCreate(title="x", due=due)
    again = TaskCreate.model_validate_json(new.model_dump_json())
    assert (again.due, type(again.due)) == (due, type(due))


async def test_two_writers_add_and_remove_tags_at_once(
    tasks: UserTasks, owner: asyncpg.Connection
) -> None:
    """TK-111: opentasks#863."""
    task = await tasks.create("x", tags=["a", "b"])
    async with owner.transaction():
        await owner.execute("SELECT FROM taskcore.tasks FOR UPDATE")
        changing = [
            asyncio.ensure_future(tasks.update(task.id, **change))
            for change in (
                TaskChanges(add_tags=["c"]),
                TaskChanges(add_tags=["Z"], remove_tags=["a"]),
                TaskChanges(title="y"),
            )
        ]
        await until_blocked(owner, 3)
    await asyncio.gather(*changing)
    changed = await tasks.get(task.id)
    assert (changed.title, changed.tags) == ("y", ("Z", "b", "c"))


async def test_single_tags_are_added_and_removed(tasks: UserTasks) -> None:
    """TK-111."""
    task = await tasks.create("x", tags=["a"])
    assert await tasks.update(task.id, add_tags=["a"], remove_tags=["q"]) == task
    both = await tasks.update(task.id, add_tags=["b", "cafe\u0301"], remove_tags=["b", "a"])
    assert both.tags == ("caf\xe9",)
    assert (await tasks.update(task.id, tags=["n"], add_tags=["m"])).tags == ("m", "n")
    (one,) = await tasks.update_many([task.id], remove_tags=["m", "n"])
    assert one.tags == ()
    await tasks.update(task.id, tags=[str(number) for number in range(20)])
    for call in (tasks.update(task.id, add_tags=["20"]), tasks.update(task.id, add_tags=["a,"])):
        with pytest.raises(ValidationError) as caught:
            await call
        assert caught.value.field in ("tags", "add_tags")
    assert len((await tasks.update(task.id, add_tags=["20"], remove_tags=["0"])).tags) == 20
    with pytest.raises(ValidationError):
        await tasks.create_many([{"title": "x", "add_tags": ["a"]}])
