"""The rows that the database reads for an operation, as it counts them: keys, not tables.

https://www.postgresql.org/docs/current/monitoring-stats.html
"""

import json
from collections.abc import AsyncIterator

import asyncpg
import pytest

from taskcore.database.url import connect_arguments
from taskcore.embedded import EmbeddedServer
from tests.conftest import MakeDatabase
from tests.databases import Database, execute

pytestmark = pytest.mark.inspects

FILL = """
INSERT INTO taskcore.users (id) SELECT generate_series(1, 100);
INSERT INTO taskcore.tasks (user_id, id, write_id, title, completed, due, priority)
    SELECT u, t, 1, 'task ' || t, t > 10, CASE WHEN t <= 900 THEN '2026-11-0' || t % 9 + 1 END,
           CASE WHEN t <= 900 THEN t % 9 + 1 ELSE 0 END
    FROM generate_series(1, 100) AS u, generate_series(1, 1000) AS t;
INSERT INTO taskcore.tokens (hash, user_id, id, name, scopes, last_used_on)
    SELECT sha256(format('%s-%s', u, t)::bytea), u, t, 'x', ARRAY['tasks:read'],
           (now() AT TIME ZONE 'UTC')::date
    FROM generate_series(1, 100) AS u, generate_series(1, 50) AS t;
"""
# At this size the planner would sooner read all tasks of a user and sort them.
FEW = """
INSERT INTO taskcore.users (id) SELECT generate_series(101, 150);
INSERT INTO taskcore.tasks (user_id, id, write_id, title)
    SELECT u, t, 1, 'task ' || t
    FROM generate_series(101, 150) AS u, generate_series(1, 20) AS t;
ANALYZE taskcore.users, taskcore.tasks;
"""
BEFORE = {"empty tables": "SELECT", "a thousand tasks": FEW}
TASK = """'{"title": "x", "completed": true}'"""
BATCH = """'[{"id": 2001, "title": "x"}, {"id": 5, "title": "x"}]'"""

# Each function's arguments, and the most index entries that it may read: reads
# first, as what is rolled back leaves entries behind.
CALLS = {
    "task_get_v1": ("50, 1000", 1),
    "task_list_v1": ("50, NULL, 21, NULL", 21),
    "task_list_v1 ": ("50, 300, 21, NULL", 21),
    "task_list_v1  ": ("50, NULL, 21, false", 10),
    "task_list_v1   ": ("50, NULL, 21, true", 21),
    # A filter reads the user's tasks by key until enough of them match; here all 1,000.
    "task_list_v1    ": ('50, NULL, 21, NULL, \'{"project": "x"}\'', 1000),
    "task_list_v1     ": ("50, NULL, 21, true, '{\"tags\": []}'", 42),
    # A word that no task has, one that all tasks have, and one that a single task has.
    "task_list_v1      ": ('50, NULL, 21, NULL, \'{"search": ["absent"]}\'', 1000),
    "task_list_v1       ": ('50, NULL, 21, false, \'{"search": ["absent", "task"]}\'', 10),
    "task_list_v1        ": ('50, NULL, 21, true, \'{"search": ["task", "k"]}\'', 21),
    "task_list_v1         ": ('50, NULL, 1, NULL, \'{"search": ["999"]}\'', 2),
    # Other orders: a page of the open tasks and one of the completed. If the page is not full,
    # the user's tasks without a due date or a priority are read too, of the open or of all.
    **{
        f"task_list_v1 {order} {after} {completed}": (
            f"50, {after}, 21, {completed}, '{json.dumps({'order': order, **place})}'",
            most,
        )
        for order, after, place, completed, most in (
            ("due", "NULL", {}, "NULL", 31),
            ("due", "NULL", {}, "false", 20),
            ("due", "NULL", {}, "true", 21),
            # 100 tasks are due on this day, and 400 later.
            ("due", "500", {"after_due": "2026-11-05"}, "NULL", 31),
            ("due", "500", {"after_due": "2026-11-05"}, "true", 21),
            ("due", "30", {"after_due": "2026-11-05"}, "true", 42),
            ("due", "NULL", {"due_after": "2026-11-05"}, "true", 21),
            # Those without a due date, along the key.
            ("due", "950", {}, "NULL", 21),
            ("due", "NULL", {"search": ["task"]}, "true", 21),
            ("due", "NULL", {"search": ["absent"]}, "NULL", 2000),
            ("priority", "NULL", {}, "NULL", 31),
            ("priority", "NULL", {}, "false", 20),
            ("priority", "NULL", {}, "true", 21),
            ("priority", "500", {"after_priority": 5}, "NULL", 31),
            ("priority", "30", {"after_priority": 5}, "true", 42),
            ("priority", "NULL", {"priority_at_least": 1}, "true", 21),
            ("priority", "950", {"after_priority": 0}, "NULL", 21),
            ("priority", "NULL", {"search": ["task"]}, "true", 21),
            ("priority", "NULL", {"search": ["absent"]}, "NULL", 2000),
        )
    },
    "task_count_v1": ("50, NULL, NULL", 1000),
    "task_count_v1  ": ('50, NULL, \'{"search": ["absent"]}\'', 1000),
    "task_count_v1 ": ('50, false, \'{"project": "x"}\'', 10),
    "user_list_v1": ("20, 21", 21),
    "user_get_v1": ("50", 1002),
    "task_create_v1": (f"50, 2000, 7, {TASK}", 4),
    "task_create_v1 ": (f"50, 5000, 8589934592, {TASK}, true", 5),
    "task_create_many_v1 ": (
        f"50, 8589934592, {BATCH.replace('2001', '6001').replace('5,', '6002,')}, true",
        20,
    ),
    "task_create_many_v1": (f"50, 8, {BATCH.replace('5,', '2002,')}", 16),
    "task_import_v1": (f"50, 9, {BATCH}", 10),
    "task_update_v1": (f"50, 9, 10, NULL, {TASK}", 4),
    "task_delete_v1": ("50, 8, NULL", 4),
    # The token, and its user.
    "token_user_v1": ("sha256('50-7'), 'tasks:read', NULL", 2),
    "token_user_v1 ": ("sha256('50-7'), 'tasks:read', NULL, true", 3),
    "token_list_v1": ("50", 50),
    "token_delete_v1": ("50, 7", 1),
    "session_open_v1": ("50, sha256('50-7'), sha256('new'), 99, 60", 1),
    "session_close_v1": ("sha256('50-7')", 1),
    # All of the user's tokens twice: those that have expired, and their number.
    "token_create_v1": ("50, sha256('new'), 99, 'x', ARRAY['tasks:read'], 1", 220),
    "token_rotate_v1": ("50, 7, sha256('new'), 98", 220),
}

