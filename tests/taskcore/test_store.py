"""Opening and closing a store, and what importing the library costs."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from taskcore import (
    ConfigurationError,
    Settings,
    StoreNotOpen,
    TaskStore,
    Unavailable,
    ValidationError,
)
from taskcore.database.url import connect_arguments
from tests.databases import Database
from tests.sessions import until_disconnected
from tests.wire import Wire

REPOSITORY = Path(__file__).parents[2]


async def test_a_store_that_is_not_open_says_so(database: Database) -> None:
    store = TaskStore(database.url)
    for call in (store.for_user(1).create("t"), store.for_user(1).list(), store.ready()):
        with pytest.raises(StoreNotOpen, match="async with TaskStore"):
            await call


async def test_a_closed_store_says_so(database: Database) -> None:
    async with TaskStore(database.url) as store:
        tasks = store.for_user(1)
        await tasks.create("t")
    for call in (tasks.list(), tasks.create("t"), store.users.list()):
        with pytest.raises(StoreNotOpen):
            await call


async def test_opening_twice_is_refused_and_harms_nothing(store: TaskStore) -> None:
    task = await store.for_user(1).create("t")

    with pytest.raises(ConfigurationError, match="open already"):
        await store.open()

    assert await store.for_user(1).get(task.id) == task


async def test_closing_twice_is_harmless(database: Database) -> None:
    store = await TaskStore(database.url).open()
    await store.close()
    await store.close()


async def test_closing_a_store_that_was_never_opened_is_harmless(database: Database) -> None:
    await TaskStore(database.url).close()


async def test_a_closed_store_can_be_opened_again(database: Database) -> None:
    store = TaskStore(database.url)
    async with store:
        task = await store.for_user(1).create("t")
    async with store:
        assert await store.for_user(1).get(task.id) == task


def test_a_store_can_be_used_on_one_event_loop_after_the_other(database: Database) -> None:
    """Also when closing has to wait for calls, each time."""
    store = TaskStore(database.url)

    async def use() -> int:
        await store.open()
        call = asyncio.ensure_future(store.for_user(1).create("t"))
        await asyncio.sleep(0)
        await store.close()
        return (await call).version

    assert [asyncio.run(use()) for _ in range(2)] == [1, 1]


async def test_a_store_is_not_opened_while_somebody_closes_it(database: Database) -> None:
    """Otherwise the late call would close the store that was opened since."""
    async with Wire(database.url) as wire:
        store = await TaskStore(wire.url).open()
        wire.swallow()
        first = asyncio.ensure_future(store.close())
        await asyncio.sleep(0)
        await store.close()
        with pytest.raises(ConfigurationError, match="still being closed"):
            await store.open()
        await first

        async with store:
            await store.for_user(1).create("t")


async def test_a_store_that_could_not_open_can_be_opened_later(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = TaskStore("postgresql://taskcore_app@/taskcore?host=%2Fnowhere")
    with pytest.raises(Unavailable):
        await store.open()
    monkeypatch.setattr(store, "_url", database.url)

    async with store:
        await store.for_user(1).create("t")


async def test_a_store_opens_while_the_database_is_away() -> None:
    """A service may start first."""
    settings = Settings(operation_timeout=0.2)
    store = TaskStore("postgresql://app@127.0.0.1:1/taskcore", settings=settings)
    await store.open(connect=False)
    with pytest.raises(Unavailable):
        await store.for_user(1).list()
    with pytest.raises(Unavailable):
        await store.ready()
    await store.close()


async def test_the_first_operation_checks_what_opening_did_not(database: Database) -> None:
    store = await TaskStore(database.url).open(connect=False)
    assert (await store.for_user(1).list()).items == ()
    await store.ready()
    await store.close()


@pytest.mark.one_server
async def test_no_connection_outlives_the_store(database: Database) -> None:
    owner = await asyncpg.connect(**connect_arguments(database.owner_url))
    async with TaskStore(database.url) as store:
        await asyncio.gather(*(store.for_user(1).create("t") for _ in range(30)))
    await until_disconnected(owner)
    await owner.close()


@pytest.mark.parametrize("name", ["TASKCORE_DATABASE_URL", "DATABASE_URL"])
async def test_the_url_may_come_from_the_environment(
    database: Database, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, database.url)
    async with TaskStore() as store:
        await store.for_user(1).create("t")


async def test_taskcores_own_variable_wins(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://app@127.0.0.1:1/other")
    monkeypatch.setenv("TASKCORE_DATABASE_URL", database.url)
    async with TaskStore() as store:
        await store.ready()


async def test_the_given_url_wins_over_the_environment(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TASKCORE_DATABASE_URL", "postgresql://app@127.0.0.1:1/other")
    async with TaskStore(database.url) as store:
        await store.ready()


async def test_errors_of_the_caller_pass_through_the_store(database: Database) -> None:
    with pytest.raises(KeyError):
        async with TaskStore(database.url):
            raise KeyError
    with pytest.raises(ValidationError):
        async with TaskStore(database.url) as store:
            store.for_user(0)


def test_importing_the_library_loads_no_orm_web_or_terminal_package() -> None:
    """Nothing happens at import, and what a caller does not use is not loaded."""
    unwanted = ("sqlalchemy", "sqlmodel", "alembic", "fastapi", "starlette", "typer", "rich")
    program = f"import sys, taskcore; print(sorted(set({unwanted!r}) & set(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=REPOSITORY,
    )
    assert result.stdout == "[]\n"


async def test_a_store_is_opened_once_however_many_try(database: Database) -> None:
    store = TaskStore(database.url)
    results = await asyncio.gather(store.open(), store.open(), return_exceptions=True)

    assert sorted(type(result).__name__ for result in results) == [
        "ConfigurationError",
        "TaskStore",
    ]
    await store.close()


def test_a_store_belongs_to_one_event_loop(database: Database) -> None:
    store = TaskStore(database.url)

    async def use_and_close() -> None:
        await store.open()
        await store.for_user(1).list()
        await asyncio.to_thread(asyncio.run, elsewhere())
        await store.close()

    async def elsewhere() -> None:
        with pytest.raises(StoreNotOpen, match="event loop"):
            await store.for_user(1).list()

    asyncio.run(use_and_close())


@pytest.mark.parametrize("settings", [{}, {"pool_max_size": 5}, "postgresql://localhost"])
def test_what_is_not_settings_is_refused(settings: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"such as Settings\(pool_max_size=5\)"):
        TaskStore("postgresql://localhost/x", settings=settings)


def test_a_user_id_as_text_is_told_what_to_do() -> None:
    with pytest.raises(ValidationError, match=r"not a string: convert it with int\(\)"):
        TaskStore("postgresql://localhost/x").for_user("42")  # type: ignore[arg-type]
