"""The peers: taskcore, the driver alone, and the code that tutorials teach."""

import itertools
import time
from collections.abc import AsyncIterator, Callable, Sequence, Sized
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, ClassVar, Protocol, Self

import asyncpg

from taskcore import Settings, Task, TaskStore
from taskcore.database.url import connect_arguments
from tests.benchmarks.contents import DESCRIPTION, TITLE
from tests.benchmarks.server import APPLICATION, OWNER, Server
from tests.benchmarks.textbook import Textbook
from tests.wire import Wire


class Peer(Protocol):
    """One way to keep tasks.

    Attributes:
        name: In tables and charts.
        role: Who it is to the database.
    """

    name: ClassVar[str]
    role: ClassVar[str]

    async def create(self, user_id: int, title: str, description: str) -> Any: ...

    async def get(self, user_id: int, task_id: int) -> Any: ...

    async def newest(self, user_id: int, limit: int) -> Sized: ...

    async def update(self, user_id: int, task_id: int, title: str) -> Any: ...

    async def delete(self, user_id: int, task_id: int) -> None: ...


class Ours:
    """taskcore, as its README shows it."""

    name: ClassVar[str] = "ours"
    role: ClassVar[str] = APPLICATION

    def __init__(self, store: TaskStore) -> None:
        self._store = store

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, size: int) -> AsyncIterator[Self]:
        async with TaskStore(url, settings=Settings(pool_max_size=size)) as store:
            yield cls(store)

    async def create(self, user_id: int, title: str, description: str) -> Task:
        return await self._store.for_user(user_id).create(title, description)

    async def get(self, user_id: int, task_id: int) -> Task:
        return await self._store.for_user(user_id).get(task_id)

    async def newest(self, user_id: int, limit: int) -> tuple[Task, ...]:
        return (await self._store.for_user(user_id).list(limit=limit)).items

    async def update(self, user_id: int, task_id: int, title: str) -> Task:
        return await self._store.for_user(user_id).update(task_id, title=title)

    async def delete(self, user_id: int, task_id: int) -> None:
        await self._store.for_user(user_id).delete(task_id)


# A page that is longer than what a user is given.
_EVERYTHING = 1_000

_COLUMNS = (
    "id, user_id, title, description, completed, version, created_at, updated_at, completed_at"
)
_CREATE = f"""
WITH of_user AS (INSERT INTO bench.users (id) VALUES ($1) ON CONFLICT (id) DO NOTHING)
INSERT INTO bench.tasks (user_id, id, write_id, title, description) VALUES ($1, $2, $2, $3, $4)
RETURNING {_COLUMNS}
"""  # noqa: S608
_GET = f"SELECT {_COLUMNS} FROM bench.tasks WHERE user_id = $1 AND id = $2"  # noqa: S608
_NEWEST = f"SELECT {_COLUMNS} FROM bench.tasks WHERE user_id = $1 ORDER BY id DESC LIMIT $2"  # noqa: S608
_UPDATE = f"""
UPDATE bench.tasks SET title = $3, version = version + 1, updated_at = now()
WHERE user_id = $1 AND id = $2 RETURNING {_COLUMNS}
"""  # noqa: S608
_DELETE = "DELETE FROM bench.tasks WHERE user_id = $1 AND id = $2 RETURNING version"


class Raw:
    """The driver with SQL written by hand: no model, no check, no user kept from another."""

    name: ClassVar[str] = "raw"
    role: ClassVar[str] = OWNER

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool
        # The clock keeps the ids of one pool from those of the next.
        self._ids = itertools.count(time.time_ns() // 1000)

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, size: int) -> AsyncIterator[Self]:
        async with asyncpg.create_pool(
            **connect_arguments(url),
            min_size=0,
            max_size=size,
            max_cached_statement_lifetime=0,
            reset=_nothing,
        ) as pool:
            yield cls(pool)

    async def create(self, user_id: int, title: str, description: str) -> Sequence[asyncpg.Record]:
        return await self._fetch(_CREATE, user_id, next(self._ids), title, description)

    async def get(self, user_id: int, task_id: int) -> Sequence[asyncpg.Record]:
        return await self._fetch(_GET, user_id, task_id)

    async def newest(self, user_id: int, limit: int) -> Sequence[asyncpg.Record]:
        return await self._fetch(_NEWEST, user_id, limit)

    async def update(self, user_id: int, task_id: int, title: str) -> Sequence[asyncpg.Record]:
        return await self._fetch(_UPDATE, user_id, task_id, title)

    async def delete(self, user_id: int, task_id: int) -> None:
        await self._fetch(_DELETE, user_id, task_id)

    async def _fetch(self, statement: str, *arguments: object) -> Sequence[asyncpg.Record]:
        async with self._pool.acquire() as connection:
            return await connection.fetch(statement, *arguments)


async def _nothing(_connection: object) -> None:
    """Replace asyncpg's reset query: one round trip an operation."""


@asynccontextmanager
async def open_peers(url: Callable[[str], str], *, size: int) -> AsyncIterator[list[Peer]]:
    """Open all of them, each with a pool of `size` connections.

    Args:
        url: The database's URL for a role.
        size: Of each pool.
    """
    async with AsyncExitStack() as stack:
        peers: list[Peer] = [
            await stack.enter_async_context(Ours.open(url(Ours.role), size)),
            await stack.enter_async_context(Raw.open(url(Raw.role), size)),
            await stack.enter_async_context(Textbook.open(url(Textbook.role), size)),
        ]
        for peer in peers:
            await _works(peer)
        yield peers


@asynccontextmanager
async def open_wired(
    server: Server, *, delay: float = 0.0
) -> AsyncIterator[list[tuple[Peer, Wire]]]:
    """Open all of them, with one connection each, that goes over a wire.

    Args:
        server: Reached by its Unix socket behind the wire.
        delay: Seconds that it takes, each way.
    """
    async with AsyncExitStack() as stack:
        wires = {
            role: await stack.enter_async_context(Wire(server.socket_url(role)))
            for role in (APPLICATION, OWNER)
        }
        for wire in wires.values():
            wire.delay = delay
        peers = await stack.enter_async_context(open_peers(lambda role: wires[role].url, size=1))
        yield [(peer, wires[peer.role]) for peer in peers]


async def _works(peer: Peer) -> None:
    """Demand that a peer does what it is measured doing."""

    def fields(found: Any) -> dict[str, Any]:
        return dict(found[0]) if isinstance(found, list) else dict(found)

    before = len(await peer.newest(1, _EVERYTHING))
    made = fields(await peer.create(1, TITLE, DESCRIPTION))
    assert (made["title"], made["description"]) == (TITLE, DESCRIPTION)
    changed = fields(await peer.update(1, made["id"], "Buy bread"))
    assert (changed["title"], changed["version"]) == ("Buy bread", made["version"] + 1)
    assert changed["updated_at"] > made["updated_at"]
    assert fields(await peer.get(1, made["id"])) == changed
    assert len(await peer.newest(1, _EVERYTHING)) == before + 1
    await peer.delete(1, made["id"])
    assert len(await peer.newest(1, _EVERYTHING)) == before
