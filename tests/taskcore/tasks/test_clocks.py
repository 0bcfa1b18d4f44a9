"""Ids on the real database, whatever the clocks of the machines with stores say."""

import asyncio
import itertools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taskcore import OutcomeUnknown, Settings, Task, TaskStore, UserTasks
from taskcore.database.url import connect_arguments
from taskcore.limits import MAX_ID
from taskcore.tasks.ids import EPOCH_MS, LAST_MS
from tests.databases import Database
from tests.taskcore.tasks.test_ids import CLOCKS, Clock
from tests.wire import Wire

NOW = time.time_ns() // 1_000_000 - EPOCH_MS
HOUR = 3_600_000
YEAR = 365 * 24 * HOUR
users = itertools.count(1)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock(NOW)
    monkeypatch.setattr(time, "time_ns", clock.time_ns)
    return clock


async def all_of(tasks: UserTasks) -> list[Task]:
    return [task async for task in tasks.iterate()]


async def created(tasks: UserTasks) -> list[int]:
    """Create tasks in every way; return their ids in the order of the answers."""
    before = {task.id for task in await all_of(tasks)}
    one = await tasks.create("one")
    many = await tasks.create_many([{"title": "two"}, {"title": "three"}])
    await tasks.import_tasks([{"title": "four"}, {"title": "five"}])
    await tasks.import_tasks([{"id": 1, "title": "six"}], new_ids=True)
    listed = {task.title: task.id for task in await all_of(tasks) if task.id not in before}
    ids = [one.id, *(task.id for task in many), *(listed[t] for t in ("four", "five", "six"))]
    assert sorted(listed.values()) == sorted(ids)
    return ids


@pytest.mark.parametrize("at", CLOCKS.values(), ids=CLOCKS)
async def test_a_store_creates_whatever_its_clock_says(
    database: Database, clock: Clock, at: int
) -> None:
    """FR-002."""
    clock.millisecond = at
    made: list[int] = []
    for _ in range(3):
        async with TaskStore(database.url) as store:
            made += await created(store.for_user(1))
    assert made == sorted(set(made))


async def test_a_clock_before_2025_has_room_for_thousands_and_a_restart(
    database: Database, clock: Clock
) -> None:
    """bwmarrin/snowflake#20: no battery, the same moment after each start."""
    clock.millisecond = -EPOCH_MS
    made: list[int] = []
    for _ in range(3):
        async with TaskStore(database.url) as store:
            tasks = store.for_user(1)
            made += [task.id for task in await tasks.create_many([{"title": "x"}] * 5000)]
            made.append((await tasks.create("x")).id)
    assert made == sorted(set(made))


@pytest.mark.parametrize("back", [1, HOUR, YEAR, 100 * YEAR])
@pytest.mark.parametrize("restarted", [True, False])
async def test_ids_rise_over_a_clock_that_goes_back(
    database: Database,
    clock: Clock,
    back: int,
    restarted: bool,  # noqa: FBT001
) -> None:
    async with TaskStore(database.url) as store:
        made = await created(store.for_user(1))
        # Enough to forget this user, who is not ahead of the clock any more.
        clock.millisecond += 1
        store._ids._last.clear()
        clock.millisecond -= back + 1
        if not restarted:
            made += await created(store.for_user(1))
    async with TaskStore(database.url) as store:
        made += await created(store.for_user(1))
    assert made == sorted(set(made))


@pytest.mark.parametrize("ahead", [1, HOUR, 50 * YEAR])
async def test_ids_rise_over_two_stores_whose_clocks_differ(
    database: Database, clock: Clock, ahead: int
) -> None:
    async with TaskStore(database.url) as one, TaskStore(database.url) as other:
        made: list[int] = []
        for _ in range(3):
            clock.millisecond += ahead
            made += await created(one.for_user(1))
            clock.millisecond -= ahead
            made += await created(other.for_user(1))
    assert made == sorted(set(made))


