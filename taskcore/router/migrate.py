"""Bring a router to this release: types, functions, server definition, roles.

A router is a PostgreSQL database with PL/Proxy that holds no task. Everything in it is made from
what the shards report, so it can be made again at any time, and several routers are the same.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

import asyncpg

from taskcore.database.failures import one_line
from taskcore.database.url import libpq_text, with_login
from taskcore.errors import ConfigurationError
from taskcore.limits import PLACES
from taskcore.router import proxies
from taskcore.router.logins import Login, let_in, login_faults, read_login
from taskcore.router.shards import Shard, migrate_shards, named, read_shards, require_cluster
from taskcore.schema import catalog, pinned
from taskcore.schema.catalog import is_router, rolled_back
from taskcore.schema.connection import connection
from taskcore.schema.roles import APPLICATION_ROLE, ATTRIBUTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_FILES = resources.files("taskcore.router")

_ROLES = {
    APPLICATION_ROLE: "LOGIN",
    "taskcore_admin": "NOLOGIN",
    proxies.OWNER: "NOLOGIN",
}
_ADVISORY_LOCK = 0x7461736B726F7574  # "taskrout" in ASCII
_PLAIN = " ".join(ATTRIBUTES.values())

_DEBIANS_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"

# Seconds. A connection from the router to a shard is made anew after this time.
_LIFETIME = 1800


@dataclass(frozen=True, slots=True)
class RouterStatus:
    """The state of a router, compared with its shards.

    Attributes:
        shards: The shards, with the places that each holds.
        differences: Differences between the router and what it should be, a line each.
        exists: Whether the database is a router.
    """

    shards: tuple[Shard, ...]
    differences: tuple[str, ...]
    exists: bool

    @property
    def current(self) -> bool:
        """Whether there is nothing to do."""
        return not self.differences


@dataclass(frozen=True, slots=True)
class RouterMigration:
    """The result of a migration.

    Attributes:
        shards: The shards, with the places that each holds.
        differences: What was wrong before.
        shards_changed: Whether a shard was changed.
        application_url: The URL for the application, with the generated password of its role, if
            this call created the role. The password is stored nowhere else.
    """

    shards: tuple[Shard, ...]
    differences: tuple[str, ...]
    shards_changed: bool
    application_url: str | None

    @property
    def changed(self) -> bool:
        """Whether anything was changed, in the router or in a shard."""
        return self.shards_changed or bool(self.differences)


async def read_router_status(url: str, shards: Iterable[Shard]) -> RouterStatus:
    """Compare a router with its shards, without changing either.

    Raises:
        Unavailable: The router or a shard cannot be reached.
        ConfigurationError: A shard is not at this release, or the shards are not one cluster.
    """
    found = await read_shards(shards)
    require_cluster(found)
    signatures = await _signatures(found)
    async with connection(url) as session:
        await _refuse_unsuitable(session)
        exists = await is_router(session)
        login = await read_login(session)
        async with rolled_back(session):
            await session.execute(pinned.creation(session))
            before = await _read(session)
            await _apply(session, found, signatures, login)
            differences = list(_differences(before, await _read(session)))
    for shard in found if exists else ():
        if shard.places:
            with named(shard):
                async with connection(shard.direct_url) as session:
                    faults = await login_faults(session, login)
                differences += [f"login {login.role} of {shard.name}: {fault}" for fault in faults]
    return RouterStatus(found, tuple(differences), exists)


async def migrate_router(url: str, shards: Iterable[Shard]) -> RouterMigration:
    """Bring the shards and the router to this release. If they are, change nothing.

    Args:
        url: The URL of a superuser of the router: only a superuser may make functions of PL/Proxy.
        shards: The shards. If none has places yet, they get equal parts.

    Raises:
        ConfigurationError: The router has no PL/Proxy or holds tasks, or the shards are not one
            cluster, or the router cannot reach them.
        PermissionDenied: A role may not do this.
        Unavailable: The router or a shard cannot be reached.
    """
    async with connection(url) as session:
        # Before a shard is changed.
        await _refuse_unsuitable(session)
    shards_changed, found = await migrate_shards(shards)
    signatures = await _signatures(found)
    async with connection(url) as session:
        # Stored first, so that a run that is interrupted leaves no login that nobody knows.
        login, password, differences = await _migrate(session, found, signatures)
        for shard in found:
            if shard.places:
                with named(shard):
                    shards_changed = await let_in(shard, login) or shards_changed
        await _require_reachable(session, found)
    return RouterMigration(
        found,
        differences,
        shards_changed,
        password and with_login(url, APPLICATION_ROLE, password),
    )


async def _migrate(
    session: asyncpg.Connection, found: Sequence[Shard], signatures: Sequence[proxies.Signature]
) -> tuple[Login, str | None, tuple[str, ...]]:
    """Make the router, and keep it if it differs from what there is."""
    transaction = session.transaction()
    await transaction.start()
    try:
        await session.execute(pinned.creation(session))
        await session.execute(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
        login = await read_login(session)
        before = await _read(session)
        password = await _apply(session, found, signatures, login)
        differences = _differences(before, await _read(session))
    except BaseException:
        await transaction.rollback()
        raise
    await (transaction.commit() if differences else transaction.rollback())
    return login, password, differences


async def _require_reachable(session: asyncpg.Connection, found: Sequence[Shard]) -> None:
    """Raise unless the router reaches every shard."""
    try:
        rows = await session.fetch("SELECT taskcore.shard_versions_v1()")
    except asyncpg.PostgresError as exc:
        raise ConfigurationError(
            f"the router is made, but cannot reach its shards: {one_line(exc)}"
        ) from exc
    holding = sum(bool(shard.places) for shard in found)
    if len(rows) != holding:
        raise ConfigurationError(
            f"the router is made, but {len(rows)} of {holding} shards answer it: are two of the "
            "URLs one database?"
        )


async def _refuse_unsuitable(session: asyncpg.Connection) -> None:
    if (encoding := session.get_settings().server_encoding) != "UTF8":
        raise ConfigurationError(f"a router needs a database with encoding UTF8, not {encoding}")
    if await session.fetchval(
        "SELECT EXISTS (SELECT FROM pg_class WHERE relkind = 'r'"
        " AND relnamespace = to_regnamespace('taskcore'))"
    ):
        raise ConfigurationError("this database holds tasks: make the router another database")
    if not await session.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = session_user"):
        raise ConfigurationError(
            "only a superuser can make functions of PL/Proxy: use the URL of one"
        )
    if not await session.fetchval(
        "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'plproxy')"
    ):
        version = session.get_server_version()[0]
        raise ConfigurationError(
            f"the router's server has no PL/Proxy: install postgresql-{version}-plproxy"
        )


async def _signatures(shards: Sequence[Shard]) -> list[proxies.Signature]:
    """Return the functions that the shards have, all the same: each is at this release."""
    async with connection(shards[0].direct_url) as session, rolled_back(session):
        await session.execute(pinned.meaning(session))
        return [dict(row) for row in await session.fetch(_sql("signatures"))]


def _sql(name: str) -> str:
    return _FILES.joinpath(f"{name}.sql").read_text("utf-8")


async def _read(session: asyncpg.Connection) -> Mapping[str, str]:
    rows = await session.fetch(_sql("catalog"))
    rows += await session.fetch(catalog.sql("roles"), list(_ROLES))
    return {row["object"]: row["definition"] for row in rows}


def _differences(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(
        f"{name}: is {before.get(name, 'missing')!r}, should be {after.get(name, 'absent')!r}"
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    )


async def _apply(
    session: asyncpg.Connection,
    shards: Sequence[Shard],
    signatures: Sequence[proxies.Signature],
    login: Login,
) -> str | None:
    """Make everything anew in the session's transaction, which begins with `pinned.creation`.

    Returns:
        The password of the application's role, if this call created it.
    """
    password = secrets.token_urlsafe(24)
    created = False
    for role, kind in _ROLES.items():
        if await session.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
            await session.execute(f"ALTER ROLE {role} {kind} {_PLAIN}")
        else:
            word = f" PASSWORD '{password}'" if role == APPLICATION_ROLE else ""
            await session.execute(f"CREATE ROLE {role} {kind} {_PLAIN}{word}")
            created = created or role == APPLICATION_ROLE
    for row in await session.fetch(_sql("role_drift"), list(_ROLES), proxies.OWNER):
        await session.execute(row["statement"])
    if session.get_server_version() >= (14,):
        # A session whose client is gone must not wait for a shard that does not answer.
        await session.execute(
            f"ALTER ROLE {APPLICATION_ROLE} SET client_connection_check_interval = '1s'"
        )
    # libpq knows "system" from 16 on.
    system = session.get_server_version() >= (16,)
    authorities = "system" if system else _DEBIANS_AUTHORITIES
    options = [
        f"p{place} {_literal(libpq_text(shard.url, authorities=authorities))}"
        for shard in shards
        for place in shard.places
    ]
    await session.execute(
        "CREATE EXTENSION IF NOT EXISTS plproxy WITH SCHEMA pg_catalog;"
        "DROP SCHEMA IF EXISTS taskcore CASCADE;"
        "DROP SERVER IF EXISTS taskcore CASCADE;"
        "CREATE SCHEMA taskcore;"
        f"GRANT USAGE ON SCHEMA taskcore TO {', '.join(_ROLES)};"
        "CREATE SERVER taskcore FOREIGN DATA WRAPPER plproxy"
        f" OPTIONS ({', '.join(options)}, connection_lifetime '{_LIFETIME}');"
        f"GRANT USAGE ON FOREIGN SERVER taskcore TO {proxies.OWNER};"
        f"CREATE USER MAPPING FOR {proxies.OWNER} SERVER taskcore"
        f" OPTIONS (user '{login.role}', password '{login.password}');"
    )
    await session.execute(proxies.script(signatures))
    assert len(options) == PLACES
    return password if created else None


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
