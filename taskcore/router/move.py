"""Move a shard to another database, while the other shards go on.

For the time of the copy nobody may connect to the old database. A router cannot reach the shard
then, so its users wait or get 503, and no write can be lost. A router that has not heard of the
move stays locked out of the old database.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING

from taskcore.errors import ConfigurationError
from taskcore.router.logins import let_in, read_login
from taskcore.router.migrate import migrate_router
from taskcore.router.shards import TABLES, Shard, read_shards, require_cluster
from taskcore.schema import pinned
from taskcore.schema.connection import connection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    import asyncpg

# In the order of their foreign keys. The places come last: with them the copy is complete.
_TABLES = (
    ("taskcore", "users"),
    ("taskcore", "identities"),
    ("taskcore", "tokens"),
    ("taskcore", "tasks"),
    ("taskcore_shard", "places"),
)
_CONNECTING = """
SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS role
FROM pg_database AS d, aclexplode(COALESCE(d.datacl, acldefault('d', d.datdba))) AS a
WHERE d.datname = current_database() AND a.privilege_type = 'CONNECT' AND a.grantee <> d.datdba
"""
_END_SESSIONS = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
  AND backend_type = 'client backend'
"""
_CHUNKS = 16  # of a copy, read ahead of the writing


@dataclass(frozen=True, slots=True)
class ShardMove:
    """The result of a move.

    Attributes:
        shards: The shards after it.
        rows: The rows that were copied.
        held_seconds: How long the users of the shard were held up.
    """

    shards: tuple[Shard, ...]
    rows: int
    held_seconds: float


async def move_shard(url: str, shards: Sequence[Shard], *, source: str, target: str) -> ShardMove:
    """Copy the rows of a shard to an empty one, and let that take its place.

    If it fails, run it again: the old database keeps its rows.

    Args:
        url: The router, as a superuser.
        shards: All shards. The roles of these two must bypass row-level security and be able to
            read and write every table, as a superuser can.
        source: The name of the shard to move, as `Shard.name`.
        target: The name of the shard that gets the rows.

    Raises:
        ConfigurationError: There is no such shard, the target has users or places, or a role may
            not read or write all rows.
        Unavailable: A database cannot be reached.
        PermissionDenied: A role may not lock others out of the old database.
    """
    found = {shard.name: shard for shard in await read_shards(shards)}
    for name in (source, target):
        if name not in found:
            raise ConfigurationError(f"there is no shard {name}: there are {', '.join(found)}")
    old, new = found[source], found[target]
    if old.cluster is None:
        raise ConfigurationError(f"{source} holds no place")
    begun, rows = monotonic(), 0
    # If the two hold the same, an earlier run has copied everything and was interrupted.
    if new != replace(old, url=new.url):
        require_cluster(found.values())
        if new.cluster is not None:
            raise ConfigurationError(f"{target} holds places already")
        async with connection(url) as session:
            await let_in(new, await read_login(session))
        async with connection(old.direct_url) as reader, connection(new.direct_url) as writer:
            await _require_all_rows(reader, old)
            await _require_all_rows(writer, new)
            await _require_empty(writer, new)
            begun = monotonic()
            roles = await _lock_out(reader)
            try:
                rows = await _copy(reader, writer)
            except BaseException:
                await _let_back(reader, roles)
                raise
    async with connection(old.direct_url) as session:
        await session.execute("DELETE FROM taskcore_shard.places")
    migration = await migrate_router(url, shards)
    return ShardMove(migration.shards, rows, monotonic() - begun)


async def _require_all_rows(session: asyncpg.Connection, shard: Shard) -> None:
    """Raise unless the role sees every row, and may write them."""
    if not await session.fetchval(
        "SELECT bool_and(NOT row_security_active(t)"
        " AND has_table_privilege(t, 'SELECT') AND has_table_privilege(t, 'INSERT'))"
        " FROM unnest($1::text[]) AS t",
        [f"{schema}.{name}" for schema, name in _TABLES if schema == "taskcore"],
    ):
        raise ConfigurationError(
            f"{shard.name}: the role must bypass row-level security and read and write every table"
        )


async def _require_empty(session: asyncpg.Connection, shard: Shard) -> None:
    if await session.fetchval(
        "SELECT EXISTS (SELECT FROM taskcore.users) OR EXISTS (SELECT FROM taskcore.identities)"
    ):
        raise ConfigurationError(f"{shard.name} has users: a shard is moved to an empty database")


async def _lock_out(session: asyncpg.Connection) -> list[str]:
    """Let nobody connect to the database but its owner and superusers, and end every session.

    Returns:
        Those who might connect, as GRANT takes them.
    """
    roles = [row["role"] for row in await session.fetch(_CONNECTING)]
    await _for_each(session, "REVOKE CONNECT ON DATABASE %I FROM %s", roles)
    while await session.fetchval(_END_SESSIONS):  # noqa: ASYNC110  (PostgreSQL tells nobody)
        await asyncio.sleep(0.01)
    return roles


async def _let_back(session: asyncpg.Connection, roles: Sequence[str]) -> None:
    await _for_each(session, "GRANT CONNECT ON DATABASE %I TO %s", roles)


async def _for_each(session: asyncpg.Connection, statement: str, roles: Sequence[str]) -> None:
    for role in roles:
        text = await session.fetchval(
            "SELECT format($1, current_database(), $2::text)", statement, role
        )
        await session.execute(text)


async def _copy(reader: asyncpg.Connection, writer: asyncpg.Connection) -> int:
    """Copy every row in one transaction, and return their number."""
    total = 0
    async with (
        reader.transaction(isolation="repeatable_read", readonly=True),
        writer.transaction(),
    ):
        await writer.execute(pinned.creation(writer) + TABLES)
        for schema, name in _TABLES:
            await _copy_table(reader, writer, schema, name)
            original, copy = await asyncio.gather(
                _summary(reader, schema, name), _summary(writer, schema, name)
            )
            if original != copy:
                raise ConfigurationError(f"the copy of {schema}.{name} differs: nothing was moved")
            total += copy[0]
    return total


async def _copy_table(
    reader: asyncpg.Connection, writer: asyncpg.Connection, schema: str, name: str
) -> None:
    chunks: asyncio.Queue[bytes | None] = asyncio.Queue(_CHUNKS)

    async def read() -> None:
        try:
            await reader.copy_from_table(name, schema_name=schema, output=chunks.put)
        except Exception:
            await chunks.put(None)
            raise
        await chunks.put(None)

    async def received() -> AsyncIterator[bytes]:
        while (chunk := await chunks.get()) is not None:
            yield chunk

    reading = asyncio.create_task(read())
    try:
        await writer.copy_to_table(name, schema_name=schema, source=received())
        await reading
    finally:
        reading.cancel()


async def _summary(session: asyncpg.Connection, schema: str, name: str) -> tuple[int, str]:
    """Return the number of the rows, and a sum over all of their values."""
    row = await session.fetchrow(
        f"SELECT count(*) AS rows, sum(hashtextextended(t::text, 0))::text AS values "  # noqa: S608
        f"FROM {schema}.{name} AS t"
    )
    assert row is not None
    return row["rows"], row["values"]