@pytest.mark.parametrize("at", [-EPOCH_MS, -1, 0, LAST_MS + 1])
async def test_without_a_usable_clock_the_server_s_is_used(
    database: Database, clock: Clock, at: int
) -> None:
    """The id of a task that was deleted is not used again."""
    clock.millisecond = at
    made = []
    for _ in range(5):
        async with TaskStore(database.url) as store:
            task = await store.for_user(1).create("x")
            await store.for_user(1).delete(task.id)
            made.append(task.id)
    assert made == sorted(set(made))
    assert all(abs((task_id >> 12) - NOW) < HOUR for task_id in made)


@pytest.mark.parametrize("newest", [MAX_ID, MAX_ID - 1, MAX_ID - 5000, LAST_MS << 12])
async def test_above_the_last_id_there_is_none_and_tasks_are_created_all_the_same(
    database: Database, newest: int
) -> None:
    for _ in range(2):
        async with TaskStore(database.url) as store:
            tasks = store.for_user(1)
            await tasks.import_tasks([{"id": newest, "title": "last"}])
            for _ in range(2):
                await created(tasks)
    async with TaskStore(database.url) as store:
        assert len(await all_of(store.for_user(1))) == 1 + 4 * 6


async def test_another_users_tasks_do_not_count(database: Database, clock: Clock) -> None:
    """FR-018, SC-002."""
    clock.millisecond = HOUR
    async with TaskStore(database.url) as store:
        for user in (1, 3):
            await store.for_user(user).import_tasks([{"id": MAX_ID >> 1, "title": "x"}])
        task = await store.for_user(2).create("x")
        (other,) = await store.for_user(2).create_many([{"title": "x"}])
    assert task.id >> 12 == other.id >> 12 == HOUR


# Any sequence of clocks, stores and writes.

Step = tuple[int, int, str]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [-EPOCH_MS, -1, 0, 1, NOW - YEAR, NOW, NOW + YEAR, LAST_MS - 1, LAST_MS + 1]
        )
        | st.integers(-EPOCH_MS, LAST_MS - 1),
        st.integers(0, 2),
        st.sampled_from(["create", "many", "import", "new ids", "restart", "delete", "at once"]),
    ),
    min_size=1,
    max_size=8,
)


@dataclass
class _World:
    """Three stores of one user, and the ids of all tasks that they have had."""

    url: str
    user: int
    stores: list[TaskStore]
    made: list[int]

    async def step(self, place: int, what: str) -> None:
        tasks = self.stores[place].for_user(self.user)
        if what == "restart":
            await self.stores[place].close()
            self.stores[place] = await TaskStore(self.url).open()
            return
        listed = [task.id for task in await all_of(tasks)]
        if what == "delete":
            if listed:
                await tasks.delete(listed[0])
            return
        new: list[int]
        if what == "create":
            new = [(await tasks.create("x")).id]
        elif what == "many":
            new = [task.id for task in await tasks.create_many([{"title": "x"}] * 3)]
        elif what == "at once":
            users = [store.for_user(self.user) for store in self.stores] * 2
            new = sorted(t.id for t in await asyncio.gather(*(one.create("x") for one in users)))
        else:
            given = [{"title": str(n), "id": 5} for n in range(3)]
            if what == "import":
                given = [{"title": str(n)} for n in range(3)]
            await tasks.import_tasks(given, new_ids=what == "new ids")
            found = {task.id: task.title for task in await all_of(tasks)}
            new = sorted(found.keys() - set(listed))
            assert [found[task_id] for task_id in new] == ["0", "1", "2"]
        assert new == sorted(set(new))
        assert not listed or new[0] > listed[0]
        assert 1 <= new[0] <= new[-1] <= MAX_ID
        self.made += new


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_new_tasks_are_above_all_others_over_any_clocks(
    database: Database, clock: Clock, steps: list[Step]
) -> None:
    """FR-002: of three stores, which restart, and whose machines have any clock."""

    async def program() -> None:
        stores = [await TaskStore(database.url).open() for _ in range(3)]
        world = _World(database.url, next(users), stores, [])
        try:
            for at, place, what in steps:
                clock.millisecond = at
                await world.step(place, what)
        finally:
            for store in world.stores:
                await store.close()
        assert len(set(world.made)) == len(world.made)

    asyncio.run(program())


