"""The login of a router to its shards.

Each router has a login of its own, so that one can be shut out without the others.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import asyncpg

from taskcore.database.url import with_login
from taskcore.errors import ConfigurationError
from taskcore.router.proxies import OWNER
from taskcore.schema import pinned
from taskcore.schema.connection import connection
from taskcore.schema.roles import ATTRIBUTES

if TYPE_CHECKING:
    from taskcore.router.shards import Shard

_NAME = re.compile(rf"{OWNER}_[0-9a-f]{{8}}")
_GROUPS = ("taskcore_app", "taskcore_admin")
_GRANTED = """
SELECT quote_ident(g.rolname) AS role
FROM pg_auth_members AS m JOIN pg_roles AS g ON g.oid = m.roleid
WHERE m.member = (SELECT oid FROM pg_roles WHERE rolname = $1)
"""


@dataclass(frozen=True, slots=True)
class Login:
    """A router's login to every shard."""

    role: str
    password: str = field(repr=False)


async def read_login(session: asyncpg.Connection) -> Login:
    """Return the login that the router has, or a new one."""
    options = await session.fetchval(
        "SELECT umoptions FROM pg_user_mappings WHERE srvname = 'taskcore' AND usename = $1", OWNER
    )
    known = dict(option.split("=", 1) for option in options or ())
    if _NAME.fullmatch(known.get("user", "")) and known.get("password"):
        return Login(known["user"], known["password"])
    return Login(f"{OWNER}_{secrets.token_hex(4)}", secrets.token_urlsafe(24))


async def login_faults(session: asyncpg.Connection, login: Login) -> list[str]:
    """Return what is wrong with the role of a login on a shard."""
    row = await session.fetchrow("SELECT * FROM pg_roles WHERE rolname = $1", login.role)
    if row is None:
        return ["there is no such role"]
    faults = [f"it has {word.removeprefix('NO')}" for name, word in ATTRIBUTES.items() if row[name]]
    if not row["rolcanlogin"]:
        faults.append("it cannot log in")
    groups = {row["role"] for row in await session.fetch(_GRANTED, login.role)}
    faults += [f"it is a member of {role}" for role in sorted(groups.difference(_GROUPS))]
    faults += [f"it is no member of {role}" for role in _GROUPS if role not in groups]
    return faults


async def let_in(shard: Shard, login: Login) -> bool:
    """Let the router log in to a shard, and return whether anything was changed.

    Raises:
        Unavailable: The shard cannot be reached.
        PermissionDenied: The shard's role may not create roles, or not grant these.
    """
    async with connection(shard.direct_url) as session:
        faults = await login_faults(session, login)
        if not faults and await _can_log_in(shard, login):
            return False
        row = await session.fetchrow("SELECT * FROM pg_roles WHERE rolname = $1", login.role)
        wrong = [word for name, word in ATTRIBUTES.items() if row and row[name]]
        verb = "ALTER" if row else "CREATE"
        granted = [group["role"] for group in await session.fetch(_GRANTED, login.role)]
        statements = (
            f"{verb} ROLE {login.role} LOGIN {' '.join(wrong)} PASSWORD '{login.password}'",
            # PL/Proxy mistakes a shard's timeout for its own, and waits for an answer that came.
            f"ALTER ROLE {login.role} SET statement_timeout = 0",
            *(f"REVOKE {group} FROM {login.role}" for group in granted if group not in _GROUPS),
            *(f"GRANT {group} TO {login.role} WITH INHERIT TRUE" for group in _GROUPS),
        )
        for statement in statements:
            await session.execute(pinned.creation(session) + statement)
        # A move ends the router's sessions.
        if not await session.fetchval("SELECT pg_has_role($1::name, 'USAGE')", login.role):
            await session.execute(f"GRANT {login.role} TO CURRENT_USER WITH INHERIT TRUE")
    return True


async def _can_log_in(shard: Shard, login: Login) -> bool:
    try:
        async with connection(with_login(shard.url, login.role, login.password)):
            return True
    except ConfigurationError as exc:
        if isinstance(exc.__cause__, asyncpg.InvalidAuthorizationSpecificationError):
            return False
        raise
