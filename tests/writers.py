"""Users who write, and remember what was acknowledged."""

import random
from collections.abc import Callable

from taskcore import OutcomeUnknown, Task, TaskStore, Unavailable, UserTasks


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

    async def run(self, total: int, enough: Callable[[], bool]) -> None:
        """Write at least this often, and until enough was done to the connections."""
        while self.acknowledged < total or not enough():
            try:
                await self.write()
            except OutcomeUnknown:
                self.unknown += 1
                await self.learn()

    async def check(self, store: TaskStore) -> None:
        """Compare what is stored with what was acknowledged."""
        assert self.tasks.user_id is not None
        tasks = store.for_user(self.tasks.user_id)
        assert {task.id: task async for task in tasks.iterate()} == self.stored