# Round trips.


CREATES: dict[str, Callable[[UserTasks], Any]] = {
    "create": lambda tasks: tasks.create("x"),
    "create_many": lambda tasks: tasks.create_many([{"title": "x"}] * 3),
}


@pytest.mark.parametrize("how", CREATES)
async def test_a_wrong_clock_costs_a_store_one_round_trip_more_and_only_once(
    wire: Wire, clock: Clock, how: str
) -> None:
    """SC-001: with a right clock it costs none."""
    settings = Settings(pool_max_size=1)
    for at, first in ((NOW, 1), (HOUR, 2), (-EPOCH_MS, 2)):
        clock.millisecond = at
        async with TaskStore(wire.url, settings=settings) as store:
            # Another user's create prepares the statement.
            await CREATES[how](store.for_user(next(users) + 10**6))
            costs = []
            for _ in range(3):
                before = wire.round_trips
                await CREATES[how](store.for_user(1))
                costs.append(wire.round_trips - before)
        assert costs == [first, 1, 1]


async def test_many_creates_at_once_of_one_store_are_one_round_trip_each(
    wire: Wire,
) -> None:
    """SC-004: they are stored in another order than they were sent."""
    async with TaskStore(wire.url, settings=Settings(pool_max_size=8)) as store:
        tasks = store.for_user(1)
        await asyncio.gather(*(tasks.create("warm") for _ in range(64)))
        before = wire.round_trips
        made = await asyncio.gather(*(tasks.create("x") for _ in range(400)))
        assert wire.round_trips - before == 400
    assert [task.id for task in made] == sorted({task.id for task in made})


# Exactly once, also where an id was given up for another.


@pytest.mark.parametrize("how", CREATES)
@pytest.mark.parametrize("lost", [1, 2])
async def test_a_create_with_a_wrong_clock_whose_answers_are_lost_is_there_once(
    wire: Wire, clock: Clock, how: str, lost: int
) -> None:
    async with TaskStore(wire.url) as store:
        await store.for_user(1).create("newest")
    clock.millisecond = -EPOCH_MS
    settings = Settings(pool_max_size=1, retry_wait_initial=0.001)
    async with TaskStore(wire.url, settings=settings) as store:
        await CREATES[how](store.for_user(2))
        wire.lose_answers(lost)
        await CREATES[how](store.for_user(1))
        tasks = await all_of(store.for_user(1))
    assert len(tasks) == (2 if how == "create" else 4)
    assert tasks[-1].title == "newest"


async def test_a_create_that_another_write_has_changed_since_stays_in_doubt(
    wire: Wire, database: Database, owner: asyncpg.Connection
) -> None:
    settings = Settings(pool_max_size=1, retry_wait_initial=0.001)
    async with TaskStore(wire.url, settings=settings) as store:
        await store.for_user(2).create("warm")
        wire.lose_answers(1)
        wire.hold()
        creating = asyncio.ensure_future(store.for_user(1).create("x"))
        await wire.lost.wait()
        await owner.execute("UPDATE taskcore.tasks SET write_id = 7 WHERE user_id = 1")
        async with TaskStore(database.url) as other:
            await other.for_user(1).create("newer")
        wire.release()
        with pytest.raises(OutcomeUnknown):
            await creating


async def test_a_create_that_was_stored_before_a_newer_one_is_recognised(
    wire: Wire, database: Database
) -> None:
    settings = Settings(pool_max_size=1, retry_wait_initial=0.001)
    async with TaskStore(wire.url, settings=settings) as store:
        for how in CREATES.values():
            await how(store.for_user(2))
            user = next(users) + 2 * 10**6
            wire.lose_answers(1)
            wire.hold()
            creating = asyncio.ensure_future(how(store.for_user(user)))
            await wire.lost.wait()
            async with TaskStore(database.url) as other:
                stored = len(await all_of(other.for_user(user)))
                await other.for_user(user).create("newer")
            wire.release()
            await creating
            assert len(await all_of(store.for_user(user))) == stored + 1


