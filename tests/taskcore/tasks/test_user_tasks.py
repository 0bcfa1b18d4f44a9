"""A user's operations on their tasks, through the application's role on a real PostgreSQL."""

from datetime import UTC

import asyncpg
import pytest

from taskcore import (
    NotFound,
    Task,
    TaskCreate,
    TaskNotFound,
    TaskStore,
    ValidationError,
    VersionConflict,
)
from taskcore.limits import MAX_BATCH, MAX_ID
from taskcore.tasks.fields import TaskFields
from taskcore.tasks.user_tasks import UserTasks
from tests.cursors import cursor


@pytest.fixture
def tasks(store: TaskStore) -> UserTasks:
    return store.for_user(123)


@pytest.fixture
def others(store: TaskStore) -> UserTasks:
    return store.for_user(456)


# Create


async def test_a_new_task_has_an_id_and_is_open(tasks: UserTasks) -> None:
    """US1, FR-001, FR-002, FR-003."""
    task = await tasks.create("Buy groceries", "Milk and eggs")

    assert 1 <= task.id <= MAX_ID
    assert (task.title, task.description) == ("Buy groceries", "Milk and eggs")
    assert task.completed is False
    assert task.user_id == 123
    assert task.version == 1
    assert task.created_at == task.updated_at


async def test_a_new_task_is_stored_in_postgresql(
    tasks: UserTasks, owner: asyncpg.Connection
) -> None:
    """US1, FR-013."""
    task = await tasks.create("Buy groceries", "Milk and eggs")

    row = await owner.fetchrow(
        "SELECT user_id, id, title, description, completed, version FROM taskcore.tasks"
    )
    assert row is not None
    assert tuple(row) == (123, task.id, "Buy groceries", "Milk and eggs", False, 1)


async def test_a_title_alone_is_enough(tasks: UserTasks) -> None:
    """US1: the description is then null."""
    assert (await tasks.create("Buy groceries")).description is None


async def test_two_tasks_with_one_title_have_two_ids(tasks: UserTasks) -> None:
    """FR-002."""
    assert (await tasks.create("Twice")).id != (await tasks.create("Twice")).id


async def test_a_title_is_stripped_before_it_is_stored(tasks: UserTasks) -> None:
    """Edge case: titles are stripped before their length is checked."""
    task = await tasks.create(" \t\u3000 Buy groceries \n\u2003")

    assert task.title == "Buy groceries"
    assert (await tasks.update(task.id, title="  Sell them ")).title == "Sell them"


async def test_an_empty_description_becomes_none(tasks: UserTasks) -> None:
    """Edge case: an empty description becomes null, at creation and at a change."""
    task = await tasks.create("Buy groceries", "")
    assert task.description is None

    await tasks.update(task.id, description="Milk")
    assert (await tasks.update(task.id, description="")).description is None
    (batched,) = await tasks.create_many([{"title": "Buy groceries", "description": ""}])
    assert batched.description is None


async def test_a_blank_description_is_kept_as_it_is(tasks: UserTasks) -> None:
    assert (await tasks.create("Buy groceries", "  \n")).description == "  \n"


async def test_an_unknown_user_is_accepted_at_the_first_write(
    tasks: UserTasks, owner: asyncpg.Connection
) -> None:
    """Edge case: the first write creates the user row."""
    await tasks.create("first")
    await tasks.create("second")

    users = await owner.fetch("SELECT id FROM taskcore.users")
    assert [user["id"] for user in users] == [123]


async def test_the_first_write_may_be_a_batch(tasks: UserTasks) -> None:
    assert len(await tasks.create_many([{"title": "one"}, {"title": "two"}])) == 2


async def test_reading_and_failing_writes_create_no_user(
    tasks: UserTasks, owner: asyncpg.Connection
) -> None:
    await tasks.list()
    for write in (tasks.get(1), tasks.update(1, title="x"), tasks.delete(1)):
        with pytest.raises(TaskNotFound):
            await write

    count = await owner.fetchval("SELECT count(*) FROM taskcore.users")
    assert count == 0


async def test_the_largest_user_id_is_as_good_as_any(store: TaskStore) -> None:
    task = await store.for_user(MAX_ID).create("last")

    assert (await store.for_user(MAX_ID).get(task.id)).user_id == MAX_ID
    assert (await store.for_user(1).list()).items == ()


