"""Move places from one shard to another, while the other shards go on.

For the time of the copy nobody may connect to the old database. A router cannot reach the shard
then, so its users wait or get 503, and no write can be lost. A router that has not heard of the
move stays locked out of the old database.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from taskcore.errors import ConfigurationError
from taskcore.router.logins import let_in, read_login
from taskcore.router.migrate import migrate_router
from taskcore.router.proxies import OWNER
from taskcore.router.shards import TABLES, Shard, read_shards, require_cluster
from taskcore.schema import pinned
from taskcore.schema.connection import connection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    import asyncpg

# In the order of their foreign keys, with the place of a row. The places come last: with them the
# copy is complete.
_TABLES = {
    "taskcore.users": "taskcore.user_place(t.id)",
    "taskcore.identities": "taskcore.identity_place(t.subject)",
    "taskcore.tokens": "taskcore.user_place(t.user_id)",
    "taskcore.tasks": "taskcore.user_place(t.user_id)",
    "taskcore_shard.places": "t.place",
}
_MOVING = 0x7461736B6D6F7665  # "taskmove" in ASCII, for an advisory lock
_CONNECTING = """
SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS role
FROM pg_database AS d, aclexplode(COALESCE(d.datacl, acldefault('d', d.datdba))) AS a
WHERE d.datname = current_database() AND a.privilege_type = 'CONNECT' AND a.grantee <> d.datdba
"""
# Processes of the server itself have no user.
_END_SESSIONS = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND usesysid IS NOT NULL
"""
_ASTRAY = """
SELECT count(*) FROM taskcore.identities AS i
WHERE taskcore.identity_place(i.subject) <> taskcore.user_place(i.user_id)
"""
_FINISH = "if an earlier move was interrupted, run `taskctl router migrate`"
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


async def move_shard(
    url: str, shards: Sequence[Shard], *, source: str, target: str, places: int | None = None
) -> ShardMove:
    """Copy the rows of places of a shard to an empty one, which then holds these places.

    If it fails, everything is as before. If it is interrupted, run it again. Other routers cannot
    reach these users, or in a move of some places the whole server of the shard, until
    `migrate_router` has run for them.

    Args:
        url: The router, as a superuser.
        shards: All shards. The roles of these two must bypass row-level security and be able to
            read and write every table, as a superuser can.
        source: The name of the shard to move, as `Shard.name`.
        target: The name of the shard that gets the rows.
        places: How many places to move. Without it, all: the old database then keeps its rows, and
            stays locked.

    Raises:
        ConfigurationError: There is no such shard, or it holds no more places than are to be moved;
            the target has users or places; a shard is missing; a role may not read or write all
            rows; or the copy differs.
        Unavailable: A database cannot be reached.
        PermissionDenied: A role may not lock others out of the old database.
    """
    found = await read_shards(shards)
    old, new = _chosen(found, source, target, places)
    async with connection(old.direct_url) as reader, connection(new.direct_url) as writer:
        for session in (reader, writer):
            if not await session.fetchval("SELECT pg_try_advisory_lock($1)", _MOVING):
                raise ConfigurationError(
                    "somebody else moves one of the two, or both names are of one database"
                )
        connecting = [row["role"] for row in await reader.fetch(_CONNECTING)]
        # If nobody can connect, an earlier run was interrupted. By default everybody can.
        roles = connecting or ["PUBLIC"]
        rows, begun = 0, monotonic()
        if new.places:
            part = _interrupted(old, new, connecting)
        else:
            require_cluster(found)
            part = old.places if places is None else old.places[-places:]
            await _require_all_rows(reader, old)
            await _require_all_rows(writer, new)
            await _require_empty(writer, new)
            async with connection(url) as session:
                await let_in(new, await read_login(session))
            begun = monotonic()
            try:
                await _lock_out(reader, roles)
                rows = await _copy(reader, writer, part)
            except BaseException:
                await _let_back(reader, roles)
                raise
        await _give_up(reader, part, stay=[] if len(part) == len(old.places) else roles)
    migration = await migrate_router(url, shards)
    return ShardMove(migration.shards, rows, monotonic() - begun)


def _chosen(
    found: Sequence[Shard], source: str, target: str, places: int | None
) -> tuple[Shard, Shard]:
    """Return the two shards.

    Raises:
        ConfigurationError: One is not there, or cannot give so many places.
    """
    named = {shard.name: shard for shard in found}
    for name in (source, target):
        if name not in named:
            raise ConfigurationError(f"the file has no shard {name}: it has {', '.join(named)}")
    old = named[source]
    if source == target:
        raise ConfigurationError("a shard cannot be moved to itself")
    if old.cluster is None:
        raise ConfigurationError(f"{source} holds no place: {_FINISH}")
    if places is not None and not 0 < places < len(old.places):
        raise ConfigurationError(
            f"{source} holds {len(old.places)} places: a part has from 1 to {len(old.places) - 1}"
        )
    return old, named[target]


def _interrupted(old: Shard, new: Shard, connecting: Sequence[str]) -> tuple[int, ...]:
    """Return the places that an earlier run has copied, and after which it was interrupted.

    Raises:
        ConfigurationError: It was something else.
    """
    if new.cluster != old.cluster or not set(new.places) <= set(old.places):
        raise ConfigurationError(f"{new.name} holds places already: {_FINISH}")
    if connecting:
        raise ConfigurationError(
            f"{old.name} and {new.name} hold the same places, and others can connect to "
            f"{old.name}: delete taskcore_shard.places and the users from the one that you give up"
        )
    return new.places