MARK = 1 << 32
CALLS = {
    "create": (
        """SELECT id FROM taskcore.task_create_v1(1, 5010, $1, '{"title": "x"}', true)""",
        (MARK,),
    ),
    "create_many": (
        "SELECT id FROM taskcore.task_create_many_v1(1, $1, $2, true)",
        (MARK, json.dumps([{"id": n, "title": "x"} for n in (5009, 5010)])),
    ),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("committed", [True, False])
@pytest.mark.one_server
async def test_two_attempts_of_one_write_at_once_store_it_once(
    database: Database,
    call: str,
    committed: bool,  # noqa: FBT001
) -> None:
    """The second waits at the key, although a newer task has come between."""
    statement, args = CALLS[call]
    connections = [await asyncpg.connect(**connect_arguments(database.url)) for _ in range(3)]
    first, second, other = connections
    await other.execute(
        "SELECT FROM taskcore.task_create_v1(1, 1, 7, jsonb_build_object('title', 'x'))"
    )
    transaction = first.transaction()
    await transaction.start()
    stored = await first.fetch(statement, *args)
    await other.execute(
        "SELECT FROM taskcore.task_create_v1(1, 5050, 7, jsonb_build_object('title', 'newer'))"
    )
    attempt = asyncio.ensure_future(second.fetch(statement, *args))
    waiting = "SELECT true FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"
    while not await other.fetchval(waiting):
        assert not attempt.done()
    if committed:
        await transaction.commit()
        assert await attempt == stored
    else:
        await transaction.rollback()
        with pytest.raises(asyncpg.PostgresError) as error:
            await attempt
        assert error.value.sqlstate == "TC002"
        assert (error.value.detail or "").startswith("5050,")
    for connection in connections:
        await connection.close()


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.one_server
async def test_what_the_same_store_has_created_does_not_count(
    application: asyncpg.Connection, call: str
) -> None:
    statement, args = CALLS[call]
    create = (
        "SELECT id FROM taskcore.task_create_v1(1, $1, $2, jsonb_build_object('title', 'x'), true)"
    )
    await application.fetch(create, 5050, MARK + 5)
    assert len(await application.fetch(statement, *args)) == len(args)
    await application.fetch(create, 5060, MARK + MARK)
    with pytest.raises(asyncpg.PostgresError) as error:
        await application.fetch(create, 5055, MARK + 6)
    assert (error.value.sqlstate, (error.value.detail or "")[:5]) == ("TC002", "5060,")


@pytest.mark.parametrize("task_id", [1, 4095])
@pytest.mark.one_server
async def test_an_id_without_a_time_is_answered_with_the_server_s(
    application: asyncpg.Connection, task_id: int
) -> None:
    batch = json.dumps([{"id": task_id, "title": "x"}, {"id": 5000, "title": "x"}])
    for call, args in (
        ("task_create_v1(1, $1, 5, jsonb_build_object('title', 'x'), true)", (task_id,)),
        ("task_create_many_v1(1, 5, $1, true)", (batch,)),
    ):
        with pytest.raises(asyncpg.PostgresError) as error:
            await application.fetch(f"SELECT FROM taskcore.{call}", *args)
        newest, server_ms = (error.value.detail or "").split(",")
        assert newest == "0"
        assert abs(int(server_ms) - time.time_ns() // 1_000_000) < HOUR
    assert await application.fetch("SELECT FROM taskcore.task_list_v1(1, NULL, 9, NULL)") == []
    await application.fetch(
        "SELECT FROM taskcore.task_create_v1(1, 4096, 5, jsonb_build_object('title', 'x'), true)"
    )