_READ = """
SELECT (SELECT sum(seq_scan) FROM pg_stat_user_tables WHERE schemaname = 'taskcore')::integer,
       (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes
        WHERE schemaname = 'taskcore' AND relname IN ('tasks', 'users', 'tokens'))::integer
"""


class Reader:
    """One session, as the pool keeps one: its plans were made when there was little or nothing."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def call(self, function: str, arguments: str) -> None:
        """Call a function and roll back, so that calls do not meet each other's rows."""
        name = function.partition(" ")[0]
        statement = f"SELECT * FROM taskcore.{name}({arguments})"  # noqa: S608
        try:
            await self._connection.execute(f"BEGIN; {statement}; ROLLBACK")
        except asyncpg.PostgresError as exc:
            # There is no token before there are users.
            assert exc.sqlstate == "TC411"  # noqa: PT017
            await self._connection.execute("ROLLBACK")

    async def read_by(self, function: str, arguments: str) -> tuple[int, int]:
        """Return how many whole tables and how many entries of indexes a call reads."""
        before = await self._counters()
        await self.call(function, arguments)
        after = await self._counters()
        return after[0] - before[0], after[1] - before[1]

    async def _counters(self) -> tuple[int, int]:
        await self._connection.execute("SELECT pg_stat_force_next_flush()")
        await self._connection.execute("SELECT pg_stat_clear_snapshot()")
        ((tables, entries),) = await self._connection.fetch(_READ)
        return tables, entries


@pytest.fixture
def bare(each_server: EmbeddedServer, make_database: MakeDatabase) -> Database:
    return make_database(each_server)


@pytest.fixture(params=BEFORE)
async def reader(bare: Database, request: pytest.FixtureRequest) -> AsyncIterator[Reader]:
    await execute(bare.owner_url, BEFORE[request.param])
    connection = await asyncpg.connect(**connect_arguments(bare.owner_url))
    reader = Reader(connection)
    for function, (arguments, _) in CALLS.items():
        # Often enough for a plan that is kept; another user, as what is rolled back leaves
        # entries behind.
        for _ in range(6):
            await reader.call(function, arguments.replace("50", "999", 1))
    await execute(bare.owner_url, FILL)
    yield reader
    await connection.close()


async def test_every_operation_reads_by_key_whatever_the_tables_hold(reader: Reader) -> None:
    """SC-001: 100,000 tasks of 100 users, in a session whose plans are from before them."""
    for function, (arguments, most) in CALLS.items():
        tables, entries = await reader.read_by(function, arguments)
        assert (function, arguments, tables) == (function, arguments, 0)
        assert (function, arguments, entries <= most) == (function, arguments, True), entries
