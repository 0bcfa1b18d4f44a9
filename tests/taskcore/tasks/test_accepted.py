"""Every value that an import or SQL accepts can be read, changed, exported and imported again."""

import asyncio
import io
import itertools
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from taskcore import Task, TaskImport, TaskStore, UserTasks
from taskcore.database.url import connect_arguments
from taskcore.limits import MAX_DESCRIPTION, MAX_ID, MAX_TITLE, MAX_VERSION
from taskcore.schema.catalog import sql
from taskcore.tasks.files import BadLine, read_csv, read_jsonl, write_csv, write_jsonl
from tests.databases import Database
from tests.inputs import WHITE_SPACE

users = itertools.count(1)
slow = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

# Characters that are white space in some of PostgreSQL's locales, or look blank.
DOUBTFUL = "\u180e\u200b\u200c\u2060\ufeff\u1361\u00ad\u2800\u3164"
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

CHARACTERS = st.sampled_from([*WHITE_SPACE, *DOUBTFUL, "x", "é", "😀", '"', ",", ";", "\\", "'"])
TEXTS = st.text(CHARACTERS | st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
TITLES = TEXTS | st.sampled_from(["😀" * MAX_TITLE, " " * 249 + "x" + "\u3000" * 250])
DESCRIPTIONS = st.none() | TEXTS | st.sampled_from(["😀" * MAX_DESCRIPTION, '\x1f"' * 2500])
IDS = st.sampled_from([1, 2, 4095, 4096, MAX_ID - 1, MAX_ID]) | st.integers(1, MAX_ID)
VERSIONS = st.sampled_from([1, 2, MAX_VERSION - 1, MAX_VERSION])
TIMES = st.sampled_from([FIRST, datetime(1, 1, 1, 0, 0, 0, 1, UTC), LAST]) | st.datetimes(
    timezones=st.just(UTC)
)


async def all_of(tasks: UserTasks) -> list[Task]:
    return [task async for task in tasks.iterate()]


def fields_of(task: Task) -> dict[str, Any]:
    return task.model_dump(exclude={"user_id"})


async def in_use(store: TaskStore, user: int) -> None:
    """Read, change, export, import again and delete all tasks of a user."""
    tasks = store.for_user(user)
    before = await all_of(tasks)
    await _exported_and_imported(store, before)
    for task in before:
        assert await tasks.get(task.id) == task
        changed = await tasks.update(task.id, if_version=task.version, completed=not task.completed)
        assert changed.version == (task.version + 1 if task.version < MAX_VERSION else 1)
        assert changed.created_at == task.created_at
        assert changed.updated_at >= task.updated_at
        changed = await tasks.update(task.id, title="changed", description=None)
        assert changed.title == "changed"
    await _exported_and_imported(store, await all_of(tasks))
    assert (await tasks.create("new")).id not in {task.id for task in before}
    for task in before:
        await tasks.delete(task.id)
    assert [task.title for task in await all_of(tasks)] == ["new"]


async def _exported_and_imported(store: TaskStore, tasks: list[Task]) -> None:
    # A title that SQL has stored with white space around it comes without.
    expected = [fields_of(task) | {"title": task.title.strip()} for task in tasks]
    written: list[tuple[Callable[..., Any], bytes]] = [
        (read_jsonl, write_jsonl(tasks)),
        (read_csv, write_csv(tasks, header=True)),
    ]
    for read, data in written:
        again = store.for_user(next(users) + 10**6)
        lines = list(read(io.BytesIO(data)))
        assert [line for line in lines if isinstance(line, BadLine)] == []
        assert (await again.import_tasks(lines)).imported == len(tasks)
        assert [fields_of(task) for task in await all_of(again)] == expected


@st.composite
def accepted(draw: st.DrawFn) -> TaskImport:
    created, updated = sorted((draw(TIMES), draw(TIMES)))
    return TaskImport(
        id=draw(st.none() | IDS),
        title=draw(TITLES.filter(str.strip)),
        description=draw(DESCRIPTIONS),
        completed=draw(st.booleans()),
        version=draw(VERSIONS),
        created_at=draw(st.none() | st.just(created)),
        updated_at=draw(st.none() | st.just(updated)),
    )


@slow
@given(batch=st.lists(accepted(), min_size=1, max_size=4))
@example(batch=[TaskImport(title="x", version=MAX_VERSION, created_at=LAST)])
@example(batch=[TaskImport(id=MAX_ID, title="x", updated_at=FIRST), TaskImport(title="y")])
def test_what_an_import_accepts_can_be_used(database: Database, batch: list[TaskImport]) -> None:
    async def program() -> None:
        user = next(users)
        async with TaskStore(database.url) as store:
            await store.for_user(user).import_tasks(batch)
            await in_use(store, user)

    asyncio.run(program())


# Values that go straight to the functions, as the application's role.

HOSTILE_TITLES = TITLES | st.sampled_from(["", " ", "x" * 501, "a\ud800", *WHITE_SPACE, *DOUBTFUL])
HOSTILE_TIMES = st.sampled_from(
    [
        *("infinity", "-infinity", "4000-01-01 00:00:00+00 BC", "0001-12-31 23:59:59+00 BC"),
        *("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59.999999Z"),
        *("9999-12-31T23:59:60Z", "9999-12-31T23:59:59-00:01", "10000-01-01T00:00:00Z"),
        *("294276-12-31T23:59:59Z", "epoch", "now", "20240102", "2024-01-02", "x", ""),
    ]
)
HOSTILE_IDS = IDS | st.sampled_from([0, -1, MAX_ID + 1, 2**63 - 1, 2**63, "7", 1.5, None])
HOSTILE_VERSIONS = VERSIONS | st.sampled_from([0, -1, MAX_VERSION + 1, "5", 2.5, None])
ROWS = st.fixed_dictionaries(
    {"title": HOSTILE_TITLES | st.just(7), "id": HOSTILE_IDS},
    optional={
        "description": DESCRIPTIONS | st.sampled_from(["", "x" * 5001, 5]),
        "completed": st.sampled_from([True, False, None, "yes", 2]),
        "version": HOSTILE_VERSIONS,
        "created_at": HOSTILE_TIMES,
        "updated_at": HOSTILE_TIMES,
        "user_id": st.just(1),
    },
)


async def accepts(connection: asyncpg.Connection, statement: str, *args: object) -> bool:
    """Return whether a statement succeeds; raise if it fails for another reason than its values."""
    try:
        await connection.fetch(statement, *args)
    except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError):
        return False
    except asyncpg.PostgresError as exc:
        if exc.sqlstate == "TC001":
            return False
        raise
    return True


