"""Errors of the server: 500 and 503, which reveal nothing internal."""

import asyncio
import logging
from typing import Any

import asyncpg
import httpx2
import pytest

from taskcore import Settings, TaskStore
from taskcore.database.url import connect_arguments
from taskcore_http import create_app
from taskcore_http.errors import repeat_filter
from tests.databases import Database, execute
from tests.sessions import until_blocked
from tests.taskcore_http.answers import error_of
from tests.taskcore_http.client import client_of
from tests.wire import Wire

TASKS = "/users/123/tasks"


@pytest.fixture
async def task(store: TaskStore) -> str:
    """The path of a task."""
    return f"{TASKS}/{(await store.for_user(123).create('Buy groceries')).id}"


INTERNALS = "SELECT * FROM secrets at postgresql://taskcore_app:hunter2@db.internal/taskcore"


def requests(task: str) -> list[tuple[str, str, dict[str, Any] | None]]:
    """One request of each operation."""
    return [
        ("GET", TASKS, None),
        ("GET", f"{TASKS}?limit=1", None),
        ("POST", TASKS, {"title": "x"}),
        ("GET", task, None),
        ("PUT", task, {"title": "x"}),
        ("PATCH", task, {"title": "x"}),
        ("DELETE", task, None),
    ]


async def test_a_fault_of_ours_shows_nothing_internal_and_is_logged(
    client: httpx2.AsyncClient,
    store: TaskStore,
    task: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """FR-015, FR-016; edge case: 500 when the fault is ours."""

    async def broken(*_args: object, **_options: object) -> list[Any]:
        raise RuntimeError(INTERNALS)

    monkeypatch.setattr(store._database, "_run", broken)
    for method, path, body in requests(task):
        caplog.clear()
        repeat_filter.forget()
        response = await client.request(method, path, json=body)

        assert error_of(response, 500) == {"code": "INTERNAL_ERROR", "message": "internal error"}
        assert "retry-after" not in response.headers
        (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert record.name == "taskcore.http"
        assert record.exc_info is not None
        assert str(record.exc_info[1]) == INTERNALS


async def test_an_outdated_database_is_unavailable(fresh_database: Database) -> None:
    """FR-015, FR-016: 503 until somebody migrates it; only the log has the database's text."""
    async with (
        TaskStore(fresh_database.url) as store,
        client_of(create_app(store=store)) as client,
    ):
        await execute(fresh_database.owner_url, "DROP SCHEMA taskcore CASCADE")

        for method, path, body in requests(f"{TASKS}/1"):
            response = await client.request(method, path, json=body)
            assert "schema" not in error_of(response, 503)["message"]


async def test_an_unreachable_database_is_unavailable(away: TaskStore) -> None:
    """FR-015, FR-016; edge case: 503 with Retry-After, and nothing internal."""
    async with client_of(create_app(store=away)) as client:
        for method, path, body in requests(f"{TASKS}/1"):
            response = await client.request(method, path, json=body)

            error = error_of(response, 503)
            assert int(response.headers["retry-after"]) > 0
            assert "127.0.0.1" not in error["message"]
            assert "refused" not in error["message"]


async def test_wrong_input_is_told_even_while_the_database_is_away(away: TaskStore) -> None:
    async with client_of(create_app(store=away)) as client:
        error_of(await client.post(TASKS, json={"title": ""}), 400)
        error_of(await client.get("/users/0/tasks"), 400)
        error_of(await client.post(TASKS, content=b"x"), 415)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_a_write_whose_answer_is_lost_must_not_be_repeated_blindly(
    wire: Wire, owner: asyncpg.Connection, task: str, method: str
) -> None:
    """FR-015: 503 without Retry-After, as the write may have taken effect."""
    async with (
        TaskStore(wire.url, settings=Settings(operation_timeout=0.5)) as store,
        client_of(create_app(store=store)) as client,
        owner.transaction(),
    ):
        await owner.execute("LOCK TABLE taskcore.tasks")
        request = asyncio.create_task(
            client.request(
                method,
                TASKS if method == "POST" else task,
                json=None if method == "DELETE" else {"title": "x"},
            )
        )
        await until_blocked(owner)
        await wire.cut()
        response = await request

    error = error_of(response, 503, "OUTCOME_UNKNOWN")
    assert "retry-after" not in response.headers
    assert "wholly or not at all" in error["message"]


async def test_a_read_whose_answer_is_lost_may_be_repeated(
    wire: Wire, owner: asyncpg.Connection, task: str
) -> None:
    """FR-015: 503 with Retry-After."""
    async with (
        TaskStore(wire.url, settings=Settings(operation_timeout=0.5)) as store,
        client_of(create_app(store=store)) as client,
        owner.transaction(),
    ):
        await owner.execute("LOCK TABLE taskcore.tasks")
        request = asyncio.create_task(client.get(task))
        await until_blocked(owner)
        await wire.cut()
        response = await request

    error_of(response, 503)
    assert "retry-after" in response.headers


async def test_a_failed_write_leaves_no_partial_state(fresh_database: Database) -> None:
    """Edge case: a database failure leaves neither a task nor its user."""
    owner = await asyncpg.connect(**connect_arguments(fresh_database.owner_url))
    await owner.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$;"
        "CREATE TRIGGER refuse AFTER INSERT ON taskcore.tasks"
        " FOR EACH ROW EXECUTE FUNCTION refuse()",
    )

    async with (
        TaskStore(fresh_database.url) as store,
        client_of(create_app(store=store)) as client,
    ):
        error_of(await client.post(TASKS, json={"title": "x"}), 500)

    assert await owner.fetchval("SELECT count(*) FROM taskcore.tasks") == 0
    assert await owner.fetchval("SELECT count(*) FROM taskcore.users") == 0
    await owner.close()


CHANGES = {
    "the role may not connect": "REVOKE CONNECT ON DATABASE {name} FROM PUBLIC",
    "the database has another name": "ALTER DATABASE {name} RENAME TO {name}_elsewhere",
    "the database takes no connections": "ALTER DATABASE {name} ALLOW_CONNECTIONS false",
    "the database takes no writes": "ALTER DATABASE {name} SET default_transaction_read_only = on",
    "the schema is gone": "DROP SCHEMA taskcore CASCADE",
    "a function is gone": "DROP FUNCTION taskcore.task_create_v1",
    "the role may not execute": (
        "REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA taskcore FROM taskcore_app"
    ),
}


@pytest.mark.parametrize("name", CHANGES)
async def test_a_change_by_an_administrator_is_503_and_one_line_in_the_log(
    fresh_database: Database, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """FR-015: nothing was changed, and a later request may succeed."""
    change, database = CHANGES[name].format(name=fresh_database.name), fresh_database
    async with TaskStore(database.url) as store, client_of(create_app(store=store)) as client:
        created = await client.post(TASKS, json={"title": "before"})
        assert created.status_code == 201
        in_database = " DATABASE " not in change
        url = database.owner_url if in_database else database.server.owner_url
        await execute(
            url,
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "  # noqa: S608
            f"WHERE datname = '{database.name}' AND pid <> pg_backend_pid()",
            change,
        )
        await asyncio.sleep(0.05)
        caplog.clear()
        answer = await client.post(TASKS, json={"title": "refused"})

        error_of(answer, 503)
        assert answer.headers["retry-after"]
        (record,) = [record for record in caplog.records if record.name == "taskcore.http"]
        assert record.levelno == logging.WARNING
        assert record.exc_info is None
        assert "\n" not in record.getMessage()
        ready = await client.get("/health/ready")
        if name not in ("a function is gone", "the role may not execute"):
            error_of(ready, 503)
    if "RENAME" in change:
        await execute(
            database.server.owner_url,
            f"ALTER DATABASE {database.name}_elsewhere RENAME TO {database.name}",
        )
