"""Faults of networks: silence, a cut in the middle of a message, a refusal, a recovery."""

import asyncio
import gc
from typing import Any

import asyncpg
import pytest

from taskcore import OutcomeUnknown, Settings, StoreNotOpen, Task, TaskStore, Unavailable
from taskcore.database.url import connect_arguments
from taskcore_http import create_app
from tests.databases import Database
from tests.taskcore.tasks.test_round_trips import OPERATIONS
from tests.taskcore_http.client import client_of
from tests.wire import Wire


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("keep", [1, 30])
async def test_an_answer_that_ends_in_the_middle_is_asked_for_again(
    wire: Wire, operation: str, keep: int
) -> None:
    async with TaskStore(wire.url, settings=Settings(pool_max_size=1)) as store:
        tasks = store.for_user(1)
        first, second = await tasks.create_many([{"title": "one"}, {"title": "two"}])
        await OPERATIONS[operation](tasks, first.id)
        wire.lose_answers(1, keep=keep)

        await OPERATIONS[operation](tasks, second.id)

        assert wire.lost.is_set()


# The driver would wait for its cancelling as long as for the statement, and fail.
SILENCE: dict[str, Any] = {"command_timeout": 3.0, "operation_timeout": 5.9}


async def test_a_connection_that_answers_nothing_more_is_given_up(wire: Wire) -> None:
    """As after a sleep, or when a router has forgotten it; a new one does the work."""
    async with TaskStore(wire.url, settings=Settings(**SILENCE)) as store:
        tasks = store.for_user(1)
        await asyncio.gather(*(tasks.create(f"task {n}") for n in range(5)))
        # If one connection is dead, assume the others are too.
        assert len(wire.clients) > 1
        wire.swallow()

        await tasks.create("after")

        assert len((await tasks.list()).items) == 6


async def test_a_pool_whose_every_connection_is_busy_and_silent_recovers(wire: Wire) -> None:
    settings = Settings(pool_max_size=2, **SILENCE)
    async with TaskStore(wire.url, settings=settings) as store:
        tasks = store.for_user(1)
        await asyncio.gather(*(tasks.create(f"task {n}") for n in range(10)))
        wire.swallow()

        await asyncio.gather(tasks.create("one"), tasks.create("two"))

        assert len((await tasks.list()).items) == 12


async def test_a_statement_that_takes_too_long_costs_no_other_connection(
    database: Database, wire: Wire
) -> None:
    """A server that answers the cancelling is alive, and so are its connections."""
    settings = Settings(pool_max_size=3, operation_timeout=0.4)
    async with TaskStore(wire.url, settings=settings) as store:
        tasks = store.for_user(1)
        task = await tasks.create("before")
        await asyncio.gather(*(tasks.list() for _ in range(10)))
        before = list(wire.clients)
        owner = await asyncpg.connect(**connect_arguments(database.owner_url))
        async with owner.transaction():
            await owner.execute("SELECT FROM taskcore.tasks FOR UPDATE")
            with pytest.raises(OutcomeUnknown):
                await tasks.update(task.id, title="after")
        await owner.close()

        assert await tasks.get(task.id) == task
        # Its own is not used again: a cancelling may come late.
        kept = [client for client in wire.clients if client in before]
        assert len(kept) == len(before) - 1


async def test_a_cancelled_call_does_not_wait_for_a_silent_server(wire: Wire) -> None:
    """The driver would, as long as for a statement."""
    async with TaskStore(wire.url) as store:
        await store.for_user(1).create("before")
        wire.swallow()
        async with asyncio.timeout(6):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await store.for_user(1).list()

        assert len((await store.for_user(1).list()).items) == 1


async def test_a_first_look_that_is_swallowed_keeps_the_deadline(wire: Wire) -> None:
    """Login has succeeded, and nothing more comes."""
    cases: list[dict[str, Any]] = [{"operation_timeout": 1.0}, {}]
    for limits in cases:
        store = TaskStore(wire.url, settings=Settings(**limits))
        await store.open(connect=False)
        before = wire.round_trips
        call = asyncio.ensure_future(store.for_user(1).list())
        # The start-up message is the first, the look at the schema the next.
        await wire.until(before + 2)
        wire.swallow()
        async with asyncio.timeout(6):
            if not limits:
                call.cancel()
            with pytest.raises(Unavailable if limits else asyncio.CancelledError):
                await call
            await store.close()


