"""A router and its shards, each a server that can be killed."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from taskcore.router.migrate import migrate_router
from taskcore.router.shards import Shard
from tests.clusters import Cluster, running_cluster
from tests.databases import execute, fetch
from tests.folders import server_folder
from tests.router.plproxy import RouterServer, running_router


@dataclass(frozen=True)
class Fleet:
    """A router in front of two servers.

    Attributes:
        router: The router's server.
        shards: The servers with the tasks.
    """

    router: RouterServer
    shards: tuple[Cluster, ...]

    @property
    def url(self) -> str:
        """The application's URL."""
        return self.router.url("router", "taskcore_app")

    async def empty(self) -> None:
        """Erase every user."""
        for shard in self.shards:
            await execute(shard.url("taskcore"), "TRUNCATE taskcore.users CASCADE")

    async def user_of(self, number: int) -> int:
        """Return a user of the shard with this number."""
        for user in range(1, 100):
            place = int(
                await fetch(self.router.url("router"), f"SELECT taskcore.user_place({user})")
            )
            if place * len(self.shards) // 1024 == number:
                return user
        raise AssertionError("no user is there")


@contextmanager
def running_fleet(*versions: int) -> Iterator[Fleet]:
    with ExitStack() as stack:
        shards = tuple(
            stack.enter_context(running_cluster(stack.enter_context(server_folder()), version))
            for version in versions
        )
        router = stack.enter_context(running_router())
        asyncio.run(router.create_database("router"))
        named = [Shard(shard.url("taskcore")) for shard in shards]
        asyncio.run(migrate_router(router.url("router"), named))
        yield Fleet(router, shards)
