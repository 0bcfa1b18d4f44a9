"""The canary: two throw-away users try to reach each other's tasks, and leave no trace."""

from __future__ import annotations

import json
import secrets
from functools import partial
from typing import TYPE_CHECKING, Any

import asyncpg

from taskcore.limits import MAX_ID
from taskcore.schema.catalog import rolled_back
from taskcore.tasks.ids import new_write_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_FUNCTIONS = {
    "create": "task_create_v1($1, $2, $3, $4)",
    "create_many": "task_create_many_v1($1, $2, $3)",
    "import": "task_import_v1($1, $2, $3)",
    "get": "task_get_v1($1, $2)",
    "list": "task_list_v1($1, NULL, 1000, $2)",
    "count": "task_count_v1($1, $2, NULL)",
    "update": "task_update_v1($1, $2, $3, NULL, $4)",
    "update_many": "task_update_many_v1($1, $2, $3, $4)",
    "delete": "task_delete_v1($1, $2, NULL)",
    "delete_many": "task_delete_many_v1($1, $2)",
}
_CHANGE = json.dumps({"title": "changed"})
_BINDING = "SELECT nullif(current_setting('taskcore.user_id', true), '')"
_DIRECT = (
    "SELECT 1 FROM taskcore.tasks LIMIT 1",
    "SELECT 1 FROM taskcore.users LIMIT 1",
    "SELECT 1 FROM taskcore.identities LIMIT 1",
    "SELECT 1 FROM taskcore.tokens LIMIT 1",
    "UPDATE taskcore.tasks SET completed = true WHERE false",
    "UPDATE taskcore.users SET updated_at = updated_at WHERE false",
    "DELETE FROM taskcore.tasks WHERE false",
    "DELETE FROM taskcore.users WHERE false",
    "DELETE FROM taskcore.identities WHERE false",
    "DELETE FROM taskcore.tokens WHERE false",
)
_IDENTITY = "SELECT taskcore.identity_user_v1($1, $2, $3, $4)"
_PRESENTED = "SELECT taskcore.token_user_v1($1, $2, $3)"
_TOKEN_FUNCTIONS = {
    "create": "token_create_v1($1, $2, $3, 'canary', ARRAY['tasks:read'], 1)",
    "list": "token_list_v1($1)",
    "delete": "token_delete_v1($1, $2)",
}
_ISSUER = "https://canary.invalid"
_REFUSED = "42501"
_INVALID = "22023"
_MISSING = "TC003"
_NOT_FOUND = "TC404"
_NOT_ACCEPTED = "TC411"
_NO_SCOPE = "TC413"
_ATTEMPTS = 10


async def broken_promises(connection: asyncpg.Connection) -> list[str]:
    """Return the promises of isolation that are broken for this connection's role, a line each.

    Everything happens in a transaction that is rolled back. The users' ids are random high
    ids without tasks.

    Raises:
        asyncpg.PostgresError: A function failed, or is not there.
    """
    async with rolled_back(connection):
        canary = _Canary(connection)
        await canary.is_nobodys()
        ours, theirs = await _unused(connection), await _unused(connection)
        await canary.keeps_tasks_apart(ours, theirs)
        await canary.keeps_identities_apart()
        await canary.keeps_tokens_apart(ours, theirs)
        await canary.needs_a_user()
        await canary.reaches_no_table(theirs)
    async with rolled_back(connection):
        for user in (ours, theirs):
            left = await _rows(connection, "list", user, None)
            canary.expect(not left, f"the rolled-back tasks of user {user} are still there")
    return canary.broken


