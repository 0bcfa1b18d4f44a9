"""Through PgBouncer in transaction mode: every call meets whichever server connection is free."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from taskcore import ConfigurationError, Settings, TaskNotFound, TaskStore
from taskcore.database.url import connect_arguments
from tests.clusters import Cluster
from tests.neon.pgbouncer import PgBouncer, running_pgbouncer
from tests.sessions import until_blocked
from tests.taskcore.tasks.test_round_trips import OPERATIONS, one_round_trip
from tests.wire import Wire


@pytest.fixture
def url(pgbouncer: PgBouncer, cluster: Cluster) -> str:
    return pgbouncer.through(cluster.server.application_url)


@pytest.fixture
async def store(url: str) -> AsyncIterator[TaskStore]:
    async with TaskStore(url) as store:
        yield store


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_an_operation_through_the_pooler_is_one_round_trip(url: str, operation: str) -> None:
    """SC-001: statements stay prepared, at the pooler and behind it."""
    async with Wire(url) as wire, TaskStore(wire.url, settings=Settings(pool_max_size=1)) as store:
        await one_round_trip(wire, store.for_user(1), operation)


async def test_users_who_share_server_connections_stay_apart(store: TaskStore) -> None:
    """FR-018: 40 users at once, on 10 connections to the pooler and 4 to the server."""

    async def live(user: int) -> None:
        tasks = store.for_user(user)
        mine = [await tasks.create(f"task {n} of {user}") for n in range(10)]
        for task in mine:
            assert await tasks.get(task.id) == task
            with pytest.raises(TaskNotFound):
                await store.for_user(user + 1000).get(task.id)
        assert (await tasks.list()).items == tuple(reversed(mine))

    await asyncio.gather(*(live(user) for user in range(1, 41)))


async def test_nothing_is_left_on_a_server_connection(store: TaskStore, url: str) -> None:
    """Neither the user's binding nor a setting: the next client may be anybody."""
    await asyncio.gather(*(store.for_user(user).create("Buy groceries") for user in range(1, 41)))
    clients = [await asyncpg.connect(**connect_arguments(url)) for _ in range(4)]
    try:
        for client in clients:
            # In a transaction each keeps the server connection that it was given.
            await client.execute("BEGIN")
        left = [
            await client.fetchrow(
                "SELECT pg_backend_pid(), current_setting('taskcore.user_id', true), "
                "current_setting('jit'), current_setting('statement_timeout')"
            )
            for client in clients
        ]
    finally:
        for client in clients:
            await client.close()

    assert len({pid for pid, *_ in left}) == 4
    assert all(bound in (None, "") for _, bound, *_ in left)
    assert {tuple(settings) for _, _, *settings in left} == {("on", "30s")}


async def test_a_pooler_that_restarts_costs_no_call(store: TaskStore, pgbouncer: PgBouncer) -> None:
    tasks = store.for_user(1)
    await tasks.create("before")
    pgbouncer.kill()
    calls = [asyncio.ensure_future(tasks.create(f"task {n}")) for n in range(30)]
    await asyncio.sleep(0.1)
    assert not any(call.done() for call in calls)
    await asyncio.to_thread(pgbouncer.start)

    assert len(set(await asyncio.gather(*calls))) == 30
    assert len((await tasks.list()).items) == 31


async def test_a_server_that_crashes_behind_the_pooler_costs_no_call(
    store: TaskStore, cluster: Cluster
) -> None:
    tasks = store.for_user(1)
    await tasks.create("before")
    calls = [asyncio.ensure_future(tasks.create(f"task {n}")) for n in range(30)]
    await asyncio.sleep(0)
    await asyncio.to_thread(cluster.stop, "immediate")
    await asyncio.to_thread(cluster.start)

    assert len(set(await asyncio.gather(*calls))) == 30
    assert len((await tasks.list()).items) == 31


async def test_who_the_pooler_does_not_know_is_refused_at_once(url: str) -> None:
    with pytest.raises(ConfigurationError, match="refused the login"):
        await TaskStore(url.replace("taskcore_app", "nobody")).open()


async def test_a_call_cancelled_behind_a_busy_pooler_costs_its_own_connection_at_most(
    cluster: Cluster,
) -> None:
    """The pooler has taken note of the cancelling; what then waits for its turn is no silence."""
    with running_pgbouncer(cluster.server.owner_url, pool_size=1) as pgbouncer:
        url = pgbouncer.through(cluster.server.application_url)
        async with Wire(url) as wire, TaskStore(wire.url) as store:
            tasks = store.for_user(1)
            await asyncio.gather(*(tasks.list() for _ in range(6)))
            before = list(wire.clients)
            assert len(before) > 2
            owner = await asyncpg.connect(**connect_arguments(cluster.url("taskcore")))
            async with owner.transaction():
                await owner.execute("LOCK TABLE taskcore.tasks IN ACCESS EXCLUSIVE MODE")
                call = asyncio.ensure_future(tasks.list())
                await until_blocked(owner)
                # It is the next on the one server connection, and stays there.
                queued = asyncio.ensure_future(tasks.list())
                await asyncio.sleep(0.1)
                call.cancel()
                await asyncio.gather(call, return_exceptions=True)
            await owner.close()
            await queued

            kept = [client for client in before if client in wire.clients]
            assert len(kept) >= len(before) - 1
