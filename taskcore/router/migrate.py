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

from taskcore.database.url import connect_arguments, libpq_text, with_login
from taskcore.errors import ConfigurationError
from taskcore.limits import PLACES
from taskcore.router import proxies
from taskcore.router.shards import Shard, migrate_shards, read_shards, require_cluster
from taskcore.schema import pinned
from taskcore.schema.catalog import is_router, rolled_back
from taskcore.schema.connection import connection

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_FILES = resources.files("taskcore.router")

_ROLES = {
    "taskcore_app": "LOGIN",
    "taskcore_admin": "NOLOGIN",
    proxies.OWNER: "NOLOGIN",
}
_PLAIN = "NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB NOREPLICATION"
_APPLICATION = "taskcore_app"

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
        async with rolled_back(session):
            before = await _read(session)
            await _apply(session, found, signatures, await read_login(session))
            differences = _differences(before, await _read(session))
        return RouterStatus(found, differences, exists)


async def migrate_router(url: str, shards: Iterable[Shard]) -> RouterMigration:
    """Bring the shards and the router to this release. If they are, change nothing.

    Args:
        url: The URL of a superuser of the router: only a superuser may make functions of PL/Proxy.
        shards: The shards. If none has places yet, they get equal parts.

    Raises:
        ConfigurationError: The router has no PL/Proxy or holds tasks, or the shards are not one
            cluster.
        PermissionDenied: A role may not do this.
        Unavailable: The router or a shard cannot be reached.
    """
    async with connection(url) as session:
        # Before a shard is changed.
        await _refuse_unsuitable(session)
    shards_changed, found = await migrate_shards(shards)
    signatures = await _signatures(found)
    async with connection(url) as session:
        login = await read_login(session)
        for shard in found:
            if shard.places:
                shards_changed = await let_in(shard, login) or shards_changed
        password: str | None = None
        async with session.transaction():
            before = await _read(session)
            password = await _apply(session, found, signatures, login)
            differences = _differences(before, await _read(session))
    return RouterMigration(
        found,
        differences,
        shards_changed,
        password and with_login(url, _APPLICATION, password),
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
        raise ConfigurationError("only a superuser can make functions of PL/Proxy")
    if not await session.fetchval(
        "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'plproxy')"
    ):
        version = session.get_server_version()[0]
        raise ConfigurationError(
            f"the router's server has no PL/Proxy: install postgresql-{version}-plproxy"
        )


@dataclass(frozen=True, slots=True)
class Login:
    """A router's login to every shard."""

    role: str
    password: str


async def read_login(session: asyncpg.Connection) -> Login:
    """Return the login that the router has, or a new one.

    Each router has a login of its own, so that one can be shut out without the others.
    """
    options = await session.fetchval(
        "SELECT umoptions FROM pg_user_mappings WHERE srvname = 'taskcore' AND usename = $1",
        proxies.OWNER,
    )
    known = dict(option.split("=", 1) for option in options or ())
    if known.keys() >= {"user", "password"}:
        return Login(known["user"], known["password"])
    return Login(f"{proxies.OWNER}_{secrets.token_hex(4)}", secrets.token_urlsafe(24))


async def let_in(shard: Shard, login: Login) -> bool:
    """Let the router log in to a shard, and return whether anything was changed."""
    arguments = connect_arguments(with_login(shard.url, login.role, login.password))
    try:
        probe = await asyncpg.connect(**({"timeout": 15.0} | arguments))
    except asyncpg.InvalidAuthorizationSpecificationError:
        probe = None
    if probe is not None:
        may = await probe.fetchval(
            "SELECT bool_and(pg_has_role(r, 'USAGE'))"
            " FROM unnest(ARRAY['taskcore_app', 'taskcore_admin']::name[]) AS r"
        )
        await probe.close()
        if may:
            return False
    async with connection(shard.url) as session:
        exists = await session.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", login.role)
        verb = "ALTER" if exists else "CREATE"
        await session.execute(
            f"{pinned.creation(session)}"
            f"{verb} ROLE {login.role} LOGIN {_PLAIN} PASSWORD '{login.password}';"
            f"GRANT taskcore_app, taskcore_admin TO {login.role}"
        )
    return True


async def _signatures(shards: Sequence[Shard]) -> list[proxies.Signature]:
    """Return the functions that the shards have, all the same: each is at this release."""
    async with connection(shards[0].url) as session, rolled_back(session):
        await session.execute(pinned.meaning(session))
        return [dict(row) for row in await session.fetch(_sql("signatures"))]


def _sql(name: str) -> str:
    return _FILES.joinpath(f"{name}.sql").read_text("utf-8")


async def _read(session: asyncpg.Connection) -> Mapping[str, str]:
    await session.execute(pinned.meaning(session))
    return {row["object"]: row["definition"] for row in await session.fetch(_sql("catalog"))}


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
    """Make everything anew in the session's transaction.

    Returns:
        The password of the application's role, if this call created it.
    """
    password = secrets.token_urlsafe(24)
    created = False
    await session.execute(pinned.creation(session))
    for role, kind in _ROLES.items():
        exists = await session.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role)
        if exists:
            await session.execute(f"ALTER ROLE {role} {kind} {_PLAIN}")
        else:
            word = f" PASSWORD '{password}'" if role == _APPLICATION else ""
            await session.execute(f"CREATE ROLE {role} {kind} {_PLAIN}{word}")
            created = created or role == _APPLICATION
    options = [
        f"p{place} {_literal(libpq_text(shard.url))}" for shard in shards for place in shard.places
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
