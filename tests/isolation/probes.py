"""Small proofs of isolation: each fails, or raises, where one user reaches another.

They stand apart from the tests, so that the mutants can show that each break is
caught. ``ME`` asks; another user has an id below, another one above; all three have
a task with the same id, and each has tasks of their own.
"""

# ruff: noqa: S608  (statements are made of names that stand in this file)

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from taskcore.database.url import connect_arguments
from taskcore.schema.catalog import rolled_back
from taskcore.schema.roles import ROLES
from tests.databases import Database
from tests.isolation.functions import (
    DIRECTORY,
    IDENTITIES_OF_ADMINISTRATORS,
    IDENTITY_CALLS,
    OF_OWNER,
    TOKEN,
    TOKEN_CALLS,
    TOKENS_OF_USER,
    USER_CALLS,
    task_calls,
)
from tests.sessions import until_blocked

LOW, ME, HIGH = 122, 123, 124
OTHERS = (LOW, HIGH)
NOBODY = 999
NOT_MINE = (10, 11)
"""Ids of the others' open, and completed, tasks."""
SHARED = 12
"""An id that each of the three has a task with."""
MY_DONE, MY_OPEN = 13, 14
NEW = 20
MISSING = 77

TASK_CALLS = task_calls(SHARED, ME * 1000 + SHARED, "again") | {
    "task_delete_v1": (MISSING, None),
    "task_update_many_v1": ([], ME * 1000 + SHARED, "{}"),
    "task_delete_many_v1": ([],),
}
"""Calls that change nothing that is stored."""

ISSUER, OTHER_ISSUER, LAST_ISSUER = "https://m.example", "https://a.example", "https://z.example"
IDENTITIES = {
    (ISSUER, "me"): ME,
    # The neighbours of it: in both orders, by either column, and in capital letters.
    (ISSUER, "Me"): HIGH,
    (ISSUER, "low"): LOW,
    (OTHER_ISSUER, "me"): LOW,
    (LAST_ISSUER, "me"): HIGH,
}
"""By issuer and subject: the user."""
BLOCKED = ((ISSUER, "ME"), (ISSUER, "nobody"), ("https://b.example", "me"))
"""Identities without a user, which are blocked."""
TOKENS = {
    LOW: b"m" * 16 + b"a" * 16,
    ME: b"m" * 32,
    HIGH: b"z" * 16 + b"m" * 16,
}
"""The hash of each user's first token. Each half of mine is in another's."""
UNKNOWN_TOKENS = (
    *(b"a" * 32, b"z" * 32, b"m" * 31 + b"l", b"m" * 31 + b"n"),
    *(b"m" * 16 + b"x" * 16, b"x" * 16 + b"m" * 16),
)
MY_TOKEN = 15
"""An id that each of the three has a token with. The others also have tokens `NOT_MINE`."""
SCOPES = ("tasks:read", "tasks:write")
NO_USER = 2**63 - 1
FIRST_OF_AN_IDENTITY = 2**52

_SEED = f"""
TRUNCATE taskcore.users CASCADE;
INSERT INTO taskcore.users (id) VALUES ({LOW}), ({ME}), ({HIGH});
INSERT INTO taskcore.identities (issuer, subject, user_id) VALUES
    {", ".join(f"('{i}', '{s}', {user})" for (i, s), user in IDENTITIES.items())};
INSERT INTO taskcore.identities (issuer, subject, blocked_at) VALUES
    {", ".join(f"('{i}', '{s}', now())" for i, s in BLOCKED)};
INSERT INTO taskcore.tokens (hash, user_id, id, name, scopes, minutes, expires_at) VALUES
    {
    ", ".join(
        f"(decode('{h.hex()}', 'hex'), {u}, {MY_TOKEN}, '{u}', ARRAY['tasks:read'], 12960,"
        " now() + interval '9 days')"
        for u, h in TOKENS.items()
    )
};
INSERT INTO taskcore.tokens (hash, user_id, id, name, scopes, minutes, expires_at)
    SELECT sha256(format('%s/%s', u, t)::bytea), u, t, 'x', ARRAY['tasks:write'], 12960,
           now() - interval '1 day'
    FROM (VALUES ({LOW}), ({HIGH})) AS v(u), unnest(ARRAY{[*NOT_MINE]}) AS t;
INSERT INTO taskcore.tasks (user_id, id, write_id, title, completed)
    SELECT u, t, u * 1000 + t, u || '/' || t, t IN ({NOT_MINE[1]}, {MY_DONE})
    FROM (VALUES ({LOW}, {NOT_MINE[0]}), ({LOW}, {NOT_MINE[1]}), ({LOW}, {SHARED}),
                 ({ME}, {SHARED}), ({ME}, {MY_DONE}), ({ME}, {MY_OPEN}),
                 ({HIGH}, {NOT_MINE[0]}), ({HIGH}, {NOT_MINE[1]}), ({HIGH}, {SHARED})) AS v(u, t);
"""

SPY = """
CREATE FUNCTION pg_temp.spy() RETURNS boolean LANGUAGE plpgsql
    AS 'BEGIN RAISE EXCEPTION ''ran as %'', current_user; END';
""" + "".join(
    f"CREATE DOMAIN pg_temp.{name} AS pg_catalog.{name} CHECK (pg_temp.spy());\n"
    for name in ("text", "int8", "int4", "bool", "jsonb", "timestamptz", "bytea", "date")
)
"""Types that shadow the system's, and run code of whoever made them when used."""

Answer = list[tuple[object, ...]] | str
"""Rows, or all that an error says."""


@dataclass(frozen=True)
class Place:
    """A database with the three users in it, and two plain connections."""

    database: Database
    owner: asyncpg.Connection
    application: asyncpg.Connection

    async def call(self, name: str, *args: object, role: str = "taskcore_app") -> Answer:
        """Call a function as a role; the transaction goes on after an error."""
        places = ", ".join(f"${n}" for n in range(1, len(args) + 1))
        try:
            async with self.owner.transaction():
                await self.owner.execute(f"SET LOCAL ROLE {role}")
                rows = await self.owner.fetch(
                    f"SELECT * FROM taskcore.{name}({places})",
                    *args,
                )
                await self.owner.execute("RESET ROLE")
        except asyncpg.PostgresError as exc:
            return f"{exc.sqlstate} {exc.args} {exc.detail} {exc.hint}"
        return [tuple(row) for row in rows]

    async def ids(self, name: str, *args: object, role: str = "taskcore_app") -> list[Any]:
        """Call a function that must succeed; return its rows' first two columns."""
        answer = await self.call(name, *args, role=role)
        assert isinstance(answer, list), answer
        return [row[:2] for row in answer]

    async def row(self, name: str, *args: object, role: str = "taskcore_app") -> tuple[Any, ...]:
        """Call a function that must return one row, and return the row."""
        answer = await self.call(name, *args, role=role)
        assert isinstance(answer, list), answer
        (row,) = answer
        return row

    async def others(self) -> list[asyncpg.Record]:
        """Return every row that is not mine."""
        tasks = await self.owner.fetch(
            "SELECT * FROM taskcore.tasks WHERE user_id <> $1 ORDER BY user_id, id", ME
        )
        users = await self.owner.fetch(
            "SELECT * FROM taskcore.users AS u WHERE u.id NOT IN ($1, $2) AND NOT EXISTS ("
            " SELECT FROM taskcore.identities AS i WHERE i.user_id = u.id AND i.subject = 'new')"
            " ORDER BY u.id",
            ME,
            NOBODY,
        )
        identities = await self.owner.fetch(
            "SELECT * FROM taskcore.identities WHERE (issuer, subject) <> ($1, 'me')"
            " AND subject <> 'new' ORDER BY issuer, subject",
            ISSUER,
        )
        tokens = await self.owner.fetch(
            "SELECT * FROM taskcore.tokens WHERE user_id <> $1 ORDER BY user_id, id", ME
        )
        return tasks + users + identities + tokens

    async def seed(self) -> None:
        await self.owner.execute(_SEED)


@asynccontextmanager
async def placed(database: Database) -> AsyncIterator[Place]:
    """Connect to a database; the first probe puts the three users in it."""
    # A query that never ends is an answer too. A pooler refuses the server's setting.
    owner = await asyncpg.connect(
        **connect_arguments(database.owner_url), server_settings={"statement_timeout": "5s"}
    )
    try:
        application = await asyncpg.connect(**connect_arguments(database.url), command_timeout=10)
        try:
            yield Place(database, owner, application)
        finally:
            await application.close()
    finally:
        await owner.close()


Probe = Callable[[Place], Awaitable[None]]


