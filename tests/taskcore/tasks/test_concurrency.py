"""Many calls at once: nothing collides, nothing is lost, nothing is left behind."""

import asyncio
import itertools
import json
import random
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import asyncpg
import pytest

from taskcore import (
    Settings,
    StoreNotOpen,
    Task,
    TaskNotFound,
    TaskStore,
    UserNotFound,
    VersionConflict,
)
from tests.databases import Database
from tests.sessions import until_blocked, until_disconnected


async def test_two_hundred_creates_at_once_all_succeed(store: TaskStore) -> None:
    """SC-004, FR-017."""
    tasks = store.for_user(1)

    created = await asyncio.gather(*(tasks.create(f"n. {n}", f"{n}" * 9) for n in range(200)))

    listed = [task async for task in tasks.iterate()]
    assert {task.title for task in created} == {f"n. {n}" for n in range(200)}
    assert listed == sorted(created, key=lambda task: task.id, reverse=True)


async def test_two_hundred_creates_of_many_users_at_once_all_succeed(store: TaskStore) -> None:
    """SC-004, FR-017."""
    created = await asyncio.gather(*(store.for_user(n % 20 + 1).create(str(n)) for n in range(200)))

    for user in range(1, 21):
        listed = (await store.for_user(user).list()).items
        assert {task.id for task in listed} == {t.id for t in created if t.user_id == user}
        assert len(listed) == 10


async def test_first_creates_of_a_new_user_at_once_all_succeed(store: TaskStore) -> None:
    """Edge case: two creates at once for one user never collide or get lost."""
    await asyncio.gather(*(store.for_user(9999).create("warm") for _ in range(10)))
    for user in range(1, 31):
        tasks = store.for_user(user)
        made = await asyncio.gather(tasks.create("a"), tasks.create("b"), tasks.create("c"))
        assert set((await tasks.list()).items) == set(made)


async def test_first_creates_from_two_stores_at_once_all_succeed(database: Database) -> None:
    """FR-017: several processes serve one user."""
    async with TaskStore(database.url) as one, TaskStore(database.url) as two:
        for user in range(1, 11):
            made = await asyncio.gather(
                *(store.for_user(user).create("t") for store in (one, two) for _ in range(10))
            )
            assert {task.id for task in (await one.for_user(user).list()).items} == {
                task.id for task in made
            }
            assert len({task.id for task in made}) == 20


async def test_creates_that_race_the_deletion_of_their_user_succeed(
    store: TaskStore, database: Database
) -> None:
    """FR-017: a create of an erased user is that user's first."""
    async with TaskStore(database.administrator_url) as administration:

        async def erase() -> None:
            for _ in range(10):
                try:
                    await administration.users.delete(1)
                except UserNotFound:
                    await asyncio.sleep(0)

        for _ in range(15):
            single = [store.for_user(1).create("one") for _ in range(8)]
            batches = [store.for_user(1).create_many([{"title": "two"}] * 3) for _ in range(4)]
            *created, _, _ = await asyncio.gather(*single, *batches, erase(), erase())
            assert len(created) == 12

        await asyncio.gather(erase())
        assert (await store.for_user(1).list()).items == ()


async def test_a_create_that_loses_its_user_in_between_is_sent_again(
    store: TaskStore, owner: asyncpg.Connection
) -> None:
    """The row of the user is there, then deleted before the task refers to it."""
    await store.for_user(1).create("before")
    deletion = owner.transaction()
    await deletion.start()
    await owner.execute("DELETE FROM taskcore.users")
    create = asyncio.ensure_future(store.for_user(1).create("after"))
    await until_blocked(owner)
    await deletion.commit()

    task = await create

    assert (await store.for_user(1).list()).items == (task,)


async def test_one_of_many_updates_of_a_version_wins(store: TaskStore) -> None:
    """FR-017."""
    tasks = store.for_user(1)
    task = await tasks.create("start")
    for version in range(1, 11):
        results = await asyncio.gather(
            *(tasks.update(task.id, if_version=version, title=f"{version}.{n}") for n in range(10)),
            return_exceptions=True,
        )

        winners = [result for result in results if isinstance(result, Task)]
        losers = [result for result in results if isinstance(result, VersionConflict)]
        assert (len(winners), len(losers)) == (1, 9)
        assert {error.current for error in losers} == {version + 1}
        assert await tasks.get(task.id) == winners[0]


async def test_no_update_is_lost(store: TaskStore) -> None:
    """FR-017: every update of other fields counts, none undoes another."""
    tasks = store.for_user(1)
    task = await tasks.create("start")

    await asyncio.gather(
        tasks.update(task.id, title="title"),
        tasks.update(task.id, description="description"),
        tasks.update(task.id, completed=True),
    )

    after = await tasks.get(task.id)
    assert (after.title, after.description, after.completed) == ("title", "description", True)
    assert after.version == 4


