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

_OWNERS = ("identity_user_v1", "token_user_v1")
"""Functions that find the user of a credential; calls of others are nested around them."""

_OWNER_USER = "owner_user_v1"

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

# A credential is sent to the shard with the operation, so that both are one transaction there.
_OWNER = """
CREATE FUNCTION taskcore.{name}({arguments}) RETURNS text[]
LANGUAGE sql STABLE
AS $$ SELECT ARRAY['{name}', {texts}]::text[] $$;
"""

_OF_OWNER = """
CREATE FUNCTION taskcore.{name}({arguments}) RETURNS {result}
LANGUAGE plproxy {safe}
AS $$
    CLUSTER 'taskcore'; RUN ON taskcore.owner_place(p_owner);
    SELECT * FROM taskcore.{name}({called});
$$;
"""

_OWNER_PLACE = """
CREATE FUNCTION taskcore.owner_place(p_owner text[]) RETURNS integer
LANGUAGE sql IMMUTABLE
AS $$ SELECT CASE p_owner[1] {branches} END $$;
ALTER FUNCTION taskcore.owner_place OWNER TO {owner};
REVOKE ALL ON FUNCTION taskcore.owner_place FROM PUBLIC;
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
    made = [_TYPE.format(**row) for row in signatures if row["kind"] == "type"]
    made += [
        f"{row['definition']};\n{_privileges(row)}" for row in signatures if row["kind"] == "local"
    ]
    made += [_SHARDS, _owner_place(signatures)]
    for row in signatures:
        if row["kind"] == "proxy" and row["name"] != _OWNER_USER:
            made.append(_function(row))
            made.append(_privileges(row))
    return "\n".join(made)


_TYPE = "CREATE TYPE taskcore.{name} AS ({arguments});"


def _owner_place(signatures: Sequence[Signature]) -> str:
    # The first element is the function's name.
    branches = [
        f"WHEN '{row['name']}' THEN {_place(row, 'p_owner[{}]')}"
        for row in signatures
        if row["name"] in _OWNERS
    ]
    return _OWNER_PLACE.format(branches=" ".join(branches), owner=OWNER)


def _function(row: Signature) -> str:
    name, names = row["name"], ", ".join(row["names"])
    if name in _OWNERS:
        texts = ", ".join(f"{name}::text" for name in row["names"])
        return _OWNER.format(**{**row, "texts": texts})
    if name in _ORDERS:
        inner = _proxy(row, f"{name}_all", "ALL", target=name)
        return inner + _LIST.format(
            **{**row, "names": names, "order": _ORDERS[name], "safe": _SAFE}
        )
    if name == "identity_move_v1":
        inner = _proxy(row, f"{name}_there", "taskcore.identity_place(p_subject)", target=name)
        return inner + _MOVE.format(**{**row, "names": names, "safe": _SAFE})
    made = _proxy(row, name, _place(row))
    if row["for_application"] and row["names"][0] == "p_user_id":
        made += _proxy_of_owner(row)
    return made


def _place(row: Signature, form: str | None = None) -> str:
    """Return the expression that says where a function runs.

    Args:
        row: The function.
        form: How an argument is written, with the place of its number; by default its name.
    """

    def written(name: str) -> str:
        return name if form is None else form.format(row["names"].index(name) + 2)

    if "p_place" in row["names"]:
        return written("p_place") if form is None else f"{written('p_place')}::integer"
    if "p_subject" in row["names"]:
        return f"taskcore.identity_place({written('p_subject')})"
    if row["names"][:1] == ["p_user_id"]:
        return f"taskcore.user_place({written('p_user_id')})"
    raise ConfigurationError(f"the router cannot tell where {row['name']} runs")


def _proxy_of_owner(row: Signature) -> str:
    """Return the function for a call with a credential in the place of the user's id."""
    name, others = row["name"], row["names"][1:]
    arguments = row["arguments"].replace("p_user_id bigint", "p_owner text[]", 1)
    called = ", ".join((f"taskcore.{_OWNER_USER}(p_owner)", *others))
    return _OF_OWNER.format(
        name=name, arguments=arguments, result=row["result"], called=called, safe=_SAFE
    )


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
    """Return the statements that set owner and grants of the functions of a name."""
    name, types = row["name"], row["types"]
    signatures = [types]
    if row["kind"] == "proxy" and row["for_application"] and row["names"][:1] == ["p_user_id"]:
        signatures.append(types.replace("bigint", "text[]", 1))
    granted = list[str]()
    for one in signatures:
        function = f"FUNCTION taskcore.{name}({one})"
        granted.append(f"ALTER {function} OWNER TO {OWNER};")
        granted.append(f"REVOKE ALL ON {function} FROM PUBLIC;")
        for column, role in (
            ("for_application", "taskcore_app"),
            ("for_administrators", "taskcore_admin"),
        ):
            if row[column]:
                granted.append(f"GRANT EXECUTE ON {function} TO {role};")
    return "\n".join(granted)
