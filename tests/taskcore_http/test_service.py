"""The service as it runs: a process of its own, many clients, restarts."""

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx2
import pytest

from tests.databases import Database
from tests.sessions import until_blocked, until_disconnected
from tests.taskcore_http.answers import task_of, tasks_of
from tests.taskcore_http.server import Server

TASKS = "/users/123/tasks"
_RUNNING = re.compile(r"Uvicorn running on (http://\S+)")


async def read_until(process: Process, text: str) -> str:
    """Return the line of the process's log that holds the text."""
    assert process.stderr is not None
    seen = ""
    while line := (await process.stderr.readline()).decode():
        seen += line
        if text in line:
            return line
    raise AssertionError(f"the process ended:\n{seen}")


Start = Callable[[], Awaitable[tuple[Process, str]]]


@pytest.fixture
async def start(database: Database) -> AsyncIterator[Start]:
    """Start the service as a process of its own; return it and its URL."""
    started: list[Process] = []

    async def start() -> tuple[Process, str]:
        process = await asyncio.create_subprocess_exec(
            *(
                sys.executable,
                "-m",
                "uvicorn",
                "--factory",
                "taskcore_http.app:app_from_environment",
            ),
            *("--port", "0", "--no-access-log", "--no-use-colors"),
            env=os.environ
            | {"TASKCORE_DATABASE_URL": database.url, "TASKCORE_TRUST_CALLERS": "true"},
            stderr=PIPE,
        )
        started.append(process)
        running = _RUNNING.search(await read_until(process, "Uvicorn running"))
        assert running is not None
        return process, running[1]

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
        # To its end, so that no pipe is left open.
        await process.communicate()


@asynccontextmanager
async def client_at(url: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=url, timeout=60, verify=False) as client:
        yield client


async def test_500_creates_at_once_are_500_tasks(served: Server) -> None:
    """FR-002, FR-017, SC-004."""
    async with served.client() as client:
        answers = await asyncio.gather(
            *(client.post(TASKS, json={"title": f"n. {number}"}) for number in range(500))
        )
        created = [task_of(answer, 201) for answer in answers]
        listed = tasks_of(await client.get(TASKS))

    assert {task["title"] for task in created} == {f"n. {number}" for number in range(500)}
    assert len({task["id"] for task in created}) == 500
    assert listed == sorted(created, key=lambda task: task["id"], reverse=True)


async def test_users_at_once_get_only_their_own(served: Server) -> None:
    """FR-006, FR-017, FR-018, SC-002: one pool serves them all."""

    async def work(client: httpx2.AsyncClient, user: int) -> None:
        path = f"/users/{user}/tasks"
        for number in range(5):
            task_of(await client.post(path, json={"title": f"{user}-{number}"}), 201)
            tasks = tasks_of(await client.get(path))
            assert [task["title"] for task in tasks] == [
                f"{user}-{earlier}" for earlier in range(number, -1, -1)
            ]
            assert {task["user_id"] for task in tasks} == {user}

    async with served.client() as client:
        await asyncio.gather(*(work(client, user) for user in range(1, 41)))


async def test_a_created_task_is_seen_at_once_by_everybody_who_may(
    served: Server, start: Start
) -> None:
    """SC-001: no delay, and through another process too."""
    _, url = await start()
    async with served.client() as one, client_at(url) as two:
        for number in range(20):
            response = await one.post(TASKS, json={"title": str(number)})
            task = task_of(response, 201)
            assert task_of(await two.get(response.headers["location"])) == task
            assert tasks_of(await two.get(f"{TASKS}?limit=1")) == [task]


async def test_every_acknowledged_task_survives_a_kill(start: Start) -> None:
    """FR-014, SC-003."""
    process, url = await start()
    acknowledged: list[dict[str, Any]] = []
    enough = asyncio.Event()

    async def create(client: httpx2.AsyncClient) -> None:
        while True:
            try:
                response = await client.post(TASKS, json={"title": f"n. {len(acknowledged)}"})
            except httpx2.TransportError:
                return
            acknowledged.append(task_of(response, 201))
            if len(acknowledged) >= 100:
                enough.set()

    async with client_at(url) as client:
        clients = [asyncio.create_task(create(client)) for _ in range(8)]
        await enough.wait()
        process.send_signal(signal.SIGKILL)
        await asyncio.gather(*clients)
    assert await process.wait() == -signal.SIGKILL

    _, url = await start()
    async with client_at(url) as client:
        stored = tasks_of(await client.get(TASKS))
    assert len(acknowledged) >= 100
    assert [task for task in acknowledged if task not in stored] == []
    # A request under way when the process died took effect wholly or not at all.
    assert len(stored) - len(acknowledged) <= 8
    assert all(task["title"].startswith("n. ") and task["version"] == 1 for task in stored)


async def test_sigterm_finishes_what_is_under_way(start: Start, owner: asyncpg.Connection) -> None:
    """FR-014, SC-003: an answer that is due is given before the process ends."""
    process, url = await start()
    async with client_at(url) as client:
        async with owner.transaction():
            await owner.execute("LOCK TABLE taskcore.tasks")
            request = asyncio.create_task(client.post(TASKS, json={"title": "x"}))
            await until_blocked(owner)
            process.terminate()
            await read_until(process, "Shutting down")
        task = task_of(await request, 201)

    # uvicorn ends by the signal it was sent, after an orderly shutdown.
    await read_until(process, "Finished server process")
    assert await process.wait() in (0, -signal.SIGTERM)
    assert await owner.fetchval("SELECT id FROM taskcore.tasks") == task["id"]
    # The process has closed its connections, and the server's processes end by and by.
    await until_disconnected(owner)


async def test_the_service_answers_while_it_waits_for_the_database(
    served: Server, owner: asyncpg.Connection
) -> None:
    """FR-017: a slow statement holds up nobody else."""
    async with served.client() as client:
        async with owner.transaction():
            await owner.execute("LOCK TABLE taskcore.tasks")
            waiting = asyncio.create_task(client.post(TASKS, json={"title": "x"}))
            await until_blocked(owner)
            live = await client.get("/health/live")
            assert not waiting.done()
        task_of(await waiting, 201)

    assert live.status_code == 200


@pytest.mark.parametrize("maker", ["app_from_environment", "create_app"])
async def test_only_a_process_of_ours_freezes_what_it_has_loaded(
    database: Database, maker: str
) -> None:
    """A host's garbage collection is its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        # Python 3.12 freezes objects of its own when it starts.
        "import gc, taskcore_http; before = gc.get_freeze_count();"
        f"taskcore_http.{maker}(); print(gc.get_freeze_count() - before)",
        env=os.environ | {"TASKCORE_DATABASE_URL": database.url, "TASKCORE_TRUST_CALLERS": "true"},
        stdout=PIPE,
        stderr=PIPE,
    )
    printed, _ = await process.communicate()

    assert (int(printed) > 0) is (maker == "app_from_environment")
