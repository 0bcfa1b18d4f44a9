"""Privileges besides calling the functions: of the connected role, and of others."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncpg

_ATTRIBUTES = {
    "rolsuper": "SUPERUSER",
    "rolbypassrls": "BYPASSRLS",
    "rolcreaterole": "CREATEROLE",
    "rolreplication": "REPLICATION",
}

# https://www.postgresql.org/docs/current/predefined-roles.html, and the roles that
# own the tables and the functions.
_REACHES_DATA = frozenset(
    {
        "pg_read_all_data",
        "pg_write_all_data",
        "pg_read_server_files",
        "pg_write_server_files",
        "pg_execute_server_program",
        "taskcore_owner",
        "taskcore_definer",
        "taskcore_authenticator",
        "taskcore_directory",
    }
)

# MEMBER counts every membership, direct or not, whatever the options of the grant.
# https://www.postgresql.org/docs/current/functions-info.html
_MEMBERSHIPS = """
SELECT r.* FROM pg_roles AS r
WHERE r.rolname <> session_user AND pg_has_role(session_user, r.oid, 'MEMBER')
ORDER BY r.rolname
"""

# Roles and their privileges on the schema's tables or columns, including inherited ones.
_HOLDERS = """
WITH holder AS (
    SELECT r.oid, r.rolname, c.relname, string_agg(p.privilege, ', ' ORDER BY p.n) AS privileges
    FROM pg_roles AS r
    CROSS JOIN pg_class AS c
    CROSS JOIN unnest($1::text[]) WITH ORDINALITY AS p(privilege, n)
    WHERE c.relnamespace = to_regnamespace('taskcore') AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
      AND CASE WHEN p.privilege IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES')
               THEN has_any_column_privilege(r.oid, c.oid, p.privilege)
               ELSE has_table_privilege(r.oid, c.oid, p.privilege) END
    GROUP BY r.oid, r.rolname, c.relname
)
"""
_OF_THE_SESSION = """
SELECT h.rolname || ' has ' || h.privileges || ' on ' || h.relname
FROM holder AS h JOIN pg_roles AS me ON me.rolname = session_user
WHERE h.oid = me.oid OR (NOT me.rolsuper AND pg_has_role(me.oid, h.oid, 'MEMBER'))
UNION ALL
SELECT r.rolname || ' may create objects in the schema'
FROM pg_roles AS r
JOIN pg_namespace AS n ON n.nspname = 'taskcore'
JOIN pg_roles AS me ON me.rolname = session_user
WHERE has_schema_privilege(r.oid, n.oid, 'CREATE')
  AND (r.oid = me.oid OR (NOT me.rolsuper AND pg_has_role(me.oid, r.oid, 'MEMBER')))
ORDER BY 1
"""
_OF_OTHERS = """
SELECT DISTINCT l.rolname || ' can log in and has privileges on ' || h.relname
       || CASE WHEN h.oid = l.oid THEN '' ELSE ' as ' || h.rolname END
FROM pg_roles AS l JOIN holder AS h ON pg_has_role(l.oid, h.oid, 'MEMBER')
WHERE l.rolcanlogin AND NOT l.rolsuper AND NOT l.rolbypassrls AND l.rolname <> session_user
  -- Named once: as itself if it inherits, else as the role it can take.
  AND (h.oid = l.oid OR NOT EXISTS (
      SELECT FROM holder AS own WHERE own.oid = l.oid AND own.relname = h.relname))
ORDER BY 1
"""

_UNRESTRAINED = """
SELECT rolname FROM pg_roles
WHERE rolcanlogin AND (rolsuper OR rolbypassrls) AND rolname <> session_user
ORDER BY rolname
"""

# A view reads with its owner's privileges. A publication needs none.
_VIEWS = """
WITH RECURSIVE reading(oid) AS (
    SELECT c.oid FROM pg_class AS c
    WHERE c.relnamespace = to_regnamespace('taskcore') AND c.relkind IN ('r', 'p')
    UNION
    SELECT w.ev_class
    FROM reading
    JOIN pg_depend AS d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = reading.oid
        AND d.classid = 'pg_rewrite'::regclass
    JOIN pg_rewrite AS w ON w.oid = d.objid
)
SELECT c.oid::regclass::text AS name, pg_get_userbyid(c.relowner)::text AS owner,
       has_any_column_privilege(session_user, c.oid, 'SELECT') AS readable