async def _require_all_rows(session: asyncpg.Connection, shard: Shard) -> None:
    """Raise unless the role sees every row, and may write them.

    Raises:
        ConfigurationError: It may not.
    """
    if not await session.fetchval(
        "SELECT bool_and(NOT row_security_active(t)"
        " AND has_table_privilege(t, 'SELECT') AND has_table_privilege(t, 'INSERT')"
        " AND has_table_privilege(t, 'DELETE'))"
        " FROM unnest($1::text[]) AS t",
        [name for name in _TABLES if name.startswith("taskcore.")],
    ):
        raise ConfigurationError(
            f"{shard.name}: the role must bypass row-level security and read and write every table"
        )


async def _require_empty(session: asyncpg.Connection, shard: Shard) -> None:
    """Raise if the database has users.

    Raises:
        ConfigurationError: It has.
    """
    if await session.fetchval(
        "SELECT EXISTS (SELECT FROM taskcore.users) OR EXISTS (SELECT FROM taskcore.identities)"
    ):
        raise ConfigurationError(f"{shard.name} has users: a shard is moved to an empty database")


async def _lock_out(session: asyncpg.Connection, roles: Sequence[str]) -> None:
    """Let nobody connect to the database but its owner and superusers, and end every session."""
    await _for_each(session, "REVOKE CONNECT ON DATABASE %I FROM %s", roles)
    while await session.fetchval(_END_SESSIONS):  # noqa: ASYNC110  (PostgreSQL tells nobody)
        await asyncio.sleep(0.01)


async def _let_back(session: asyncpg.Connection, roles: Sequence[str]) -> None:
    await _for_each(session, "GRANT CONNECT ON DATABASE %I TO %s", roles)


async def _for_each(session: asyncpg.Connection, statement: str, roles: Sequence[str]) -> None:
    for role in roles:
        text = await session.fetchval(
            "SELECT format($1, current_database(), $2::text)", statement, role
        )
        await session.execute(text)


async def _give_up(
    session: asyncpg.Connection, part: Sequence[int], *, stay: Sequence[str]
) -> None:
    """Let the old database hold these places no more.

    If other places stay, delete the rows of these, and let the roles ``stay`` connect again.
    """
    if stay:
        await _shut_routers(session)
    async with session.transaction():
        await session.execute(pinned.creation(session))
        if stay:
            for name in ("taskcore.users", "taskcore.identities"):
                await session.execute(f"DELETE FROM {_rows_of(name)}", list(part))  # noqa: S608
            await _let_back(session, stay)
        await session.execute(
            "DELETE FROM taskcore_shard.places WHERE place = ANY ($1::integer[])", list(part)
        )
        await session.execute("DELETE FROM taskcore_shard.plan")


async def _shut_routers(session: asyncpg.Connection) -> None:
    """End the logins of all routers on this server.

    One that has not heard of the move would find its users gone, and make them anew. The one that
    runs this gets its login back when it has heard.
    """
    logins = await session.fetch(
        "SELECT quote_ident(rolname) AS role FROM pg_roles WHERE rolname ~ $1",
        f"^{OWNER}_[0-9a-f]{{8}}$",
    )
    for row in logins:
        await session.execute(f"ALTER ROLE {row['role']} NOLOGIN")
    # A session that begins is asked for its login, and a moment later for its right to connect,
    # which is given back soon.
    await asyncio.sleep(0.1)


def _rows_of(name: str) -> str:
    return f"{name} AS t WHERE {_TABLES[name]} = ANY ($1::integer[])"


async def _copy(reader: asyncpg.Connection, writer: asyncpg.Connection, part: Sequence[int]) -> int:
    """Copy the rows of places in one transaction, and return their number.

    Raises:
        ConfigurationError: The copy differs, or an identity is not at the place of its user.
    """
    total = 0
    async with (
        reader.transaction(isolation="repeatable_read", readonly=True),
        writer.transaction(),
    ):
        # Both write times and other values alike.
        await reader.execute(pinned.meaning(reader))
        await writer.execute(pinned.creation(writer) + TABLES)
        if astray := await reader.fetchval(_ASTRAY):
            raise ConfigurationError(
                f"{astray} identities were moved to a subject of another place: nothing was moved"
            )
        for name in _TABLES:
            await _copy_table(reader, writer, name, part)
            original, copy = await asyncio.gather(
                _summary(reader, name, part), _summary(writer, name, part)
            )
            if original != copy:
                raise ConfigurationError(f"the copy of {name} differs: nothing was moved")
            total += copy[0]
    return total


async def _copy_table(
    reader: asyncpg.Connection, writer: asyncpg.Connection, name: str, part: Sequence[int]
) -> None:
    chunks: asyncio.Queue[bytes | None] = asyncio.Queue(_CHUNKS)
    query = f"SELECT t.* FROM {_rows_of(name)}"  # noqa: S608

    async def read() -> None:
        try:
            await reader.copy_from_query(query, list(part), output=chunks.put)
        except Exception:
            await chunks.put(None)
            raise
        await chunks.put(None)

    async def received() -> AsyncIterator[bytes]:
        while (chunk := await chunks.get()) is not None:
            yield chunk

    schema, _, table = name.partition(".")
    reading = asyncio.create_task(read())
    try:
        await writer.copy_to_table(table, schema_name=schema, source=received())
        await reading
    finally:
        reading.cancel()


async def _summary(session: asyncpg.Connection, name: str, part: Sequence[int]) -> tuple[int, str]:
    """Return the number of the rows, and a sum over all of their values."""
    row = await session.fetchrow(
        "SELECT count(*) AS rows, sum(hashtextextended(t::text, 0))::text AS values"  # noqa: S608
        f" FROM {_rows_of(name)}",
        list(part),
    )
    assert row is not None
    return row["rows"], row["values"]
