"""What networks do: swallow, cut in the middle of a message, refuse, come back."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from taskcore import Settings, TaskStore
from taskcore_http import create_app
from tests.databases import Database
from tests.taskcore.test_round_trips import OPERATIONS
from tests.taskcore_http.client import client_of
from tests.wire import Wire


@pytest.fixture
async def wire(database: Database) -> AsyncIterator[Wire]:
    async with Wire(database.url) as wire:
        yield wire


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


async def test_a_connection_that_answers_nothing_more_is_given_up(wire: Wire) -> None:
    """As after a sleep, or when a router has forgotten it; a new one does the work.

    The driver wants as long again to cancel the statement: nobody waits for that.
    """
    settings = Settings(command_timeout=1, operation_timeout=1.9)
    async with TaskStore(wire.url, settings=settings) as store:
        tasks = store.for_user(1)
        await tasks.create("before")
        wire.swallow()

        task = await tasks.create("Buy groceries")

        assert task.version == 1
        assert len((await tasks.list()).items) == 2


async def test_the_connections_beside_a_silent_one_are_not_trusted(wire: Wire) -> None:
    """What has swallowed one has swallowed all: the second attempt takes a new one."""
    settings = Settings(pool_max_size=3, command_timeout=1, operation_timeout=1.9)
    async with TaskStore(wire.url, settings=settings) as store:
        tasks = store.for_user(1)
        await asyncio.gather(*(tasks.create(f"task {n}") for n in range(10)))
        assert len(wire.clients) == 3
        wire.swallow()

        await tasks.create("after")

        assert len((await tasks.list()).items) == 11


async def test_a_cancelled_call_does_not_wait_for_a_silent_server(wire: Wire) -> None:
    """The driver would, as long as for a statement."""
    async with TaskStore(wire.url) as store:
        await store.for_user(1).create("before")
        wire.swallow()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await store.for_user(1).list()

        # On another connection: the first is still being given up.
        async with asyncio.timeout(5):
            assert len((await store.for_user(1).list()).items) == 1
        await wire.cut()


async def test_readiness_comes_back_with_the_database(wire: Wire) -> None:
    settings = Settings(operation_timeout=0.3)
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
