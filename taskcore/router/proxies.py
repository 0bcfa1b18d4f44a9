"""The functions of a router, from those that a shard reports.

Each calls the function of its name on one shard, or on all of them
(https://plproxy.github.io/syntax.html). No signature is written here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from taskcore.errors import ConfigurationError

Signature = Mapping[str, Any]
"""A row of ``signatures.sql``."""

OWNER = "taskcore_router"
"""The role that owns the functions. Only its user mapping has the shards' password."""

_ORDERS = {
    "user_list_v1": "r.id",
    "identity_list_v1": 'r.issuer COLLATE "C", r.subject COLLATE "C"',
}
"""Lists of all shards, and their order. The limit is ``p_limit``."""

# Operators of the caller's search_path must not be found.
_SAFE = "SECURITY DEFINER SET search_path = pg_catalog, pg_temp"

_LIST = """
CREATE FUNCTION taskcore.{name}({arguments}) RETURNS {result}
LANGUAGE sql {safe}
AS $$
    SELECT r.* FROM taskcore.{name}_all({names}) AS r ORDER BY {order} LIMIT p_limit
$$;
"""

# For `taskctl doctor`.
_SHARDS = f"""
CREATE FUNCTION taskcore.shard_versions_v1() RETURNS SETOF integer
LANGUAGE plproxy {_SAFE}
AS $$ CLUSTER 'taskcore'; RUN ON ALL; TARGET taskcore.schema_version_v1; $$;
ALTER FUNCTION taskcore.shard_versions_v1 OWNER TO {OWNER};
REVOKE ALL ON FUNCTION taskcore.shard_versions_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskcore.shard_versions_v1 TO taskcore_app, taskcore_admin;
"""

_MOVE = """
CREATE FUNCTION taskcore.{name}({arguments}) RETURNS {result}
LANGUAGE plpgsql {safe}
AS $$
BEGIN
    IF taskcore.identity_place(p_subject) <> taskcore.identity_place(p_to_subject) THEN
        RAISE EXCEPTION 'the new subject is at another place' USING ERRCODE = 'TC010';
    END IF;
    RETURN taskcore.{name}_there({names});
END
$$;
"""


def script(signatures: Sequence[Signature]) -> str:
    """Return the statements that make the types and functions.

    Args:
        signatures: The rows of ``signatures.sql``, from a shard.

    Raises:
        ConfigurationError: A function takes neither a user nor a credential.
    """
    made = [_SHARDS]
    made += [_TYPE.format(**row) for row in signatures if row["kind"] == "type"]
    for row in sorted(signatures, key=lambda row: row["kind"]):
        if row["kind"] == "local":
            made.append(f"{row['definition']};")
        elif row["kind"] == "proxy":
            made.append(_function(row))
        if row["kind"] != "type":
            made.append(_privileges(row))
    return "\n".join(made)


_TYPE = "CREATE TYPE taskcore.{name} AS ({arguments});"


def _function(row: Signature) -> str:
    name, names = row["name"], ", ".join(row["names"])
    if name in _ORDERS:
        inner = _proxy(row, f"{name}_all", "ALL", target=name)
        return inner + _LIST.format(
            **{**row, "names": names, "order": _ORDERS[name], "safe": _SAFE}
        )
    if name == "identity_move_v1":
        inner = _proxy(row, f"{name}_there", "taskcore.identity_place(p_subject)", target=name)
        return inner + _MOVE.format(**{**row, "names": names, "safe": _SAFE})
    return _proxy(row, name, _place(row))


def _place(row: Signature) -> str:
    """Return the expression that says where a function runs."""
    names = row["names"]
    if "p_place" in names:
        return "p_place"
    if "p_subject" in names:
        return "taskcore.identity_place(p_subject)"
    if names[:1] == ["p_user_id"]:
        return "taskcore.user_place(p_user_id)"
    raise ConfigurationError(f"the router cannot tell where {row['name']} runs")


def _proxy(row: Signature, name: str, place: str, *, target: str | None = None) -> str:
    named = f" TARGET taskcore.{target};" if target else ""
    return f"""
CREATE FUNCTION taskcore.{name}({row["arguments"]}) RETURNS {row["result"]}
LANGUAGE plproxy {_SAFE}
AS $$ CLUSTER 'taskcore'; RUN ON {place};{named} $$;
ALTER FUNCTION taskcore.{name} OWNER TO {OWNER};
REVOKE ALL ON FUNCTION taskcore.{name} FROM PUBLIC;
"""


def _privileges(row: Signature) -> str:
    name = row["name"]
    granted = [f"ALTER FUNCTION taskcore.{name} OWNER TO {OWNER};"]
    granted.append(f"REVOKE ALL ON FUNCTION taskcore.{name} FROM PUBLIC;")
    for column, role in (
        ("for_application", "taskcore_app"),
        ("for_administrators", "taskcore_admin"),
    ):
        if row[column]:
            granted.append(f"GRANT EXECUTE ON FUNCTION taskcore.{name} TO {role};")
    return "\n".join(granted)
