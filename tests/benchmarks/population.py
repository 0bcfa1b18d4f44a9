"""Databases of many tasks, each with a store of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from random import randint

from taskcore import Settings, TaskStore, UserTasks
from taskcore.schema.migrate import migrate
from tests.benchmarks.contents import DESCRIPTION, PAGE, TITLE
from tests.benchmarks.sample import Calls
from tests.benchmarks.server import APPLICATION, OWNER, Server

_numbers = count(1)


@dataclass(frozen=True)
class Population:
    """Users 1, 2, 3 … with as many tasks each, numbered from 1; open while it is used.

    Attributes:
        server: Where it is.
        database: Its own.
        store: Open.
        users: How many.
        each: How many tasks a user has.
    """

    server: Server
    database: str
    store: TaskStore
    users: int
    each: int

    def get(self) -> Calls:
        return (self._anybody().get(randint(1, self.each)) for _ in count())  # noqa: S311

    def newest(self) -> Calls:
        return (self._anybody().list(limit=PAGE) for _ in count())

    def create(self) -> Calls:
        return (self._anybody().create(TITLE, DESCRIPTION) for _ in count())

    async def execute(self, *statements: str) -> None:
        """Run statements as the superuser."""
        await self.server.execute(*statements, database=self.database)

    def _anybody(self) -> UserTasks:
        return self.store.for_user(randint(1, self.users))  # noqa: S311


@asynccontextmanager
async def populated(server: Server, *, users: int, tasks: int) -> AsyncIterator[Population]:
    """Make a database with so many users and tasks, and drop it at the end.

    The tasks are made in turn, as by users who are there at the same time: those of
    one user lie far from each other.
    """
    database = f"population_{next(_numbers)}"
    await server.execute(f"CREATE DATABASE {database}", database="postgres")
    try:
        await migrate(server.socket_url(OWNER, database))
        await server.execute(
            # Without triggers, which would look every user up.
            "SET session_replication_role = replica",
            f"INSERT INTO taskcore.users (id) SELECT generate_series(1, {users})",
            "INSERT INTO taskcore.tasks (user_id, id, write_id, title, description) "  # noqa: S608
            f"SELECT 1 + n % {users}, 1 + n / {users}, 0, '{TITLE}', '{DESCRIPTION}' "
            f"FROM generate_series(0, {tasks - 1}) AS n",
            "VACUUM (ANALYZE) taskcore.users, taskcore.tasks",
            # Not one of its own accord while something is measured.
            "CHECKPOINT",
            database=database,
        )
        url = server.socket_url(APPLICATION, database)
        async with TaskStore(url, settings=Settings(pool_max_size=1)) as store:
            yield Population(server, database, store, users, tasks // users)
    finally:
        await server.execute(f"DROP DATABASE {database} WITH (FORCE)", database="postgres")