class _Canary:
    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self.broken: list[str] = []

    def expect(self, kept: bool, otherwise: str) -> None:  # noqa: FBT001
        """Record a broken promise, once."""
        if not kept and otherwise not in self.broken:
            self.broken.append(otherwise)

    async def is_nobodys(self) -> None:
        """Check that no setting of the role or the database binds a user."""
        self.expect(
            await self._connection.fetchval(_BINDING) is None,
            "a user is bound before the first call",
        )

    async def keeps_tasks_apart(self, ours: int, theirs: int) -> None:
        """Let one user try to reach the other's tasks. Both use one of the task ids."""
        shared, own, foreign, elsewhere = 1, 2, 3, 4
        for user, ids in ((ours, (shared, own)), (theirs, (shared, foreign, elsewhere))):
            for task in ids:
                new = json.dumps({"title": "canary", "key": f"canary {task}"})
                rows = await self._call("create", user, task, new_write_id(), new)
                self.expect(_ids(rows) == [(user, task)], "create did not return the user's task")
        untouched = [tuple(row) for row in await self._call("list", theirs, None)]

        self.expect(not await self._call("get", ours, foreign), "get found another user's task")
        found = await self._call("get", ours, own)
        self.expect(_ids(found) == [(ours, own)], "get did not find the user's own task")
        for completed in (None, False):
            found = await self._call("list", ours, completed)
            self.expect(
                _ids(found) == [(ours, own), (ours, shared)],
                "list did not return the user's own tasks and no others",
            )
            (count,) = await self._call("count", ours, completed)
            self.expect(count["tasks"] == len((own, shared)), "count counted another user's tasks")
        found = await self._call("list", ours, True)
        self.expect(not found, "list of the completed tasks returned some")

        found = await self._call("update", ours, foreign, new_write_id(), _CHANGE)
        self.expect(not found, "update found another user's task")
        found = await self._call("update", ours, shared, new_write_id(), _CHANGE)
        self.expect(_ids(found) == [(ours, shared)], "update did not change the user's own task")
        self.expect(not await self._call("delete", ours, foreign), "delete found another's task")
        found = await self._call("delete", ours, shared)
        self.expect(_ids(found) == [(ours, shared)], "delete did not find the user's own task")
        several = [str(own), str(foreign)]
        for name, rest in (("update_many", (new_write_id(), _CHANGE)), ("delete_many", ())):
            code = await self._sqlstate(partial(self._call, name, ours, several, *rest))
            self.expect(code == _MISSING, f"{name} found another user's task")
        batch = json.dumps([{"id": foreign, "title": "canary", "description": None}])
        found = await self._call("create_many", ours, new_write_id(), batch)
        self.expect(_ids(found) == [(ours, foreign)], "create_many did not return the batch")

        batch = json.dumps([{"id": task, "title": "canary"} for task in (own, elsewhere)])
        found = await self._call("import", ours, new_write_id(), batch)
        self.expect(
            [row["id"] for row in found] == [own],
            "import did not return the user's own taken ids and no others",
        )

        found = await self._call("list", ours, None)
        self.expect(
            _ids(found) == [(ours, elsewhere), (ours, foreign), (ours, own)],
            "list did not return the user's own tasks and no others",
        )
        self.expect(
            [tuple(row) for row in await self._call("list", theirs, None)] == untouched,
            "one user's writes changed another user's tasks",
        )

    async def keeps_identities_apart(self) -> None:
        """Let one identity try to name the other's user."""
        issuer, ours, theirs = _ISSUER, secrets.token_hex(16), secrets.token_hex(16)
        users = [await self._user_of(issuer, subject, None, "create") for subject in (ours, theirs)]
        self.expect(users[0] != users[1], "two identities have one user")
        found = [await self._user_of(issuer, subject, None, "empty") for subject in (ours, theirs)]
        self.expect(found == users, "an identity did not keep its user")
        code = await self._sqlstate(partial(self._user_of, issuer, ours, users[1], "empty"))
        self.expect(code == _NOT_FOUND, "an identity may name another user")

    async def _user_of(self, *args: object) -> int:
        user: int = await self._connection.fetchval(_IDENTITY, *args)
        self.expect(
            await self._connection.fetchval(_BINDING) is None, "an identity leaves its user bound"
        )
        return user

    async def keeps_tokens_apart(self, ours: int, theirs: int) -> None:
        """Let one user try to reach the other's token, and the other's path with a token."""
        unknown, our_token, their_token = (secrets.token_bytes(32) for _ in range(3))
        own, foreign = 1, 2
        for user, token, token_id in ((ours, our_token, own), (theirs, their_token, foreign)):
            made = await self._tokens("create", user, token, token_id)
            self.expect(made == [token_id], "token_create did not return the user's token")
            found = await self._connection.fetchval(_PRESENTED, token, "tasks:read", None)
            self.expect(found == user, "a token is not that of its user")
        for user_id, token, scope, code, otherwise in (
            (None, unknown, "tasks:read", _NOT_ACCEPTED, "an unknown token is accepted"),
            (theirs, our_token, "tasks:read", _NOT_FOUND, "a token may name another user"),
            (None, our_token, "tasks:write", _NO_SCOPE, "a token allows more than its scopes"),
        ):
            call = partial(self._connection.fetchval, _PRESENTED, token, scope, user_id)
            self.expect(await self._sqlstate(call) == code, otherwise)
        listed = await self._tokens("list", ours)
        self.expect(listed == [own], "token_list did not return the user's own token")
        ended = await self._tokens("delete", ours, foreign)
        self.expect(not ended, "token_delete found another user's token")

    async def _tokens(self, function: str, *args: object) -> list[int]:
        rows = await self._connection.fetch(
            f"SELECT id FROM taskcore.{_TOKEN_FUNCTIONS[function]}",  # noqa: S608  (from the table)
            *args,
        )
        self.expect(
            await self._connection.fetchval(_BINDING) is None,
            f"token_{function} leaves its user bound",
        )
        return [row["id"] for row in rows]

    async def needs_a_user(self) -> None:
        """Call functions without a user."""
        for nobody in (None, 0):
            self.expect(
                await self._sqlstate(partial(self._call, "list", nobody, None)) == _INVALID,
                f"a function takes {nobody!r} for a user",
            )

    async def reaches_no_table(self, bound: int) -> None:
        """Query the tables directly, bound to a user who has tasks."""
        await self._connection.fetchval(
            "SELECT set_config('taskcore.user_id', $1, true)", str(bound)
        )
        for statement in _DIRECT:
            code = await self._sqlstate(partial(self._connection.execute, statement))
            self.expect(code == _REFUSED, f"not refused: {statement}")

    async def _call(self, function: str, *args: object) -> list[asyncpg.Record]:
        rows = await _rows(self._connection, function, *args)
        self.expect(
            await self._connection.fetchval(_BINDING) is None,
            f"{function} leaves its user bound",
        )
        return rows

    async def _sqlstate(self, call: Callable[[], Any]) -> str | None:
        try:
            async with rolled_back(self._connection):
                await call()
        except asyncpg.PostgresError as exc:
            return exc.sqlstate
        return None


async def _unused(connection: asyncpg.Connection) -> int:
    for _ in range(_ATTEMPTS):
        user = MAX_ID - secrets.randbelow(1 << 50)
        if not await _rows(connection, "list", user, None):
            return user
    # If no user has an empty list, isolation is broken, and the canary will say so.
    return user


async def _rows(
    connection: asyncpg.Connection, function: str, *args: object
) -> list[asyncpg.Record]:
    rows: list[asyncpg.Record] = await connection.fetch(
        f"SELECT * FROM taskcore.{_FUNCTIONS[function]}",  # noqa: S608  (from the table above)
        *args,
    )
    return rows


def _ids(rows: Iterable[asyncpg.Record]) -> list[tuple[int, int]]:
    return [(row["user_id"], row["id"]) for row in rows]