@asynccontextmanager
async def nothing_of_the_others_changes(place: Place) -> AsyncIterator[None]:
    """Check that no other user's rows changed in the block, then roll back."""
    before = await place.others()
    async with rolled_back(place.owner):
        yield
        assert await place.others() == before


async def users_may_have_tasks_with_the_same_id(place: Place) -> None:
    await place.seed()


# The functions, called by the application's role.


async def a_task_is_read_by_its_user_only(place: Place) -> None:
    async with nothing_of_the_others_changes(place):
        missing = await place.call("task_get_v1", ME, MISSING)
        assert missing == []
        for task in NOT_MINE:
            assert await place.call("task_get_v1", ME, task) == missing
        assert await place.ids("task_get_v1", ME, SHARED) == [(ME, SHARED)]


async def a_list_holds_its_users_tasks_only(place: Place) -> None:
    async with nothing_of_the_others_changes(place):
        for completed, after, expected in (
            (None, None, [MY_OPEN, MY_DONE, SHARED]),
            (True, None, [MY_DONE]),
            (False, None, [MY_OPEN, SHARED]),
            (None, MY_OPEN, [MY_DONE, SHARED]),
            (False, MY_OPEN, [SHARED]),
            (True, MY_OPEN, [MY_DONE]),
            (None, SHARED, []),
            (False, SHARED, []),
            (True, SHARED, []),
        ):
            # No task has a due date or a priority: all orders are one.
            none_due, none_high = '{"order": "due"}', '{"order": "priority", "after_priority": 0}'
            plain = (None, "{}", '{"project": ""}', '{"tags": []}', '{"search": ["/1", "123"]}')
            for fitting in (*plain, none_due, none_high):
                listed = await place.ids("task_list_v1", ME, after, 1000, completed, fitting)
                assert listed == [(ME, task) for task in expected]
                if after is None:
                    count = await place.call("task_count_v1", ME, completed, fitting)
                    assert count == [(len(expected),)]
            theirs = json.dumps({"search": [f"{HIGH}/"]})
            of_none = ('{"project": "x"}', '{"tags": ["x"]}', '{"due_after": "2026-01-01"}')
            for missing in (*of_none, theirs):
                assert await place.call("task_list_v1", ME, after, 1000, completed, missing) == []
                assert await place.call("task_count_v1", ME, completed, missing) == [(0,)]


async def a_search_reads_its_users_texts_only(place: Place) -> None:
    """The others have a text that is not mine, in each field and folded; and so have I."""
    searches = [json.dumps({"search": [word], "order": "due"}) for word in ("secret", "ß")]
    async with rolled_back(place.owner):
        for field in ("title = 'secret ß'", "description = 'secret ß'", "tags = '{secret ß}'"):
            await place.owner.execute(f"UPDATE taskcore.tasks SET {field} WHERE user_id <> $1", ME)
        await place.owner.execute(
            "UPDATE taskcore.tasks SET find = E'secret ß\n\nsecret ß' WHERE user_id = $1", LOW
        )
        async with nothing_of_the_others_changes(place):
            for search in searches:
                assert await place.call("task_list_v1", ME, None, 1000, None, search) == []
                assert await place.call("task_count_v1", ME, None, search) == [(0,)]
            # My own text is no clash with theirs, and my change of one line keeps the others.
            mine = {"title": "x", "folds": {"title": "secret ß"}}
            change = (5, None, json.dumps(mine))
            assert await place.ids("task_update_v1", ME, SHARED, *change) == [(ME, SHARED)]
            tag = {"add_tags": ["y"], "folds": {"tags": {"y": "ß"}}}
            ids = ([str(SHARED), str(MY_OPEN)], 6, json.dumps(tag))
            assert len(await place.ids("task_update_many_v1", ME, *ids)) == len(ids[0])
            found = [
                await place.ids("task_list_v1", ME, None, 1000, None, search) for search in searches
            ]
            assert found == [[(ME, SHARED)], [(ME, MY_OPEN), (ME, SHARED)]]


async def a_list_in_another_order_holds_its_users_tasks_only(place: Place) -> None:
    async with rolled_back(place.owner):
        await place.owner.execute(
            "UPDATE taskcore.tasks SET due = '2026-11-30', priority = 5 WHERE id <> $1", MY_DONE
        )
        await place.owner.execute(
            "INSERT INTO taskcore.tasks (user_id, id, write_id, title, due, priority)"
            " SELECT u, $2, u, 'later', '2026-12-01', 6 FROM unnest($1::bigint[]) AS u",
            [LOW, ME, HIGH],
            NEW,
        )
        await _ordered(place)


async def _ordered(place: Place) -> None:
    async with nothing_of_the_others_changes(place):
        for order, same in (("due", "2026-11-30"), ("priority", 5)):
            for completed, after, expected in (
                (None, None, [MY_OPEN, SHARED, NEW, MY_DONE]),
                (False, None, [MY_OPEN, SHARED, NEW]),
                (True, None, [MY_DONE]),
                (None, MY_OPEN, [SHARED, NEW, MY_DONE]),
                (None, SHARED, [NEW, MY_DONE]),
            ):
                options = {"order": order} | ({f"after_{order}": same} if after else {})
                listed = await place.ids(
                    "task_list_v1", ME, after, 1000, completed, json.dumps(options)
                )
                assert listed == [(ME, task) for task in expected]


async def a_task_is_changed_by_its_user_only(place: Place) -> None:
    async with nothing_of_the_others_changes(place):
        for version in (["99"], ["1"], None):
            change = (
                *(5, version),
                json.dumps({"title": "mine now", "description": "mine", "completed": True}),
            )
            missing = await place.call("task_update_v1", ME, MISSING, *change)
            assert missing == []
            for task in NOT_MINE:
                assert await place.call("task_update_v1", ME, task, *change) == missing
        no_change = (6, None, "{}")
        assert await place.ids("task_update_v1", ME, SHARED, *no_change) == [(ME, SHARED)]
        to_x = json.dumps({"title": "x", "user_id": LOW, "id": MISSING})
        stale = await place.row("task_update_v1", ME, SHARED, 7, ["99"], to_x)
        assert stale[:3] == (ME, SHARED, f"{ME}/{SHARED}")
        changed = await place.row("task_update_v1", ME, SHARED, 8, ["1"], to_x)
        assert changed[:3] == (ME, SHARED, "x")


async def a_task_is_deleted_by_its_user_only(place: Place) -> None:
    async with nothing_of_the_others_changes(place):
        for version in (["99"], ["1"], None):
            missing = await place.call("task_delete_v1", ME, MISSING, version)
            assert missing == []
            for task in NOT_MINE:
                assert await place.call("task_delete_v1", ME, task, version) == missing
        assert await place.ids("task_delete_v1", ME, SHARED, ["99"]) == [(ME, SHARED)]
        assert await place.ids("task_get_v1", ME, SHARED) == [(ME, SHARED)]
        assert await place.ids("task_delete_v1", ME, SHARED, None) == [(ME, SHARED)]
        assert await place.call("task_get_v1", ME, SHARED) == []


async def several_tasks_are_changed_and_deleted_by_their_user_only(place: Place) -> None:
    async with nothing_of_the_others_changes(place):
        change = json.dumps({"title": "x"})
        for name, rest in (("task_update_many_v1", (5, change)), ("task_delete_many_v1", ())):
            for task in (MISSING, *NOT_MINE):
                missing = await place.call(name, ME, [str(MY_OPEN), str(task)], *rest)
                assert isinstance(missing, str)
                assert missing.startswith("TC003")
                assert f" {task} " in missing
        mine = [(ME, SHARED), (ME, MY_DONE)]
        ids = [str(MY_DONE), str(SHARED)]
        assert (await place.row("task_get_v1", ME, MY_OPEN))[2] == f"{ME}/{MY_OPEN}"
        assert await place.ids("task_update_many_v1", ME, ids, 6, change) == mine
        assert await place.ids("task_delete_many_v1", ME, ids) == mine
        assert await place.ids("task_list_v1", ME, None, 1000, None) == [(ME, MY_OPEN)]


async def an_id_of_another_users_task_is_free(place: Place) -> None:
    async with nothing_of_the_others_changes(place):
        for user in OTHERS:
            taken = (SHARED, user * 1000 + SHARED, json.dumps({"title": "theirs"}))
            assert await place.call("task_create_v1", ME, *taken) == []
        repeated = await place.ids("task_create_v1", ME, *TASK_CALLS["task_create_v1"])
        assert repeated == [(ME, SHARED)]
        new = json.dumps({"title": f"{LOW}/{NOT_MINE[0]}", "user_id": LOW})
        for task in NOT_MINE:
            mine = await place.ids("task_create_v1", ME, task, 5, new)
            assert mine == [(ME, task)]


