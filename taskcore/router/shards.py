"""Shards: databases that each hold some of the users.

A shard says itself which places it holds, in the schema ``taskcore_shard``. So a router stores
nothing that only it knows, and several routers can stand side by side.
"""

from __future__ import annotations

import uuid
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from taskcore.database.url import address, connect_arguments, direct_url, libpq_text
from taskcore.errors import ConfigurationError, PermissionDenied, Unavailable
from taskcore.limits import PLACES
from taskcore.schema import pinned
from taskcore.schema.connection import connection
from taskcore.schema.migrate import migrate, read_status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import asyncpg

TABLES = """
CREATE SCHEMA IF NOT EXISTS taskcore_shard;
CREATE TABLE IF NOT EXISTS taskcore_shard.places (
    place integer PRIMARY KEY, cluster uuid NOT NULL
);
-- One row, from the beginning of the cluster: which of its shards this one is.
CREATE TABLE IF NOT EXISTS taskcore_shard.plan (
    cluster uuid NOT NULL, number integer NOT NULL, shards integer NOT NULL
)
"""
"""The tables of a shard. They are not in the schema ``taskcore``, whose objects are all known."""

_HELD = """
SELECT p.cluster, pg_catalog.array_agg(p.place ORDER BY p.place) AS places
FROM taskcore_shard.places AS p GROUP BY p.cluster
"""
# Functions of administrators read the users: row-level security hides them from anybody else.
_USED = """
SELECT DISTINCT taskcore.user_place(u.id) AS place
FROM taskcore.user_list_v1(NULL, 2147483647) AS u
UNION
SELECT taskcore.identity_place(i.subject)
FROM taskcore.identity_list_v1(NULL, NULL, NULL, 2147483647) AS i
"""
_ASTRAY = """
SELECT pg_catalog.count(*) FROM taskcore.identity_list_v1(NULL, NULL, NULL, 2147483647) AS i
WHERE taskcore.identity_place(i.subject) <> taskcore.user_place(i.user_id)
"""
_BEGINNING = 0x7461736B73686172  # "taskshar" in ASCII, for an advisory lock


@dataclass(frozen=True, slots=True)
class Shard:
    """A database that holds some of the users.

    Attributes:
        url: The URL of the role that migrates it.
        cluster: The cluster it belongs to; None: none yet.
        places: The places of its users, from 0 to 1023.
    """

    url: str = field(repr=False)
    cluster: uuid.UUID | None = None
    places: tuple[int, ...] = ()

    @property
    def direct_url(self) -> str:
        """The URL past Neon's pooler, for everything but the router's own connections."""
        return direct_url(self.url)

    @property
    def name(self) -> str:
        """Its address and database, for people."""
        arguments = connect_arguments(self.url)
        return f"{address(arguments)}/{arguments.get('database', '')}"


def parse_shards(text: str) -> tuple[Shard, ...]:
    """Return the shards of a file: a URL a line; empty lines and those with ``#`` do not count.

    Raises:
        ConfigurationError: A URL is wrong, a shard is there twice, or there is none.
    """
    shards = list[Shard]()
    names = set[str]()
    for number, line in enumerate(text.splitlines(), 1):
        url = line.strip()
        if url and not url.startswith("#"):
            try:
                shard = Shard(url)
                name = shard.name
                _refuse_login_in_name(url)
            except ConfigurationError as exc:
                raise ConfigurationError(f"shards, line {number}: {exc}") from None
            if name in names:
                raise ConfigurationError(f"shards, line {number}: {name} is there twice")
            names.add(name)
            shards.append(shard)
    if not shards:
        raise ConfigurationError("shards: there is no URL")
    if len(shards) > PLACES:
        raise ConfigurationError(f"shards: there are {len(shards)}, {PLACES} are possible")
    return tuple(shards)


def _refuse_login_in_name(url: str) -> None:
    # PL/Proxy looks for a login anywhere in the text, and then leaves its own out.
    if "user=" in libpq_text(url):
        raise ConfigurationError("host and database must not contain 'user='")


async def read_shards(shards: Iterable[Shard]) -> tuple[Shard, ...]:
    """Return the shards with their clusters and places, as they say.

    Raises:
        ConfigurationError: A shard is not at this release.
        Unavailable: A shard cannot be reached.
    """
    return tuple([await _read(shard) for shard in shards])


async def _read(shard: Shard) -> Shard:
    with named(shard):
        status = await read_status(shard.url)
        if not status.current:
            raise ConfigurationError("is not at this release: run `taskctl router migrate`")
        async with connection(shard.direct_url) as session:
            return await _held(session, shard)


@contextmanager
def named(shard: Shard) -> Iterator[None]:
    """Name the shard in errors."""
    try:
        yield
    except (ConfigurationError, PermissionDenied, Unavailable) as exc:
        # Some errors of these kinds are made without a text.
        kinds = (ConfigurationError, PermissionDenied, Unavailable)
        kind = next(kind for kind in kinds if isinstance(exc, kind))
        raise kind(f"shard {shard.name}: {exc}") from exc


async def _held(session: asyncpg.Connection, shard: Shard) -> Shard:
    if not await _has_tables(session):
        return Shard(shard.url)
    rows = await session.fetch(_HELD)
    if len(rows) > 1:
        raise ConfigurationError("belongs to several clusters")
    if not rows:
        return Shard(shard.url)
    return Shard(shard.url, rows[0]["cluster"], tuple(rows[0]["places"]))


