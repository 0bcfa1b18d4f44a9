"""The two walls between users, and the shipped SQL with one of them taken away.

The first wall is the predicate of every query, ``user_id = p_user_id`` or the same for an
identity's issuer and subject, or for a token's hash. The second is row-level security.
``pytest --without rls`` and ``pytest --without predicates`` run the tests against one wall alone.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, cast

from taskcore.schema import catalog
from tests.isolation.functions import DIRECTORY

Wall = Literal["rls", "predicates"]
Kind = Literal["user", "identity", "token"]
WALLS: tuple[Wall, ...] = ("rls", "predicates")

_FUNCTION = re.compile(
    r"^CREATE OR REPLACE FUNCTION taskcore\.(\w+)\(.*?^AS \$\$(.*?)\$\$;$", re.DOTALL | re.MULTILINE
)
_PREDICATE = re.compile(
    r"\b(?P<user>t\.user_id|u\.id|k\.user_id) = (?:p_user_id|v_user_id)\b"
    r"|\b(?P<identity>i)\.issuer = p_issuer AND i\.subject = p_subject\b"
    r"|\b(?P<token>c\.hash) = p_hash\b"
)

# Other uses of the user that a function may have: declare them, refuse an invalid one,
# bind them, write them into a row. Anything unlisted is a use nobody thought of.
_OTHER_USES = re.compile(
    r"p_user_id bigint\b"
    r"|p_user_id IS NULL OR p_user_id < 1\b"
    r"|set_config\('taskcore\.user_id', p_user_id::text, true\)"
    r"|INSERT INTO taskcore\.users \(id\) VALUES \(p_user_id\)"
    r"|VALUES \(p_user_id, p_id, p_write_id, v_new\.title, v_new\.description, "
    r"|SELECT p_user_id, b\.id, p_write_id, b\.title, b\.description\b"  # batch and import
    r"|taskcore\.task_(update|delete)_v1\(p_user_id, v_id, "  # several tasks, one by one
    # The user of an identity, compared with the one that the request names.
    r"|p_user_id <> v_user_id|p_user_id IS NOT NULL"
    r"|VALUES \(p_hash, p_user_id, (?:p_id|p_new_id), "  # tokens
    r"|p_user_id IS NULL OR i\.user_id = p_user_id"  # a filter of the directory
    r"|taskcore\.user_place\(p_user_id\)"  # in the text of a token's secret
)
_TABLE = re.compile(r"\b(?:FROM|UPDATE|JOIN) taskcore\.(?:tasks|users|identities|tokens) AS \w\b")
TABLES = ("users", "tasks", "identities", "tokens")

# The number of queries in each function that read or change rows.
QUERIES = {
    "task_create_v1": 4,
    "task_create_many_v1": 5,
    "task_import_v1": 2,
    "task_get_v1": 1,
    "task_list_v1": 8,
    "task_count_v1": 2,
    "task_update_v1": 2,
    "task_delete_v1": 2,
    "user_get_v1": 2,
    "user_delete_v1": 1,
    "user_block_v1": 1,
    "identity_user_v1": 4,
    "identity_block_v1": 2,
    "identity_move_v1": 3,
    "token_user_v1": 5,
    "token_create_v1": 5,
    "token_rotate_v1": 7,
    "token_list_v1": 1,
    "token_delete_v1": 1,
    "session_open_v1": 1,
    "session_close_v1": 1,
}


@dataclass(frozen=True)
class Predicate:
    """The condition of one query on its user or credential, and where in the script it is.

    Attributes:
        function: The function.
        number: Which of the function's predicates.
        kind: What it compares.
        column: The column, or the alias of ``identities``.
        user: The variable that a user is compared with.
        start: Where the condition begins in the script.
        end: Where it ends.
    """

    function: str
    number: int
    kind: Kind
    column: str
    user: str
    start: int
    end: int

    def replaced(self, text: str) -> Callable[[str], str]:
        """Make the edit of the script that puts another condition in its place."""
        condition = text.format(column=self.column, user=self.user)
        return lambda script: script[: self.start] + condition + script[self.end :]


def predicates() -> tuple[Predicate, ...]:
    """Find every predicate; fails when a query has none, or a user is used in a new way."""
    script = catalog.sql("functions")
    found = [
        Predicate(
            function=function[1],
            number=number,
            kind=cast("Kind", match.lastgroup),
            column=match[match.lastgroup or 0],
            user=match[0].partition(" = ")[2],
            start=function.start() + match.start(),
            end=function.start() + match.end(),
        )
        for function in _FUNCTION.finditer(script)
        for number, match in enumerate(_PREDICATE.finditer(function[0]), 1)
    ]
    assert Counter(predicate.function for predicate in found) == QUERIES
    for function in _FUNCTION.finditer(script):
        if function[1] not in DIRECTORY:
            assert len(_TABLE.findall(function[0])) == QUERIES.get(function[1], 0), function[1]
    rest = _OTHER_USES.sub("", _PREDICATE.sub("", re.sub("--.*", "", script)))
    assert "p_user_id" not in rest, "a use of the user that these tests do not know"
    return tuple(found)


def body_edited(function: str, pattern: str, replacement: str) -> Callable[[str], str]:
    """Make the edit of the script that rewrites one place in one function."""

    def edit(script: str) -> str:
        (whole,) = (match for match in _FUNCTION.finditer(script) if match[1] == function)
        edited = whole[0].replace(pattern, replacement)
        assert whole[0].count(pattern) == 1, f"{function}: {pattern}"
        return script[: whole.start()] + edited + script[whole.end() :]

    return edit


def without_predicates(script: str) -> str:
    """Take every predicate out of the functions' script, whatever became of it before."""
    predicates()
    return _PREDICATE.sub("true", script)


def replacing(script: str) -> str:
    """Return one statement list that puts these bodies in place; for a superuser.

    Owners and privileges stay as they are in the database.
    """
    return "".join(f"{match[0]}\n" for match in _FUNCTION.finditer(script))


def without(wall: Wall, script: str | None = None) -> str:
    """Return the SQL, for a superuser, that takes a wall away.

    Args:
        wall: Which.
        script: The functions to start from; None: those that are shipped.
    """
    if wall == "predicates":
        return replacing(without_predicates(script or catalog.sql("functions")))
    return "".join(
        f"ALTER TABLE taskcore.{table} NO FORCE ROW LEVEL SECURITY;"
        f"ALTER TABLE taskcore.{table} DISABLE ROW LEVEL SECURITY;"
        for table in TABLES
    )


def shipped() -> str:
    """Return the SQL, for a superuser, that puts both walls back."""
    return replacing(catalog.sql("functions")) + "".join(
        f"ALTER TABLE taskcore.{table} ENABLE ROW LEVEL SECURITY;"
        f"ALTER TABLE taskcore.{table} FORCE ROW LEVEL SECURITY;"
        for table in TABLES
    )
