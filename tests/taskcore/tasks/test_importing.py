"""Imports into one user's tasks, on the real database, through the application's role."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import asyncpg
import pytest

from taskcore import (
    DatabaseError,
    ImportResult,
    OutcomeUnknown,
    Settings,
    Task,
    TaskImport,
    TaskStore,
    Unavailable,
    UserTasks,
    ValidationError,
)
from taskcore.embedded import EmbeddedServer
from taskcore.limits import MAX_ID, MAX_VERSION
from taskcore.tasks.ids import IdGenerator
from taskcore.tasks.importing import Import
from tests.conftest import MakeDatabase
from tests.databases import Database
from tests.sessions import until_disconnected
from tests.taskcore.database.test_retries import OTHER_WRITE, SETTINGS, meanwhile
from tests.wire import Wire

FULL = {
    "id": 5,
    "title": "Buy groceries",
    "description": "Milk and eggs",
    "completed": True,
    "version": 9,
    "created_at": datetime(2020, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
    "updated_at": datetime(2021, 1, 2, tzinfo=UTC),
}


async def all_of(tasks: UserTasks) -> list[Task]:
    return [task async for task in tasks.iterate()]


def numbered(ids: Iterable[int]) -> Iterator[dict[str, Any]]:
    return ({"id": task_id, "title": f"task {task_id}"} for task_id in ids)


def shuffled(items: Iterable[Any]) -> list[Any]:
    order = list(items)
    # As good an order as any: another one shows nothing new.
    random.shuffle(order)
    return order


async def until_stored(tasks: UserTasks) -> None:
    while not (await tasks.list(limit=1)).items:  # noqa: ASYNC110  (the database tells nobody)
        await asyncio.sleep(0.001)


def result(imported: int, present: int = 0) -> ImportResult:
    return ImportResult(imported=imported, present=present)


async def test_a_task_is_stored_with_all_its_fields(store: TaskStore) -> None:
    tasks = store.for_user(1)
    assert await tasks.import_tasks([FULL]) == result(1)
    stored = (await tasks.get(5)).model_dump()
    assert stored == stored | FULL | {"user_id": 1}


async def test_a_title_alone_becomes_a_new_open_task(store: TaskStore) -> None:
    tasks = store.for_user(1)
    before = await tasks.create("before")
    await tasks.import_tasks([{"title": "x"}])
    task, _ = await all_of(tasks)
    assert task.id > before.id
    assert (task.title, task.description, task.completed, task.version) == ("x", None, False, 1)
    assert task.created_at == task.updated_at >= before.created_at


async def test_a_missing_time_is_the_one_that_is_known(store: TaskStore) -> None:
    at = datetime(2020, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    tasks = store.for_user(1)
    await tasks.import_tasks(
        [{"id": 1, "title": "x", "created_at": at}, {"id": 2, "title": "x", "updated_at": at}]
    )
    assert {(task.created_at, task.updated_at) for task in await all_of(tasks)} == {(at, at)}


async def test_a_time_may_be_text_of_rfc_3339(store: TaskStore) -> None:
    tasks = store.for_user(1)
    await tasks.import_tasks([{"title": "x", "created_at": "2020-01-01 01:00:00+01:00"}])
    (task,) = await all_of(tasks)
    assert task.created_at == task.updated_at == datetime(2020, 1, 1, tzinfo=UTC)


async def test_the_limits_of_every_field_can_be_imported(store: TaskStore) -> None:
    extremes = [
        {
            "id": task_id,
            "title": "😀" * 500,
            "description": '\x1f\\"\n' * 1250,
            "version": MAX_VERSION,
            "created_at": datetime.min.replace(tzinfo=UTC),
            "updated_at": datetime.max.replace(tzinfo=UTC),
        }
        for task_id in (1, MAX_ID)
    ]
    tasks = store.for_user(MAX_ID)
    assert await tasks.import_tasks(extremes) == result(2)
    found = [task.model_dump() for task in await all_of(tasks)]
    fixed = {"completed": False, "user_id": MAX_ID}
    assert found == [
        task | extreme | fixed for task, extreme in zip(found, reversed(extremes), strict=True)
    ]


async def test_importing_twice_adds_nothing(store: TaskStore) -> None:
    tasks = store.for_user(1)
    assert await tasks.import_tasks(numbered(range(1, 101))) == result(100)
    before = await all_of(tasks)
    assert await tasks.import_tasks(numbered(range(1, 106))) == result(5, 100)
    assert (await all_of(tasks))[5:] == before


async def test_a_task_that_is_there_stays_as_it_is(store: TaskStore) -> None:
    tasks = store.for_user(1)
    await tasks.import_tasks([FULL])
    changed = await tasks.update(5, title="changed meanwhile")
    assert await tasks.import_tasks([FULL | {"title": "from the file"}]) == result(0, 1)
    assert await all_of(tasks) == [changed]


async def test_lines_without_ids_are_always_new(store: TaskStore) -> None:
    tasks = store.for_user(1)
    lines: list[dict[str, Any]] = [
        {"title": "a"},
        {"title": "b", "id": None},
        {"title": "c", "id": 3},
    ]
    assert await tasks.import_tasks(lines) == result(3)
    assert await tasks.import_tasks(lines) == result(2, 1)
    assert [task.title for task in await all_of(tasks)] == ["b", "a", "b", "a", "c"]


async def test_new_ids_rise_in_the_order_given_whatever_the_ids_were(store: TaskStore) -> None:
    tasks = store.for_user(1)
    old = await tasks.create("old")
    titles = [str(number) for number in range(4500)]
    given = [{"title": title, "id": old.id} for title in titles]
    assert await tasks.import_tasks(given, new_ids=True) == result(4500)
    assert [task.title for task in await all_of(tasks)] == [*reversed(titles), "old"]


async def test_of_two_lines_with_one_id_the_first_of_a_batch_is_stored(store: TaskStore) -> None:
    tasks = store.for_user(1)
    lines = [{"id": 7, "title": title} for title in "abc"] + [{"id": 6, "title": "d"}]
    assert await tasks.import_tasks(lines) == result(2, 2)
    assert [(task.id, task.title) for task in await all_of(tasks)] == [(7, "a"), (6, "d")]


async def test_counts_are_right_over_many_batches_with_duplicates_in_any_order(
    store: TaskStore,
) -> None:
    tasks = store.for_user(1)
    await tasks.import_tasks(numbered(range(1, 1001)))
    given = numbered([*range(1, 9001), *range(5001, 9001)])
    lines = [*given, *({"title": "new"} for _ in range(500))]
    assert await tasks.import_tasks(shuffled(lines)) == result(8500, 5000)
    found = await all_of(tasks)
    assert len(found) == len({task.id for task in found}) == 9500
    assert sum(task.title == "new" for task in found) == 500


async def test_long_texts_make_smaller_batches(store: TaskStore) -> None:
    tasks = store.for_user(1)
    lines = [{"id": number, "title": "x", "description": "é" * 5000} for number in range(1, 701)]
    assert await tasks.import_tasks(lines) == result(700)
    assert await tasks.import_tasks(lines) == result(0, 700)


async def test_nothing_is_imported_from_nothing(store: TaskStore) -> None:
    assert await store.for_user(1).import_tasks([]) == result(0)
    assert await all_of(store.for_user(1)) == []


async def test_an_export_makes_equal_tasks_of_another_user_and_in_another_database(
    store: TaskStore, server: EmbeddedServer, make_database: MakeDatabase
) -> None:
    mine = store.for_user(1)
    await mine.create_many({"title": f"task {number}"} for number in range(2500))
    for task in (await mine.list(limit=30)).items:
        await mine.update(task.id, completed=True, description="done")
    expected = [task.model_dump(exclude={"user_id"}) for task in await all_of(mine)]

    other = await asyncio.to_thread(make_database, server)
    async with TaskStore(other.url) as elsewhere:
        for theirs in (store.for_user(2), elsewhere.for_user(1)):
            assert await theirs.import_tasks(mine.iterate()) == result(2500)
            found = await all_of(theirs)
            assert [task.model_dump(exclude={"user_id"}) for task in found] == expected
            assert {task.user_id for task in found} == {theirs.user_id}


async def test_tasks_mappings_and_asynchronous_iterables_are_taken(store: TaskStore) -> None:
    async def arriving() -> AsyncIterator[TaskImport | Task | dict[str, Any]]:
        yield TaskImport(id=1, title="a")
        yield {"id": 2, "title": "b"}
        await asyncio.sleep(0)
        yield await store.for_user(9).create("c")

    tasks = store.for_user(1)
    assert await tasks.import_tasks(arriving()) == result(3)
    assert [task.title for task in await all_of(tasks)] == ["c", "b", "a"]


async def test_an_endless_import_is_read_as_fast_as_it_is_stored(store: TaskStore) -> None:
    read = 0

    def endless() -> Iterator[dict[str, Any]]:
        nonlocal read
        for read in itertools.count(1):
            yield {"id": read, "title": "x"}

    tasks = store.for_user(1)
    importing = asyncio.create_task(tasks.import_tasks(endless()))
    stored = 0
    while stored < 30_000:
        await asyncio.sleep(0.01)
        page = await tasks.list(limit=1)
        stored = page.items[0].id if page.items else 0
        # A batch that is being read, those under way, and the gaps between them.
        assert read - stored <= 10 * 2000
    importing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await importing


async def test_another_users_tasks_with_the_same_ids_are_neither_touched_nor_in_the_way(
    store: TaskStore,
) -> None:
    """FR-018, SC-002."""
    theirs = store.for_user(2)
    await theirs.import_tasks(numbered(range(1, 51)))
    before = await all_of(theirs)
    mine = store.for_user(1)
    lines = [{"id": number, "title": "mine", "user_id": 2} for number in range(1, 51)]
    assert await mine.import_tasks(lines) == result(50)
    assert {(task.title, task.user_id) for task in await all_of(mine)} == {("mine", 1)}
    assert await all_of(theirs) == before


@pytest.mark.parametrize(
    ("task", "field", "constraint", "limits"),
    [
        ({}, "tasks[3].title", "required", {}),
        ({"title": "x", "id": 0}, "tasks[3].id", "min", {"min": 1}),
        ({"title": "x", "id": MAX_ID + 1}, "tasks[3].id", "max", {"max": MAX_ID}),
        ({"title": "x", "id": "1"}, "tasks[3].id", "type", {}),
        ({"title": "x", "version": 0}, "tasks[3].version", "min", {"min": 1}),
        ({"title": "x", "created_at": datetime(2026, 1, 1)}, "tasks[3].created_at", "type", {}),  # noqa: DTZ001
        ({"title": "x", "created_at": "20260101"}, "tasks[3].created_at", "type", {}),
        ({"title": "x", "created_at": 1767225600}, "tasks[3].created_at", "type", {}),
        (FULL | {"updated_at": datetime(2019, 1, 1, tzinfo=UTC)}, "tasks[3].updated_at", "min", {}),
        ({"title": "x", "write_id": 1}, "tasks[3].write_id", "unknown_field", {}),
        ("title", "tasks[3]", "type", {}),
        (None, "tasks[3]", "not_null", {}),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_task_that_breaks_a_rule_is_named_with_its_place(
    store: TaskStore, task: Any, field: str, constraint: str, limits: Any
) -> None:
    """SC-006."""
    with pytest.raises(ValidationError) as error:
        await store.for_user(1).import_tasks([{"title": "x"}] * 3 + [task])
    assert (error.value.field, error.value.constraint) == (field, constraint)
    assert error.value.limits == limits
    assert await all_of(store.for_user(1)) == []


async def test_what_is_not_iterable_is_refused(store: TaskStore) -> None:
    with pytest.raises(ValidationError) as error:
        await store.for_user(1).import_tasks(7)  # type: ignore[arg-type]
    assert (error.value.field, error.value.constraint) == ("tasks", "type")


async def test_an_error_of_what_is_read_comes_through_and_importing_again_adds_the_rest(
    store: TaskStore,
) -> None:
    def failing() -> Iterator[dict[str, Any]]:
        yield from numbered(range(1, 15_001))
        raise RuntimeError("the disk is on fire")

    tasks = store.for_user(1)
    with pytest.raises(RuntimeError, match="on fire"):
        await tasks.import_tasks(failing())
    stored = len(await all_of(tasks))
    assert 0 < stored <= 14_000
    again = await tasks.import_tasks(numbered(range(1, 15_001)))
    assert again == result(15_000 - stored, stored)


async def test_a_generated_id_that_is_taken_is_given_up_for_another(
    store: TaskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = store.for_user(1)
    await tasks.import_tasks(numbered([10, 12, 21]))
    ids = iter([10, 11, 12, 20, 21, 22])
    monkeypatch.setattr(IdGenerator, "next", lambda _self, _user: next(ids))
    lines: list[dict[str, Any]] = [
        {"title": "a"},
        {"title": "b"},
        {"title": "c"},
        {"id": 12, "title": "present"},
    ]
    # 12 is passed over for c: the line with that id is in the same batch.
    assert await tasks.import_tasks(lines) == result(3, 1)
    assert {(task.id, task.title) for task in await all_of(tasks)} == {
        (10, "task 10"),
        (12, "task 12"),
        (21, "task 21"),
        (11, "b"),
        (20, "c"),
        (22, "a"),
    }


async def test_a_generated_id_never_drops_a_line_with_that_id(
    store: TaskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = iter([1, 2, 3])
    monkeypatch.setattr(IdGenerator, "next", lambda _self, _user: next(ids))
    tasks = store.for_user(1)
    lines: list[dict[str, Any]] = [
        {"title": "new"},
        {"id": 1, "title": "one"},
        {"id": 2, "title": "two"},
    ]
    assert await tasks.import_tasks(lines) == result(3)
    assert [task.title for task in await all_of(tasks)] == ["new", "two", "one"]


async def test_a_generator_that_makes_taken_ids_only_ends_in_an_error(
    store: TaskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = store.for_user(1)
    await tasks.import_tasks(numbered([1]))
    monkeypatch.setattr(IdGenerator, "next", lambda _self, _user: 1)
    with pytest.raises(DatabaseError, match="no free task ids"):
        await tasks.import_tasks([{"title": "x"}])


async def test_imports_at_once_into_one_user_store_every_id_once(store: TaskStore) -> None:
    """FR-017."""
    tasks = store.for_user(1)
    orders = [shuffled(range(1, 5001)) for _ in range(3)]
    results = await asyncio.gather(*(tasks.import_tasks(numbered(order)) for order in orders))
    assert sum(one.imported for one in results) == 5000
    assert sum(one.present for one in results) == 10_000
    assert len(await all_of(tasks)) == 5000


@pytest.fixture
async def lossy(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TaskStore]:
    """A store behind the wire, on one connection; the next answer is that to the import."""

    async def nothing(_import: Import) -> None:
        pass

    monkeypatch.setattr(Import, "_rise", nothing)
    async with TaskStore(wire.url, settings=SETTINGS) as store:
        await store.for_user(2).import_tasks([{"title": "x"}])
        await store.for_user(2).list()
        yield store


@pytest.mark.parametrize(
    "lines",
    [[{"title": "x"}] * 50, list(numbered(range(1, 51)))],
    ids=["without ids", "with ids"],
)
async def test_an_import_whose_answer_is_lost_is_stored_once(
    wire: Wire, lossy: TaskStore, lines: list[dict[str, Any]]
) -> None:
    tasks = lossy.for_user(1)
    wire.lose_answers(2)
    assert await tasks.import_tasks(lines) == result(50)
    assert len(await all_of(tasks)) == 50


async def test_an_answer_that_is_lost_among_many_batches_loses_and_doubles_nothing(
    wire: Wire, lossy: TaskStore
) -> None:
    tasks = lossy.for_user(1)
    wire.lose_answers(3)
    assert await tasks.import_tasks({"title": "x"} for _ in range(9000)) == result(9000)
    assert len(await all_of(tasks)) == 9000


@pytest.mark.one_server
async def test_new_tasks_that_another_write_has_changed_since_are_unknown(
    wire: Wire, lossy: TaskStore, database: Database
) -> None:
    tasks = lossy.for_user(1)
    with pytest.raises(OutcomeUnknown):
        await meanwhile(wire, tasks.import_tasks([{"title": "x"}]), database, OTHER_WRITE)
    assert len(await all_of(tasks)) == 1


@pytest.mark.one_server
async def test_tasks_with_ids_that_another_write_has_changed_since_are_there_already(
    wire: Wire, lossy: TaskStore, database: Database
) -> None:
    tasks = lossy.for_user(1)
    importing = tasks.import_tasks(numbered([1, 2]))
    assert await meanwhile(wire, importing, database, OTHER_WRITE) == result(0, 2)
    assert {task.title for task in await all_of(tasks)} == {"other"}


async def test_a_database_that_goes_away_half_way_is_an_error_and_the_rest_can_follow(
    wire: Wire, database: Database, owner: asyncpg.Connection
) -> None:
    settings = Settings(pool_max_size=2, operation_timeout=0.5)
    async with TaskStore(wire.url, settings=settings) as store:

        async def lines() -> AsyncIterator[dict[str, Any]]:
            for number in range(1, 20_001):
                if number == 15_000:
                    await wire.stop()
                yield {"id": number, "title": "x"}

        with pytest.raises((Unavailable, OutcomeUnknown)):
            await store.for_user(1).import_tasks(lines())
    # A batch whose answer was lost may still be stored.
    await until_disconnected(owner)
    async with TaskStore(database.url) as store:
        tasks = store.for_user(1)
        stored = len(await all_of(tasks))
        assert stored % 2000 == 0
        assert await tasks.import_tasks(numbered(range(1, 20_001))) == result(
            20_000 - stored, stored
        )


async def test_a_cancelled_import_stores_whole_batches(store: TaskStore) -> None:
    tasks = store.for_user(1)
    importing = asyncio.create_task(tasks.import_tasks(numbered(range(1, 30_001))))
    await until_stored(tasks)
    importing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await importing
    stored = len(await all_of(tasks))
    assert stored % 2000 == 0
    await asyncio.sleep(0.1)
    assert len(await all_of(tasks)) == stored
