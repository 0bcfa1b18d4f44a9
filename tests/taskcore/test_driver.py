"""A statement on a connection: what becomes of the connection when it goes wrong."""

import asyncio

import asyncpg
import pytest

from taskcore import PoolExhausted, Settings, TaskStore, Unavailable
from taskcore.pool import Connection
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


@pytest.mark.parametrize("error", [asyncio.CancelledError, LookupError, asyncpg.InterfaceError])
async def test_a_connection_whose_cancelling_fails_is_given_up(
    database: Database,
    owner: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    error: type[BaseException],
) -> None:
    """As when the event loop ends, and cancels what is left."""

    async def execute(*_args: object, **_options: object) -> str:
        raise error

    async with TaskStore(database.url, settings=Settings(pool_max_size=1)) as store:
        await store.for_user(1).list()
        async with owner.transaction():
            await owner.execute("LOCK TABLE taskcore.tasks IN ACCESS EXCLUSIVE MODE")
            call = asyncio.ensure_future(store.for_user(1).list())
            await until_blocked(owner)
            with monkeypatch.context() as patch:
                patch.setattr(Connection, "execute", execute)
                call.cancel()
                await asyncio.gather(call, return_exceptions=True)
            assert store._database._driver._pool is not None
            assert store._database._driver._pool.size == 0

        assert (await store.for_user(1).list()).items == ()


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
    settings = Settings(pool_max_size=1, pool_timeout=0.05)
    async with TaskStore(database.url, settings=settings) as store:
        async with owner.transaction():
            await owner.execute("LOCK TABLE taskcore.tasks IN ACCESS EXCLUSIVE MODE")
            call = asyncio.ensure_future(store.for_user(1).list())
            await until_blocked(owner)
            with pytest.raises(PoolExhausted) as raised:
                await store.for_user(1).list()
        await call

    assert raised.value.__cause__ is None
