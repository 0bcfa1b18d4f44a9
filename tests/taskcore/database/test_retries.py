"""Exactly once: what is sent again when an answer is lost, and what the caller is told."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

import asyncpg
import pytest

from taskcore import (
    ConfigurationError,
    OutcomeUnknown,
    Settings,
    TaskNotFound,
    TaskStore,
    Unavailable,
    UserNotFound,
    VersionConflict,
)
from taskcore.database.url import connect_arguments
from taskcore.tasks.ids import IdGenerator
from tests.databases import Database, execute
from tests.wire import Wire

OTHER_WRITE = "UPDATE taskcore.tasks SET title = 'other', version = version + 1, write_id = 7"
# One connection at a time, so that the answer lost is the one meant.
SETTINGS = Settings(pool_max_size=1, retry_wait_initial=0.001)


@pytest.fixture
async def lossy(wire: Wire) -> AsyncIterator[TaskStore]:
    """A store behind the wire."""
    async with TaskStore(wire.url, settings=SETTINGS) as store:
        await _prepare(store)
        yield store


async def _prepare(store: TaskStore) -> None:
    """Use every statement once: from now on the first answer is that to the call."""
    tasks = store.for_user(2)
    task = await tasks.create("x")
    await tasks.create_many([{"title": "x"}])
    await tasks.update(task.id, title="y")
    await tasks.get(task.id)
    await tasks.list()
    await tasks.delete(task.id)


async def test_a_create_whose_answer_is_lost_is_stored_once(wire: Wire, lossy: TaskStore) -> None:
    tasks = lossy.for_user(1)
    wire.lose_answers(1)

    task = await tasks.create("once")

    assert (await tasks.list()).items == (task,)
    assert task.version == 1


async def test_a_batch_whose_answer_is_lost_is_stored_once(wire: Wire, lossy: TaskStore) -> None:
    tasks = lossy.for_user(1)
    wire.lose_answers(1)

    batch = await tasks.create_many([{"title": str(number)} for number in range(50)])

    assert (await tasks.list()).items == batch[::-1]


async def test_an_update_whose_answer_is_lost_is_applied_once(wire: Wire, lossy: TaskStore) -> None:
    tasks = lossy.for_user(1)
    task = await tasks.create("before")
    wire.lose_answers(1)

    changed = await tasks.update(task.id, title="after", if_version=1)

    assert changed.version == 2
    assert await tasks.get(task.id) == changed


async def test_a_delete_whose_answer_is_lost_succeeds(wire: Wire, lossy: TaskStore) -> None:
    """The one exception to FR-008: what the repetition does not find is gone."""
    tasks = lossy.for_user(1)
    task = await tasks.create("before")
    wire.lose_answers(1)

    await tasks.delete(task.id)

    with pytest.raises(TaskNotFound):
        await tasks.delete(task.id)


async def test_a_users_deletion_whose_answer_is_lost_succeeds(database: Database) -> None:
    async with (
        Wire(database.owner_url) as wire,
        TaskStore(wire.url, settings=SETTINGS) as store,
    ):
        await store.for_user(1).create("x")
        await store.for_user(3).create("x")
        await store.users.delete(3)
        wire.lose_answers(1)

        await store.users.delete(1)

        with pytest.raises(UserNotFound):
            await store.users.delete(1)


async def test_a_read_whose_answer_is_lost_is_sent_again(wire: Wire, lossy: TaskStore) -> None:
    tasks = lossy.for_user(1)
    task = await tasks.create("x")
    wire.lose_answers(3)

    assert await tasks.get(task.id) == task


_Result = TypeVar("_Result")


async def meanwhile(
    wire: Wire, call: Coroutine[Any, Any, _Result], database: Database, statement: str
) -> _Result:
    """Lose the first answer, and let another write come before the second attempt."""
    wire.lose_answers(1)
    wire.hold()
    running = asyncio.ensure_future(call)
    await wire.lost.wait()
    await execute(database.owner_url, statement)
    wire.release()
    return await running


async def test_a_create_that_another_write_has_changed_since_is_unknown(
    database: Database, wire: Wire, lossy: TaskStore
) -> None:
    tasks = lossy.for_user(1)
    with pytest.raises(OutcomeUnknown):
        await meanwhile(wire, tasks.create("x"), database, OTHER_WRITE)

    assert len((await tasks.list()).items) == 1


@pytest.mark.parametrize("where", ["WHERE title = 'a'", ""])
async def test_a_batch_that_other_writes_have_changed_in_part_or_wholly_is_unknown(
    database: Database, wire: Wire, lossy: TaskStore, where: str
) -> None:
    tasks = lossy.for_user(1)
    batch = tasks.create_many([{"title": "a"}, {"title": "b"}])
    with pytest.raises(OutcomeUnknown):
        await meanwhile(wire, batch, database, f"{OTHER_WRITE} {where}")

    assert len((await tasks.list()).items) == 2


async def test_a_conditional_update_that_finds_another_write_is_unknown(
    database: Database, wire: Wire, lossy: TaskStore
) -> None:
    """Its own write may lie beneath the other one, or not."""
    tasks = lossy.for_user(1)
    task = await tasks.create("before")
    update = tasks.update(task.id, title="mine", if_version=1)
    with pytest.raises(OutcomeUnknown):
        await meanwhile(wire, update, database, OTHER_WRITE)

    assert (await tasks.get(task.id)).title == "other"


async def test_an_unconditional_update_that_finds_another_write_is_applied_again(
    database: Database, wire: Wire, lossy: TaskStore
) -> None:
    tasks = lossy.for_user(1)
    task = await tasks.create("before")
    update = tasks.update(task.id, title="mine")
    changed = await meanwhile(wire, update, database, OTHER_WRITE)

    assert (changed.title, changed.version) == ("mine", 4)


async def test_a_conflict_at_the_first_attempt_is_a_conflict(lossy: TaskStore) -> None:
    task = await lossy.for_user(1).create("x")

    with pytest.raises(VersionConflict):
        await lossy.for_user(1).update(task.id, title="y", if_version=2)


async def test_an_id_that_another_store_took_is_no_doubt_about_the_outcome(
    lossy: TaskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = lossy.for_user(1)
    first = await tasks.create("first")
    ids = iter([first.id, first.id + 1])
    monkeypatch.setattr(IdGenerator, "next", lambda _self, _user: next(ids))

    second = await tasks.create("second")

    assert second.id == first.id + 1


async def test_when_nothing_answers_any_more_a_lost_write_stays_unknown(
    wire: Wire, database: Database
) -> None:
    """The last attempts sent nothing; an earlier one may have been applied."""
    settings = Settings(pool_max_size=1, operation_timeout=0.5)
    async with TaskStore(wire.url, settings=settings) as store:
        await _prepare(store)
        wire.lose_answers(1)
        wire.refuse()
        tasks = store.for_user(1)

        with pytest.raises(OutcomeUnknown):
            await tasks.create("x")

    async with TaskStore(database.url) as store:
        assert len((await store.for_user(1).list()).items) == 1


async def test_what_was_never_sent_is_unavailable(wire: Wire) -> None:
    settings = Settings(pool_max_size=1, operation_timeout=0.3)
    async with TaskStore(wire.url, settings=settings) as store:
        wire.refuse()
        await wire.cut()
        await asyncio.sleep(0.01)

        with pytest.raises(Unavailable):
            await store.for_user(1).create("x")


async def test_a_database_that_comes_back_in_time_is_waited_for(database: Database) -> None:
    """The first request after a suspend succeeds."""
    async with Wire(database.url) as wire, TaskStore(wire.url, settings=SETTINGS) as store:
        tasks = store.for_user(1)
        task = await tasks.create("x")
        await wire.stop()
        call = asyncio.ensure_future(tasks.get(task.id))
        await asyncio.sleep(0.05)
        assert not call.done()
        wire.start()

        assert await call == task


async def test_a_role_that_bypasses_rls_is_warned_of_once_or_refused(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async with TaskStore(database.owner_url) as store:
        await asyncio.gather(*(store.for_user(1).list() for _ in range(8)))
    warnings = [record for record in caplog.records if "bypasses row-level" in record.message]
    assert len(warnings) == 1

    with pytest.raises(ConfigurationError, match="TASKCORE_REQUIRE_RESTRICTED_ROLE"):
        await TaskStore(database.owner_url, settings=Settings(require_restricted_role=True)).open()
    async with TaskStore(database.url, settings=Settings(require_restricted_role=True)):
        pass


async def test_a_deleted_users_create_is_tried_again(database: Database) -> None:
    """23503: it lost its user to a deletion in between."""
    connection = await asyncpg.connect(**connect_arguments(database.owner_url))
    try:
        async with TaskStore(database.url) as store:
            await store.for_user(1).create("x")
            deletion = connection.transaction()
            await deletion.start()
            await connection.execute("DELETE FROM taskcore.users")
            create = asyncio.ensure_future(store.for_user(1).create("y"))
            await asyncio.sleep(0.05)
            await deletion.commit()

            task = await create
            assert (await store.for_user(1).list()).items == (task,)
    finally:
        await connection.close()