async def a_first_task_creates_its_user(place: Place) -> None:
    """The other users, with lower or higher ids, are not taken for the new one."""
    task = json.dumps({"title": "first"})
    for user in (LOW - 1, HIGH + 1):
        async with rolled_back(place.owner):
            assert await place.ids("task_create_v1", user, NEW, 5, task) == [(user, NEW)]


async def a_batch_is_stored_for_its_user_only(place: Place) -> None:
    def batch(*tasks: int) -> str:
        # `user_id` in a batch must be ignored.
        return json.dumps([{"id": task, "title": "x", "user_id": LOW} for task in tasks])

    for write in (5, *(user * 1000 + task for user in OTHERS for task in NOT_MINE)):
        async with nothing_of_the_others_changes(place):
            stored = await place.ids("task_create_many_v1", ME, write, batch(*NOT_MINE))
            assert stored == [(ME, task) for task in NOT_MINE]
    async with nothing_of_the_others_changes(place):
        mine = TASK_CALLS["task_create_many_v1"]
        assert await place.ids("task_create_many_v1", ME, *mine) == [(ME, SHARED)]
        taken = await place.call("task_create_many_v1", ME, 5, batch(NOT_MINE[0], MY_DONE))
        assert isinstance(taken, str)
        assert taken.startswith("TC001")
        assert f" {MY_DONE} " in taken


async def a_new_task_is_compared_with_its_users_tasks_only(place: Place) -> None:
    """A user's own newer tasks refuse an id; other users' newer tasks do not."""

    def batch(*tasks: int) -> str:
        return json.dumps([{"id": task, "title": "x"} for task in tasks])

    async with rolled_back(place.owner):
        for user, newest in ((LOW, 20_000), (ME, 10_000), (HIGH, 20_000)):
            await place.owner.execute(
                "INSERT INTO taskcore.tasks (user_id, id, write_id, title)"
                f" VALUES ({user}, {newest}, 1, 'newest')"
            )
        async with nothing_of_the_others_changes(place):
            task = json.dumps({"title": "x"})
            new = await place.ids("task_create_v1", ME, 10_001, 1 << 32, task, True)
            assert new == [(ME, 10_001)]
            late = await place.call("task_create_v1", ME, 9_000, 2 << 32, task, True)
            assert isinstance(late, str)
            assert late.startswith("TC002")
            assert " 10001," in late
        async with nothing_of_the_others_changes(place):
            new = await place.ids("task_create_many_v1", ME, 3 << 32, batch(10_002, 10_003), True)
            assert new == [(ME, 10_002), (ME, 10_003)]
            late = await place.call("task_create_many_v1", ME, 4 << 32, batch(9_001, 10_004), True)
            assert isinstance(late, str)
            assert late.startswith("TC002")
            assert " 10003," in late


async def an_import_is_stored_for_its_user_only(place: Place) -> None:
    def batch(*tasks: int) -> str:
        return json.dumps(
            [{"id": task, "title": "x", "version": 7, "user_id": LOW} for task in tasks]
        )

    for write in (5, *(user * 1000 + task for user in OTHERS for task in NOT_MINE)):
        async with nothing_of_the_others_changes(place):
            assert await place.call("task_import_v1", ME, write, batch(*NOT_MINE)) == []
            listed = await place.ids("task_list_v1", ME, None, 1000, None)
            stored = (MY_OPEN, MY_DONE, SHARED, *NOT_MINE[::-1])
            assert listed == [(ME, task) for task in stored]
    async with nothing_of_the_others_changes(place):
        # It returns only ids that the user's own tasks have.
        taken = await place.call("task_import_v1", ME, 5, batch(NOT_MINE[0], MY_DONE))
        assert taken == [(MY_DONE, False)]
        mine = await place.row("task_get_v1", ME, MY_DONE)
        assert mine[2] == f"{ME}/{MY_DONE}"
        repeated = TASK_CALLS["task_import_v1"]
        assert await place.call("task_import_v1", ME, *repeated) == []


async def a_key_names_its_users_task_only(place: Place) -> None:
    """The others have keys that I do not have, and one that each of us has."""
    async with rolled_back(place.owner):
        for key, task in (("theirs", NOT_MINE[0]), ("everybody's", SHARED)):
            await place.owner.execute("UPDATE taskcore.tasks SET key = $1 WHERE id = $2", key, task)
        new, known = ({"title": "x", "key": key} for key in ("theirs", "everybody's"))
        async with nothing_of_the_others_changes(place):
            for task, write in ((NEW, 5), (NEW + 1, 6)):
                made = await place.ids("task_create_v1", ME, task, write, json.dumps(new))
                assert made == [(ME, NEW)]
            there = await place.ids("task_create_v1", ME, NEW + 1, 6, json.dumps(known))
            assert there == [(ME, SHARED)]
        batch = json.dumps([{"id": NEW, **new}, {"id": NEW + 1, **known}])
        async with nothing_of_the_others_changes(place):
            made = await place.ids("task_create_many_v1", ME, 5, batch)
            assert made == [(ME, NEW), (ME, SHARED)]
        async with nothing_of_the_others_changes(place):
            present = await place.call("task_import_v1", ME, 5, batch)
            assert present == [(NEW + 1, True)]
            assert await place.ids("task_get_v1", ME, NEW) == [(ME, NEW)]


async def an_administrator_sees_and_erases_the_user_named_only(place: Place) -> None:
    admin = "taskcore_admin"
    async with nothing_of_the_others_changes(place):
        assert await place.call("user_get_v1", NOBODY, role=admin) == []
        mine = await place.row("user_get_v1", ME, role=admin)
        assert (mine[0], *mine[3:]) == (ME, None, 3, 2)
        listed = await place.ids("user_list_v1", None, 1000, role=admin)
        assert [row[0] for row in listed] == [LOW, ME, HIGH]
        owned = await place.call("identity_list_v1", ME, None, None, 1000, role=admin)
        assert [row[:3] for row in owned] == [(ISSUER, "me", ME)]
        page = await place.call("identity_list_v1", None, ISSUER, "Me", 2, role=admin)
        assert [row[1] for row in page] == ["low", "me"]
        assert await place.call("user_delete_v1", NOBODY, role=admin) == []
        assert [row[0] for row in await place.ids("user_delete_v1", ME, role=admin)] == [ME]
        left = "SELECT count(*) FROM taskcore.tasks WHERE user_id = $1"
        assert await place.owner.fetchval(left, ME) == 0


async def an_administrator_blocks_the_user_named_only(place: Place) -> None:
    admin = "taskcore_admin"
    async with nothing_of_the_others_changes(place):
        assert await place.call("user_block_v1", NOBODY, True, role=admin) == []
        blocked = await place.row("user_block_v1", ME, True, role=admin)
        assert blocked[3] is not None
        assert await place.row("user_block_v1", ME, False, role=admin) != blocked


# Identities.


async def an_identity_is_that_of_its_user_only(place: Place) -> None:
    async with nothing_of_the_others_changes(place):
        for (issuer, subject), user in IDENTITIES.items():
            for unknown in ("empty", "create", "refuse"):
                for named in (None, user):
                    answer = await place.call("identity_user_v1", issuer, subject, named, unknown)
                    assert answer == [(user,)]
                # The same answer for a user who is there and for one who is not.
                missing = await place.call("identity_user_v1", issuer, subject, NOBODY, unknown)
                assert isinstance(missing, str)
                assert missing.startswith("TC404")
                for other in {LOW, ME, HIGH} - {user}:
                    refused = await place.call("identity_user_v1", issuer, subject, other, unknown)
                    assert refused == missing


async def an_owner_is_the_user_of_the_credential_only(place: Place) -> None:
    """As a router sends it."""
    async with nothing_of_the_others_changes(place):
        for (issuer, subject), user in IDENTITIES.items():
            for named in (None, str(user)):
                owner = ["identity_user_v1", issuer, subject, named, "empty", "false", "false"]
                assert await place.call(OF_OWNER, owner) == [(user,)]
        owner = ["identity_user_v1", ISSUER, "me", str(HIGH), "empty", "false", "false"]
        refused = await place.call(OF_OWNER, owner)
        assert isinstance(refused, str)
        assert refused.startswith("TC404")
    for user, token in TOKENS.items():
        words = ["token_user_v1", f"\\x{token.hex()}", "tasks:read", None, "false", "0"]
        async with rolled_back(place.owner):
            assert await place.call(OF_OWNER, words) == [(user,)]
        words[3] = str(NOBODY)
        refused = await place.call(OF_OWNER, words)
        assert isinstance(refused, str)
        assert refused.startswith("TC404")
    others: list[list[str | None]] = [[], [str(ME)], [None], ["task_get_v1", str(ME)]]
    for words in others:
        refused = await place.call(OF_OWNER, words)
        assert isinstance(refused, str)
        assert refused.startswith("22023")


