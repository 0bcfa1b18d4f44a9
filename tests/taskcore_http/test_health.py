"""Liveness and readiness."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest

from taskcore import Settings, TaskStore
from taskcore_http import create_app
from tests.databases import Database, execute
from tests.taskcore_http.answers import error_of, tasks_of
from tests.taskcore_http.client import client_of
from tests.wire import Wire

TASKS = "/users/123/tasks"


@pytest.fixture
async def wire(database: Database) -> AsyncIterator[Wire]:
    """The way to the database: there is none until it is entered."""
    wire = Wire(database.url)
    yield wire
    await hang_up(wire)
    wire._folder.cleanup()


async def hang_up(wire: Wire) -> None:
    """Break every connection, and take no new one."""
    await wire.stop()


async def hang_on(wire: Wire) -> None:
    """Take connections, for the first time or again."""
    wire.start()


@pytest.fixture
async def client(wire: Wire) -> AsyncIterator[httpx2.AsyncClient]:
    store = TaskStore(wire.url, settings=Settings(pool_max_size=1, operation_timeout=2))
    await store.open(connect=False)
    async with client_of(create_app(store=store)) as client:
        yield client
    await store.close()


async def test_the_service_lives_whatever_the_database_does(
    client: httpx2.AsyncClient, wire: Wire
) -> None:
    for reach in (None, hang_on, hang_up):
        if reach is not None:
            await reach(wire)
        response = await client.get("/health/live")
        assert (response.status_code, response.json()) == (200, {"status": "live"})


async def test_the_service_is_ready_by_itself_once_the_database_is(
    client: httpx2.AsyncClient, wire: Wire
) -> None:
    early = await client.get("/health/ready")
    await hang_on(wire)
    late = await client.get("/health/ready")
    await hang_up(wire)

    error_of(early, 503)
    assert "retry-after" in early.headers
    assert (late.status_code, late.json()) == (200, {"status": "ready"})


async def test_readiness_follows_the_operations(client: httpx2.AsyncClient, wire: Wire) -> None:
    await hang_on(wire)
    tasks_of(await client.get(TASKS))
    assert (await client.get("/health/ready")).status_code == 200

    await hang_up(wire)
    error_of(await client.get(TASKS), 503)
    error_of(await client.get("/health/ready"), 503)
    error_of(await client.get("/health/ready"), 503)

    await hang_on(wire)
    assert (await client.get("/health/ready")).status_code == 200
    tasks_of(await client.get(TASKS))
    await hang_up(wire)


async def test_a_success_after_a_failure_makes_the_service_ready(
    client: httpx2.AsyncClient, wire: Wire
) -> None:
    error_of(await client.get(TASKS), 503)
    await hang_on(wire)
    tasks_of(await client.get(TASKS))
    before = wire.round_trips

    assert (await client.get("/health/ready")).status_code == 200
    assert wire.round_trips == before
    await hang_up(wire)


async def test_probing_lets_the_database_sleep(client: httpx2.AsyncClient, wire: Wire) -> None:
    await hang_on(wire)
    assert (await client.get("/health/ready")).status_code == 200
    before = wire.round_trips

    for _ in range(50):
        assert (await client.get("/health/ready")).status_code == 200

    assert wire.round_trips == before
    await hang_up(wire)


async def test_a_client_at_fault_does_not_make_the_service_unready(
    client: httpx2.AsyncClient, wire: Wire
) -> None:
    await hang_on(wire)
    error_of(await client.get(f"{TASKS}/1"), 404)
    error_of(await client.get("/users/0/tasks"), 400)
    before = wire.round_trips

    assert (await client.get("/health/ready")).status_code == 200
    assert wire.round_trips == before
    await hang_up(wire)


async def test_a_database_without_the_schema_is_not_ready(fresh_database: Database) -> None:
    """The last operation failed, so readiness asks, and learns that none can succeed."""
    async with (
        TaskStore(fresh_database.url) as store,
        client_of(create_app(store=store)) as client,
    ):
        await execute(fresh_database.owner_url, "DROP SCHEMA taskcore CASCADE")
        error_of(await client.get(TASKS), 503)

        response = await client.get("/health/ready")

    error_of(response, 503)


async def test_the_application_starts_while_the_database_is_away(
    unreachable_url: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TASKCORE_OPERATION_TIMEOUT", "0.2")
    app = create_app(unreachable_url)
    async with app.router.lifespan_context(app), client_of(app) as client:
        error_of(await client.get("/health/ready"), 503)
        error_of(await client.get(TASKS), 503)

    assert "started without a database" in caplog.text


async def test_concurrent_probes_agree(client: httpx2.AsyncClient, wire: Wire) -> None:
    await hang_on(wire)

    answers = await asyncio.gather(*(client.get("/health/ready") for _ in range(20)))

    assert {answer.status_code for answer in answers} == {200}
    await hang_up(wire)
