"""Connections, databases and servers that take no writes."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from taskcore import Settings, TaskStore, Unavailable
from taskcore.database import driver
from taskcore.doctor import diagnose
from taskcore.schema.migrate import migrate, read_status
from tests.clusters import Standby, running_cluster, running_standby
from tests.databases import Database
from tests.wire import Wire


async def make_read_only(owner: asyncpg.Connection, database: Database) -> None:
    """Set the database's default, which sessions get when they begin."""
    await owner.execute(f"ALTER DATABASE {database.name} SET default_transaction_read_only = on")


async def end_read_only(owner: asyncpg.Connection, database: Database) -> None:
    await owner.execute("SET default_transaction_read_only = off")
    await owner.execute(f"ALTER DATABASE {database.name} RESET default_transaction_read_only")


async def busy_store(store: TaskStore, count: int) -> None:
    """Make the store open more than one connection, by this many calls at once."""
    tasks = store.for_user(1)
    await asyncio.gather(*(tasks.list() for _ in range(count)))
    pool = store._database._driver._pool
    assert pool is not None
    assert pool.size > 1


@pytest.mark.parametrize("name", ["create", "create_many", "update", "delete", "import"])
async def test_a_write_goes_on_where_only_the_old_connections_are_read_only(
    database: Database,
    owner: asyncpg.Connection,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As after a failover: all of them are retired, and one new connection is enough."""
    async with TaskStore(database.url) as store:
        task = await store.for_user(1).create("before")
    await make_read_only(owner, database)
    async with TaskStore(database.url) as store:
        tasks = store.for_user(1)
        await busy_store(store, 5)
        await end_read_only(owner, database)
        monkeypatch.setattr(driver, "_YOUNG", 0.0)
        attempts = []
        fetch = store._database._driver.fetch

        async def counted(*args: object) -> object:
            attempts.append(args)
            return await fetch(*args)  # type: ignore[arg-type]

        monkeypatch.setattr(store._database._driver, "fetch", counted)

        match name:
            case "create":
                await tasks.create("after")
            case "create_many":
                await tasks.create_many([{"title": "after"}])
            case "update":
                await tasks.update(task.id, completed=True)
            case "delete":
                await tasks.delete(task.id)
            case "import":
                await tasks.import_tasks([{"title": "after"}])

        # An import reads the newest id first.
        assert len(attempts) == (3 if name == "import" else 2)
        await store.ready()


async def test_a_database_that_takes_no_writes_is_unavailable_at_once(
    database: Database, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is changed, and reads go on, on the same connection."""
    monkeypatch.setattr(driver, "_YOUNG", 1000.0)
    async with TaskStore(database.url) as store:
        task = await store.for_user(1).create("before")
    await make_read_only(owner, database)
    async with Wire(database.url) as wire, TaskStore(wire.url) as store:
        tasks = store.for_user(1)
        before = wire.connections
        for _ in range(5):
            with pytest.raises(Unavailable, match="takes no writes"):
                await tasks.create("refused")
            assert await tasks.get(task.id) == task
        assert wire.connections == before


async def test_readiness_says_that_a_database_takes_no_writes_and_when_it_does_again(
    database: Database, owner: asyncpg.Connection
) -> None:
    async with TaskStore(database.url) as store:
        await store.ready()
        await make_read_only(owner, database)
        store._database._driver.retire_connections()
        await store.for_user(1).list()
        with pytest.raises(Unavailable, match="takes no writes"):
            await store.for_user(1).create("refused")
        for _ in range(2):
            await store.for_user(1).list()
            with pytest.raises(Unavailable, match="takes no writes"):
                await store.ready()

        await end_read_only(owner, database)

        await store.ready()
        await store.for_user(1).create("taken")


@pytest.mark.parametrize("connect", [True, False])
async def test_a_store_that_was_opened_on_a_read_only_database_serves_reads_and_is_not_ready(
    database: Database,
    owner: asyncpg.Connection,
    connect: bool,  # noqa: FBT001
) -> None:
    await make_read_only(owner, database)
    store = await TaskStore(database.url).open(connect=connect)
    try:
        assert (await store.for_user(1).list()).items == ()
        with pytest.raises(Unavailable, match="takes no writes"):
            await store.ready()
        await end_read_only(owner, database)
        await store.ready()
    finally:
        await store.close()


async def test_readiness_asks_nothing_while_writes_succeed(database: Database) -> None:
    """A sleeping compute stays asleep."""
    async with Wire(database.url) as wire, TaskStore(wire.url) as store:
        await store.for_user(1).create("a")
        before = wire.round_trips
        for _ in range(3):
            await store.ready()
        assert wire.round_trips == before


@pytest.mark.inspects
async def test_a_migration_of_a_read_only_database_says_what_to_change(
    database: Database, owner: asyncpg.Connection
) -> None:
    await make_read_only(owner, database)
    assert not (await migrate(database.owner_url)).changed
    await owner.execute("DROP POLICY tasks_own ON taskcore.tasks")
    with pytest.raises(Unavailable, match="RESET default_transaction_read_only"):
        await migrate(database.owner_url)


@pytest.mark.inspects
def test_a_standby_serves_reads_until_it_is_promoted(home: Path) -> None:
    """SC-003: then the same store, and the same connections, write."""
    with running_cluster(home, 18) as cluster, running_standby(cluster) as standby:
        asyncio.run(_promoted(standby))


async def _promoted(standby: Standby) -> None:
    url = standby.url("taskcore", "taskcore_app")
    async with TaskStore(url, settings=Settings(operation_timeout=5)) as store:
        tasks = store.for_user(1)
        assert (await tasks.list()).items == ()
        with pytest.raises(Unavailable, match="takes no writes"):
            await tasks.create("refused")
        with pytest.raises(Unavailable):
            await store.ready()
        assert (await read_status(standby.url("taskcore"))).current
        assert not (await migrate(standby.url("taskcore"))).changed
        checks = {check.name: check.status for check in await diagnose(url)}
        assert checks["canary"] == "warning"
        assert "failure" not in checks.values()

        await asyncio.to_thread(standby.promote)

        await store.ready()
        task = await tasks.create("taken")
        assert await tasks.get(task.id) == task
