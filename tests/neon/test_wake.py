"""Compute that sleeps: the first request wakes it, and nobody else does."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import httpx2
import pytest
import trustme

from taskcore import Settings, Task, TaskStore, Unavailable
from taskcore.database.url import connect_arguments
from taskcore_http import create_app
from tests.clusters import Cluster
from tests.neon.proxy import COULD_NOT_CONNECT, Neon
from tests.sessions import until_blocked
from tests.taskcore_http.client import client_of


@pytest.fixture
async def store(neon: Neon) -> AsyncIterator[TaskStore]:
    async with TaskStore(neon.url("taskcore_app", "taskcore")) as store:
        yield store


async def woken_by(neon: Neon, call: Callable[[], Awaitable[object]]) -> None:
    """Suspend the compute, and demand that a call wakes it once and succeeds.

    It may take a second more than waking up: once in three times, as a busy machine is
    no fault of the library's, which would show each time.
    """
    for _ in range(3):
        await neon.suspend()
        before, began = len(neon.wakes), time.monotonic()
        await call()
        took = time.monotonic() - began
        assert len(neon.wakes) == before + 1
        if took <= neon.wakes[-1] + 1:
            return
    raise AssertionError(f"it took {took:.1f} s, where the compute takes {neon.wakes[-1]:.1f}")


@pytest.mark.usefixtures("trusted")
async def test_the_first_call_after_a_suspend_succeeds(
    each_cluster: Cluster, authority: trustme.CA
) -> None:
    async with (
        Neon(each_cluster, authority) as neon,
        TaskStore(neon.url("taskcore_app", "taskcore")) as store,
    ):
        tasks = store.for_user(1)
        task = await tasks.create("before")

        async def get() -> None:
            assert await tasks.get(task.id) == task

        async def update() -> None:
            changed = await tasks.update(task.id, title=f"title {len(versions)}")
            versions.append(changed.version)

        async def create_30() -> None:
            created.update(await asyncio.gather(*(tasks.create(f"task {n}") for n in range(30))))

        versions, created = list[int](), set[Task]()
        await woken_by(neon, get)
        await woken_by(neon, update)
        assert versions == list(range(2, 2 + len(versions)))
        await woken_by(neon, create_30)
        assert created <= {task async for task in tasks.iterate()}


async def test_a_cancelling_that_comes_late_meets_nobody(neon: Neon, cluster: Cluster) -> None:
    """The proxy hangs up first and cancels then: by that time the next one may be served."""
    url = neon.url("taskcore_app", "taskcore")
    owner = await asyncpg.connect(**connect_arguments(cluster.url("taskcore")))
    async with TaskStore(url, settings=Settings(pool_max_size=1)) as store:
        await store.for_user(1).list()
        neon.cancels.clear()
        async with owner.transaction():
            await owner.execute("LOCK TABLE taskcore.tasks IN ACCESS EXCLUSIVE MODE")
            cancelled = asyncio.ensure_future(store.for_user(1).list())
            await until_blocked(owner)
            cancelled.cancel()
            await asyncio.sleep(0.2)
        await asyncio.gather(cancelled, return_exceptions=True)
        async with owner.transaction():
            await owner.execute("LOCK TABLE taskcore.tasks IN ACCESS EXCLUSIVE MODE")
            anothers = asyncio.ensure_future(store.for_user(2).list())
            await until_blocked(owner)
            neon.cancels.set()
            await asyncio.sleep(0.2)

        assert (await anothers).items == ()
    await owner.close()


async def test_the_first_request_after_a_suspend_succeeds(neon: Neon, store: TaskStore) -> None:
    async with client_of(create_app(store=store)) as client:
        await client.post("/users/1/tasks", json={"title": "before"})

        async def ask() -> None:
            answer = await client.get("/users/1/tasks")
            assert [task["title"] for task in answer.json()] == ["before"]

        await woken_by(neon, ask)


async def test_a_store_opens_on_a_suspended_compute(neon: Neon) -> None:
    async def open_and_list() -> None:
        async with TaskStore(neon.url("taskcore_app", "taskcore")) as store:
            assert (await store.for_user(1).list()).items == ()

    await woken_by(neon, open_and_list)


@pytest.mark.parametrize(
    "text",
    [
        f"{COULD_NOT_CONNECT}: timed out",
        "Control plane request failed, please try again",
        "Failed to acquire permit to connect to the database",
    ],
)
async def test_what_the_proxy_cannot_do_yet_is_tried_again(neon: Neon, text: str) -> None:
    """Even by opening: a server answers, and only has to be waited for."""
    neon.refusals = [text] * 3
    async with TaskStore(neon.url("taskcore_app", "taskcore")) as store:
        assert not neon.refusals
        neon.refusals = [text] * 3
        await neon.suspend()

        await store.for_user(1).create("Buy groceries")

        assert not neon.refusals


async def ready(client: httpx2.AsyncClient) -> int:
    return (await client.get("/health/ready")).status_code


async def test_a_suspended_compute_stays_suspended_while_readiness_is_probed(
    neon: Neon, store: TaskStore
) -> None:
    """An idle application, too: it holds connections, and says nothing on them."""
    async with client_of(create_app(store=store)) as client:
        await client.post("/users/1/tasks", json={"title": "before"})
        sleeping = asyncio.ensure_future(neon.suspend_when_idle(1))
        logins = len(neon.logins)

        probes = []
        async with asyncio.timeout(30):
            while not neon.asleep:
                probes.append(await ready(client))
                await asyncio.sleep(0.1)
        for _ in range(20):
            probes.append(await ready(client))
            await asyncio.sleep(0.1)

        assert neon.asleep
        assert set(probes) == {200}
        assert (neon.wakes, len(neon.logins)) == ([], logins)
        sleeping.cancel()
        await asyncio.gather(sleeping, return_exceptions=True)
        assert (await client.get("/users/1/tasks")).status_code == 200


async def test_what_the_proxy_drops_is_not_needed(neon: Neon, cluster: Cluster) -> None:
    """Timeouts are the role's, whatever becomes of start-up parameters."""
    url = neon.url(
        "taskcore_app",
        "taskcore",
        parameters="&application_name=shop&connect_timeout=20&options=-c%20statement_timeout%3D1",
    )
    async with TaskStore(url, settings=Settings(pool_max_size=1)) as store:
        await store.for_user(1).create("Buy groceries")
        owner = await asyncpg.connect(**connect_arguments(cluster.url("taskcore")))
        row = await owner.fetchrow(
            "SELECT application_name FROM pg_stat_activity WHERE usename = 'taskcore_app'"
        )
        await owner.close()
    connection = await asyncpg.connect(**connect_arguments(url))
    timeout = await connection.fetchval("SHOW statement_timeout")
    await connection.close()

    assert row is not None
    assert row["application_name"] == "shop"
    assert timeout == "30s"


async def test_a_client_without_tls_is_told_so(cluster: Cluster, authority: trustme.CA) -> None:
    async with Neon(cluster, authority) as neon:
        url = neon.url("taskcore_app", "taskcore").replace("require", "disable", 1)
        with pytest.raises(Unavailable, match="connection is insecure"):
            await TaskStore(url).open()
