"""Keys: the client's own names of tasks, by which a create takes effect once."""

import asyncio
import io
import itertools
from random import Random
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from taskcore import Settings, TaskCreate, TaskImport, TaskStore, UserTasks, ValidationError
from taskcore.operation import Operation
from taskcore.tasks import user_tasks
from taskcore.tasks.files import read_jsonl, write_jsonl
from tests.sessions import until_blocked
from tests.wire import Wire

users = itertools.count(1_000)


@pytest.fixture
def tasks(store: TaskStore) -> UserTasks:
    return store.for_user(42)


async def test_a_task_with_a_key_is_created_once(tasks: UserTasks) -> None:
    """TK-112: Doist/todoist-python#301."""
    first, is_new = await tasks.get_or_create("one", key=" 4711 ")
    assert (first.key, is_new) == ("4711", True)
    changed = await tasks.update(first.id, title="two", completed=True)
    again, is_new = await tasks.get_or_create("three", "other", key="4711", priority=1)
    assert (again, is_new) == (changed, False)
    assert await tasks.create(TaskCreate(title="four", key="4711")) == changed
    assert [task async for task in tasks.iterate()] == [changed]


async def test_a_task_without_a_key_is_always_new(tasks: UserTasks) -> None:
    """TK-112."""
    for _ in range(2):
        task, is_new = await tasks.get_or_create("x")
        assert (task.key, is_new) == (None, True)
    assert await tasks.count() == 2


async def test_each_user_has_keys_of_their_own(store: TaskStore) -> None:
    """TK-112."""
    for user in (1, 2):
        task, is_new = await store.for_user(user).get_or_create("x", key="k")
        assert (task.user_id, is_new) == (user, True)


async def test_the_key_of_a_deleted_task_is_free(tasks: UserTasks) -> None:
    """TK-112."""
    first = await tasks.create("x", key="k")
    await tasks.delete(first.id)
    second, is_new = await tasks.get_or_create("x", key="k")
    assert is_new
    assert second.id > first.id


async def test_two_creates_at_once_make_one_task(
    tasks: UserTasks, application: asyncpg.Connection, owner: asyncpg.Connection
) -> None:
    """TK-112: the second waits for the first."""
    await tasks.create("there")
    async with application.transaction():
        stored = await application.fetchval(
            """SELECT id FROM taskcore.task_create_v1(42, 7000, 5, '{"title": "a", "key": "k"}')"""
        )
        second = asyncio.create_task(tasks.get_or_create("b", key="k"))
        await until_blocked(owner)
        assert not second.done()
    task, is_new = await second
    assert (task.id, task.title, is_new) == (stored, "a", False)


async def test_a_key_cannot_be_changed(tasks: UserTasks) -> None:
    """TK-113."""
    task = await tasks.create("x", key="k")
    with pytest.raises(ValidationError) as caught:
        await tasks.update(task.id, key="other")  # type: ignore[call-arg]
    assert caught.value.details == {"field": "key", "constraint": "unknown_field"}
    assert (await tasks.update(task.id, title="y")).key == "k"


async def test_a_batch_returns_the_tasks_that_are_there(tasks: UserTasks) -> None:
    """TK-112: in the order given, also where a key comes twice."""
    there = await tasks.create("there", key="b")
    new = [{"title": title, "key": key} for title, key in (("1", "a"), ("2", "b"), ("3", "a"))]
    first, second, third, fourth = await tasks.create_many([*new, {"title": "4"}])
    assert (first.title, second, third, fourth.title) == ("1", there, first, "4")
    assert await tasks.count() == 3
    again = await tasks.create_many(new)
    assert again == (first, there, first)


async def test_a_batch_that_is_sent_again_is_stored_once(application: asyncpg.Connection) -> None:
    """TK-112."""
    statement = "SELECT id, key FROM taskcore.task_create_many_v1(42, $1, $2)"
    await application.fetch(statement, 1, '[{"id": 5000, "title": "x", "key": "a"}]')
    batch = """[{"id": 5001, "title": "x", "key": "a"}, {"id": 5002, "title": "x", "key": "b"},
                {"id": 5003, "title": "x"}]"""
    for _ in range(2):
        rows = [tuple(row) for row in await application.fetch(statement, 2, batch)]
        assert rows == [(5002, "b"), (5003, None), (5000, "a")]


