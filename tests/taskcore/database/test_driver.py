"""A statement on a connection: what becomes of the connection when it goes wrong."""

import asyncio

import asyncpg
import pytest

from taskcore import (
    OutcomeUnknown,
    PoolExhausted,
    Settings,
    StoreNotOpen,
    Task,
    TaskStore,
    Unavailable,
)
from taskcore.database.pool import Connection
from tests.databases import Database
from tests.sessions import until_blocked
from tests.wire import Wire


async def test_a_call_that_fails_unforeseen_keeps_no_connection(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that nobody has thought of takes its connection with it, and not its place."""

    async def fetch(*_args: object, **_options: object) -> list[asyncpg.Record]:
        raise LookupError

    settings = Settings(pool_max_size=1, operation_timeout=2)
    async with TaskStore(database.url, settings=settings) as store:
        await store.for_user(1).list()
        with monkeypatch.context() as patch:
            patch.setattr(Connection, "fetch", fetch)
            with pytest.raises(LookupError):
                await store.for_user(1).list()

        assert (await store.for_user(1).list()).items == ()


@pytest.mark.parametrize("steps", range(4))
async def test_a_cancelled_calls_place_is_free_again_whoever_cancels_what_is_left_of_it(
    database: Database, owner: asyncpg.Connection, steps: int
) -> None:
    """As a test's or a server's clean-up does, before it is settled or while it is."""
    others = asyncio.all_tasks()
    async with TaskStore(database.url, settings=Settings(pool_max_size=1)) as store:
        await store.for_user(1).list()
        async with owner.transaction():
            await owner.execute("LOCK TABLE taskcore.tasks IN ACCESS EXCLUSIVE MODE")
            call = asyncio.ensure_future(store.for_user(1).list())
            await until_blocked(owner)
            call.cancel()
            for _ in range(steps):
                await asyncio.sleep(0)
            for task in asyncio.all_tasks() - others:
                task.cancel()
            await asyncio.gather(call, return_exceptions=True)

        assert (await store.for_user(1).list()).items == ()


async def test_closing_lets_a_statement_under_way_come_to_its_end(
    database: Database, owner: asyncpg.Connection
) -> None:
    """Also when closing itself is cut short: what is done within a second is told."""
    store = await TaskStore(database.url).open()
    await store.for_user(1).create("before")
    async with owner.transaction():
        await owner.execute("LOCK TABLE taskcore.tasks IN ACCESS EXCLUSIVE MODE")
        call = asyncio.ensure_future(store.for_user(1).create("under way"))
        await until_blocked(owner)
        closing = asyncio.ensure_future(store.close())
        await asyncio.sleep(0.01)
        closing.cancel()
        await asyncio.sleep(0.01)

    assert (await call).title == "under way"
    await asyncio.gather(closing, return_exceptions=True)


async def test_a_store_that_is_closed_by_force_tells_every_call_in_its_own_errors(
    database: Database,
) -> None:
    """At whatever moment: nothing of the driver's comes through."""
    for turns in range(0, 60, 2):
        store = await TaskStore(database.url).open(connect=False)
        calls = [asyncio.ensure_future(store.for_user(user).create("x")) for user in range(1, 9)]
        for _ in range(turns):
            await asyncio.sleep(0.0002)
        closing = asyncio.ensure_future(store.close())
        await asyncio.sleep(0)
        closing.cancel()
        results = await asyncio.gather(*calls, return_exceptions=True)
        await asyncio.gather(closing, return_exceptions=True)

        assert {type(result) for result in results} <= {
            *(Task, OutcomeUnknown, StoreNotOpen, Unavailable)
        }


async def test_a_server_that_is_silent_from_the_start_is_not_a_pool_that_is_too_small(
    database: Database,
) -> None:
    settings = Settings(pool_max_size=2, operation_timeout=0.3)
    async with Wire(database.url) as wire:
        wire.hold()
        store = await TaskStore(wire.url, settings=settings).open(connect=False)
        calls = (store.for_user(1).list() for _ in range(5))
        errors = await asyncio.gather(*calls, return_exceptions=True)
        await store.close()

    assert {type(error) for error in errors} == {Unavailable}


async def test_a_pool_in_use_is_no_error_of_another_kind(
    database: Database, owner: asyncpg.Connection
) -> None:
    """Its error has no cause beside itself."""
    settings = Settings(pool_max_size=1)
    async with TaskStore(database.url, settings=settings) as store:
        async with owner.transaction():
            await owner.execute("LOCK TABLE taskcore.tasks IN ACCESS EXCLUSIVE MODE")
            call = asyncio.ensure_future(store.for_user(1).list())
            await until_blocked(owner)
            # Not before: connecting takes as long as the machine makes it.
            settings.pool_timeout = 0.05
            with pytest.raises(PoolExhausted) as raised:
                await store.for_user(1).list()
        await call

    assert raised.value.__cause__ is None
