"""The application's role, in the hands of somebody who has its password and knows everything."""

import hashlib
import json
import re
from collections.abc import AsyncIterator

import asyncpg
import pytest

from taskcore.database.url import connect_arguments
from tests.databases import Database, execute
from tests.isolation.attempts import HARMLESS, REFUSED
from tests.isolation.functions import task_calls

VICTIM, TASK = 456, 10

TASK_OF_MINE = json.dumps({"title": "mine"})
TASK_CALLS = task_calls(TASK, 4, "stolen")


async def call(connection: asyncpg.Connection, name: str, *args: object) -> list[asyncpg.Record]:
    # A router has forms of the functions for other owners too.
    places = ", ".join(f"${n}" for n in range(1, len(args) + 1))
    if args and isinstance(args[0], int):
        places = places.replace("$1", "$1::bigint", 1)
    return await connection.fetch(f"SELECT * FROM taskcore.{name}({places})", *args)  # noqa: S608


@pytest.fixture
async def adversary(database: Database) -> AsyncIterator[asyncpg.Connection]:
    """The application's role over a plain connection; another user has a task."""
    connection = await asyncpg.connect(**connect_arguments(database.url))
    await call(
        connection,
        "task_create_v1",
        VICTIM,
        TASK,
        1,
        json.dumps({"title": "theirs", "description": "secret"}),
    )
    theirs = (hashlib.sha256(b"theirs").digest(), TASK, "secret", ["tasks:read"], 1)
    await call(connection, "token_create_v1", VICTIM, *theirs)
    yield connection
    await connection.close()


async def _victims_task(connection: asyncpg.Connection) -> tuple[object, ...]:
    (row,) = await call(connection, "task_get_v1", VICTIM, TASK)
    return tuple(row)


@pytest.mark.parametrize("binding", [str(VICTIM), "", "nonsense"])
@pytest.mark.parametrize("caller", ["taskcore_app", "neon", "superuser"])
async def test_the_functions_isolate_whoever_calls_them(
    adversary: asyncpg.Connection, owner: asyncpg.Connection, caller: str, binding: str
) -> None:
    """FR-018, SC-002: even a role that row-level security does not restrain."""
    before = await _victims_task(adversary)
    transaction = owner.transaction()
    await transaction.start()
    # The attributes of the members of neon_superuser.
    await owner.execute("CREATE ROLE neon BYPASSRLS CREATEROLE CREATEDB")
    await owner.execute("GRANT taskcore_app, pg_read_all_data, pg_write_all_data TO neon")
    await owner.execute(f"SET LOCAL ROLE {'postgres' if caller == 'superuser' else caller}")
    await owner.execute(f"SELECT set_config('taskcore.user_id', '{binding}', true)")

    for name in ("task_get_v1", "task_list_v1", "task_update_v1", "task_delete_v1"):
        assert await call(owner, name, 123, *TASK_CALLS[name]) == []
    # The id of another user's task is free.
    (mine,) = await call(owner, "task_create_v1", 123, TASK, 1, TASK_OF_MINE)
    assert mine["user_id"] == 123
    (mine,) = await call(owner, "task_list_v1", 123, None, 1000, None)
    assert mine["title"] == "mine"

    await owner.execute("RESET ROLE")
    assert await _victims_task(owner) == before
    await transaction.rollback()


async def _theirs(owner: asyncpg.Connection) -> list[asyncpg.Record]:
    tasks = await owner.fetch("SELECT * FROM taskcore.tasks WHERE user_id <> 123")
    return tasks + await owner.fetch("SELECT * FROM taskcore.tokens WHERE user_id <> 123")


@pytest.mark.parametrize("attempt", REFUSED)
async def test_it_is_refused(
    adversary: asyncpg.Connection, owner: asyncpg.Connection, attempt: str
) -> None:
    """FR-018, SC-002."""
    code, statements = REFUSED[attempt]
    before = await _theirs(owner)
    transaction = adversary.transaction()
    await transaction.start()
    with pytest.raises(asyncpg.PostgresError) as refusal:
        await _last_of(adversary, statements)
    await transaction.rollback()

    assert refusal.value.sqlstate == code, refusal.value
    # An error may carry values of the row at fault: the adversary's own.
    told = " ".join(str(value) for value in refusal.value.as_dict().values())
    assert not {"theirs", "secret", str(VICTIM)} & set(re.findall(r"\w+", told))
    assert await _theirs(owner) == before