# A title is data: nothing in it has a meaning on the way.
@pytest.mark.parametrize(
    "text",
    [
        "'; DROP TABLE taskcore.tasks; --",
        "%s $1 {title} \\",
        "\u202eright to left",
        "e\u0301 is not \u00e9",
        "\U0001f469\u200d\U0001f469\u200d\U0001f467",
        '{"json": [1]}',
        "\x1b[31mred\x7f",
    ],
)
async def test_any_text_comes_back_as_it_was_given(tasks: UserTasks, text: str) -> None:
    created = await tasks.create(text, text)
    (batched,) = await tasks.create_many([{"title": text, "description": text}])

    for task in (created, batched):
        read = await tasks.get(task.id)
        assert (read.title, read.description) == (text, text)


# Retrieve


async def test_a_list_holds_exactly_the_tasks_of_its_user(
    tasks: UserTasks, others: UserTasks
) -> None:
    """US2, FR-006, SC-002."""
    mine = [await tasks.create(f"mine {n}") for n in range(3)]
    theirs = [await others.create(f"theirs {n}") for n in range(2)]

    assert set((await tasks.list()).items) == set(mine)
    assert set((await others.list()).items) == set(theirs)


async def test_the_owner_reads_every_field_back(tasks: UserTasks) -> None:
    """US2, FR-007."""
    created = await tasks.create("Buy groceries", "Milk and eggs")

    assert await tasks.get(created.id) == created


async def test_times_are_utc(tasks: UserTasks) -> None:
    task = await tasks.get((await tasks.create("now")).id)

    assert task.created_at.tzinfo is UTC
    assert task.updated_at.tzinfo is UTC


async def test_a_user_without_tasks_has_an_empty_list(tasks: UserTasks) -> None:
    """US2, and the edge case of an unknown user: success, and nothing."""
    page = await tasks.list()

    assert page.items == ()
    assert page.next is None
    assert [task async for task in tasks.iterate()] == []


async def test_a_list_is_newest_first(tasks: UserTasks) -> None:
    created = [await tasks.create(str(n)) for n in range(5)]

    assert list((await tasks.list()).items) == created[::-1]


async def test_a_list_gives_a_hundred_unless_told_otherwise(tasks: UserTasks) -> None:
    created = await tasks.create_many([{"title": str(n)} for n in range(101)])

    page = await tasks.list()

    assert page.items == created[:0:-1]
    assert page.next == cursor(created[1].id)
    assert len((await tasks.list(limit=1000)).items) == 101


async def test_a_page_is_a_sequence_of_its_tasks(tasks: UserTasks) -> None:
    created = await tasks.create_many([{"title": str(n)} for n in range(4)])

    page = await tasks.list(limit=3)

    assert [task.title for task in page] == ["3", "2", "1"]
    assert (len(page), page[0], page[-1]) == (3, created[3], created[1])
    assert page[1:] == (created[2], created[1])
    assert created[2] in page
    assert page.model_dump(mode="json")["items"] == [task.model_dump(mode="json") for task in page]
    assert not await tasks.list(completed=True)


async def test_cursors_lead_through_every_task_once(tasks: UserTasks) -> None:
    created = await tasks.create_many([{"title": str(n)} for n in range(7)])
    seen, sizes, cursor = list[Task](), list[int](), None
    while True:
        page = await tasks.list(limit=3, after=cursor)
        seen += page.items
        sizes.append(len(page.items))
        if (cursor := page.next) is None:
            break

    assert tuple(seen) == created[::-1]
    assert sizes == [3, 3, 1]


async def test_the_last_full_page_has_no_next(tasks: UserTasks) -> None:
    await tasks.create_many([{"title": str(n)} for n in range(4)])

    first = await tasks.list(limit=2)
    assert (await tasks.list(limit=2, after=first.next)).next is None


async def test_a_cursor_need_not_be_a_task_any_more(tasks: UserTasks) -> None:
    old, middle, new = await tasks.create_many([{"title": str(n)} for n in range(3)])
    page = await tasks.list(limit=2)
    assert page.next == cursor(middle.id)
    await tasks.delete(middle.id)

    assert (await tasks.list(after=page.next)).items == (old,)
    assert (await tasks.list(after=cursor(old.id))).items == ()
    assert (await tasks.list(after=cursor(MAX_ID))).items == (new, old)


async def test_a_cursor_of_another_user_opens_nothing(tasks: UserTasks, others: UserTasks) -> None:
    """SC-002."""
    theirs = await others.create("theirs")
    assert (await tasks.list(after=cursor(theirs.id))).items == ()


async def test_a_list_can_be_of_open_or_of_completed_tasks(tasks: UserTasks) -> None:
    created = await tasks.create_many([{"title": str(n)} for n in range(6)])
    done = [await tasks.update(task.id, completed=True) for task in created[::2]]

    assert (await tasks.list(completed=True)).items == tuple(done[::-1])
    assert (await tasks.list(completed=False)).items == created[5::-2]
    assert len((await tasks.list()).items) == 6
    first = await tasks.list(completed=True, limit=2)
    assert first.items == (done[2], done[1])
    assert (await tasks.list(completed=True, limit=2, after=first.next)).items == (done[0],)
    assert [task async for task in tasks.iterate(completed=False)] == list(created[5::-2])