@slow
@given(rows=st.lists(ROWS, min_size=1, max_size=4))
@example(rows=[{"id": 1, "title": "x", "created_at": "infinity"}])
@example(rows=[{"id": 1, "title": "x", "created_at": "4000-01-01 00:00:00+00 BC"}])
@example(rows=[{"id": 1, "title": "x", "version": MAX_VERSION}])
@example(rows=[{"id": 1, "title": "\u00a0"}, {"id": 2, "title": "\x1c"}])
def test_what_the_functions_accept_can_be_used(
    database: Database, rows: list[dict[str, Any]]
) -> None:
    """FR-004, FR-005: each row by each function that stores one."""

    async def program() -> None:
        connection = await asyncpg.connect(**connect_arguments(database.url))
        async with TaskStore(database.url) as store:
            for call in ("task_import_v1", "task_create_many_v1"):
                user = next(users)
                for row in rows:
                    batch = json.dumps([row])
                    await accepts(
                        connection, f"SELECT FROM taskcore.{call}($1::bigint, 7, $2)", user, batch
                    )
                await in_use(store, user)
            user = next(users)
            for row in rows:
                await _created_and_updated(connection, user, row)
            await in_use(store, user)
        await connection.close()

    asyncio.run(program())


async def _created_and_updated(
    connection: asyncpg.Connection, user: int, row: dict[str, Any]
) -> None:
    """Give a row's texts to ``task_create_v1`` and ``task_update_v1``."""
    create = "SELECT FROM taskcore.task_create_v1($1::bigint, $2, 7, $3)"
    update = "SELECT FROM taskcore.task_update_v1($1::bigint, $2, 9, NULL, $3)"
    task_id = row["id"] if isinstance(row["id"], int) and abs(row["id"]) < 2**63 else 5
    await accepts(connection, create, user, task_id, json.dumps(row))
    await accepts(connection, create, user, 77, '{"title": "x"}')
    await accepts(connection, update, user, 77, json.dumps(row))


@pytest.mark.parametrize("character", [*WHITE_SPACE, *DOUBTFUL], ids=ascii)
async def test_python_and_the_database_agree_on_what_is_blank(
    application: asyncpg.Connection, character: str
) -> None:
    """FR-004."""
    statement = (
        "SELECT FROM taskcore.task_create_v1(1, $1, 7, jsonb_build_object('title', $2::text))"
    )
    for task_id, title in enumerate((character, character * 3, f" {character}\t"), 1):
        assert await accepts(application, statement, task_id, title) is bool(title.strip())


async def test_after_the_last_version_comes_the_first(store: TaskStore) -> None:
    """The limits of Python and of SQL are one."""
    assert f"< {MAX_VERSION} THEN" in sql("functions")
    tasks = store.for_user(1)
    await tasks.import_tasks([{"id": 1, "title": "x", "version": MAX_VERSION}])
    assert (await tasks.update(1, if_version=MAX_VERSION, title="y")).version == 1
    assert (await tasks.update(1, if_version=1, title="z")).version == 2