async def _has_tables(session: asyncpg.Connection) -> bool:
    found: bool = await session.fetchval("SELECT to_regclass('taskcore_shard.places') IS NOT NULL")
    return found


async def migrate_shards(shards: Iterable[Shard]) -> tuple[bool, tuple[Shard, ...]]:
    """Bring the shards to this release, and give each its places if nobody has one yet.

    Returns:
        Whether anything was changed, and the shards.

    Raises:
        TaskcoreError: As `taskcore.schema.migrate.migrate`.
        ConfigurationError: The shards are not one cluster, or hold users elsewhere than a router
            would look for them.
    """
    shards = tuple(shards)
    changed = False
    for shard in shards:
        with named(shard):
            changed = (await migrate(shard.url)).changed or changed
    found = await read_shards(shards)
    if sum(len(shard.places) for shard in found) < PLACES:
        begun = await _begin(found)
        changed = changed or begun != found
        found = begun
    require_cluster(found)
    for shard in found:
        if shard.cluster is None:
            async with connection(shard.direct_url) as session:
                # A shard that was moved away keeps its rows, and its tables.
                if not await _has_tables(session):
                    await _refuse_strays(shard, session)
    return changed, found


async def _begin(shards: Sequence[Shard]) -> tuple[Shard, ...]:
    """Give the shards equal parts of the places, or go on where an earlier run has stopped."""
    async with AsyncExitStack() as stack:
        sessions = [
            await stack.enter_async_context(connection(shard.direct_url)) for shard in shards
        ]
        for shard, session in zip(shards, sessions, strict=True):
            if not await session.fetchval("SELECT pg_try_advisory_lock($1)", _BEGINNING):
                raise ConfigurationError(
                    f"{shard.name} is being migrated by somebody else, or is named twice"
                )
        # Another run may have begun it in the meantime.
        found = list[Shard]()
        for shard, session in zip(shards, sessions, strict=True):
            with named(shard):
                found.append(await _held(session, shard))
        planned = await _plan(found, sessions)
        for shard, session in zip(planned, sessions, strict=False):
            await session.execute(
                "INSERT INTO taskcore_shard.places (place, cluster)"
                " SELECT unnest($1::integer[]), $2 ON CONFLICT DO NOTHING",
                list(shard.places),
                shard.cluster,
            )
        # A shard that is moved later must not get its places back.
        for _, session in zip(planned, sessions, strict=False):
            await session.execute("DELETE FROM taskcore_shard.plan")
        return planned or tuple(found)


async def _plan(
    found: Sequence[Shard], sessions: Sequence[asyncpg.Connection]
) -> tuple[Shard, ...]:
    """Return the shards as they are to be. Empty if they do not match one plan."""
    total = len(found)
    if all(shard.cluster is None for shard in found):
        cluster = uuid.uuid4()
        planned = tuple(
            replace(shard, cluster=cluster, places=_part(number, total))
            for number, shard in enumerate(found)
        )
        # All are examined before the first one is changed.
        for shard, session in zip(planned, sessions, strict=True):
            await _refuse_strays(shard, session)
        for number, session in enumerate(sessions):
            async with session.transaction():
                await session.execute(pinned.creation(session) + TABLES)
                await session.execute("DELETE FROM taskcore_shard.plan")
                await session.execute(
                    "INSERT INTO taskcore_shard.plan VALUES ($1, $2, $3)", cluster, number, total
                )
        return planned
    clusters = {shard.cluster for shard in found} - {None}
    rows: list[Sequence[asyncpg.Record]] = [
        await session.fetch("TABLE taskcore_shard.plan") if await _has_tables(session) else ()
        for session in sessions
    ]
    if len(clusters) > 1 or any(
        len(plan) != 1 or plan[0]["cluster"] not in clusters or plan[0]["shards"] != total
        for plan in rows
    ):
        return ()
    return tuple(
        replace(shard, cluster=plan[0]["cluster"], places=_part(plan[0]["number"], total))
        for shard, plan in zip(found, rows, strict=True)
    )


def _part(number: int, total: int) -> tuple[int, ...]:
    return tuple(place for place in range(PLACES) if place * total // PLACES == number)


async def _refuse_strays(shard: Shard, session: asyncpg.Connection) -> None:
    used = {row["place"] for row in await session.fetch(_USED)}
    if strays := len(used.difference(shard.places)):
        raise ConfigurationError(
            f"{shard.name} has users of {strays} places that it would not hold: begin the "
            "cluster with this database alone"
        )
    if moved := await session.fetchval(_ASTRAY):
        raise ConfigurationError(
            f"{shard.name} has {moved} identities that were moved to another subject: a router "
            "would look for them at another place"
        )


def require_cluster(shards: Iterable[Shard]) -> None:
    """Raise unless the shards hold every place of one cluster once.

    Raises:
        ConfigurationError: A shard is missing, belongs to another cluster, or holds a place that
            another one holds too.
    """
    holders = dict[int, Shard]()
    cluster: uuid.UUID | None = None
    for shard in shards:
        if shard.cluster is None:
            continue
        if cluster not in (None, shard.cluster):
            raise ConfigurationError(f"{shard.name} belongs to another cluster")
        cluster = shard.cluster
        for place in shard.places:
            if place in holders:
                raise ConfigurationError(
                    f"{shard.name} and {holders[place].name} both hold place {place}"
                )
            holders[place] = shard
    if missing := PLACES - len(holders):
        raise ConfigurationError(
            f"{missing} of {PLACES} places are held by no shard: name every shard of the cluster"
        )