async def test_iterate_gives_five_thousand_tasks_complete_and_in_order(tasks: UserTasks) -> None:
    """FR-006: all tasks of a user."""
    created = await tasks.create_many([{"title": str(n)} for n in range(5000)])

    seen = [task async for task in tasks.iterate()]

    assert seen == list(created[::-1])
    after = seen[1234]
    assert [task async for task in tasks.iterate(after=cursor(after.id))] == seen[1235:]


async def test_iterate_does_not_stumble_over_changes_on_its_way(tasks: UserTasks) -> None:
    created = await tasks.create_many([{"title": str(n)} for n in range(1500)])
    seen = list[int]()
    async for task in tasks.iterate():
        if not seen:
            await tasks.create("created meanwhile")
            await tasks.delete(created[0].id)
        seen.append(task.id)

    assert seen == [task.id for task in created[:0:-1]]


# Update


async def test_completing_a_task_persists(tasks: UserTasks) -> None:
    """US3, FR-009, FR-010."""
    task = await tasks.create("Buy groceries")

    updated = await tasks.update(task.id, completed=True)

    assert updated.completed is True
    assert await tasks.get(task.id) == updated


@pytest.mark.parametrize(
    "changes",
    [
        {"title": "Sell groceries"},
        {"description": "Milk, eggs, bread"},
        {"description": None},
        {"completed": True},
        {"title": "Sell", "description": "Milk", "completed": True},
    ],
)
async def test_a_change_leaves_the_other_fields_as_they_were(
    tasks: UserTasks, changes: dict[str, str | bool | None]
) -> None:
    """US3, FR-009."""
    before = await tasks.create("Buy groceries", "Milk and eggs")

    after = await tasks.update(before.id, **changes)  # type: ignore[arg-type]

    written = set(TaskFields.model_fields)
    assert after.model_dump(include=written) == before.model_dump(include=written) | changes
    assert (after.id, after.created_at, after.version) == (before.id, before.created_at, 2)
    assert after.updated_at > before.updated_at


async def test_each_change_raises_the_version_by_one(tasks: UserTasks) -> None:
    task = await tasks.create("one")
    versions = [(await tasks.update(task.id, title=f"title {n}")).version for n in range(3)]

    assert versions == [2, 3, 4]


@pytest.mark.parametrize(
    "changes",
    [{"title": " same "}, {"description": "same"}, {"completed": False}, {"title": "same"}],
)
async def test_a_change_that_changes_nothing_leaves_version_and_date(
    tasks: UserTasks, changes: dict[str, str | bool | None]
) -> None:
    task = await tasks.create("same", "same")

    assert await tasks.update(task.id, **changes) == task  # type: ignore[arg-type]
    assert await tasks.get(task.id) == task


async def test_clearing_what_is_clear_changes_nothing(tasks: UserTasks) -> None:
    task = await tasks.create("same")

    assert await tasks.update(task.id, description=None) == task
    assert await tasks.update(task.id, description="") == task


async def test_an_update_of_the_expected_version_succeeds(tasks: UserTasks) -> None:
    task = await tasks.create("one")

    assert (await tasks.update(task.id, if_version=1, title="two")).version == 2


async def test_an_update_of_a_stale_version_changes_nothing(tasks: UserTasks) -> None:
    task = await tasks.create("one")
    current = await tasks.update(task.id, title="two")

    with pytest.raises(VersionConflict) as conflict:
        await tasks.update(task.id, if_version=1, title="three")

    assert conflict.value.current == 2
    assert await tasks.get(task.id) == current


async def test_a_stale_version_conflicts_even_when_nothing_would_change(tasks: UserTasks) -> None:
    task = await tasks.create("one")
    with pytest.raises(VersionConflict):
        await tasks.update(task.id, if_version=7, title="one")


# Delete


async def test_a_deleted_task_is_gone_for_good(tasks: UserTasks) -> None:
    """US4, FR-011, FR-012."""
    task, kept = await tasks.create_many([{"title": "gone"}, {"title": "kept"}])

    await tasks.delete(task.id)

    with pytest.raises(TaskNotFound):
        await tasks.get(task.id)
    with pytest.raises(TaskNotFound):
        await tasks.delete(task.id)
    with pytest.raises(TaskNotFound):
        await tasks.update(task.id, title="back")
    assert (await tasks.list()).items == (kept,)


