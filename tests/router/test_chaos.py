"""Exactly once through a router, while shards, router, pooler and connections are killed."""

import asyncio
import os

import pytest

from taskcore import TaskStore
from tests.databases import fetch
from tests.neon.pgbouncer import running_pgbouncer
from tests.router.fleet import Fleet, running_fleet
from tests.wire import Wire
from tests.writers import Writer

# In CI 10,000 writes.
WRITES = int(os.environ.get("TESTS_WRITES", "10000"))
KILLED = WRITES // 20
WRITERS = 16

_OF_SHARD = (
    "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM ("
    "SELECT pid FROM pg_stat_activity WHERE usename LIKE 'taskcore_router_%'"
    " ORDER BY random() LIMIT 2) AS s"
)
_OF_ROUTER = (
    "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM ("
    "SELECT pid FROM pg_stat_activity WHERE usename = 'taskcore_app'"
    " ORDER BY random() LIMIT 2) AS s"
)


@pytest.mark.thorough
async def test_every_acknowledged_write_is_there_once(capsys: pytest.CaptureFixture[str]) -> None:
    """SO-402."""
    context = running_fleet(18, 16)
    fleet = await asyncio.to_thread(context.__enter__)
    try:
        killed = await _write_under_fire(fleet)
        with capsys.disabled():
            print(f"\n{killed}")  # noqa: T201
    finally:
        await asyncio.to_thread(context.__exit__, None, None, None)


async def _write_under_fire(fleet: Fleet) -> str:
    killed, restarts = 0, dict.fromkeys(("shard", "router", "pooler"), 0)
    with running_pgbouncer(fleet.url) as pooler:
        async with Wire(pooler.through(fleet.url)) as wire, TaskStore(wire.url) as store:
            writers = [Writer(store.for_user(user), user) for user in range(1, WRITERS + 1)]
            total = WRITES // WRITERS + 1
            writing = asyncio.gather(*(w.run(total, lambda: killed >= KILLED) for w in writers))
            turn = 0
            while not writing.done():
                if killed * 20 > sum(writer.acknowledged for writer in writers):
                    await asyncio.sleep(0.001)
                    continue
                turn += 1
                if turn % 20 == 0:
                    kind = list(restarts)[turn // 20 % 3]
                    restarts[kind] += 1
                    killed += len(wire.clients)
                    if kind == "pooler":
                        await asyncio.to_thread(pooler.kill)
                        await asyncio.to_thread(pooler.start)
                    elif kind == "router":
                        await asyncio.to_thread(fleet.router.kill)
                        await asyncio.to_thread(fleet.router.start)
                    else:
                        shard = fleet.shards[restarts[kind] % 2]
                        await asyncio.to_thread(shard.stop, "immediate")
                        await asyncio.to_thread(shard.start)
                elif turn % 4 == 0:
                    killed += len(wire.clients)
                    await wire.cut()
                elif turn % 4 == 1:
                    killed += int(await fetch(fleet.router.url("router"), _OF_ROUTER))
                else:
                    shard = fleet.shards[turn % 2]
                    killed += int(await fetch(shard.url("taskcore"), _OF_SHARD))
            await writing
    async with TaskStore(fleet.url) as store:
        for writer in writers:
            await writer.check(store)
    acknowledged = sum(writer.acknowledged for writer in writers)
    unknown = sum(writer.unknown for writer in writers)
    assert acknowledged >= WRITES
    assert all(restarts.values())
    assert unknown * 1000 <= acknowledged
    return (
        f"{acknowledged} writes through a router, {killed} connections killed, restarts "
        f"{restarts}, {unknown} unknown outcomes"
    )
