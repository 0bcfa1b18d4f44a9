"""Fields of the embedding application."""

import asyncio
import json
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taskcore import TaskCreate, TaskStore, TaskUpdate, UserTasks, ValidationError
from taskcore.limits import MAX_EXTRA, MAX_EXTRA_DEPTH
from taskcore.testing.strategies import valid
from tests.merge_patch import is_same, merge_patched

OBJECTS = valid["extra"].map(lambda extra: extra or {})


@pytest.fixture
def tasks(store: TaskStore) -> UserTasks:
    return store.for_user(42)


# RFC 7396, appendix A, those whose target and patch are objects.
MERGES = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("stored", "patch", "merged"), MERGES)
async def test_a_change_is_a_merge_patch(
    tasks: UserTasks, stored: dict[str, Any], patch: dict[str, Any], merged: dict[str, Any]
) -> None:
    """TK-116: RFC 7396, appendix A."""
    task = await tasks.create("x", extra=stored)
    assert task.extra == stored
    assert (await tasks.update(task.id, extra=patch)).extra == merged
    assert merge_patched(stored, patch) == merged


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(stored=OBJECTS, patch=OBJECTS)
async def test_any_change_is_merged_as_in_plain_python(
    tasks: UserTasks, stored: dict[str, Any], patch: dict[str, Any]
) -> None:
    """TK-115, TK-116: and values are read as they were written."""
    task = await tasks.create("x", extra=stored)
    assert is_same(task.extra, stored)
    merged = merge_patched(stored, patch)
    changed = await tasks.update(task.id, extra=patch)
    assert is_same(changed.extra, merged)
    assert changed.version == (1 if is_same(merged, stored) else 2)
    await tasks.delete(task.id)


async def test_null_removes_all(tasks: UserTasks) -> None:
    """TK-116."""
    task = await tasks.create("x", extra={"a": 1})
    assert (await tasks.update(task.id, extra={})) == task
    assert (await tasks.update(task.id, TaskUpdate(extra=None))).extra == {}
    assert (await tasks.create("x", extra=None)).extra == {}


async def test_two_writers_change_different_members(tasks: UserTasks) -> None:
    """TK-116."""
    task = await tasks.create("x", extra={"a": 1, "b": {"c": 1}})
    patches: list[dict[str, Any]] = [{"a": 2}, {"b": {"c": None}}, {"b": {"d": 3}}]
    await asyncio.gather(*(tasks.update(task.id, extra=patch) for patch in patches))
    assert (await tasks.get(task.id)).extra == {"a": 2, "b": {"d": 3}}


async def test_a_change_that_makes_it_too_large_is_refused(tasks: UserTasks) -> None:
    """TK-115."""
    task = await tasks.create("x", extra={"a": "x" * 4_000})
    with pytest.raises(ValidationError) as caught:
        await tasks.update(task.id, title="y", extra={"b": "x" * 100})
    assert caught.value.details == {"field": "extra", "constraint": "max_bytes", "max": MAX_EXTRA}
    assert await tasks.get(task.id) == task


def _of_size(size: int, text: str) -> dict[str, Any]:
    """Return an object whose text has this number of bytes."""
    rest = size - len(json.dumps({"a": text, "b": [1, -2.5, True, None], "c": ""}).encode())
    return {"a": text, "b": [1, -2.5, True, None], "c": "x" * rest}


def _floats(value: Any) -> Any:
    return [float(one) for one in value] if isinstance(value, list) else value


EXACT = {
    "ASCII": _of_size(MAX_EXTRA, "a"),
    "escapes": _of_size(MAX_EXTRA, 'a"\\\b\f\n\r\t\x01\x1f\x7f'),
    "floats": {"a": [1e300, 1e-300, 5e-324, 1.5e16, 1e22], "b": ""},
}


@pytest.mark.parametrize("extra", EXACT.values(), ids=EXACT)
async def test_the_limit_is_that_of_the_database(
    tasks: UserTasks, owner: asyncpg.Connection, extra: dict[str, Any]
) -> None:
    """TK-115: the library accepts an object up to the last byte that the database accepts."""
    task = await tasks.create("x", extra=extra)
    size = await owner.fetchval(
        "SELECT octet_length(extra::text) FROM taskcore.tasks WHERE id = $1", task.id
    )
    last = "c" if "c" in extra else "b"
    fitting = extra | {last: extra[last] + "x" * (MAX_EXTRA - size)}
    stored = await tasks.create("x", extra=fitting)
    assert stored.extra[last] == fitting[last]
    # Large floats come back as integers.
    assert str(_floats(stored.extra["a"])) == str(_floats(fitting["a"]))
    with pytest.raises(ValueError, match="at most 4096 bytes"):
        TaskCreate(title="x", extra=fitting | {last: fitting[last] + "x"})


async def test_the_deepest_extra_is_stored(tasks: UserTasks) -> None:
    """TK-115: the object itself is the first level."""
    inner = MAX_EXTRA_DEPTH - 1
    deepest = {"a": json.loads("[" * inner + "1" + "]" * inner)}
    task = await tasks.create("x", extra=deepest)
    assert task.extra == deepest
    assert (await tasks.update(task.id, extra={"b": deepest["a"]})).extra["b"] == deepest["a"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), b"x", {1}, object(), {1: 2}])
def test_what_json_has_not_is_refused(value: object) -> None:
    """TK-115."""
    with pytest.raises(ValueError, match="extra"):
        TaskCreate(title="x", extra={"a": value})


async def test_tuples_and_mappings_are_taken(tasks: UserTasks) -> None:
    """TK-115."""
    task = await tasks.create("x", extra={"a": (1, 2)})
    assert task.extra == {"a": [1, 2]}


async def test_a_task_has_a_hash(tasks: UserTasks) -> None:
    task = await tasks.create("x", extra={"a": 1})
    assert {task: 1}[await tasks.get(task.id)] == 1


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_number_has_a_size(number: float) -> None:
    """TK-115."""
    TaskCreate(title="x", extra={"a": number})