async def test_a_delete_of_a_stale_version_deletes_nothing(tasks: UserTasks) -> None:
    task = await tasks.create("one")
    task = await tasks.update(task.id, completed=True)

    with pytest.raises(VersionConflict) as conflict:
        await tasks.delete(task.id, if_version=1)
    assert conflict.value.current == 2
    assert await tasks.get(task.id) == task

    await tasks.delete(task.id, if_version=2)
    assert (await tasks.list()).items == ()


# Another user's


def _facts(error: BaseException) -> tuple[object, ...]:
    return (type(error), str(error), error.args, vars(error), error.__cause__)


OPERATIONS = {
    "get": lambda tasks, task_id: tasks.get(task_id),
    "update": lambda tasks, task_id: tasks.update(task_id, title="stolen"),
    "update of a version": lambda tasks, task_id: tasks.update(task_id, if_version=9, title="x"),
    "update without effect": lambda tasks, task_id: tasks.update(task_id, completed=False),
    "delete": lambda tasks, task_id: tasks.delete(task_id),
    "delete of a version": lambda tasks, task_id: tasks.delete(task_id, if_version=9),
}


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_anothers_task_and_no_task_read_alike(
    tasks: UserTasks, others: UserTasks, operation: str
) -> None:
    """US2, US3, US4, FR-008, FR-010, FR-012, FR-018, SC-002."""
    theirs = await others.create("theirs")

    with pytest.raises(NotFound) as foreign:
        await OPERATIONS[operation](tasks, theirs.id)
    with pytest.raises(NotFound) as missing:
        await OPERATIONS[operation](tasks, theirs.id + 1)

    assert _facts(foreign.value) == _facts(missing.value)
    assert type(foreign.value) is TaskNotFound
    assert str(theirs.id) not in str(foreign.value)
    assert await others.get(theirs.id) == theirs


async def test_two_users_may_hold_the_same_task_id(
    store: TaskStore, application: asyncpg.Connection, tasks: UserTasks, others: UserTasks
) -> None:
    """FR-018: no key tells of another user's row."""
    mine = await tasks.create("mine")
    await application.fetch(
        "SELECT id FROM taskcore.task_create_v1(456, $1, 1, $2)", mine.id, '{"title": "theirs"}'
    )

    await others.update(mine.id, title="still theirs")
    await store.for_user(456).delete(mine.id)

    assert await tasks.get(mine.id) == mine


# Batches


async def test_a_batch_is_stored_in_the_order_given(tasks: UserTasks) -> None:
    """Later ones are newer."""
    created = await tasks.create_many([{"title": f"n. {n}"} for n in range(300)])

    assert [task.title for task in created] == [f"n. {n}" for n in range(300)]
    assert [task.id for task in created] == sorted({task.id for task in created})
    assert (await tasks.list(limit=1000)).items == created[::-1]


async def test_a_batch_takes_models_and_mappings(tasks: UserTasks) -> None:
    created = await tasks.create_many(
        [TaskCreate(title="model", description="d"), {"title": "mapping"}]
    )

    assert [(task.title, task.description) for task in created] == [
        ("model", "d"),
        ("mapping", None),
    ]
    assert {(task.version, task.completed, task.user_id) for task in created} == {(1, False, 123)}


async def test_a_batch_with_one_bad_task_stores_none(tasks: UserTasks) -> None:
    """Edge case: all or nothing, and the error names the place."""
    with pytest.raises(ValidationError) as error:
        await tasks.create_many([{"title": "good"}, {"title": "good"}, {"title": " "}])

    assert error.value.details == {"field": "tasks[2].title", "constraint": "non_empty"}
    assert (await tasks.list()).items == ()


async def test_an_empty_batch_creates_nothing(tasks: UserTasks) -> None:
    assert await tasks.create_many([]) == ()
    assert (await tasks.list()).items == ()


async def test_a_batch_has_at_most_ten_thousand_tasks(tasks: UserTasks) -> None:
    with pytest.raises(ValidationError) as error:
        await tasks.create_many({"title": "t"} for _ in range(MAX_BATCH + 1))
    assert error.value.details == {"field": "tasks", "constraint": "max_length", "max": 10_000}
    assert (await tasks.list()).items == ()

    created = await tasks.create_many({"title": "t"} for _ in range(MAX_BATCH))
    assert len({task.id for task in created}) == MAX_BATCH


async def test_a_batch_that_the_database_refuses_stores_none(
    tasks: UserTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database failure leaves no partial state."""
    ids = iter([1, 2, MAX_ID + 1])
    monkeypatch.setattr(tasks._ids, "next", lambda _user: next(ids))

    with pytest.raises(Exception, match="23514"):
        await tasks.create_many([{"title": "one"}, {"title": "two"}, {"title": "three"}])

    assert (await tasks.list()).items == ()
