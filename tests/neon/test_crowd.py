"""A thousand clients at once: nobody is refused, nobody overtakes, nobody is left waiting."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from taskcore import Settings, TaskStore
from taskcore_http import create_app
from tests.clusters import Cluster
from tests.taskcore_http.client import client_of
from tests.taskcore_http.server import Server, serving

CLIENTS = 1000


@pytest.fixture
async def store(cluster: Cluster) -> AsyncIterator[TaskStore]:
    async with TaskStore(
        cluster.server.application_url, settings=Settings(pool_max_size=10)
    ) as store:
        yield store


async def test_a_thousand_callers_on_ten_connections_are_served_in_order(store: TaskStore) -> None:
    """SC-004: without an error, and nobody is overtaken by many."""
    await asyncio.gather(*(store.for_user(1).list() for _ in range(100)))
    served: list[int] = []

    async def call(number: int) -> None:
        await store.for_user(number + 1).create("Buy groceries")
        served.append(number)

    await asyncio.gather(*(call(number) for number in range(CLIENTS)))

    assert sorted(served) == list(range(CLIENTS))
    # At random some would be more than 900 places away from theirs. On a busy machine one of the
    # ten servers may have to wait for a processor, while the others serve some hundred calls.
    assert max(abs(place - number) for place, number in enumerate(served)) < 500


async def test_a_thousand_http_clients_are_served(store: TaskStore) -> None:
    """SC-004: each with a connection of its own, over TCP."""
    async with serving(create_app(store=store)) as server:
        answers = await asyncio.gather(
            *(create(server, user) for user in range(1, CLIENTS + 1)),
        )

    assert {status for status, _ in answers} == {"HTTP/1.1 201 Created"}
    assert [task["user_id"] for _, task in answers] == list(range(1, CLIENTS + 1))


async def create(server: Server, user: int) -> tuple[str, dict[str, Any]]:
    """Create a task over a bare connection: a thousand real clients would be the slow part."""
    body = json.dumps({"title": f"of {user}"})
    reader, writer = await server.connect()
    writer.write(
        f"POST /users/{user}/tasks HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    )
    head, _, answer = (await reader.read()).decode().partition("\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return head.splitlines()[0], json.loads(answer)


@contextlib.asynccontextmanager
async def lateness() -> AsyncIterator[list[float]]:
    """Collect by how many seconds the event loop was late each time it had to be there."""
    late: list[float] = []

    async def look() -> None:
        while True:
            due = time.monotonic() + 0.01
            await asyncio.sleep(0.01)
            late.append(time.monotonic() - due)

    looking = asyncio.ensure_future(look())
    try:
        yield late
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


@pytest.mark.parametrize("mode", ["immediate", pytest.param("fast", marks=pytest.mark.thorough)])
async def test_without_a_database_everybody_is_told_in_time_and_it_recovers_by_itself(
    cluster: Cluster, mode: str
) -> None:
    """503 with Retry-After within the deadline, nothing piles up, no restart is needed."""
    deadline = 2
    settings = Settings(pool_max_size=10, operation_timeout=deadline)
    async with TaskStore(cluster.server.application_url, settings=settings) as store:
        app = create_app(store=store)
        async with client_of(app) as client:
            assert (await client.get("/users/1/tasks")).status_code == 200
            before = len(asyncio.all_tasks())
            await asyncio.to_thread(cluster.stop, mode)
            try:
                began = time.monotonic()
                async with lateness() as late:
                    answers = await asyncio.gather(
                        *(client.get(f"/users/{user}/tasks") for user in range(1, CLIENTS + 1))
                    )
                took = time.monotonic() - began
                ready = await client.get("/health/ready")
                live = await client.get("/health/live")
                left = len(asyncio.all_tasks()) - before
            finally:
                await asyncio.to_thread(cluster.start)
            again = await client.get("/health/ready")
            listed = await client.get("/users/1/tasks")

    # Add the time that a thousand requests cost a busy machine.
    assert took < deadline + 1 + sum(late)
    assert {answer.status_code for answer in answers} == {503}
    assert all("retry-after" in answer.headers for answer in answers)
    assert (ready.status_code, live.status_code) == (503, 200)
    assert left <= 0
    assert (again.status_code, listed.status_code) == (200, 200)


async def test_writes_that_meet_a_restart_are_all_stored(
    store: TaskStore, cluster: Cluster
) -> None:
    """Through the API, as its clients see it: the restart costs time, and no task."""
    async with client_of(create_app(store=store)) as client:
        writing = [
            asyncio.ensure_future(client.post("/users/1/tasks", json={"title": f"n. {number}"}))
            for number in range(200)
        ]
        await asyncio.sleep(0.01)
        await asyncio.to_thread(cluster.stop, "immediate")
        await asyncio.to_thread(cluster.start)
        answers = await asyncio.gather(*writing)
        stored = (await client.get("/users/1/tasks")).json()

    assert {answer.status_code for answer in answers} == {201}
    assert {task["id"] for task in stored} == {answer.json()["id"] for answer in answers}
    assert len(stored) == 200