async def test_one_of_many_deletes_wins(store: TaskStore) -> None:
    """FR-017."""
    tasks = store.for_user(1)
    task = await tasks.create("start")

    results = await asyncio.gather(
        *(tasks.delete(task.id) for _ in range(10)), return_exceptions=True
    )

    assert results.count(None) == 1
    assert sum(isinstance(result, TaskNotFound) for result in results) == 9


async def test_updates_that_race_a_delete_succeed_or_find_nothing(store: TaskStore) -> None:
    """FR-017."""
    tasks = store.for_user(1)
    for _ in range(20):
        task = await tasks.create("start")
        *updates, deleted = await asyncio.gather(
            *(tasks.update(task.id, title=f"{n}") for n in range(5)),
            tasks.delete(task.id),
            return_exceptions=True,
        )

        assert deleted is None
        assert all(isinstance(result, Task | TaskNotFound) for result in updates)
        assert (await tasks.list()).items == ()


async def test_a_read_during_updates_never_sees_a_mixture(store: TaskStore) -> None:
    """Edge case: the old row or the new one."""
    tasks = store.for_user(1)
    task = await tasks.create("0", "0")
    writing = True

    async def write() -> None:
        nonlocal writing
        for n in range(1, 200):
            await tasks.update(task.id, title=str(n), description=str(n), completed=n % 2 == 1)
        writing = False

    async def read() -> int:
        reads = 0
        while writing:
            (listed,) = (await tasks.list()).items
            for seen in (await tasks.get(task.id), listed):
                assert seen.title == seen.description == str(seen.version - 1)
                assert seen.completed == (seen.version % 2 == 0)
            reads += 1
        return reads

    _, *reads = await asyncio.gather(write(), read(), read(), read())
    assert min(reads) > 0


async def test_the_order_of_creates_is_the_order_of_the_list(store: TaskStore) -> None:
    tasks = store.for_user(1)
    for n in range(20):
        await asyncio.gather(store.for_user(2).create("noise"), tasks.create(str(n)))

    assert [task.title for task in (await tasks.list()).items] == [
        str(n) for n in range(19, -1, -1)
    ]


# Cancellation


async def _cancel_after(call: asyncio.Task[object], steps: int) -> bool:
    """Cancel a call after some turns of the event loop; return whether it was still under way."""
    for _ in range(steps):
        await asyncio.sleep(0)
    call.cancel()
    results = await asyncio.gather(call, return_exceptions=True)
    return isinstance(results[0], asyncio.CancelledError)


async def test_cancelled_calls_leave_no_partial_state(
    database: Database, owner: asyncpg.Connection
) -> None:
    """FR-017; edge case: no partial state. The pool stays whole, whenever the call ends."""
    chance = random.Random(20250101)  # noqa: S311
    async with TaskStore(database.url, settings=Settings(pool_max_size=3)) as store:
        tasks = store.for_user(1)
        kept = await tasks.create("kept", "0")
        cancelled = 0
        # Most calls are over before they are cancelled: as many as it takes.
        for n in itertools.count():
            if cancelled >= 60:
                break
            calls: list[Callable[[], Coroutine[Any, Any, object]]] = [
                lambda: tasks.create("single", "single"),
                partial(tasks.create_many, [{"title": "batch", "description": f"{n}"}] * 7),
                partial(tasks.update, kept.id, title=f"{n}", description=f"{n}"),
                tasks.list,
            ]
            call = asyncio.create_task(calls[n % 4]())
            cancelled += await _cancel_after(call, chance.randrange(40))

        seen = [task async for task in tasks.iterate()]
        batches = [task.description for task in seen if task.title == "batch"]
        assert {batches.count(name) for name in set(batches)} <= {7}
        now = await tasks.get(kept.id)
        assert now.title == now.description or now.version == 1
        await asyncio.gather(*(tasks.create("after") for _ in range(20)))
        assert store._database._driver._pool is not None
        assert store._database._driver._pool.size <= 3
    assert not await owner.fetch(
        "SELECT FROM pg_stat_activity WHERE datname = $1 AND state LIKE 'idle in transaction%'",
        database.name,
    )


async def test_a_call_cancelled_while_it_waits_for_a_lock_has_no_effect(
    store: TaskStore, owner: asyncpg.Connection
) -> None:
    """Edge case: no partial state."""
    tasks = store.for_user(1)
    task = await tasks.create("before")
    lock = owner.transaction()
    await lock.start()
    await owner.execute("LOCK TABLE taskcore.tasks IN ACCESS EXCLUSIVE MODE")
    calls: list[asyncio.Future[object]] = [
        asyncio.ensure_future(call)
        for call in (
            tasks.create("never"),
            tasks.create_many([{"title": "never"}] * 3),
            tasks.update(task.id, title="never"),
            tasks.delete(task.id),
            tasks.list(),
        )
    ]
    await until_blocked(owner, len(calls))
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    await lock.rollback()

    assert (await tasks.list()).items == (task,)


# Closing


