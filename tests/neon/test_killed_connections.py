"""Exactly once under fire: writes go on while connections are killed by the hundred."""

import asyncio
import os

import asyncpg
import pytest

from taskcore import TaskStore
from taskcore.database.url import connect_arguments
from tests.clusters import Cluster
from tests.neon.pgbouncer import PgBouncer
from tests.wire import Wire
from tests.writers import Writer

# In CI 10,000 writes and 1,000 killed connections.
WRITES = int(os.environ.get("TESTS_WRITES", "10000"))
KILLED = WRITES // 10
WRITERS = 16


class Killer:
    """Ends connections in every way there is, one for ten writes."""

    def __init__(self, cluster: Cluster, wire: Wire, pgbouncer: PgBouncer | None) -> None:
        self._cluster = cluster
        self._wire = wire
        self._pgbouncer = pgbouncer
        self.killed = 0
        self.restarts = 0

    async def kill(self, turn: int) -> None:
        if turn % 40 == 39:
            await self._restart()
        elif turn % 5 == 4:
            self.killed += len(self._wire.clients)
            await self._wire.cut()
        else:
            await self._terminate()

    async def _terminate(self) -> None:
        owner = await asyncpg.connect(**connect_arguments(self._cluster.url("taskcore")))
        self.killed += await owner.fetchval(
            "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM ("
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
            "AND usename = 'taskcore_app' ORDER BY random() LIMIT 2) AS s"
        )
        await owner.close()

    async def _restart(self) -> None:
        """Crash the server, or the pooler if there is one: by turns."""
        self.restarts += 1
        self.killed += len(self._wire.clients)
        if self._pgbouncer is not None and self.restarts % 2:
            await asyncio.to_thread(self._pgbouncer.kill)
            await asyncio.to_thread(self._pgbouncer.start)
        else:
            await asyncio.to_thread(self._cluster.stop, "immediate")
            await asyncio.to_thread(self._cluster.start)


@pytest.fixture(params=["direct", "pooled"])
def pooler(request: pytest.FixtureRequest) -> PgBouncer | None:
    """With PgBouncer between the store and the server, and without."""
    return request.getfixturevalue("pgbouncer") if request.param == "pooled" else None


@pytest.mark.thorough
async def test_every_acknowledged_write_is_there_once(
    cluster: Cluster, pooler: PgBouncer | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Terminated, cut, crashed: the server, the network, the pooler."""
    url = cluster.server.application_url
    through = pooler.through(url) if pooler is not None else url
    async with Wire(through) as wire, TaskStore(wire.url) as store:
        writers = [Writer(store.for_user(user), user) for user in range(1, WRITERS + 1)]
        killer = Killer(cluster, wire, pooler)
        writing = asyncio.gather(
            *(w.run(WRITES // WRITERS + 1, lambda: killer.killed >= KILLED) for w in writers)
        )
        turn = 0
        while not writing.done():
            # One connection for ten writes: faster, and nobody would ever come to write.
            if killer.killed * 10 > sum(writer.acknowledged for writer in writers):
                await asyncio.sleep(0.001)
            else:
                await killer.kill(turn)
                turn += 1
        await writing

    async with TaskStore(url) as store:
        for writer in writers:
            await writer.check(store)
    acknowledged = sum(writer.acknowledged for writer in writers)
    unknown = sum(writer.unknown for writer in writers)
    with capsys.disabled():
        print(  # noqa: T201
            f"\n{acknowledged} writes, {killer.killed} connections killed, "
            f"{killer.restarts} restarts, {unknown} unknown outcomes"
        )
    assert acknowledged >= WRITES
    assert killer.killed >= KILLED
    assert killer.restarts > 1
    # Rare: an error reaches a caller once in a thousand writes at most.
    assert unknown * 1000 <= acknowledged
