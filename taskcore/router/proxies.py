"""The functions of a router, from those that a shard reports.

Each calls the function of its name on one shard, or on all of them
(https://plproxy.github.io/syntax.html). No signature is written here.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from taskcore.errors import ConfigurationError

Signature = Mapping[str, Any]
"""A row of ``signatures.sql``."""

OWNER = "taskcore_router"
"""The role that owns the functions. Only its user mapping has the shards' password."""

_OWNERS = ("identity_user_v1", "token_user_v1")
"""Functions that find the user of a credential; calls of others are nested around them."""

_OWNER_USER = "owner_user_v1"
"""Calls one of `_OWNERS` on the shard. The router has no function of this name."""

_ORDERS = {
    "user_list_v1": "r.id",
    "identity_list_v1": 'r.issuer COLLATE "C", r.subject COLLATE "C"',
}
"""Lists of all shards, and their order. The limit is ``p_limit``."""

# Operators of the caller's search_path must not be found. A function that reaches nothing goes
# without, so that PostgreSQL can put it into its callers.
_SAFE = "SECURITY DEFINER SET search_path = pg_catalog, pg_temp"

_TYPE = "CREATE TYPE taskcore.{name} AS ({arguments});"

_FUNCTION = """
CREATE FUNCTION taskcore.{name}({arguments}) RETURNS {result}
LANGUAGE {language} {rights}
AS $$ {body} $$;
"""

_MOVE = """
BEGIN
    IF taskcore.identity_place(p_subject) <> taskcore.identity_place(p_to_subject) THEN
        RAISE EXCEPTION 'the new subject is at another place' USING ERRCODE = 'TC010';
    END IF;
    RETURN taskcore.{name}_there({passed});
END
"""


def script(signatures: Sequence[Signature]) -> str:
    """Return the statements that make the types and functions.

    Args:
        signatures: The rows of ``signatures.sql``, from a shard.

    Raises:
        ConfigurationError: A function takes neither a user nor a credential.
    """
    made = [_TYPE.format(**row) for row in signatures if row["kind"] == "type"]
    functions = [row for row in signatures if row["kind"] != "type" and row["name"] != _OWNER_USER]
    # Expressions of the others call these.
    for row in functions:
        if row["kind"] == "local":
            made += [f"{row['definition']};", _owned(row, row["types"])]
    made.append(_owner_place(row for row in functions if row["name"] in _OWNERS))
    made.append(_shard_versions())
    for row in functions:
        if row["kind"] == "proxy":
            made += _functions(row)
    return "\n".join(made)


def _functions(row: Signature) -> list[str]:
    """Return the statements for the functions of one name."""
    name, names, types = row["name"], row["names"], row["types"]
    passed = ", ".join(names)
    if name in _OWNERS:
        # The operation sends it to the shard, so that both are one transaction there.
        texts = ", ".join((f"'{name}'", *(f"{one}::text" for one in names)))
        local = {**row, "result": "text[]"}
        return [_made(local, "sql", f"SELECT ARRAY[{texts}]", rights="STABLE"), _owned(row, types)]
    if name in _ORDERS:
        inner = {**row, "name": f"{name}_all"}
        merged = f"SELECT r.* FROM taskcore.{name}_all({passed}) AS r"  # noqa: S608
        merged += f" ORDER BY {_ORDERS[name]} LIMIT p_limit"
        return [
            _made(inner, "plproxy", _run_on("ALL", f"TARGET taskcore.{name};")),
            _owned(inner, types, granted=False),
            _made(row, "sql", merged),
            _owned(row, types),
        ]
    if name == "identity_move_v1":
        inner = {**row, "name": f"{name}_there"}
        return [
            _made(inner, "plproxy", _run_on(_place(row), f"TARGET taskcore.{name};")),
            _owned(inner, types, granted=False),
            _made(row, "plpgsql", _MOVE.format(name=name, passed=passed)),
            _owned(row, types),
        ]
    made = [_made(row, "plproxy", _run_on(_place(row))), _owned(row, types)]
    if row["for_application"] and names[0] == "p_user_id":
        owner = {
            **row,
            "arguments": row["arguments"].replace("p_user_id bigint", "p_owner text[]", 1),
        }
        call = ", ".join((f"taskcore.{_OWNER_USER}(p_owner)", *names[1:]))
        select = f"SELECT * FROM taskcore.{name}({call});"  # noqa: S608
        made.append(_made(owner, "plproxy", _run_on("taskcore.owner_place(p_owner)", select)))
        made.append(_owned(owner, types.replace("bigint", "text[]", 1)))
    return made


def _owner_place(rows: Iterable[Signature]) -> str:
    """Return the function that says where an owner is. Its first element is a function's name."""
    branches = " ".join(f"WHEN '{row['name']}' THEN {_place(row, 'p_owner')}" for row in rows)
    made = {"name": "owner_place", "arguments": "p_owner text[]", "result": "integer"}
    body = f"SELECT CASE p_owner[1] {branches} END"
    return _made(made, "sql", body, rights="IMMUTABLE") + _owned(made, "text[]", granted=False)


def _shard_versions() -> str:
    """Return the function by which `taskctl doctor` asks all shards."""
    made = {"name": "shard_versions_v1", "arguments": "", "result": "SETOF integer"}
    made |= {"for_application": "yes", "for_administrators": "yes"}
    body = _run_on("ALL", "TARGET taskcore.schema_version_v1;")
    return _made(made, "plproxy", body) + _owned(made, "")


def _place(row: Signature, array: str | None = None) -> str:
    """Return the expression that says where a function runs.

    Args:
        row: The function.
        array: The array that holds the function's name and its arguments as text. Without it the
            arguments have their names.

    Raises:
        ConfigurationError: The function takes neither a user nor a credential.
    """
    names = row["names"]

    def written(name: str) -> str:
        return name if array is None else f"{array}[{names.index(name) + 2}]"

    if "p_place" in names:
        return written("p_place") + ("" if array is None else "::integer")
    if "p_subject" in names:
        return f"taskcore.identity_place({written('p_subject')})"
    if names[:1] == ["p_user_id"]:
        return f"taskcore.user_place({written('p_user_id')})"
    raise ConfigurationError(f"the router cannot tell where {row['name']} runs")


def _run_on(place: str, what: str = "") -> str:
    return f"CLUSTER 'taskcore'; RUN ON {place}; {what}"


def _made(row: Signature, language: str, body: str, *, rights: str = _SAFE) -> str:
    return _FUNCTION.format(
        name=row["name"],
        arguments=row["arguments"],
        result=row["result"],
        language=language,
        rights=rights,
        body=body,
    )


def _owned(row: Signature, types: str, *, granted: bool = True) -> str:
    """Return the statements that set a function's owner, and who may call it."""
    function = f"FUNCTION taskcore.{row['name']}({types})"
    statements = [
        f"ALTER {function} OWNER TO {OWNER};",
        f"REVOKE ALL ON {function} FROM PUBLIC;",
    ]
    if granted and row["for_application"]:
        statements.append(f"GRANT EXECUTE ON {function} TO taskcore_app;")
    if granted and row["for_administrators"]:
        statements.append(f"GRANT EXECUTE ON {function} TO taskcore_admin;")
    return "\n".join(statements)
