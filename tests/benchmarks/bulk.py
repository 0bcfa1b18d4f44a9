"""Whole files of tasks, in and out, against the database's own COPY."""

import json
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg

from taskcore import Task, TaskStore, UserTasks
from taskcore.database.url import connect_arguments
from taskcore.tasks.files import BadLine, read_jsonl, write_jsonl
from taskcore.tasks.task_import import TaskImport
from tests.benchmarks.contents import DESCRIPTION, TITLE
from tests.benchmarks.figures import Bar, Results
from tests.benchmarks.plan import Plan
from tests.benchmarks.sample import settle
from tests.benchmarks.server import APPLICATION, OWNER, Server

_TASKS, _TASKS_WHEN_QUICK = 200_000, 20_000
_LEAST_OF_COPY = 0.35
_USER = 1

_PANEL = "tasks/s"
_OURS, _COPY, _COPY_OF_FILE = "ours", "COPY", "COPY of the same file"

_COLUMNS = [
    *("user_id", "id", "title", "description", "completed"),
    *("version", "created_at", "updated_at", "write_id"),
]

# Without keys, checks and indexes: nothing that COPY would have to wait for.
_BARE = "CREATE TABLE bench.bare (LIKE taskcore.tasks)"

Way = Callable[[], Awaitable[None]]
"""One way to do it."""


async def measure(server: Server, plan: Plan) -> Results:
    """Import a file of one user's tasks, and export them again."""
    results = Results()
    count = _TASKS_WHEN_QUICK if plan.quick else _TASKS
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="taskcore-bulk-")))
        store = await stack.enter_async_context(TaskStore(server.url(APPLICATION)))
        connection = await asyncpg.connect(**connect_arguments(server.url(OWNER)))
        stack.push_async_callback(connection.close)
        tasks = store.for_user(_USER)
        file = folder / "tasks.jsonl"
        file.write_bytes(write_jsonl(_tasks(count)))

        await connection.execute(_BARE)
        ways = _ways_in(tasks, connection, file, count)
        empty = _empty(connection)
        await _compare(plan, results, "import", count, ways, before=empty)

        await empty()
        await ways[_OURS]()
        await connection.execute("DROP TABLE bench.bare")
        await connection.execute("VACUUM (ANALYZE) taskcore.tasks")
        await connection.execute("CHECKPOINT")
        ways = _ways_out(tasks, connection, folder, count)
        await _compare(plan, results, "export", count, ways)
    for case, other, least in (
        ("import", _COPY, _LEAST_OF_COPY),
        ("import", _COPY_OF_FILE, _LEAST_OF_COPY),
        ("export", _COPY, None),
    ):
        ratio = results.ratio(_PANEL, case, _OURS, other)
        results.bars.append(Bar(f"{case}: {_OURS} / {other}", ratio, least=least))
    return results


def _ways_in(
    tasks: UserTasks, connection: "asyncpg.Connection[asyncpg.Record]", file: Path, count: int
) -> dict[str, Way]:
    ready = list(_records(file))

    async def ours() -> None:
        with file.open("rb") as lines:
            result = await tasks.import_tasks(_good(read_jsonl(lines)))
        assert (result.imported, result.present) == (count, 0)

    async def copy() -> None:
        await connection.copy_records_to_table(
            "bare", schema_name="bench", records=ready, columns=_COLUMNS
        )

    async def copy_of_file() -> None:
        await connection.copy_records_to_table(
            "bare", schema_name="bench", records=_records(file), columns=_COLUMNS
        )

    return {_OURS: ours, _COPY: copy, _COPY_OF_FILE: copy_of_file}


def _ways_out(
    tasks: UserTasks, connection: "asyncpg.Connection[asyncpg.Record]", folder: Path, count: int
) -> dict[str, Way]:
    async def ours() -> None:
        written = 0
        with (folder / "exported.jsonl").open("wb") as lines:
            async for task in tasks.iterate():
                lines.write(write_jsonl((task,)))
                written += 1
        assert written == count

    async def copy() -> None:
        status = await connection.copy_from_query(
            f"SELECT {', '.join(_COLUMNS)} FROM taskcore.tasks WHERE user_id = $1 ORDER BY id DESC",  # noqa: S608
            _USER,
            output=folder / "exported.csv",
            format="csv",
        )
        assert status == f"COPY {count}"

    return {_OURS: ours, _COPY: copy}


async def _compare(
    plan: Plan,
    results: Results,
    case: str,
    count: int,
    ways: Mapping[str, Way],
    *,
    before: Way | None = None,
) -> None:
    for turn in plan.turns(list(ways.items())):
        for name, way in turn:
            if before is not None:
                await before()
            settle()
            start = time.perf_counter()
            await way()
            results.add(_PANEL, case, name, count / (time.perf_counter() - start))


def _empty(connection: "asyncpg.Connection[asyncpg.Record]") -> Way:
    async def empty() -> None:
        await connection.execute("TRUNCATE taskcore.users, taskcore.tasks, bench.bare")
        await connection.execute("CHECKPOINT")

    return empty


def _tasks(count: int) -> Iterator[Task]:
    """Make tasks as an export holds them."""
    first = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(1, count + 1):
        moment = first + timedelta(seconds=number)
        yield Task(
            id=number,
            user_id=_USER,
            title=f"{TITLE} {number}",
            description=DESCRIPTION,
            due=None,
            due_zone=None,
            priority=0,
            project=None,
            tags=(),
            extra={},
            key=None,
            completed=number % 2 == 0,
            version=1,
            created_at=moment,
            updated_at=moment,
            completed_at=moment if number % 2 == 0 else None,
        )


def _good(lines: Iterable[TaskImport | BadLine]) -> Iterator[TaskImport]:
    for line in lines:
        assert not isinstance(line, BadLine), line
        yield line


def _records(file: Path) -> Iterator[tuple[object, ...]]:
    """Read the file as who writes for COPY would: only what COPY needs to have."""
    with file.open("rb") as lines:
        for line in lines:
            task = json.loads(line)
            yield (
                _USER,
                task["id"],
                task["title"],
                task["description"],
                task["completed"],
                task["version"],
                datetime.fromisoformat(task["created_at"]),
                datetime.fromisoformat(task["updated_at"]),
                0,
            )
