"""Other processes that use a home."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.taskcore.embedded.homes import Start

REPOSITORY = Path(__file__).parents[3]

# Opens the store, creates a task, prints its id, waits for a line and ends.
OTHER = """
import asyncio, sys
from pathlib import Path
from taskcore import Settings, TaskStore

async def main():
    async with TaskStore(settings=Settings(home=Path(sys.argv[1]))) as store:
        task = await store.for_user(1).create("from another process")
        print(task.id, flush=True)
        await asyncio.to_thread(sys.stdin.readline)

asyncio.run(main())
"""


@pytest.fixture
def start_other() -> Iterator[Start]:
    """Start another process on the same folder; return once it has created its task."""
    started: list[subprocess.Popen[str]] = []

    def start(home: Path, *before: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*before, sys.executable, "-c", OTHER, str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
        )
        started.append(process)
        assert process.stdout is not None
        assert int(process.stdout.readline()) > 0
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
