"""The cluster's roles.

They are created outside the transaction of the migration: roles belong to the cluster,
and Neon's control plane intercepts their DDL.
"""

import secrets

import asyncpg
import tenacity

from taskcore.schema import pinned, role_settings

ROLES = {
    "taskcore_owner": "NOLOGIN",
    "taskcore_definer": "NOLOGIN",
    "taskcore_authenticator": "NOLOGIN",
    "taskcore_directory": "NOLOGIN",
    "taskcore_admin": "NOLOGIN",
    "taskcore_app": "LOGIN",
}
"""The privileges of each role are in ``specs/001-backend-core/data-model.md``."""

APPLICATION_ROLE = role_settings.ROLE

ATTRIBUTES = {
    "rolsuper": "NOSUPERUSER",
    "rolbypassrls": "NOBYPASSRLS",
    "rolcreaterole": "NOCREATEROLE",
    "rolcreatedb": "NOCREATEDB",
    "rolreplication": "NOREPLICATION",
}
"""Attributes that no role may have: columns of ``pg_roles``, and the words that take them away."""

# Memberships that the migrating role needs. A superuser has them all.
_MEMBERSHIPS = {
    "taskcore_owner": ("SET", "SET TRUE, INHERIT FALSE"),
    "taskcore_definer": ("SET", "SET TRUE, INHERIT FALSE"),
    "taskcore_authenticator": ("SET", "SET TRUE, INHERIT FALSE"),
    "taskcore_directory": ("SET", "SET TRUE, INHERIT FALSE"),
    "taskcore_app": ("USAGE", "INHERIT TRUE"),
    "taskcore_admin": ("USAGE", "INHERIT TRUE"),
}


def _raced(exc: BaseException) -> bool:
    # Another database of the cluster is being migrated: duplicate role (42710, 23505), or
    # "tuple concurrently updated" (XX000).
    return isinstance(exc, asyncpg.PostgresError) and exc.sqlstate in {"42710", "23505", "XX000"}


async def ensure_roles(connection: asyncpg.Connection) -> str | None:
    """Create missing roles and repair those that differ.

    Returns:
        The generated password of ``taskcore_app`` (192 random bits), if this call
        created that role. It is stored nowhere else.
    """
    password = secrets.token_urlsafe(24)
    created = False
    async for attempt in tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception(_raced),
        stop=tenacity.stop_after_delay(30),
        wait=tenacity.wait_random_exponential(multiplier=0.02, max=0.5),
        reraise=True,
    ):
        with attempt:
            # A later statement of this attempt may fail and be retried.
            created = await _create(connection, password) or created
            await _reset_settings(connection)
            await _grant(connection)
    return password if created else None


async def _create(connection: asyncpg.Connection, password: str) -> bool:
    """Create or repair the roles, and return whether the application's was created."""
    present = {
        row["rolname"]: row
        for row in await connection.fetch(
            "SELECT * FROM pg_catalog.pg_roles WHERE rolname = ANY ($1::text[])", list(ROLES)
        )
    }
    for role, login in ROLES.items():
        if role not in present:
            # The application's role comes last, so that only one attempt creates it and knows
            # its password. Neon requires the password itself, not its hash.
            secret = f" PASSWORD '{password}'" if role == APPLICATION_ROLE else ""
            await _execute(connection, f"CREATE ROLE {role} {login}{secret}")
            continue
        wrong = [word for name, word in ATTRIBUTES.items() if present[role][name]]
        if present[role]["rolcanlogin"] != (login == "LOGIN"):
            wrong.append(login)
        if wrong:
            await _execute(connection, f"ALTER ROLE {role} {' '.join(wrong)}")
    return APPLICATION_ROLE not in present


async def rotate_password(connection: asyncpg.Connection) -> str:
    """Give ``taskcore_app`` a new password and return it. Open connections stay open."""
    password = secrets.token_urlsafe(24)
    await _execute(connection, f"ALTER ROLE {APPLICATION_ROLE} PASSWORD '{password}'")
    return password


async def _reset_settings(connection: asyncpg.Connection) -> None:
    """Reset settings that the application's role has given itself, and set its timeouts."""
    database = await connection.fetchval(
        "SELECT pg_catalog.quote_ident(pg_catalog.current_database())"
    )
    for statement in role_settings.corrections(await role_settings.read(connection), database):
        await _execute(connection, statement)


async def _grant(connection: asyncpg.Connection) -> None:
    for role, (needed, options) in _MEMBERSHIPS.items():
        if not await connection.fetchval(
            "SELECT pg_catalog.pg_has_role(session_user, $1::name, $2)", role, needed
        ):
            await _execute(connection, f"GRANT {role} TO CURRENT_USER WITH {options}")


async def _execute(connection: asyncpg.Connection, statement: str) -> None:
    """Run one statement in its own transaction, with pinned settings."""
    await connection.execute(pinned.creation(connection) + statement)