@pytest.mark.parametrize("attempt", HARMLESS)
async def test_it_is_harmless(
    adversary: asyncpg.Connection, owner: asyncpg.Connection, attempt: str
) -> None:
    """FR-018, SC-002."""
    statements, answer = HARMLESS[attempt]
    await owner.execute("ANALYZE taskcore.tasks")
    before = await _theirs(owner)
    transaction = adversary.transaction()
    await transaction.start()
    rows = await _last_of(adversary, statements)
    await transaction.rollback()

    assert [tuple(row) for row in rows] == answer
    assert await _theirs(owner) == before


async def _last_of(connection: asyncpg.Connection, statements: str) -> list[asyncpg.Record]:
    """Run statements, one a line or several, and return the rows of the last."""
    *first, last = statements.split(";\n")
    for statement in first:
        await connection.execute(statement)
    return await connection.fetch(last)


async def test_the_role_has_nothing_but_the_functions(owner: asyncpg.Connection) -> None:
    """FR-018: so PostgreSQL refuses it tables, files, programs, and objects of its own."""
    (role,) = await owner.fetch(
        "SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls "
        "FROM pg_roles WHERE rolname = 'taskcore_app'"
    )
    assert not any(role)
    assert not await owner.fetch(
        "SELECT FROM pg_auth_members WHERE member = 'taskcore_app'::regrole"
    )
    # Objects that it owns ('o') or has privileges on ('a'), in this database and beside it.
    dependencies = await owner.fetch(
        "SELECT deptype::text, classid::regclass::text, objid FROM pg_shdepend "
        "WHERE refobjid = 'taskcore_app'::regrole AND dbid IN (0, "
        "(SELECT oid FROM pg_database WHERE datname = current_database()))"
    )
    assert {(kind, catalog) for kind, catalog, _ in dependencies} == {
        ("a", "pg_proc"),
        ("a", "pg_namespace"),
    }
    schemas = await owner.fetch(
        "SELECT nspname FROM pg_namespace WHERE has_schema_privilege('taskcore_app', oid, 'CREATE')"
    )
    assert not [name for (name,) in schemas if not name.startswith(("pg_temp", "pg_toast_temp"))]
    assert not await owner.fetchval(
        "SELECT has_database_privilege('taskcore_app', current_database(), 'CREATE')"
    )


@pytest.mark.parametrize("mode", ["auto", "force_generic_plan", "force_custom_plan"])
async def test_a_statement_and_its_plan_serve_one_user_after_another(
    adversary: asyncpg.Connection, mode: str
) -> None:
    """FR-018: after five executions a plan may be kept, here and inside the functions."""
    await adversary.execute(f"SET plan_cache_mode = {mode}")
    await call(adversary, "task_create_v1", 123, 11, 2, TASK_OF_MINE)
    get = await adversary.prepare("SELECT title FROM taskcore.task_get_v1($1::bigint, $2)")
    listed = await adversary.prepare(
        "SELECT title FROM taskcore.task_list_v1($1::bigint, NULL, 9, NULL)"
    )
    for _ in range(12):
        assert [*map(tuple, await get.fetch(VICTIM, TASK))] == [("theirs",)]
        assert [*map(tuple, await get.fetch(123, TASK))] == []
        assert [*map(tuple, await get.fetch(123, 11))] == [("mine",)]
        assert [*map(tuple, await listed.fetch(VICTIM))] == [("theirs",)]
        assert [*map(tuple, await listed.fetch(123))] == [("mine",)]


@pytest.mark.parametrize("hold", ["WITHOUT HOLD", "WITH HOLD"])
async def test_a_cursor_keeps_to_the_user_it_was_opened_for(
    adversary: asyncpg.Connection, hold: str
) -> None:
    """FR-018: whoever is bound, or called for, between two fetches."""
    await call(adversary, "task_create_v1", 123, 11, 2, TASK_OF_MINE)
    await call(adversary, "task_create_v1", 123, 12, 2, TASK_OF_MINE)
    async with adversary.transaction():
        await adversary.execute(
            f"DECLARE c CURSOR {hold} FOR SELECT title "  # noqa: S608
            "FROM taskcore.task_list_v1(123, NULL, 9, NULL)"
        )
        await adversary.execute(f"SET LOCAL taskcore.user_id = '{VICTIM}'")
        assert [*map(tuple, await adversary.fetch("FETCH 1 FROM c"))] == [("mine",)]
        assert await call(adversary, "task_get_v1", VICTIM, TASK)
        assert [*map(tuple, await adversary.fetch("FETCH ALL FROM c"))] == [("mine",)]