async def an_unknown_identity_reaches_nobody(place: Place) -> None:
    async with nothing_of_the_others_changes(place):
        for issuer, subject in ((ISSUER, "m"), (ISSUER, "me "), ("https://M.example", "me")):
            nobody = await place.call("identity_user_v1", issuer, subject, None, "empty")
            assert nobody == [(NO_USER,)]
            for unknown in ("empty", "create"):
                for user in (NOBODY, LOW, ME, HIGH):
                    answer = await place.call("identity_user_v1", issuer, subject, user, unknown)
                    assert isinstance(answer, str)
                    assert answer.startswith("TC404")
            for named in (None, NOBODY, ME):
                answer = await place.call("identity_user_v1", issuer, subject, named, "refuse")
                assert isinstance(answer, str)
                assert answer.startswith("TC403")


async def a_subject_that_is_an_id_reaches_that_user_only(place: Place) -> None:
    async def call(subject: int, named: int | None, unknown: str, *, creates: bool) -> object:
        arguments = (OTHER_ISSUER, str(subject), named, unknown, creates, True)
        return await place.call("identity_user_v1", *arguments)

    async with nothing_of_the_others_changes(place):
        for user in (LOW, ME, HIGH):
            for unknown, creates in (("empty", False), ("create", True), ("refuse", True)):
                for named in (None, user):
                    assert await call(user, named, unknown, creates=creates) == [(user,)]
                for other in {LOW, ME, HIGH, NOBODY} - {user}:
                    refused = await call(user, other, unknown, creates=creates)
                    assert isinstance(refused, str)
                    assert refused.startswith("TC404")
        refused = await call(NOBODY, None, "refuse", creates=False)
        assert isinstance(refused, str)
        assert refused.startswith("TC403")


async def a_first_write_makes_a_user_of_the_identitys_own(place: Place) -> None:
    async with nothing_of_the_others_changes(place):
        made = []
        for issuer in (ISSUER, OTHER_ISSUER):
            (user,) = await place.row("identity_user_v1", issuer, "new", None, "create")
            assert isinstance(user, int)
            assert FIRST_OF_AN_IDENTITY <= user < 2 * FIRST_OF_AN_IDENTITY
            for unknown in ("empty", "create", "refuse"):
                answer = await place.call("identity_user_v1", issuer, "new", user, unknown)
                assert answer == [(user,)]
            assert await place.call("task_list_v1", user, None, 1000, None) == []
            made.append(user)
        assert made[0] != made[1]


async def two_first_writes_of_an_identity_make_one_user(place: Place) -> None:
    call = f"SELECT taskcore.identity_user_v1('{ISSUER}', 'new', NULL, 'create')"
    last = 2**53 - 1
    await place.owner.execute(f"INSERT INTO taskcore.users (id) VALUES ({last})")
    before = await place.others()
    second = await asyncpg.connect(**connect_arguments(place.database.url), command_timeout=10)
    try:
        first = place.application.transaction()
        await first.start()
        user = await place.application.fetchval(call)
        waiting = asyncio.create_task(second.fetchval(call))
        await until_blocked(place.owner)
        await first.commit()
        assert await waiting == user
        assert await place.others() == before
    finally:
        await second.close()
        await place.owner.execute(f"DELETE FROM taskcore.users WHERE id >= {FIRST_OF_AN_IDENTITY}")


async def a_blocked_identity_is_refused_and_no_other(place: Place) -> None:
    async def users(*, but: tuple[str, str] | None = None) -> None:
        for identity, user in IDENTITIES.items():
            if identity != but:
                answer = await place.call("identity_user_v1", *identity, None, "create")
                assert answer == [(user,)]

    async def refused(issuer: str, subject: str) -> None:
        for unknown in ("empty", "create", "refuse"):
            for user in (None, ME, NOBODY):
                answer = await place.call("identity_user_v1", issuer, subject, user, unknown)
                assert isinstance(answer, str)
                assert answer.startswith("TC401")

    admin = "taskcore_admin"
    for identity in BLOCKED:
        await refused(*identity)
    async with nothing_of_the_others_changes(place):
        blocked = await place.row("identity_block_v1", ISSUER, "me", True, role=admin)
        assert blocked[:3] == (ISSUER, "me", ME)
        await refused(ISSUER, "me")
        await users(but=(ISSUER, "me"))
        again = await place.row("identity_block_v1", ISSUER, "me", False, role=admin)
        assert again[:3] == (ISSUER, "me", ME)
        await users()
        await place.row("identity_block_v1", ISSUER, "new", True, role=admin)
        await refused(ISSUER, "new")
        deleted = await place.row("identity_block_v1", ISSUER, "new", False, role=admin)
        assert deleted[:3] == (ISSUER, "new", None)
        assert await place.call("identity_block_v1", ISSUER, "new", False, role=admin) == []
        await users()


async def an_identity_is_moved_and_no_other(place: Place) -> None:
    new = ("https://to.example", "new")
    their = next(name for name, user in IDENTITIES.items() if user != ME)

    async def move(issuer: str, subject: str, to: tuple[str, str], *, dry_run: bool) -> Answer:
        arguments = (issuer, subject, *to, dry_run)
        return await place.call("identity_move_v1", *arguments, role="taskcore_admin")

    async with rolled_back(place.owner):
        before = await place.others()
        for dry_run in (True, False):
            for unknown in ((ISSUER, "m"), (ISSUER, "mE"), ("https://M.example", "me")):
                assert await move(*unknown, new, dry_run=dry_run) == [("unknown",)]
                assert await move("https://x.example", "x", unknown, dry_run=dry_run) == [
                    ("unknown",)
                ]
                assert await move(*unknown, their, dry_run=dry_run) == [("done",)]
        assert await move(ISSUER, "me", their, dry_run=True) == [("conflict",)]
        refused = await move(ISSUER, "me", their, dry_run=False)
        assert isinstance(refused, str)
        assert refused.startswith("TC005")
        assert await move(ISSUER, "me", new, dry_run=True) == [("moved",)]
        assert await place.call("identity_user_v1", *new, None, "empty") == [(NO_USER,)]
        assert await move(ISSUER, "me", new, dry_run=False) == [("moved",)]
        assert await place.call("identity_user_v1", *new, None, "empty") == [(ME,)]
        assert await place.call("identity_user_v1", ISSUER, "me", None, "empty") == [(NO_USER,)]
        assert await move(ISSUER, "me", new, dry_run=False) == [("done",)]
        assert await place.others() == before


async def a_blocked_users_identities_are_refused_and_no_others(place: Place) -> None:
    for blocked in ({ME}, {LOW, HIGH}):
        async with rolled_back(place.owner):
            for user in blocked:
                await place.call("user_block_v1", user, True, role="taskcore_admin")
            for identity, user in IDENTITIES.items():
                for unknown in ("empty", "create"):
                    answer = await place.call("identity_user_v1", *identity, None, unknown)
                    if user in blocked:
                        assert isinstance(answer, str)
                        assert answer.startswith("TC401")
                    else:
                        assert answer == [(user,)]


async def an_identity_that_is_none_is_refused(place: Place) -> None:
    for name, args in IDENTITY_CALLS.items():
        role = "taskcore_app" if name == "identity_user_v1" else "taskcore_admin"
        for identity in ((None, "me"), (ISSUER, None), ("", "me"), (ISSUER, "")):
            async with rolled_back(place.owner):
                answer = await place.call(name, *identity, *args, role=role)
                assert isinstance(answer, str)
                assert answer.startswith("22023")
    for unknown in (None, "", "CREATE"):
        answer = await place.call("identity_user_v1", ISSUER, "x", None, unknown)
        assert isinstance(answer, str)
        assert answer.startswith("22023")


async def an_identity_does_not_outlive_its_call(place: Place) -> None:
    for name, args in IDENTITY_CALLS.items():
        caller = place.application if name == "identity_user_v1" else place.owner
        places = ", ".join(f"${n + 1}" for n in range(len(args) + 2))
        async with caller.transaction():
            await caller.fetch(f"SELECT * FROM taskcore.{name}({places})", ISSUER, "me", *args)
            for setting in ("issuer", "subject", "user_id"):
                left = await caller.fetchval(f"SELECT current_setting('taskcore.{setting}', true)")
                assert left in ("", None), (name, setting)
        for setting in ("issuer", "subject", "user_id"):
            left = await caller.fetchval(f"SELECT current_setting('taskcore.{setting}', true)")
            assert left in ("", None), (name, setting)
    # An identity was moved.
    await place.seed()


