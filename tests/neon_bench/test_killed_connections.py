"""Exactly once under fire: writes go on while connections are killed by the hundred."""

import asyncio
import os
import random

import asyncpg
import pytest

from taskcore import (
    OutcomeUnknown,
    Settings,
    Task,
    TaskNotFound,
    TaskStore,
    Unavailable,
    UserTasks,
)
from taskcore.url import connect_arguments
from tests.databases import Database
from tests.wire import Wire

# In CI 10,000 writes and 1,000 killed connections.
WRITES = int(os.environ.get("TASKCORE_WRITES", "10000"))
KILLED = WRITES // 10
WRITERS = 16


class Writer:
    """One user who writes, and remembers what was acknowledged."""

    def __init__(self, tasks: UserTasks, seed: int) -> None:
        self.tasks = tasks
        self.random = random.Random(seed)  # noqa: S311
        self.stored: dict[int, Task] = {}
        self.acknowledged = 0
        self.unknown = 0

    async def write(self) -> None:
        choice = self.random.random()
        if choice < 0.5 or not self.stored:
            task = await self.tasks.create(f"task {self.acknowledged}")
            assert task.version == 1
            self.stored[task.id] = task
        elif choice < 0.85:
            before = self.random.choice(list(self.stored.values()))
            # Another title than before: a change that changes nothing is no write.
            task = await self.tasks.update(before.id, title=f"title {self.acknowledged}, changed")
            assert task.version == before.version + 1
            self.stored[task.id] = task
        else:
            task_id = self.random.choice(list(self.stored))
            await self.tasks.delete(task_id)
            del self.stored[task_id]
        self.acknowledged += 1

    async def learn(self) -> None:
        """Read what an unknown outcome has left."""
        while True:
            try:
                self.stored = {task.id: task async for task in self.tasks.iterate()}
            except Unavailable:
                continue
            return

    async def run(self, total: int) -> None:
        while self.acknowledged < total:
            try:
                await self.write()
            except OutcomeUnknown:
                self.unknown += 1
                await self.learn()


@pytest.mark.thorough
@pytest.mark.inspects
async def test_every_acknowledged_write_is_there_once(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    owner = await asyncpg.connect(**connect_arguments(database.owner_url))
    killed = 0
    async with Wire(database.url) as wire, TaskStore(wire.url, settings=Settings()) as store:
        writers = [Writer(store.for_user(user), user) for user in range(1, WRITERS + 1)]
        running = [asyncio.ensure_future(w.run(WRITES // WRITERS + 1)) for w in writers]
        done = asyncio.gather(*running)
        while not done.done():
            # One connection for ten writes: faster, and nobody would ever come to write.
            if killed * 10 > sum(writer.acknowledged for writer in writers):
                await asyncio.sleep(0.001)
            elif killed % 50 == 49:
                killed += len(wire.clients)
                await wire.cut()
            else:
                killed += await owner.fetchval(
                    "SELECT count(pg_terminate_backend(pid)) FROM ("
                    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
                    "AND usename = 'taskcore_app' ORDER BY random() LIMIT 2) AS s"
                )
        await done

    async with TaskStore(database.url) as store:
        for writer in writers:
            tasks = store.for_user(writer.tasks.user_id)
            assert {task.id: task async for task in tasks.iterate()} == writer.stored
            with pytest.raises(TaskNotFound):
                await tasks.get(1)
    await owner.close()
    acknowledged = sum(writer.acknowledged for writer in writers)
    unknown = sum(writer.unknown for writer in writers)
    with capsys.disabled():
        print(f"\n{acknowledged} writes, {killed} connections killed, {unknown} unknown outcomes")  # noqa: T201
    assert acknowledged >= WRITES
    assert killed >= KILLED
