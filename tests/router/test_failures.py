"""A shard or the router is gone: who notices, and what they are told."""

import asyncio
from collections.abc import Iterator

import pytest

from taskcore import Settings, TaskStore, Unavailable
from taskcore.doctor import diagnose
from taskcore_http import create_app
from tests.databases import execute, fetch
from tests.router.fleet import Fleet, running_fleet
from tests.taskcore_http.client import client_of
from tests.wire import Wire

# Each makes routers or servers of its own, which takes a second.
pytestmark = pytest.mark.thorough

QUICK = Settings(operation_timeout=1.0)


@pytest.fixture(scope="module")
def running() -> Iterator[Fleet]:
    with running_fleet(18, 18) as fleet:
        yield fleet


@pytest.fixture
def fleet(running: Fleet) -> Fleet:
    asyncio.run(running.empty())
    return running


async def test_a_shard_that_is_down_costs_nobody_else_anything(fleet: Fleet) -> None:
    """SO-401."""
    here, there = await fleet.user_of(0), await fleet.user_of(1)
    async with Wire(fleet.url) as wire, TaskStore(wire.url, settings=QUICK) as store:
        ours = await store.for_user(here).create("x")
        theirs = await store.for_user(there).create("x")
        ours = await store.for_user(here).update(ours.id, title="y")
        assert await store.for_user(here).get(ours.id) == ours
        await asyncio.to_thread(fleet.shards[1].stop)
        try:
            with pytest.raises(Unavailable, match="a shard of the database cannot be reached"):
                await store.for_user(there).get(theirs.id)
            with pytest.raises(Unavailable):
                await store.for_user(there).create("y")
            before = wire.round_trips
            assert await store.for_user(here).get(ours.id) == ours
            assert (await store.for_user(here).update(ours.id, title="z")).version == 3
            assert wire.round_trips == before + 2
            await store.ready()
        finally:
            await asyncio.to_thread(fleet.shards[1].start)
        assert await store.for_user(there).get(theirs.id) == theirs


async def test_an_operation_waits_for_a_shard_that_comes_back(fleet: Fleet) -> None:
    """SO-401, SO-402."""
    user = await fleet.user_of(1)
    async with TaskStore(fleet.url) as store:
        await store.for_user(user).create("x")
        await asyncio.to_thread(fleet.shards[1].stop, "immediate")
        creating = asyncio.ensure_future(store.for_user(user).create("y"))
        await asyncio.sleep(0.3)
        await asyncio.to_thread(fleet.shards[1].start)
        await creating
        assert [task.title for task in await store.for_user(user).list()] == ["y", "x"]


async def test_rest_answers_503_for_the_users_of_a_shard_that_is_down(fleet: Fleet) -> None:
    """SO-401."""
    here, there = await fleet.user_of(0), await fleet.user_of(1)
    store = TaskStore(fleet.url, settings=QUICK)
    async with store, client_of(create_app(store=store)) as client:
        await asyncio.to_thread(fleet.shards[1].stop)
        try:
            paths = [f"/users/{user}/tasks" for user in (here, there)]
            answers = [await client.get(path) for path in paths]
            ready = await client.get("/health/ready")
        finally:
            await asyncio.to_thread(fleet.shards[1].start)
    assert [answer.status_code for answer in answers] == [200, 503]
    assert "Retry-After" in answers[1].headers
    assert ready.status_code == 200


async def test_connections_between_router_and_shards_are_made_again(fleet: Fleet) -> None:
    """SO-402: also one that breaks while a write waits for its answer."""
    user = await fleet.user_of(0)
    end = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE usename LIKE 'taskcore_router_%'"
    )
    async with TaskStore(fleet.url) as store:
        tasks = store.for_user(user)
        for number in range(20):
            creating = asyncio.ensure_future(tasks.create(f"{number}"))
            await asyncio.sleep(0.0005 * number)
            await execute(fleet.shards[0].url("taskcore"), end)
            await creating
        assert sorted(int(task.title) for task in await tasks.list()) == list(range(20))


async def test_the_router_comes_back(fleet: Fleet) -> None:
    """SO-402."""
    user = await fleet.user_of(0)
    async with TaskStore(fleet.url) as store:
        await store.for_user(user).create("x")
        await asyncio.to_thread(fleet.router.kill)
        creating = asyncio.ensure_future(store.for_user(user).create("y"))
        await asyncio.to_thread(fleet.router.start)
        await creating
        assert len(await store.for_user(user).list()) == 2


async def test_the_doctor_asks_every_shard_and_leaves_no_trace(fleet: Fleet) -> None:
    """SO-403."""
    checks = {check.name: check for check in await diagnose(fleet.url)}
    assert checks.keys() == {"TLS", "role", "memberships", "shards"}
    assert {check.status for check in checks.values()} == {"ok"}
    assert "2 shards answer" in checks["shards"].finding
    for shard in fleet.shards:
        assert await fetch(shard.url("taskcore"), "SELECT count(*) FROM taskcore.users") == "0"
    await asyncio.to_thread(fleet.shards[1].stop)
    try:
        checks = {check.name: check for check in await diagnose(fleet.url)}
        assert checks["shards"].status == "failure"
    finally:
        await asyncio.to_thread(fleet.shards[1].start)