async def test_an_import_leaves_a_task_with_the_key_alone(store: TaskStore) -> None:
    """TK-110, TK-112."""
    tasks = store.for_user(42)
    there = await tasks.create("there", key="k")
    lines = [
        TaskImport(title="same key", key="k"),
        TaskImport(title="same key, another id", key="k", id=7),
        TaskImport(title="new", key="new"),
        TaskImport(title="twice", key="new"),
    ]
    result = await tasks.import_tasks(lines)
    assert (result.imported, result.present) == (1, 3)
    assert {task.title: task.key async for task in tasks.iterate()} == {"there": "k", "new": "new"}
    assert await tasks.get(there.id) == there

    exported = write_jsonl([task async for task in tasks.iterate()])
    lines = [line for line in read_jsonl(io.BytesIO(exported)) if isinstance(line, TaskImport)]
    for new_ids in (False, True):
        result = await tasks.import_tasks(lines, new_ids=new_ids)
        assert (result.imported, result.present) == (0, 2)
    other = store.for_user(43)
    await other.import_tasks(lines, new_ids=True)
    assert [task.key async for task in other.iterate()] == ["k", "new"]


# Each create of a program has a key or none, loses so many answers, and may be sent again although
# it was answered.
CREATES = st.lists(
    st.tuples(st.sampled_from(["a", "b", None]), st.integers(0, 2), st.booleans()), max_size=6
)


@hypothesis(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=30,
)
@given(program=CREATES)
async def test_any_program_of_creates_makes_one_task_a_key(
    wire: Wire, program: list[tuple[str | None, int, bool]]
) -> None:
    """TK-112: with lost answers, and with calls that are sent again."""
    user = next(users)
    settings = Settings(pool_max_size=1, retry_wait_initial=0.001, retry_wait_max=0.001)
    made: dict[str, int] = {}
    keyless = 0
    async with TaskStore(wire.url, settings=settings) as store:
        tasks = store.for_user(user)
        await tasks.count()
        for key, lost, again in program:
            wire.lose_answers(lost)
            task, is_new = await tasks.get_or_create("x", key=key)
            wire.lose_answers(0)
            if key is None:
                keyless += 1
                assert is_new
                continue
            assert is_new is (key not in made)
            assert made.setdefault(key, task.id) == task.id
            if again:
                assert await tasks.get_or_create("y", key=key) == (task, False)
        stored = [task async for task in tasks.iterate()]
    assert {task.key: task.id for task in stored if task.key is not None} == made
    assert len(stored) == len(made) + keyless


async def test_new_tasks_of_a_batch_are_the_newest_beside_a_key_that_exists(
    store: TaskStore,
) -> None:
    """FR-007 and TK-112: the ids of what is stored are compared."""
    tasks = store.for_user(42)
    await tasks.create("first", key="k")
    ahead = (await tasks.create("x")).id + (3_600_000 << 12)
    await tasks.import_tasks([TaskImport(title="an hour ahead", id=ahead)])
    async with TaskStore(store._url) as other:
        created = await other.for_user(42).create_many(
            [{"title": "1"}, {"title": "2", "key": "k"}, {"title": "3"}]
        )
    assert [task.title for task in created] == ["1", "first", "3"]
    assert [task.title for task in await tasks.list(limit=3)] == ["3", "1", "an hour ahead"]


async def test_a_task_whose_key_was_deleted_meanwhile_is_created(
    tasks: UserTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TK-112: between the insertion of a batch and the reading of what exists."""
    there = await tasks.create("there", key="k")
    write = tasks._write

    async def without_it(operation: Operation, *args: object) -> tuple[list[Any], bool]:
        monkeypatch.undo()
        rows, repeated = await write(operation, *args)
        await tasks.delete(there.id)
        return [row for row in rows if row["id"] != there.id], repeated

    monkeypatch.setattr(tasks, "_write", without_it)
    first, second = await tasks.create_many([{"title": "1", "key": "k"}, {"title": "2"}])
    assert (first.title, first.key, second.title) == ("1", "k", "2")
    assert await tasks.count() == 2


async def test_imports_with_the_same_keys_at_once_do_not_deadlock(
    store: TaskStore, owner: asyncpg.Connection
) -> None:
    """TK-112: each inserts in the order of the keys."""
    random = Random(7)  # noqa: S311
    tasks = store.for_user(42)

    def lines() -> list[TaskImport]:
        return [TaskImport(title="x", key=str(random.randrange(600))) for _ in range(1_000)]

    async def deadlocks() -> int:
        await owner.execute("SELECT pg_stat_clear_snapshot(), pg_stat_force_next_flush()")
        count: int = await owner.fetchval(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        )
        return count

    before = await deadlocks()
    await asyncio.gather(*(tasks.import_tasks(lines()) for _ in range(6)))
    stored = [task.key async for task in tasks.iterate()]
    assert sorted(stored, key=str) == sorted({*stored}, key=str)
    assert await deadlocks() == before


async def test_a_batch_that_no_jsonb_holds_is_refused(
    tasks: UserTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the limit, and nothing is stored."""
    monkeypatch.setattr(user_tasks, "MAX_BATCH_BYTES", 100)
    with pytest.raises(ValidationError) as caught:
        await tasks.create_many([{"title": "x" * 100}])
    assert caught.value.details == {"field": "tasks", "constraint": "max_bytes", "max": 100}
    assert await tasks.count() == 0