# Tokens.


async def a_token_is_that_of_its_user_only(place: Place) -> None:
    async with nothing_of_the_others_changes(place):
        for user, token in TOKENS.items():
            if user == ME:
                for creates in (False, True):
                    for named in (None, user):
                        answer = await place.call(
                            "token_user_v1", token, "tasks:read", named, creates
                        )
                        assert answer == [(user,)]
            # The same answer for a user who is there and for one who is not.
            missing = await place.call("token_user_v1", token, "tasks:read", NOBODY)
            assert isinstance(missing, str)
            assert missing.startswith("TC404")
            for other in {LOW, ME, HIGH} - {user}:
                refused = await place.call("token_user_v1", token, "tasks:read", other)
                assert refused == missing
    for user, token in TOKENS.items():
        async with rolled_back(place.owner):
            assert await place.call("token_user_v1", token, "tasks:read", None) == [(user,)]


async def _not_accepted(place: Place, token: bytes) -> None:
    for scope in (*SCOPES, None):
        for user in (None, ME, NOBODY):
            for creates in (False, True):
                answer = await place.call("token_user_v1", token, scope, user, creates)
                assert isinstance(answer, str)
                assert answer.startswith("TC411")


async def a_token_that_is_not_there_or_has_ended_is_refused(place: Place) -> None:
    for token in UNKNOWN_TOKENS:
        await _not_accepted(place, token)
    for moment in ("now()", "clock_timestamp()", "now() - interval '1 second'"):
        async with nothing_of_the_others_changes(place):
            await place.owner.execute(
                f"UPDATE taskcore.tokens SET expires_at = {moment} WHERE user_id = {ME}"
            )
            await _not_accepted(place, TOKENS[ME])


async def a_token_allows_its_scopes_only(place: Place) -> None:
    async with nothing_of_the_others_changes(place):
        for scope in ("tasks:write", "tasks:*", "", None):
            for user in (None, ME, NOBODY):
                answer = await place.call("token_user_v1", TOKENS[ME], scope, user)
                assert isinstance(answer, str)
                assert answer.startswith("TC413")
        await place.owner.execute(
            "UPDATE taskcore.tokens SET scopes = ARRAY['tasks:write'] WHERE user_id = $1", ME
        )
        assert await place.call("token_user_v1", TOKENS[ME], "tasks:write", None) == [(ME,)]
        answer = await place.call("token_user_v1", TOKENS[ME], "tasks:read", None)
        assert isinstance(answer, str)
        assert answer.startswith("TC413")


async def a_blocked_users_tokens_are_refused_and_no_others(place: Place) -> None:
    for blocked in ({ME}, {LOW, HIGH}):
        async with rolled_back(place.owner):
            for user in blocked:
                await place.call("user_block_v1", user, True, role="taskcore_admin")
            for user, token in TOKENS.items():
                if user in blocked:
                    await _not_accepted(place, token)
                    continue
                for creates in (False, True):
                    answer = await place.call("token_user_v1", token, "tasks:read", None, creates)
                    assert answer == [(user,)]


async def a_use_of_a_token_locks_no_other_and_waits_for_none(place: Place) -> None:
    call = "SELECT taskcore.token_user_v1($1, 'tasks:read', NULL)"
    async with rolled_back(place.application):
        assert await place.application.fetchval(call, TOKENS[ME]) == ME
        async with rolled_back(place.owner):
            await place.owner.execute(
                f"SELECT FROM taskcore.tokens WHERE user_id <> {ME} FOR UPDATE NOWAIT"
            )
            await _refused(
                place.owner,
                f"SELECT FROM taskcore.tokens WHERE user_id = {ME} FOR UPDATE NOWAIT",
                "55P03",
            )
    async with rolled_back(place.owner):
        await place.owner.execute("SELECT FROM taskcore.tokens FOR UPDATE")
        async with rolled_back(place.application):
            await place.application.execute("SET LOCAL lock_timeout = '1s'")
            assert await place.application.fetchval(call, TOKENS[ME]) == ME
    async with place.application.transaction(readonly=True):
        assert await place.application.fetchval(call, TOKENS[ME]) == ME


async def the_day_of_the_last_use_is_written_once(place: Place) -> None:
    seen = f"SELECT last_used_on, ctid FROM taskcore.tokens WHERE user_id = {ME}"
    async with nothing_of_the_others_changes(place):
        (unused,) = await place.owner.fetch(seen)
        assert unused["last_used_on"] is None
        await place.row("token_user_v1", TOKENS[ME], "tasks:read", None)
        (used,) = await place.owner.fetch(seen)
        assert used["last_used_on"] is not None
        await place.row("token_user_v1", TOKENS[ME], "tasks:read", None)
        assert await place.owner.fetch(seen) == [used]


async def a_token_that_is_none_is_refused(place: Place) -> None:
    for name, args in TOKEN_CALLS.items():
        for token in (None, b"", b"m" * 31, b"m" * 33):
            answer = await place.call(name, token, *args)
            assert isinstance(answer, str)
            assert answer.startswith("22023")


async def a_token_does_not_outlive_its_call(place: Place) -> None:
    for call in (
        "SELECT taskcore.token_user_v1($1, 'tasks:read', NULL)",
        "SELECT taskcore.session_close_v1($1)",
    ):
        for _ in range(2):
            async with place.application.transaction():
                await place.application.fetch(call, TOKENS[ME])
                await _nothing_bound(place.application)
            await _nothing_bound(place.application)
    await place.seed()


async def _nothing_bound(connection: asyncpg.Connection) -> None:
    for setting in ("token", "user_id"):
        left = await connection.fetchval(f"SELECT current_setting('taskcore.{setting}', true)")
        assert left in ("", None), setting


async def tokens_are_listed_and_revoked_by_their_user_only(place: Place) -> None:
    async with nothing_of_the_others_changes(place):
        listed = await place.ids("token_list_v1", ME)
        assert listed == [(MY_TOKEN, str(ME))]
        for token in (MISSING, *NOT_MINE):
            assert await place.call("token_delete_v1", ME, token) == []
        assert await place.call("token_list_v1", NOBODY) == []
        assert await place.call("token_delete_v1", ME, MY_TOKEN) == [(MY_TOKEN,)]
        assert await place.call("token_list_v1", ME) == []
        await _not_accepted(place, TOKENS[ME])


async def a_token_is_made_for_its_user_only(place: Place) -> None:
    async with nothing_of_the_others_changes(place):
        # The hash is that of another user's token: the answer shows nothing of it.
        for other in OTHERS:
            new = (77, "x", ["tasks:read"], 1)
            assert await place.call("token_create_v1", ME, TOKENS[other], *new) == []
        made = await place.row("token_create_v1", ME, TOKEN, NOT_MINE[0], "x", ["tasks:write"], 1)
        assert made[:3] == (NOT_MINE[0], "x", ["tasks:write"])
        again = await place.row("token_create_v1", ME, TOKEN, 78, "y", ["tasks:read"], 2)
        assert again == made
        assert await place.call("token_user_v1", TOKEN, "tasks:write", None) == [(ME,)]
        listed = await place.ids("token_list_v1", ME)
        assert {token for token, _ in listed} == {MY_TOKEN, NOT_MINE[0]}


async def a_token_is_replaced_by_its_user_only(place: Place) -> None:
    async with rolled_back(place.owner):
        await place.owner.execute(
            "UPDATE taskcore.tokens SET expires_at = now() + interval '9 days'"
        )
        before = await place.others()
        for token in (MISSING, *NOT_MINE):
            assert await place.call("token_rotate_v1", ME, token, TOKEN, 78) == []
        for other in OTHERS:
            assert await place.call("token_rotate_v1", ME, MY_TOKEN, TOKENS[other], 78) == []
        made = await place.row("token_rotate_v1", ME, MY_TOKEN, TOKEN, 78)
        assert made[:3] == (78, str(ME), ["tasks:read"])
        assert await place.row("token_rotate_v1", ME, MY_TOKEN, TOKEN, 79) == made
        again = await place.call("token_rotate_v1", ME, MY_TOKEN, b"r" * 32, 79)
        assert isinstance(again, str)
        assert again.startswith("TC006")
        # Both are accepted, and the old one ends.
        for presented in (TOKENS[ME], TOKEN):
            assert await place.call("token_user_v1", presented, "tasks:read", None) == [(ME,)]
        left = await place.owner.fetchval(
            "SELECT expires_at - now() FROM taskcore.tokens WHERE hash = $1", TOKENS[ME]
        )
        assert left.days == 1
        # No API token gets the rights of a session.
        await place.owner.execute(
            "UPDATE taskcore.tokens SET scopes = scopes || '{tokens}' WHERE hash = $1", TOKENS[ME]
        )
        assert await place.call("token_rotate_v1", ME, MY_TOKEN, b"r" * 32, 79) == []
        assert await place.others() == before


