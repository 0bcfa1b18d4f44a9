"""Shards whose owner has the rights of Neon's console: no superuser, but BYPASSRLS."""

import asyncio
from collections.abc import Iterator

import pytest

from taskcore import TaskStore
from taskcore.router.migrate import migrate_router, read_router_status
from taskcore.router.move import move_shard
from taskcore.router.shards import Shard
from tests.clusters import NEON, Cluster, running_cluster
from tests.databases import numbers
from tests.folders import server_folder
from tests.router.plproxy import RouterServer

# Each makes routers or servers of its own, which takes a second.
pytestmark = pytest.mark.thorough


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with server_folder() as folder, running_cluster(folder, 18) as cluster:
        asyncio.run(cluster.empty())
        for name in ("a", "b", "c"):
            asyncio.run(cluster.create_database(name, NEON))
        yield cluster


async def test_shards_are_made_and_moved_with_the_rights_of_neon(
    cluster: Cluster, plproxy: RouterServer
) -> None:
    """SO-201, SO-501, SO-502."""
    name = f"router_{next(numbers)}"
    await plproxy.create_database(name)
    url = plproxy.url(name)
    shards = [Shard(cluster.url(database, NEON)) for database in ("a", "b", "c")]
    await migrate_router(url, shards[:2])
    assert not (await migrate_router(url, shards[:2])).changed
    async with TaskStore(plproxy.url(name, "taskcore_app")) as store:
        users = {user: await store.for_user(user).create("x") for user in range(1, 41)}
        await store.for_identity("https://issuer.example", "ann").create("x")
        await migrate_router(url, shards)
        for places in (100, None):
            source, target = (shards[1], shards[2]) if places else (shards[0], shards[3])
            moved = await move_shard(
                url, shards, source=source.name, target=target.name, places=places
            )
            assert moved.rows > 0
            for user, task in users.items():
                assert (await store.for_user(user).list()).items == (task,)
            if places:
                await cluster.create_database("d", NEON)
                shards.append(Shard(cluster.url("d", NEON)))
                await migrate_router(url, shards)
    assert (await read_router_status(url, shards)).current
