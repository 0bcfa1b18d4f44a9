"""Session settings that the schema depends on, pinned to create, read and compare it.

``ALTER DATABASE … SET`` and ``ALTER ROLE … SET`` can change how SQL is read, how
definitions are printed and where tables are put. They are pinned with SET LOCAL, at
the beginning of each transaction: a pooler drops start-up parameters, and a plain SET
would remain on the pooler's connection.

The functions of ``functions/`` pin for themselves the settings that they depend on.
https://www.postgresql.org/docs/current/runtime-config-client.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncpg

_MEANING = {
    "search_path": "pg_catalog, pg_temp",
    "standard_conforming_strings": "on",
    "backslash_quote": "safe_encoding",
    "transform_null_equals": "off",
    "array_nulls": "on",
    "quote_all_identifiers": "off",
    "row_security": "on",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    # A refused statement must not end the session.
    "exit_on_error": "off",
}

_CREATION = {
    # After waiting for another migration, its changes must be visible.
    "transaction_isolation": "read committed",
    "role": "none",
    "default_tablespace": "",
    "default_table_access_method": "heap",
    "check_function_bodies": "on",
    "createrole_self_grant": "",
    "password_encryption": "scram-sha-256",
}

_NO_TIME_LIMITS = {
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "transaction_timeout": "0",
}
# A router may be older than 16. https://www.postgresql.org/docs/release/
_SINCE = {"createrole_self_grant": 16, "transaction_timeout": 17}


def meaning(connection: asyncpg.Connection) -> str:
    """Return the statements that pin how SQL is read and definitions are printed.

    Send them by the simple protocol, in a transaction or together with the statements
    that need them.
    """
    return _statements(connection, _MEANING)


def creation(connection: asyncpg.Connection) -> str:
    """Return the statements that also pin how objects are made, and switch off time limits.

    They must be the first of their transaction.
    """
    return _statements(connection, _CREATION | _MEANING | _NO_TIME_LIMITS)


def examination(connection: asyncpg.Connection, *, seconds: int) -> str:
    """Return the statements that pin how SQL is read, with a time limit for each statement."""
    limits = {"statement_timeout": f"{seconds}s", "lock_timeout": f"{seconds}s"}
    return _statements(connection, _MEANING | _NO_TIME_LIMITS | limits)


def _statements(connection: asyncpg.Connection, settings: dict[str, str]) -> str:
    version = connection.get_server_version().major
    return "".join(
        f"SET LOCAL {name} = {value}; "
        for name, value in (
            # search_path is a list of names. Quoted, it would be one name.
            (name, value if name == "search_path" else f"'{value}'")
            for name, value in settings.items()
            if version >= _SINCE.get(name, 0)
        )
    )