async def a_users_tokens_are_counted_alone(place: Place) -> None:
    """The limit is of one user: others at it are not felt, and calls that are repeated pass."""
    fill = (
        "INSERT INTO taskcore.tokens (hash, user_id, id, name, scopes)"
        " SELECT sha256(format('%s+%s', $1::bigint, n)::bytea), $1, 1000 + n, 'x',"
        " ARRAY['tasks:read'] FROM generate_series(2, 100) AS n"
    )
    new = (78, "x", ["tasks:read"], 1)
    async with rolled_back(place.owner):
        for other in OTHERS:
            await place.owner.execute(fill, other)
        before = await place.others()
        await place.row("token_create_v1", ME, TOKEN, *new)
        await place.row("token_rotate_v1", ME, MY_TOKEN, b"r" * 32, 79)
        await place.owner.execute(
            "DELETE FROM taskcore.tokens WHERE user_id = $1 AND id <> $2", ME, MY_TOKEN
        )
        await place.owner.execute(fill, ME)
        await place.owner.execute("UPDATE taskcore.tokens SET is_replaced = false")
        # A repeated call is answered at the limit too.
        await place.row("token_create_v1", ME, TOKENS[ME], *new)
        await place.row("token_rotate_v1", ME, MY_TOKEN, TOKENS[ME], 78)
        for new_hash in (TOKEN, *(TOKENS[other] for other in OTHERS)):
            for call in (
                ("token_create_v1", ME, new_hash, *new),
                ("token_rotate_v1", ME, MY_TOKEN, new_hash, 78),
            ):
                answer = await place.call(*call)
                assert isinstance(answer, str)
                assert answer.startswith("TC004")
        # Expired tokens do not count.
        await place.owner.execute(
            f"UPDATE taskcore.tokens SET expires_at = now() WHERE user_id = {ME} AND id > 1000"
        )
        async with rolled_back(place.owner):
            await place.row("token_rotate_v1", ME, MY_TOKEN, TOKEN, 78)
        await place.row("token_create_v1", ME, TOKEN, *new)
        assert len(await place.ids("token_list_v1", ME)) == 2
        assert await place.others() == before


async def making_a_token_locks_its_user_and_no_other(place: Place) -> None:
    for call in (
        f"token_create_v1({ME}, sha256('x'), 78, 'x', ARRAY['tasks:read'], 1)",
        f"token_rotate_v1({ME}, {MY_TOKEN}, sha256('x'), 78)",
    ):
        async with rolled_back(place.application):
            await place.application.fetch(f"SELECT * FROM taskcore.{call}")
            async with rolled_back(place.owner):
                await place.owner.execute(
                    f"SELECT FROM taskcore.users WHERE id <> {ME} FOR UPDATE NOWAIT"
                )
                # Tasks are created meanwhile: their foreign key takes this lock.
                await place.owner.execute(
                    f"SELECT FROM taskcore.users WHERE id = {ME} FOR KEY SHARE NOWAIT"
                )
                await _refused(
                    place.owner,
                    f"SELECT FROM taskcore.users WHERE id = {ME} FOR NO KEY UPDATE NOWAIT",
                    "55P03",
                )


# Sessions.

LINKS = {user: hashlib.sha256(f"link of {user}".encode()).digest() for user in (LOW, ME, HIGH)}


async def a_link_opens_a_session_of_its_user_once(place: Place) -> None:
    async with rolled_back(place.owner):
        for user, link in LINKS.items():
            new = (user, link, 77, "link", ["sign-in"], 10)
            assert await place.row("token_create_v1", *new)
        before = await place.others()
        rest = (TOKEN, 90, 60)
        # Another user's link is not found, and an API token is not a link.
        for presented in (*(LINKS[other] for other in OTHERS), TOKENS[ME]):
            assert await place.call("session_open_v1", ME, presented, *rest) == []
        async with rolled_back(place.owner):
            # The hash is that of another user's token: the answer shows nothing of it.
            taken = TOKENS[OTHERS[0]]
            assert await place.call("session_open_v1", ME, LINKS[ME], taken, 90, 60) == []
        assert await place.row("session_open_v1", ME, LINKS[ME], *rest) == (90,)
        assert await place.call("session_open_v1", ME, LINKS[ME], *rest) == []
        for scope in ("tasks:read", "tasks:write", "tokens"):
            assert await place.call("token_user_v1", TOKEN, scope, None) == [(ME,)]
        await _not_accepted(place, LINKS[ME])
        assert await place.others() == before


async def the_session_that_is_presented_is_closed_and_no_other(place: Place) -> None:
    async with rolled_back(place.owner):
        for token in TOKENS.values():
            # An API token is no session.
            assert await place.call("session_close_v1", token) == []
        await place.owner.execute(
            "UPDATE taskcore.tokens SET scopes = '{tasks:read,tasks:write,tokens}'"
        )
        before = await place.others()
        await place.call("user_block_v1", ME, True, role="taskcore_admin")
        for token in UNKNOWN_TOKENS:
            assert await place.call("session_close_v1", token) == []
        assert await place.call("session_close_v1", TOKENS[ME]) == [(MY_TOKEN,)]
        await place.call("user_block_v1", ME, False, role="taskcore_admin")
        await _not_accepted(place, TOKENS[ME])
        assert await place.call("session_close_v1", TOKENS[ME]) == []
        assert await place.others() == before


async def a_user_who_is_none_is_refused(place: Place) -> None:
    for name, args in (TASK_CALLS | TOKENS_OF_USER | USER_CALLS).items():
        role = "taskcore_admin" if name in USER_CALLS else "taskcore_app"
        for user in (None, 0, -ME):
            async with rolled_back(place.owner):
                answer = await place.call(name, user, *args, role=role)
                assert isinstance(answer, str)
                assert answer.startswith("22023")


async def a_binding_from_outside_changes_nothing(place: Place) -> None:
    for user in (LOW, HIGH, ""):
        async with nothing_of_the_others_changes(place):
            await place.owner.execute(f"SELECT set_config('taskcore.user_id', '{user}', true)")
            assert await place.ids("task_get_v1", ME, SHARED) == [(ME, SHARED)]
            assert await place.call("task_get_v1", ME, NOT_MINE[0]) == []


async def no_binding_outlives_its_call(place: Place) -> None:
    bound = "SELECT current_setting('taskcore.user_id', true)"
    for name, args in (TASK_CALLS | TOKENS_OF_USER | USER_CALLS).items():
        caller = place.owner if name in USER_CALLS else place.application
        user = ME if name in TASK_CALLS else NOBODY
        call = (
            f"SELECT * FROM taskcore.{name}({', '.join(f'${n + 1}' for n in range(len(args) + 1))})"
        )
        async with caller.transaction():
            await caller.fetch(call, user, *args)
            assert await caller.fetchval(bound) == "", name
        assert await caller.fetchval(bound) in (None, ""), name


# The privileges of the application's role, and of others.


async def _refused(connection: asyncpg.Connection, statement: str, *codes: str) -> None:
    try:
        async with rolled_back(connection):
            await connection.execute(statement)
    except asyncpg.PostgresError as exc:
        if exc.sqlstate in (codes or ("42501",)):
            return
        raise
    raise AssertionError(f"not refused: {statement}")


async def the_application_reaches_no_table(place: Place) -> None:
    application = place.application
    relations = await place.owner.fetch(
        "SELECT oid::regclass::text AS name FROM pg_class "
        "WHERE relnamespace = 'taskcore'::regnamespace AND relkind = ANY ('{r,v,m,p,f}')"
    )
    columns = {
        "users": "id",
        "tasks": "title",
        "identities": "subject",
        "tokens": "name",
        "alembic_version": "version_num",
    }
    await application.execute(
        "CREATE FUNCTION pg_temp.t() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'"
    )
    for (name,) in relations:
        column = columns.get(name.removeprefix("taskcore."), "user_id")
        for statement in (
            f"SELECT FROM {name}",
            f"SELECT {column} FROM {name}",
            f"INSERT INTO {name} DEFAULT VALUES",
            f"UPDATE {name} SET {column} = NULL",
            f"DELETE FROM {name}",
            f"TRUNCATE {name} CASCADE",
            f"LOCK TABLE {name} IN ACCESS SHARE MODE",
            f"CREATE TRIGGER t BEFORE INSERT ON {name} EXECUTE FUNCTION pg_temp.t()",
            f"DROP TABLE {name}",
            f"COPY {name} TO STDOUT",
            f"COPY {name} FROM STDIN",
            f"ALTER TABLE {name} DISABLE ROW LEVEL SECURITY",
            f"CREATE POLICY mine ON {name} USING (true)",
        ):
            await _refused(application, statement)
    await application.execute("DROP FUNCTION pg_temp.t()")
    for statement in (
        "DROP POLICY tasks_own ON taskcore.tasks",
        "CREATE TABLE taskcore.mine (id bigint REFERENCES taskcore.users)",
        "CREATE FUNCTION taskcore.mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "ALTER FUNCTION taskcore.task_get_v1 SECURITY INVOKER",
    ):
        await _refused(application, statement)
    for binding in (str(LOW), ""):
        async with rolled_back(application):
            await application.execute(f"SELECT set_config('taskcore.user_id', '{binding}', true)")
            for table in ("users", "tasks", "identities", "tokens"):
                await _refused(application, f"SELECT FROM taskcore.{table}")


