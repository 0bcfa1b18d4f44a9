"""Sessions of the server, as its catalogs show them."""

import asyncio

import asyncpg

_BLOCKED = (
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE datname = current_database() AND wait_event_type = 'Lock'"
)
_APPLICATION = (
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE datname = current_database() AND usename = 'taskcore_app'"
)


async def until_blocked(owner: asyncpg.Connection, count: int = 1) -> None:
    """Wait until so many statements of this database wait for a lock."""
    while await _count(owner, _BLOCKED) < count:  # noqa: ASYNC110  (the server tells nobody)
        await asyncio.sleep(0.001)


async def until_disconnected(owner: asyncpg.Connection) -> None:
    """Wait until the application's role has no connection to this database."""
    while await _count(owner, _APPLICATION):  # noqa: ASYNC110
        await asyncio.sleep(0.001)


async def terminate(owner: asyncpg.Connection) -> None:
    """End every connection of the application's role to this database, and see them end."""
    await kill(owner)
    await until_disconnected(owner)


async def kill(owner: asyncpg.Connection) -> None:
    """End every connection of the application's role; new ones may come at once."""
    await owner.execute("SELECT pg_stat_clear_snapshot()")
    await owner.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND usename = 'taskcore_app'"
    )


async def _count(owner: asyncpg.Connection, query: str) -> int:
    # pg_stat_activity stands still within a transaction.
    await owner.execute("SELECT pg_stat_clear_snapshot()")
    count: int = await owner.fetchval(query)
    return count