async def test_close_waits_for_calls_under_way(
    database: Database, owner: asyncpg.Connection
) -> None:
    store = await TaskStore(database.url).open()
    await store.for_user(1).create("before")
    lock = owner.transaction()
    await lock.start()
    await owner.execute("LOCK TABLE taskcore.tasks IN ACCESS EXCLUSIVE MODE")
    create = asyncio.ensure_future(store.for_user(1).create("under way"))
    await until_blocked(owner)
    closing = asyncio.ensure_future(store.close())
    for _ in range(20):
        await asyncio.sleep(0)
    assert not closing.done()
    await lock.rollback()

    assert (await create).title == "under way"
    await closing
    await until_disconnected(owner)


async def test_a_call_that_waits_for_a_connection_at_close_ends_clearly(
    database: Database, owner: asyncpg.Connection
) -> None:
    """Done, or refused with nothing sent: never lost, and no connection outlives the store."""
    for _ in range(5):
        store = await TaskStore(database.url, settings=Settings(pool_max_size=2)).open()
        tasks = store.for_user(1)
        calls = [asyncio.ensure_future(tasks.create("t")) for _ in range(20)]
        for _ in range(5):
            await asyncio.sleep(0)
        await store.close()
        results = await asyncio.gather(*calls, return_exceptions=True)

        assert {type(result) for result in results} <= {Task, StoreNotOpen}
        await until_disconnected(owner)


# Repetition


_CREATE = "SELECT * FROM taskcore.task_create_v1($1::bigint, $2, $3, $4)"
_CREATE_MANY = "SELECT * FROM taskcore.task_create_many_v1($1::bigint, $2, $3)"
_UPDATE = "SELECT * FROM taskcore.task_update_v1($1::bigint, $2, $3, $4, $5)"


async def test_a_repeated_create_returns_the_row_and_changes_nothing(
    application: asyncpg.Connection,
) -> None:
    """FR-002, FR-017."""
    create = (1, 10, 77, '{"title": "title", "description": "description"}')
    first = await application.fetch(_CREATE, *create)

    assert len(first) == 1
    assert await application.fetch(_CREATE, *create) == first
    assert await application.fetch("SELECT * FROM taskcore.task_get_v1(1, 10)") == first


async def test_a_create_does_not_take_anothers_id(application: asyncpg.Connection) -> None:
    first = await application.fetch(_CREATE, 1, 10, 77, '{"title": "first"}')

    assert await application.fetch(_CREATE, 1, 10, 78, '{"title": "second"}') == []
    assert await application.fetch("SELECT * FROM taskcore.task_get_v1(1, 10)") == first


async def test_a_repeated_batch_returns_the_rows_and_changes_nothing(
    application: asyncpg.Connection,
) -> None:
    batch = json.dumps([{"id": n, "title": f"n. {n}", "description": None} for n in (1, 2, 3)])
    first = await application.fetch(_CREATE_MANY, 1, 77, batch)

    assert [row["id"] for row in first] == [1, 2, 3]
    assert await application.fetch(_CREATE_MANY, 1, 77, batch) == first
    assert (
        len(await application.fetch("SELECT * FROM taskcore.task_list_v1(1, NULL, 9, NULL)")) == 3
    )


async def test_a_repeated_batch_does_not_bring_deleted_tasks_back(
    application: asyncpg.Connection,
) -> None:
    batch = json.dumps([{"id": n, "title": f"n. {n}", "description": None} for n in (1, 2)])
    await application.fetch(_CREATE_MANY, 1, 77, batch)
    await application.fetch("SELECT * FROM taskcore.task_delete_v1(1, 1, NULL)")

    await application.fetch(_CREATE_MANY, 1, 77, batch)

    (left,) = await application.fetch("SELECT * FROM taskcore.task_list_v1(1, NULL, 9, NULL)")
    assert left["id"] == 2


@pytest.mark.one_server
async def test_a_batch_with_a_taken_id_stores_nothing_and_names_it(
    application: asyncpg.Connection,
) -> None:
    await application.fetch(_CREATE, 1, 2, 76, '{"title": "taken"}')
    batch = json.dumps([{"id": n, "title": f"n. {n}", "description": None} for n in (1, 2, 3)])

    with pytest.raises(asyncpg.PostgresError) as error:
        await application.fetch(_CREATE_MANY, 1, 77, batch)

    assert error.value.sqlstate == "TC001"
    assert error.value.detail == "2"
    assert (
        len(await application.fetch("SELECT * FROM taskcore.task_list_v1(1, NULL, 9, NULL)")) == 1
    )


@pytest.mark.parametrize("if_versions", [None, ["1"], ["7", "1"]])
async def test_a_repeated_update_returns_the_row_and_changes_nothing(
    application: asyncpg.Connection, if_versions: list[str] | None
) -> None:
    """Its own change is no conflict."""
    await application.fetch(_CREATE, 1, 10, 77, '{"title": "title"}')
    changes = {"title": "new title", "description": "new", "completed": True}
    update = (1, 10, 78, if_versions, json.dumps(changes))
    first = await application.fetch(_UPDATE, *update)

    assert (first[0]["version"], first[0]["write_id"]) == (2, 78)
    assert await application.fetch(_UPDATE, *update) == first
