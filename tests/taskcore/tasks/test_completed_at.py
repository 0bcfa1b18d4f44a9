"""``completed_at``: the time at which a task was completed."""

import io
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from taskcore import Task, TaskStore, ValidationError
from taskcore.tasks.files import read_csv, read_jsonl, write_csv, write_jsonl

AT = datetime(2026, 1, 31, 12, 0, 0, 1, tzinfo=UTC)


async def test_the_database_sets_the_time_of_completion(store: TaskStore) -> None:
    tasks = store.for_user(1)
    task = await tasks.create("x")
    assert task.completed_at is None

    done = await tasks.update(task.id, completed=True)
    assert done.completed_at == done.updated_at > task.updated_at
    # Other changes, and completing once more, leave it alone.
    assert (await tasks.update(task.id, title="y")).completed_at == done.completed_at
    assert (await tasks.update(task.id, completed=True)).completed_at == done.completed_at
    assert (await tasks.get(task.id)).completed_at == done.completed_at

    assert (await tasks.update(task.id, completed=False)).completed_at is None
    again = await tasks.update(task.id, completed=True)
    assert again.completed_at == again.updated_at


async def test_it_cannot_be_written(store: TaskStore, owner: asyncpg.Connection) -> None:
    tasks = store.for_user(1)
    task = await tasks.create("x")
    changes: dict[str, Any] = {"completed_at": AT}
    with pytest.raises(ValidationError, match="completed_at is not a known field"):
        await tasks.update(task.id, **changes)
    await owner.fetch(
        "SELECT FROM taskcore.task_update_v1(1, $1, 7, NULL, $2)",
        task.id,
        '{"title": "y", "completed_at": "2026-01-31T12:00:00Z"}',
    )
    assert (await tasks.get(task.id)).completed_at is None
    with pytest.raises(asyncpg.CheckViolationError):
        await owner.execute("UPDATE taskcore.tasks SET completed_at = now()")


@pytest.mark.parametrize("form", ["jsonl", "csv"])
async def test_it_survives_an_export_and_an_import(store: TaskStore, form: str) -> None:
    tasks = store.for_user(1)
    fields = {"title": "x", "completed": True, "completed_at": AT, "created_at": AT}
    await tasks.import_tasks([fields, {"title": "y"}])
    before = [task async for task in tasks.iterate()]
    assert [task.completed_at for task in before] == [None, AT]

    if form == "csv":
        read = read_csv(io.BytesIO(write_csv(before, header=True)))
    else:
        read = read_jsonl(io.BytesIO(write_jsonl(before)))
    await store.for_user(2).import_tasks(read)  # type: ignore[arg-type]

    after = [task async for task in store.for_user(2).iterate()]
    assert [_without_user(task) for task in after] == [_without_user(task) for task in before]


async def test_an_import_without_it_takes_the_last_change(store: TaskStore) -> None:
    tasks = store.for_user(1)
    await tasks.import_tasks(
        [{"id": 1, "title": "x", "completed": True, "created_at": AT}, {"id": 2, "title": "x"}]
    )
    assert (await tasks.get(1)).completed_at == AT
    assert (await tasks.get(2)).completed_at is None


async def test_an_open_task_with_a_time_of_completion_is_refused(store: TaskStore) -> None:
    with pytest.raises(ValidationError) as error:
        await store.for_user(1).import_tasks([{"title": "x", "completed_at": AT}])
    assert error.value.details == {
        "field": "tasks[0].completed_at",
        "constraint": "not_completed",
    }


def _without_user(task: Task) -> dict[str, Any]:
    return task.model_dump(exclude={"user_id"})