@pytest.mark.one_server
async def test_what_another_session_runs_shows_no_value(
    adversary: asyncpg.Connection, database: Database
) -> None:
    """One role, so one sees the other's statements: they hold parameters, never values."""
    other = await asyncpg.connect(**connect_arguments(database.url))
    transaction = other.transaction()
    await transaction.start()
    # Behind a pooler the driver's own number is the pooler's.
    pid = await other.fetchval("SELECT pg_backend_pid()")
    await call(other, "task_update_v1", VICTIM, TASK, 9, None, '{"title": "confidential"}')

    seen = await adversary.fetch("SELECT query FROM pg_stat_activity WHERE pid = $1", pid)
    assert [row["query"] for row in seen] == [
        "SELECT * FROM taskcore.task_update_v1($1::bigint, $2, $3, $4, $5)"
    ]
    # Locks name tables and transactions; a row's only while somebody waits for it.
    locks = await adversary.fetch("SELECT DISTINCT locktype FROM pg_locks WHERE pid = $1", pid)
    assert {row["locktype"] for row in locks} == {"relation", "transactionid", "virtualxid"}
    await transaction.rollback()
    await other.close()


async def test_another_users_lock_is_not_felt(
    adversary: asyncpg.Connection, database: Database
) -> None:
    """FR-008: a task that is being written by its user is as missing as any."""
    other = await asyncpg.connect(**connect_arguments(database.url))
    transaction = other.transaction()
    await transaction.start()
    await call(other, "task_update_v1", VICTIM, TASK, 9, None, '{"title": "x"}')
    await call(other, "task_create_v1", VICTIM, 77, 9, TASK_OF_MINE)

    # A wait would end in an error.
    await adversary.execute("SET lock_timeout = '1ms'")
    for task in (TASK, 77):
        assert await call(adversary, "task_get_v1", 123, task) == []
        assert await call(adversary, "task_delete_v1", 123, task, None) == []
        (mine,) = await call(adversary, "task_create_v1", 123, task, 3, TASK_OF_MINE)
        assert mine["user_id"] == 123
    await transaction.rollback()
    await other.close()


async def test_advisory_locks_hold_nobody_up(
    adversary: asyncpg.Connection, database: Database
) -> None:
    """The functions take none: they tell nothing, and holding them stops no other user."""
    for number in (VICTIM, TASK, 0x7461736B636F7265):
        await adversary.execute(f"SELECT pg_advisory_lock({number})")
    other = await asyncpg.connect(**connect_arguments(database.url))
    await other.execute("SET lock_timeout = '1ms'")
    assert await call(other, "task_update_v1", VICTIM, TASK, 9, None, '{"title": "x"}')
    await other.close()


async def test_nothing_is_notified(adversary: asyncpg.Connection, database: Database) -> None:
    heard: list[object] = []
    for channel in ("tasks", "users", "taskcore"):
        await adversary.add_listener(channel, lambda *message: heard.append(message))
    other = await asyncpg.connect(**connect_arguments(database.url))
    await call(other, "task_update_v1", VICTIM, TASK, 9, None, '{"title": "x"}')
    await other.close()

    # Notifications come with the answer to the next statement.
    await adversary.execute("SELECT 1")
    assert heard == []
    await adversary.reset()


@pytest.mark.one_server
async def test_the_servers_debug_output_shows_no_row(
    adversary: asyncpg.Connection, database: Database
) -> None:
    """Trees of the functions' queries, yes; what the queries read, no."""
    await execute(database.owner_url, "ANALYZE taskcore.tasks")
    said: list[str] = []
    adversary.add_log_listener(lambda _connection, message: said.append(str(message.as_dict())))
    for setting in ("debug_print_parse", "debug_print_rewritten", "debug_print_plan"):
        await adversary.execute(f"SET {setting} = on")
    await adversary.execute("SET client_min_messages = debug5")
    assert await call(adversary, "task_get_v1", 123, TASK) == []
    await adversary.execute("SET client_min_messages = warning")

    assert said
    assert not [line for line in said if "theirs" in line or "secret" in line]


@pytest.mark.one_server
async def test_the_counters_are_of_all_users_together(adversary: asyncpg.Connection) -> None:
    """The application's credentials reveal the number of all writes, but not those of a user."""
    columns = await adversary.fetch(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'pg_stat_user_tables'::regclass "
        "AND attnum > 0 AND atttypid NOT IN ('int8'::regtype, 'timestamptz'::regtype, "
        "'float8'::regtype)"
    )
    assert {row["attname"] for row in columns} == {"relid", "schemaname", "relname"}
    tables = await adversary.fetch(
        "SELECT relname FROM pg_stat_user_tables WHERE schemaname = 'taskcore' ORDER BY 1"
    )
    names = [row["relname"] for row in tables]
    assert names == ["alembic_version", "identities", "tasks", "tokens", "users"]
