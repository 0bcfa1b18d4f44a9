"""Changing and deleting several tasks: all of them, or none."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count

import pytest

from taskcore import (
    OutcomeUnknown,
    Settings,
    Task,
    TaskNotFound,
    TaskStore,
    TaskUpdate,
    UserTasks,
    ValidationError,
)
from tests.wire import Wire

Write = Callable[[UserTasks, list[int]], Awaitable[object]]
WRITES: dict[str, Write] = {
    "update": lambda tasks, ids: tasks.update_many(ids, completed=True),
    "delete": lambda tasks, ids: tasks.delete_many(ids),
}


@pytest.fixture
def tasks(store: TaskStore) -> UserTasks:
    return store.for_user(1)


@pytest.fixture
async def three(tasks: UserTasks) -> tuple[Task, ...]:
    return await tasks.create_many([{"title": title} for title in ("a", "b", "c")])


@pytest.fixture
async def lossy(wire: Wire) -> AsyncIterator[UserTasks]:
    """The tasks of a user whose store loses answers."""
    settings = Settings(retry_wait_initial=0.001, retry_wait_max=0.001)
    async with TaskStore(wire.url, settings=settings) as store:
        yield store.for_user(1)


async def test_several_tasks_are_changed_in_the_order_of_their_ids(
    tasks: UserTasks, three: tuple[Task, ...]
) -> None:
    """FR-020."""
    first, second, third = (task.id for task in three)
    changed = await tasks.update_many([third, first, third], title="x", completed=True)
    assert [(task.id, task.title, task.version) for task in changed] == [
        (third, "x", 2),
        (first, "x", 2),
        (third, "x", 2),
    ]
    assert await tasks.get(second) == three[1]
    assert await tasks.update_many([first], TaskUpdate(completed=True)) == changed[1:2]


async def test_several_tasks_are_deleted(tasks: UserTasks, three: tuple[Task, ...]) -> None:
    """FR-020."""
    await tasks.delete_many([three[2].id, three[0].id, three[0].id])
    assert (await tasks.list()).items == (three[1],)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_if_one_is_missing_nothing_is_done_and_the_error_names_it(
    store: TaskStore, tasks: UserTasks, three: tuple[Task, ...], write: Write
) -> None:
    """FR-020: whether it is nobody's or another user's."""
    foreign = await store.for_user(2).create("theirs")
    for ids in ([7], [foreign.id], [9, 7]):
        with pytest.raises(TaskNotFound) as missing:
            await write(tasks, [three[0].id, *ids, three[1].id])
        assert str(missing.value) == f"tasks not found: {', '.join(map(str, ids))}"
        assert missing.value.ids == tuple(ids)
    with pytest.raises(TaskNotFound, match=r"tasks not found: 1, 2, .*, 10 and 2 more") as missing:
        await write(tasks, [three[0].id, *range(1, 13)])
    assert missing.value.ids == tuple(range(1, 13))
    assert (await tasks.list()).items == three[::-1]
    assert await store.for_user(2).get(foreign.id) == foreign


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_no_ids_are_nothing_to_do_and_wrong_ones_are_named(
    tasks: UserTasks, write: Write
) -> None:
    await write(tasks, [])
    for ids, field in (([1, 0], "task_ids[1]"), (count(1), "task_ids"), (7, "task_ids")):
        with pytest.raises(ValidationError) as invalid:
            await write(tasks, ids)  # type: ignore[arg-type]
        assert invalid.value.field == field


async def test_a_wrong_change_is_refused_even_without_ids(tasks: UserTasks) -> None:
    with pytest.raises(ValidationError, match="title"):
        await tasks.update_many([], title="")


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_a_lost_answer_is_not_noticed(lossy: UserTasks, wire: Wire, write: Write) -> None:
    """FR-016: nothing is done twice."""
    ids = [task.id for task in await lossy.create_many([{"title": "a"}, {"title": "b"}])]
    wire.lose_answers(1)
    await write(lossy, ids)
    assert {task.version for task in await lossy.list()} <= {2}


async def test_an_update_whose_task_is_deleted_after_a_lost_answer_is_unknown(
    store: TaskStore, lossy: UserTasks, wire: Wire
) -> None:
    ids = [task.id for task in await lossy.create_many([{"title": "a"}, {"title": "b"}])]
    wire.lose_answers(1)
    wire.hold()
    running = asyncio.ensure_future(lossy.update_many(ids, completed=True))
    await wire.lost.wait()
    await store.for_user(1).delete(ids[0])
    wire.release()
    with pytest.raises(OutcomeUnknown):
        await running


async def test_calls_in_opposite_order_do_not_deadlock(
    tasks: UserTasks, three: tuple[Task, ...]
) -> None:
    ids = [task.id for task in three]
    await asyncio.gather(
        *(
            tasks.update_many(ids[:: 1 if number % 2 else -1], title=f"n. {number}")
            for number in range(40)
        )
    )
    assert {task.version for task in await tasks.list()} == {41}
