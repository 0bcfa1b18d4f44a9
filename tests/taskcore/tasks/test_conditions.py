"""Changes under a condition on the task's version."""

from typing import Any

import pytest

from taskcore import TaskNotFound, TaskStore, ValidationError, VersionConflict
from taskcore.limits import MAX_VERSION
from taskcore.tasks.condition import Versions

# Whether each is met by a task of version 2.
CONDITIONS: list[tuple[dict[str, Versions | None], bool]] = [
    ({}, True),
    ({"if_version": None, "unless_version": None}, True),
    ({"if_version": 2}, True),
    ({"if_version": [1, 2]}, True),
    ({"if_version": {2}, "unless_version": (1, 3)}, True),
    ({"unless_version": 1}, True),
    ({"unless_version": ()}, True),
    ({"if_version": MAX_VERSION}, False),
    ({"if_version": ()}, False),
    ({"if_version": [1, 3]}, False),
    ({"unless_version": 2}, False),
    ({"if_version": 2, "unless_version": [2]}, False),
]


@pytest.mark.parametrize(("condition", "met"), CONDITIONS, ids=str)
async def test_a_change_is_made_only_under_its_condition(
    store: TaskStore, condition: dict[str, Any], *, met: bool
) -> None:
    tasks = store.for_user(1)
    task = await tasks.create("one")
    task = await tasks.update(task.id, title="two")

    if met:
        assert (await tasks.update(task.id, title="three", **condition)).version == 3
        await tasks.update(task.id, title="three", if_version=3)
    else:
        for title in ("two", "three"):
            with pytest.raises(VersionConflict) as conflict:
                await tasks.update(task.id, title=title, **condition)
            assert conflict.value.current == 2
        with pytest.raises(VersionConflict) as conflict:
            await tasks.delete(task.id, **condition)
        assert conflict.value.current == 2
        assert await tasks.get(task.id) == task
        for call in (tasks.update(1, title="x", **condition), tasks.delete(1, **condition)):
            with pytest.raises(TaskNotFound):
                await call


@pytest.mark.parametrize(("condition", "met"), CONDITIONS, ids=str)
async def test_a_task_is_deleted_only_under_its_condition(
    store: TaskStore, condition: dict[str, Any], *, met: bool
) -> None:
    tasks = store.for_user(1)
    task = await tasks.create("one")
    await tasks.update(task.id, title="two")
    if met:
        await tasks.delete(task.id, **condition)
    assert len(await tasks.list()) == 1 - met


@pytest.mark.parametrize("name", ["if_version", "unless_version"])
@pytest.mark.parametrize("value", [0, -1, MAX_VERSION + 1, True, "1", b"1", 1.0, [1, 0], ["1"]])
async def test_what_is_not_a_version_is_refused(name: str, value: Any) -> None:
    """SC-006."""
    tasks = TaskStore("postgresql://taskcore_app@localhost/taskcore").for_user(1)
    condition = {name: value}
    for call in (tasks.update(1, title="x", **condition), tasks.delete(1, **condition)):
        with pytest.raises(ValidationError) as error:
            await call
        assert error.value.field == name