async def test_calls_that_are_cancelled_as_the_driver_gives_up_leave_no_trace(
    wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    """Both wait for a second: whoever is the later finds the connection gone."""
    async with TaskStore(wire.url, settings=Settings(command_timeout=1)) as store:
        for _ in range(3):
            await asyncio.gather(*(store.for_user(1).list() for _ in range(3)))
            wire.swallow()
            calls = [asyncio.ensure_future(store.for_user(1).list()) for _ in range(3)]
            await asyncio.sleep(0.02)
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
    gc.collect()
    assert "never retrieved" not in caplog.text


async def lost_and_not_repeated(wire: Wire, store: TaskStore) -> asyncio.Future[Task]:
    """Return a write whose answer is lost; it needs a connection, which waits for `release`."""
    await store.for_user(1).create("before")
    wire.lose_answers(1)
    wire.hold()
    before = wire.connections
    call = asyncio.ensure_future(store.for_user(1).create("lost"))
    await wire.lost.wait()
    while wire.connections == before:  # noqa: ASYNC110  (nobody waits for long)
        await asyncio.sleep(0.001)
    return call


async def test_a_write_whose_store_was_closed_by_force_is_unknown(wire: Wire) -> None:
    async with TaskStore(wire.url) as store:
        call = await lost_and_not_repeated(wire, store)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await store.close()
        wire.release()

        with pytest.raises(OutcomeUnknown):
            await call
        with pytest.raises(StoreNotOpen):
            await store.ready()


async def test_a_call_that_outlives_a_forced_closing_does_not_hold_up_the_next_one(
    wire: Wire,
) -> None:
    store = await TaskStore(wire.url).open()
    call = await lost_and_not_repeated(wire, store)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await store.close()
    await store.open(connect=False)
    assert not call.done()
    wire.release()
    await asyncio.gather(call, return_exceptions=True)
    await store.for_user(1).list()

    async with asyncio.timeout(5):
        await store.close()


async def test_a_store_closes_when_its_connections_are_silent(wire: Wire) -> None:
    """The body has succeeded; what cannot be said goodbye to is dropped."""
    async with asyncio.timeout(6):
        async with TaskStore(wire.url) as store:
            await store.for_user(1).create("before")
            wire.swallow()


async def test_a_write_that_is_waiting_to_be_repeated_when_the_store_closes_is_unknown(
    wire: Wire,
) -> None:
    """Closing waits for it, and takes nothing back of what may have happened."""
    settings = Settings(retry_wait_initial=0.5, retry_wait_max=0.5)
    async with TaskStore(wire.url, settings=settings) as store:
        await store.for_user(1).create("before")
        wire.lose_answers(1)
        wire.refuse()
        call = asyncio.ensure_future(store.for_user(1).create("lost"))
        await wire.lost.wait()
        await asyncio.sleep(0.01)
        await store.close()

        assert call.done()
        with pytest.raises(OutcomeUnknown):
            await call
        with pytest.raises(StoreNotOpen):
            await store.for_user(1).list()


@pytest.mark.parametrize("silence", ["of those that stand", "of new ones, too"])
async def test_a_silent_database_lets_nothing_pile_up(wire: Wire, silence: str) -> None:
    """A thousand calls end in time, with one of the documented errors; then it goes on."""
    settings = Settings(pool_max_size=10, command_timeout=0.5, operation_timeout=2)
    async with TaskStore(wire.url, settings=settings) as store:
        await asyncio.gather(*(store.for_user(1).list() for _ in range(20)))
        before = len(asyncio.all_tasks())
        wire.swallow()
        if silence == "of new ones, too":
            wire.hold()
        async with asyncio.timeout(10):
            results = await asyncio.gather(
                *(store.for_user(user).list() for user in range(1, 1001)), return_exceptions=True
            )
        failures = [result for result in results if isinstance(result, BaseException)]
        assert all(isinstance(failure, Unavailable) for failure in failures)
        if silence == "of new ones, too":
            assert len(failures) == len(results)
            await wire.cut()
            wire.release()
        assert (await store.for_user(1).list()).items == ()
        # A close that waits for the server's last message gives up within a second.
        await asyncio.sleep(1.5)
        assert len(asyncio.all_tasks()) - before <= 10


async def test_readiness_comes_back_with_the_database(wire: Wire) -> None:
    settings = Settings(operation_timeout=1)
    async with (
        TaskStore(wire.url, settings=settings) as store,
        client_of(create_app(store=store)) as client,
    ):
        await wire.stop()
        statuses = [
            (await client.get(path)).status_code
            for path in ("/users/1/tasks", "/health/ready", "/health/live")
        ]
        wire.start()
        statuses.append((await client.get("/health/ready")).status_code)

    assert statuses == [503, 503, 200, 200]