async def the_application_takes_no_other_role(place: Place) -> None:
    for role in {*ROLES, "postgres", "pg_read_all_data"} - {"taskcore_app"}:
        for statement in (
            f"SET ROLE {role}",
            f"SET LOCAL ROLE {role}",
            f"SET SESSION AUTHORIZATION {role}",
            f"GRANT {role} TO taskcore_app",
        ):
            await _refused(place.application, statement)
    await _refused(place.application, "CREATE ROLE mine")
    settings = await place.owner.fetchrow(
        "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication "
        "FROM pg_roles WHERE rolname = 'taskcore_app'"
    )
    assert settings is not None
    assert not any(settings)


async def the_application_is_no_administrator(place: Place) -> None:
    calls = {
        **{name: (NOBODY, *args) for name, args in USER_CALLS.items()},
        **{name: (ISSUER, "new", *IDENTITY_CALLS[name]) for name in IDENTITIES_OF_ADMINISTRATORS},
        **DIRECTORY,
    }
    for name, args in calls.items():
        async with rolled_back(place.owner):
            answer = await place.call(name, *args)
            assert isinstance(answer, str)
            assert answer.startswith("42501")


async def a_stranger_may_call_nothing(place: Place) -> None:
    names = await place.owner.fetch(
        "SELECT oid::regprocedure::text AS name, pronargs FROM pg_proc "
        "WHERE pronamespace = 'taskcore'::regnamespace"
    )
    async with rolled_back(place.owner):
        await place.owner.execute("CREATE ROLE stranger")
        await _refused_to_stranger(place, "SELECT taskcore.schema_version_v1()")
        await place.owner.execute("GRANT USAGE ON SCHEMA taskcore TO stranger")
        for name, count in names:
            nulls = ", ".join(
                f"NULL::{kind}" for kind in name[name.index("(") + 1 : -1].split(",") if count
            )
            await _refused_to_stranger(place, f"SELECT {name[: name.index('(')]}({nulls})")


async def _refused_to_stranger(place: Place, statement: str) -> None:
    async with rolled_back(place.owner):
        await place.owner.execute("SET LOCAL ROLE stranger")
        await _refused(place.owner, statement)


async def a_name_of_the_callers_is_not_taken_for_ours(place: Place) -> None:
    """A type in pg_temp that runs its maker's code, as the function's owner."""
    # A session of its own: another one has compiled the functions already.
    async with placed(place.database) as fresh:
        for role, calls in (
            (
                "taskcore_app",
                {name: (ME, *args) for name, args in (TASK_CALLS | TOKENS_OF_USER).items()}
                | {"identity_user_v1": (ISSUER, "me", None, "empty")}
                | {name: (TOKENS[ME], *args) for name, args in TOKEN_CALLS.items()},
            ),
            (
                "taskcore_admin",
                {name: (ME, *args) for name, args in USER_CALLS.items()}
                | {
                    name: (ISSUER, "me", *IDENTITY_CALLS[name])
                    for name in IDENTITIES_OF_ADMINISTRATORS
                },
            ),
        ):
            async with rolled_back(fresh.owner):
                await fresh.owner.execute(f"SET LOCAL ROLE {role}")
                await fresh.owner.execute(SPY)
                for name, args in calls.items():
                    answer = await fresh.call(name, *args, role=role)
                    assert isinstance(answer, list), answer


# Row-level security, asked without the functions. Meaningless where it is off.

_ANOTHER = "sha256('x'), {}, 99, 'x', ARRAY['tasks:read']"


async def row_security_is_loud_when_nobody_is_bound(place: Place) -> None:
    connection = await asyncpg.connect(**connect_arguments(place.database.owner_url))
    try:
        for binding in (None, ""):
            for table, columns, values in (
                ("users", "id", "1"),
                ("tasks", "user_id, id, write_id, title", "1, 1, 1, 'x'"),
                ("tokens", "hash, user_id, id, name, scopes", _ANOTHER.format(1)),
            ):
                for statement in (
                    f"SELECT * FROM taskcore.{table}",
                    f"DELETE FROM taskcore.{table}",
                    f"UPDATE taskcore.{table} SET created_at = now()",
                    f"INSERT INTO taskcore.{table} ({columns}) VALUES ({values})",
                ):
                    async with rolled_back(connection):
                        await connection.execute("SET LOCAL ROLE taskcore_definer")
                        if binding is not None:
                            await connection.execute("SET LOCAL taskcore.user_id = ''")
                        await _refused(connection, statement, "42704", "22P02")
    finally:
        await connection.close()


@asynccontextmanager
async def _authenticator(place: Place) -> AsyncIterator[None]:
    async with nothing_of_the_others_changes(place):
        await place.owner.execute(f"SET LOCAL taskcore.issuer = '{ISSUER}'")
        await place.owner.execute("SET LOCAL taskcore.subject = 'me'")
        await place.owner.execute("SET LOCAL ROLE taskcore_authenticator")
        yield
        await place.owner.execute("RESET ROLE")


async def row_security_shows_the_presented_identity_only(place: Place) -> None:
    owner = place.owner
    async with _authenticator(place):
        found = await owner.fetch("SELECT issuer, subject FROM taskcore.identities")
        assert [tuple(row) for row in found] == [(ISSUER, "me")]
    async with _authenticator(place):
        assert (
            await owner.execute("UPDATE taskcore.identities SET blocked_at = now()") == "UPDATE 1"
        )
    async with _authenticator(place):
        assert await owner.execute("DELETE FROM taskcore.identities") == "DELETE 1"


async def row_security_lets_no_other_identity_be_written(place: Place) -> None:
    async with _authenticator(place):
        for issuer, subject in ((OTHER_ISSUER, "you"), (ISSUER, "you"), (OTHER_ISSUER, "me")):
            for statement in (
                (
                    f"INSERT INTO taskcore.identities (issuer, subject, user_id)"
                    f" VALUES ('{issuer}', '{subject}', {LOW}) ON CONFLICT DO NOTHING"
                ),
                f"UPDATE taskcore.identities SET issuer = '{issuer}', subject = '{subject}'",
            ):
                await _refused(place.owner, statement)


async def row_security_shows_no_identity_when_none_is_presented(place: Place) -> None:
    connection = await asyncpg.connect(**connect_arguments(place.database.owner_url))
    try:
        async with rolled_back(connection):
            await connection.execute("SET LOCAL ROLE taskcore_authenticator")
            for command in ("SELECT * FROM", "DELETE FROM"):
                await _refused(connection, f"{command} taskcore.identities", "42704")
            await connection.execute("SET LOCAL taskcore.issuer = ''")
            await connection.execute("SET LOCAL taskcore.subject = ''")
            assert await connection.fetch("SELECT FROM taskcore.identities") == []
    finally:
        await connection.close()


async def _present(place: Place, token: bytes) -> None:
    await place.owner.execute("SELECT set_config('taskcore.token', $1::bytea::text, true)", token)


async def row_security_shows_the_presented_token_only(place: Place) -> None:
    for user, token in TOKENS.items():
        async with rolled_back(place.owner):
            await _present(place, token)
            await place.owner.execute("SET LOCAL ROLE taskcore_authenticator")
            found = await place.owner.fetch("SELECT user_id FROM taskcore.tokens")
            assert [tuple(row) for row in found] == [(user,)]
            used = "UPDATE taskcore.tokens SET last_used_on = '2026-01-01'"
            assert await place.owner.execute(used) == "UPDATE 1"
            assert await place.owner.execute("DELETE FROM taskcore.tokens") == "DELETE 1"
    for token in UNKNOWN_TOKENS:
        async with rolled_back(place.owner):
            await _present(place, token)
            await place.owner.execute("SET LOCAL ROLE taskcore_authenticator")
            assert await place.owner.fetch("SELECT FROM taskcore.tokens") == []
            assert await place.owner.execute("DELETE FROM taskcore.tokens") == "DELETE 0"


