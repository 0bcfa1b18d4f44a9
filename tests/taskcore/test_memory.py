"""A million tasks stream through every face in constant memory."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from taskcore.embedded import EmbeddedServer
from tests.databases import Database, execute, numbers

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells of memory"),
]

FEW, MANY = 1, 2
MILLION = 1_000_000
LIMIT = 32 * 1024
"""KiB that a million tasks may cost more than a thousand."""

FILL = f"""
INSERT INTO taskcore.users (id) VALUES ({FEW}), ({MANY});
INSERT INTO taskcore.tasks (user_id, id, write_id, title, description)
    SELECT {FEW}, t, 1, 'task ' || t, 'Milk and eggs' FROM generate_series(1, 1000) AS t;
INSERT INTO taskcore.tasks (user_id, id, write_id, title, description)
    SELECT {MANY}, t, 1, 'task ' || t, 'Milk and eggs' FROM generate_series(1, {MILLION}) AS t;
"""  # noqa: S608  (our own numbers)

ITERATE = """
import asyncio, sys
from taskcore import TaskStore

async def main(user):
    async with TaskStore() as store:
        async for task in store.for_user(user).iterate():
            pass

asyncio.run(main(int(sys.argv[1])))
"""
# The API in this process, and a client that reads the list from it in pieces.
SERVE = """
import asyncio, sys
from taskcore_http import create_app

async def receive_nothing():
    await asyncio.Event().wait()

async def main(user):
    app = create_app()
    sent = 0

    async def send(message):
        nonlocal sent
        sent += len(message.get("body", b""))

    async with app.router.lifespan_context(app):
        path = f"/users/{user}/tasks"
        await app(
            {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(),
             "query_string": b"", "headers": [], "http_version": "1.1", "scheme": "http",
             "root_path": "", "client": None, "server": None,
             "asgi": {"version": "3.0", "spec_version": "2.4"}},
            receive_nothing, send,
        )
    assert sent > 100_000, sent

asyncio.run(main(int(sys.argv[1])))
"""
FACES = {
    "library": ("-c", ITERATE),
    "REST": ("-c", SERVE),
    "taskctl list": ("-m", "taskcore_cli", "tasks", "list", "--all", "--json", "--user"),
    "taskctl export": ("-m", "taskcore_cli", "tasks", "export", "-", "--user"),
}


@pytest.fixture(scope="module")
def million(server: EmbeddedServer) -> Iterator[Database]:
    database = Database(server, f"test_{next(numbers)}")
    maintenance = server.owner_url.replace("/taskcore?", "/postgres?")
    asyncio.run(execute(maintenance, f"CREATE DATABASE {database.name} TEMPLATE taskcore"))
    asyncio.run(execute(database.owner_url, FILL))
    yield database
    asyncio.run(execute(maintenance, f"DROP DATABASE {database.name} WITH (FORCE)"))


def most_memory(url: str, *words: str) -> int:
    """Run Python with these words to the end; return its most resident memory in KiB."""
    process = subprocess.Popen(
        [sys.executable, *words],
        env=os.environ | {"TASKCORE_DATABASE_URL": url},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss


@pytest.mark.parametrize("face", FACES)
def test_a_million_tasks_cost_no_more_memory_than_a_thousand(million: Database, face: str) -> None:
    """FR-006."""
    few = most_memory(million.url, *FACES[face], str(FEW))
    many = most_memory(million.url, *FACES[face], str(MANY))

    assert many - few <= LIMIT, f"{few} KiB for a thousand, {many} KiB for a million"