FROM reading JOIN pg_class AS c ON c.oid = reading.oid
WHERE c.relkind IN ('v', 'm')
ORDER BY 1
"""
_PUBLICATIONS = """
SELECT 'publication ' || p.pubname || ' sends the rows of ' || p.tablename
FROM pg_publication_tables AS p WHERE p.schemaname = 'taskcore'
ORDER BY 1
"""

_DEFAULTS = """
SELECT 'what ' || pg_get_userbyid(d.defaclrole) || ' will create: '
       || CASE e.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(e.grantee)::text END
       || ' ' || e.privilege_type
FROM pg_default_acl AS d CROSS JOIN aclexplode(d.defaclacl) AS e
WHERE e.grantee <> d.defaclrole
  AND (d.defaclnamespace = to_regnamespace('taskcore')
       OR (d.defaclnamespace = 0 AND pg_get_userbyid(d.defaclrole) IN
           ('taskcore_owner', 'taskcore_definer', 'taskcore_authenticator',
            'taskcore_directory')))
ORDER BY 1
"""


async def session_role(connection: asyncpg.Connection) -> tuple[str, list[str]]:
    """Return the connected role, and those of its attributes that break isolation."""
    role = await connection.fetchrow("SELECT * FROM pg_roles WHERE rolname = session_user")
    assert role is not None
    return role["rolname"], [word for name, word in _ATTRIBUTES.items() if role[name]]


async def memberships(connection: asyncpg.Connection) -> tuple[list[str], list[str]]:
    """Return the roles that the connected one can act as: those that break isolation, the others.

    For a superuser, who is a member of every role, both are empty.
    """
    if "SUPERUSER" in (await session_role(connection))[1]:
        return [], []
    dangerous: list[str] = []
    others: list[str] = []
    for role in await connection.fetch(_MEMBERSHIPS):
        words = [word for name, word in _ATTRIBUTES.items() if role[name]]
        if words or role["rolname"] in _REACHES_DATA:
            dangerous.append(" ".join((role["rolname"], *(f"({word})" for word in words))))
        elif role["rolname"] != "taskcore_app":
            others.append(role["rolname"])
    return dangerous, others


async def table_privileges(connection: asyncpg.Connection) -> list[str]:
    """Return the privileges on tables and columns that the connected role has or can take."""
    return await _lines(connection, _HOLDERS + _OF_THE_SESSION, await _privileges(connection))


async def other_readers(connection: asyncpg.Connection) -> list[str]:
    """Return other logins with privileges on the tables that row-level security restricts."""
    return await _lines(connection, _HOLDERS + _OF_OTHERS, await _privileges(connection))


async def unrestrained_logins(connection: asyncpg.Connection) -> list[str]:
    """Return other logins that row-level security does not restrict."""
    return await _lines(connection, _UNRESTRAINED)


async def views(connection: asyncpg.Connection) -> tuple[list[str], list[str]]:
    """Return the views of the tables: those that the connected role can read, the others."""
    readable: list[str] = []
    others: list[str] = []
    for view in await connection.fetch(_VIEWS):
        line = f"view {view['name']} of {view['owner']}"
        (readable if view["readable"] else others).append(line)
    return readable, others


async def publications(connection: asyncpg.Connection) -> list[str]:
    """Return the publications that replicate the tables; policies do not filter them."""
    return await _lines(connection, _PUBLICATIONS)


async def default_privileges(connection: asyncpg.Connection) -> list[str]:
    """Return the default privileges for objects that will be created."""
    return await _lines(connection, _DEFAULTS)


async def _privileges(connection: asyncpg.Connection) -> list[str]:
    words = ["SELECT", "INSERT", "UPDATE", "REFERENCES", "DELETE", "TRUNCATE", "TRIGGER"]
    # MAINTAIN: https://www.postgresql.org/docs/17/ddl-priv.html
    return words + ["MAINTAIN"] * (connection.get_server_version() >= (17,))


async def _lines(connection: asyncpg.Connection, query: str, *args: object) -> list[str]:
    return [row[0] for row in await connection.fetch(query, *args)]
