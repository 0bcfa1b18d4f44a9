"""Lists of some of a user's tasks."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taskcore import Task, TaskStore, UserTasks, ValidationError
from taskcore.cursors import cursor_after
from taskcore.tasks.task_order import ORDERS, TaskOrder

DAY = date(2026, 11, 30)
PROJECTS = (None, "a", "b")
TAGS = ("x", "y", "木")


def _tasks() -> st.SearchStrategy[list[dict[str, Any]]]:
    days = st.integers(-2, 2).map(lambda days: (DAY + timedelta(days=days)).isoformat())
    dues = st.none() | days | days.map(lambda day: f"{day}T17:00")
    fields = {
        "project": st.sampled_from(PROJECTS),
        "tags": st.sets(st.sampled_from(TAGS)).map(list),
        "due": dues,
        "priority": st.integers(0, 9),
    }
    return st.lists(st.fixed_dictionaries({"title": st.just("t")}, optional=fields), max_size=8)


FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "project": st.sampled_from(["", "a", "b", "c", " a "]),
        "tags": st.sets(st.sampled_from(TAGS)).map(list),
        "due_before": st.sampled_from([DAY, DAY.isoformat(), date.min, date.max]),
        "due_after": st.sampled_from([DAY, DAY.isoformat(), date.min, date.max]),
        "priority_at_least": st.integers(1, 9),
        "completed": st.booleans(),
    },
)


def matches(task: Task, **filters: Any) -> bool:
    """Tell in plain Python whether a task matches the filters."""
    day = None if task.due is None else task.due.isoformat()[:10]
    before, after = (filters.get(name) for name in ("due_before", "due_after"))
    return (
        ("project" not in filters or (task.project or "") == filters["project"].strip())
        and set(filters.get("tags", ())) <= set(task.tags)
        and (before is None or (day is not None and day < str(before)))
        and (after is None or (day is not None and day > str(after)))
        and (
            "priority_at_least" not in filters or 1 <= task.priority <= filters["priority_at_least"]
        )
        and ("completed" not in filters or task.completed == filters["completed"])
    )


def ordered(tasks: list[Task], order: TaskOrder) -> list[Task]:
    """Sort tasks in plain Python; those given are newest first, and sorting is stable."""
    keys: dict[TaskOrder, Callable[[Task], Any]] = {
        "newest": lambda _: 0,
        "due": lambda task: (task.due is None, task.due and task.due.isoformat()),
        "priority": lambda task: task.priority or 10,
    }
    return sorted(tasks, key=keys[order])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(
    new=_tasks(),
    filters=FILTERS,
    order=st.sampled_from(ORDERS),
    limit=st.integers(1, 3),
)
async def test_a_list_has_the_tasks_that_fit_and_no_others(
    store: TaskStore,
    new: list[dict[str, Any]],
    filters: dict[str, Any],
    order: TaskOrder,
    limit: int,
) -> None:
    """TK-301, TK-302, TK-305, TK-306: page by page too."""
    tasks = store.for_user(42)
    if old := [task.id async for task in tasks.iterate()]:
        await tasks.delete_many(old)
    made = list(await tasks.create_many(new))[::-1]
    made[::2] = [await tasks.update(task.id, completed=True) for task in made[::2]]
    expected = ordered([task for task in made if matches(task, **filters)], order)

    assert [task async for task in tasks.iterate(order=order, **filters)] == expected
    assert await tasks.count(**filters) == len(expected)
    page = await tasks.list(limit=limit, order=order, **filters)
    found = list(page)
    while page.next is not None:
        page = await tasks.list(limit=limit, order=order, after=page.next, **filters)
        found += page
    assert found == expected


@pytest.mark.parametrize("wrong", ["oldest", "Due", "", None, 7])
async def test_an_order_that_is_unknown_is_refused(tasks: UserTasks, wrong: Any) -> None:
    """TK-305."""
    for call in (tasks.list(order=wrong), anext(tasks.iterate(order=wrong))):
        with pytest.raises(ValidationError) as caught:
            await call
        assert caught.value.details == {"field": "order", "constraint": "type"}


@pytest.mark.parametrize(
    ("order", "cursor"),
    [
        ("due", cursor_after("newest", 7)),
        ("newest", cursor_after("due", 7, "2026-11-30")),
        ("priority", cursor_after("due", 7, None)),
        ("due", cursor_after("due", 7)),
        ("due", cursor_after("due", 7, 7)),
        ("due", cursor_after("due", 7, "2026-11-30T17:00")),
        ("due", cursor_after("due", 7, "2026-11-31")),
        ("due", cursor_after("due", 7, "2026-11-30", None)),
        ("priority", cursor_after("priority", 7, 10)),
        ("priority", cursor_after("priority", 7, -1)),
        ("priority", cursor_after("priority", 7, None)),
        ("priority", cursor_after("priority", 7, "1")),
    ],
)
async def test_a_cursor_of_another_order_is_refused(
    tasks: UserTasks, order: TaskOrder, cursor: str
) -> None:
    """TK-305."""
    with pytest.raises(ValidationError) as caught:
        await tasks.list(order=order, after=cursor)
    assert caught.value.details == {"field": "after", "constraint": "cursor"}


async def test_a_filter_shows_nobody_elses_tasks(store: TaskStore) -> None:
    """TK-301."""
    await store.for_user(43).create("theirs", project="a", tags=["x"], priority=1, due=DAY)
    for filters in ({"project": "a"}, {"tags": ["x"]}, {"priority_at_least": 9}):
        assert list(await store.for_user(42).list(**filters)) == []
        assert await store.for_user(42).count(**filters) == 0


@pytest.mark.parametrize(
    ("filters", "field", "constraint"),
    [
        ({"project": 1}, "project", "type"),
        ({"project": "x" * 101}, "project", "max_length"),
        ({"project": "\x00"}, "project", "no_nul"),
        ({"tags": "x"}, "tags", "type"),
        ({"tags": ["a,b"]}, "tags", "characters"),
        ({"tags": [1]}, "tags", "type"),
        ({"due_before": "2026-02-30"}, "due_before", "date"),
        ({"due_after": "2026-11-30T17:00"}, "due_after", "type"),
        ({"due_after": 7}, "due_after", "type"),
        ({"priority_at_least": 0}, "priority_at_least", "min"),
        ({"priority_at_least": 10}, "priority_at_least", "max"),
        ({"priority_at_least": True}, "priority_at_least", "type"),
        ({"priority": 1}, "priority", "unknown_field"),
    ],
)
async def test_a_filter_that_cannot_be_used_is_explained(
    tasks: UserTasks, filters: dict[str, Any], field: str, constraint: str
) -> None:
    """TK-301."""
    for call in (tasks.list(**filters), anext(tasks.iterate(**filters)), tasks.count(**filters)):
        with pytest.raises(ValidationError) as caught:
            await call
        assert (caught.value.field, caught.value.constraint) == (field, constraint)


@pytest.fixture
def tasks(store: TaskStore) -> UserTasks:
    return store.for_user(42)