async def row_security_shows_no_token_when_none_is_presented(place: Place) -> None:
    connection = await asyncpg.connect(**connect_arguments(place.database.owner_url))
    try:
        async with rolled_back(connection):
            await connection.execute("SET LOCAL ROLE taskcore_authenticator")
            await _refused(connection, "SELECT * FROM taskcore.tokens", "42704")
            await connection.execute("SET LOCAL taskcore.token = ''")
            assert await connection.fetch("SELECT FROM taskcore.tokens") == []
    finally:
        await connection.close()


async def the_authenticator_changes_nothing_of_a_token_but_its_use(place: Place) -> None:
    async with rolled_back(place.owner):
        await place.owner.execute(f"SET LOCAL taskcore.user_id = '{ME}'")
        await _present(place, TOKENS[ME])
        await place.owner.execute("SET LOCAL ROLE taskcore_authenticator")
        for statement in (
            "UPDATE taskcore.tokens SET user_id = user_id",
            "UPDATE taskcore.tokens SET scopes = scopes",
            "UPDATE taskcore.tokens SET expires_at = NULL",
            (
                f"INSERT INTO taskcore.tokens (hash, user_id, id, name, scopes)"
                f" VALUES ({_ANOTHER.format(ME)})"
            ),
        ):
            await _refused(place.owner, statement)


async def the_authenticator_reaches_no_task(place: Place) -> None:
    async with rolled_back(place.owner):
        await place.owner.execute(f"SET LOCAL taskcore.user_id = '{ME}'")
        await place.owner.execute("SET LOCAL ROLE taskcore_authenticator")
        for statement in (
            "SELECT FROM taskcore.tasks",
            "DELETE FROM taskcore.tasks",
            "UPDATE taskcore.tasks SET completed = true",
            "INSERT INTO taskcore.tasks (user_id, id, write_id, title) VALUES (123, 9, 9, 'x')",
        ):
            await _refused(place.owner, statement)


@asynccontextmanager
async def _definer(place: Place) -> AsyncIterator[None]:
    async with nothing_of_the_others_changes(place):
        await place.owner.execute(f"SET LOCAL taskcore.user_id = '{ME}'")
        await place.owner.execute("SET LOCAL ROLE taskcore_definer")
        yield
        await place.owner.execute("RESET ROLE")


async def row_security_shows_the_bound_user_only(place: Place) -> None:
    owner = place.owner
    async with _definer(place):
        assert len(await owner.fetch("SELECT FROM taskcore.tasks")) == 3
        assert len(await owner.fetch("SELECT FROM taskcore.users")) == 1
        assert len(await owner.fetch("SELECT FROM taskcore.tokens")) == 1
    for table, own, change in (
        ("tasks", 3, "updated_at = now()"),
        ("users", 1, "updated_at = now()"),
        ("tokens", 1, "name = 'x'"),
    ):
        async with _definer(place):
            statement = f"UPDATE taskcore.{table} SET {change}"
            assert await owner.execute(statement) == f"UPDATE {own}"
        async with _definer(place):
            assert await owner.execute(f"DELETE FROM taskcore.{table}") == f"DELETE {own}"


async def row_security_lets_nothing_be_written_for_another(place: Place) -> None:
    async with _definer(place):
        for user in OTHERS:
            for statement in (
                (
                    f"INSERT INTO taskcore.tasks (user_id, id, write_id, title)"
                    f" VALUES ({user}, 99, 1, 'x')"
                ),
                f"UPDATE taskcore.tasks SET user_id = {user}",
                (
                    f"INSERT INTO taskcore.tokens (hash, user_id, id, name, scopes)"
                    f" VALUES ({_ANOTHER.format(user)})"
                ),
                f"UPDATE taskcore.tokens SET user_id = {user}",
                f"INSERT INTO taskcore.users (id) VALUES ({user - ME + user})",
                f"UPDATE taskcore.users SET id = {user - ME + user}",
            ):
                await _refused(place.owner, statement)


async def row_security_restrains_the_tables_owner(place: Place) -> None:
    async with rolled_back(place.owner):
        await place.owner.execute("SET LOCAL ROLE taskcore_owner")
        for table in ("tasks", "users", "identities", "tokens"):
            assert await place.owner.fetch(f"SELECT FROM taskcore.{table}") == []


async def the_directory_reads_users_and_identities_and_nothing_else(place: Place) -> None:
    async with rolled_back(place.owner):
        await place.owner.execute("SET LOCAL ROLE taskcore_directory")
        assert len(await place.owner.fetch("SELECT id FROM taskcore.users")) == 3
        found = await place.owner.fetch("SELECT subject FROM taskcore.identities")
        assert len(found) == len(IDENTITIES) + len(BLOCKED)
        for statement in (
            "DELETE FROM taskcore.identities",
            "UPDATE taskcore.identities SET user_id = NULL",
            "SELECT FROM taskcore.tasks",
            "SELECT FROM taskcore.tokens",
            "DELETE FROM taskcore.users",
            "UPDATE taskcore.users SET updated_at = now()",
            "INSERT INTO taskcore.users (id) VALUES (1)",
        ):
            await _refused(place.owner, statement)


FUNCTIONS: tuple[Probe, ...] = (
    users_may_have_tasks_with_the_same_id,
    a_task_is_read_by_its_user_only,
    a_list_holds_its_users_tasks_only,
    a_search_reads_its_users_texts_only,
    a_list_in_another_order_holds_its_users_tasks_only,
    a_task_is_changed_by_its_user_only,
    a_task_is_deleted_by_its_user_only,
    several_tasks_are_changed_and_deleted_by_their_user_only,
    an_id_of_another_users_task_is_free,
    a_first_task_creates_its_user,
    a_batch_is_stored_for_its_user_only,
    a_new_task_is_compared_with_its_users_tasks_only,
    an_import_is_stored_for_its_user_only,
    a_key_names_its_users_task_only,
    an_administrator_sees_and_erases_the_user_named_only,
    an_administrator_blocks_the_user_named_only,
    an_identity_is_that_of_its_user_only,
    an_owner_is_the_user_of_the_credential_only,
    an_unknown_identity_reaches_nobody,
    a_subject_that_is_an_id_reaches_that_user_only,
    a_first_write_makes_a_user_of_the_identitys_own,
    two_first_writes_of_an_identity_make_one_user,
    a_blocked_identity_is_refused_and_no_other,
    an_identity_is_moved_and_no_other,
    a_blocked_users_identities_are_refused_and_no_others,
    an_identity_that_is_none_is_refused,
    an_identity_does_not_outlive_its_call,
    a_token_is_that_of_its_user_only,
    a_token_that_is_not_there_or_has_ended_is_refused,
    a_token_allows_its_scopes_only,
    a_blocked_users_tokens_are_refused_and_no_others,
    a_use_of_a_token_locks_no_other_and_waits_for_none,
    the_day_of_the_last_use_is_written_once,
    a_token_that_is_none_is_refused,
    a_token_does_not_outlive_its_call,
    tokens_are_listed_and_revoked_by_their_user_only,
    a_token_is_made_for_its_user_only,
    a_token_is_replaced_by_its_user_only,
    a_link_opens_a_session_of_its_user_once,
    the_session_that_is_presented_is_closed_and_no_other,
    a_users_tokens_are_counted_alone,
    making_a_token_locks_its_user_and_no_other,
    a_user_who_is_none_is_refused,
    a_binding_from_outside_changes_nothing,
    no_binding_outlives_its_call,
    the_application_reaches_no_table,
    the_application_takes_no_other_role,
    the_application_is_no_administrator,
    a_stranger_may_call_nothing,
    a_name_of_the_callers_is_not_taken_for_ours,
    the_directory_reads_users_and_identities_and_nothing_else,
    the_authenticator_reaches_no_task,
    the_authenticator_changes_nothing_of_a_token_but_its_use,
)
ROW_SECURITY: tuple[Probe, ...] = (
    row_security_is_loud_when_nobody_is_bound,
    row_security_shows_the_bound_user_only,
    row_security_lets_nothing_be_written_for_another,
    row_security_shows_the_presented_identity_only,
    row_security_lets_no_other_identity_be_written,
    row_security_shows_no_identity_when_none_is_presented,
    row_security_shows_the_presented_token_only,
    row_security_shows_no_token_when_none_is_presented,
    row_security_restrains_the_tables_owner,
)
