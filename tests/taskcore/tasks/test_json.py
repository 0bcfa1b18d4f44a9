"""Lists as JSON: the bytes of the models, without the models."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from taskcore import Task, TaskStore, UserTasks
from taskcore.tasks.task_order import ORDERS
from taskcore.testing.strategies import new_tasks

TASKS = TypeAdapter(tuple[Task, ...])

FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
# Without a fraction, with one that ends in zeros, and any.
MOMENTS = (
    st.sampled_from([FIRST, FIRST + timedelta(microseconds=1), LAST])
    | st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.replace(microsecond=0))
    | st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.replace(microsecond=120_000))
    | st.datetimes(timezones=st.just(UTC))
)
# Everything that JSON escapes, what it need not escape, and what looks like the end of a moment.
TEXTS = st.text(
    st.sampled_from([*map(chr, range(1, 32)), *'"\\/<\x7f\x80\u2028\u2029\ufeff\ufffe😀'])
    | st.characters(codec="utf-8", exclude_characters="\0"),
    min_size=1,
    max_size=12,
) | st.just("2026-01-01T00:00:00.000000Z")


@pytest.fixture
def tasks(store: TaskStore) -> UserTasks:
    return store.for_user(42)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    new=new_tasks,
    texts=st.fixed_dictionaries(
        {"title": TEXTS.map("x{}".format)},
        optional={"description": TEXTS, "project": TEXTS.map("x{}".format)},
    ),
    moments=st.lists(MOMENTS, min_size=3, max_size=3).map(sorted),
    completed=st.booleans(),
)
@example(new={"title": "x"}, texts={}, moments=[FIRST, LAST, LAST], completed=True)
async def test_a_list_as_json_has_the_bytes_of_its_tasks(
    tasks: UserTasks,
    new: dict[str, Any],
    texts: dict[str, str],
    moments: list[datetime],
    completed: bool,  # noqa: FBT001
) -> None:
    """TK-307: each field, with every character that a text may have."""
    times = dict(zip(("created_at", "updated_at", "completed_at"), moments, strict=True))
    if not completed:
        del times["completed_at"]
    await tasks.import_tasks([{**new, **texts, **times, "completed": completed}])

    page, in_json = await tasks.list(), await tasks.list_json()

    assert len(page) == 1
    assert page[0].created_at == moments[0]
    assert page[0].completed_at == (moments[2] if completed else None)
    assert page[0].created_at.tzinfo is UTC
    assert in_json.items == TASKS.dump_json(page.items)
    await tasks.delete(page[0].id)


@pytest.mark.parametrize("order", ORDERS)
async def test_pages_as_json_are_the_pages_of_the_list(tasks: UserTasks, order: Any) -> None:
    """TK-307, TK-305."""
    dues = [None, "2026-11-30", "2026-11-30T17:00", "2026-11-30T17:00:01"]
    await tasks.create_many(
        {"title": f"n. {n}", "due": dues[n % 4], "priority": n % 3, "tags": ["a"][: n % 2]}
        for n in range(20)
    )
    after = None
    for _ in range(7):
        page = await tasks.list(order=order, limit=3, after=after)
        in_json = await tasks.list_json(order=order, limit=3, after=after)
        assert (in_json.items, in_json.next) == (TASKS.dump_json(page.items), page.next)
        after = page.next
    assert after is None


async def test_an_empty_list_as_json_is_an_empty_array(tasks: UserTasks) -> None:
    """TK-307."""
    assert await tasks.list_json() == (b"[]", None)


async def test_a_list_as_json_tells_whose_it_is(store: TaskStore) -> None:
    mine = store.for_identity("https://issuer.example", "me")
    task = await mine.create("x")
    again = store.for_identity("https://issuer.example", "me")
    await again.list_json()
    assert again.user_id == task.user_id
