"""Input that is refused before it is sent; the database repeats the limits."""

import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from taskcore import (
    DatabaseError,
    TaskChanges,
    TaskCreate,
    TaskImport,
    TaskStore,
    TaskUpdate,
    ValidationError,
)
from taskcore.database.url import connect_arguments
from taskcore.limits import (
    AFTER_LAST_MOMENT,
    BLANK,
    FIRST_MOMENT,
    MAX_DESCRIPTION,
    MAX_ID,
    MAX_PAGE,
    MAX_TITLE,
    MAX_VERSION,
)
from taskcore.tasks.fields import TaskFields
from taskcore.tasks.user_tasks import UserTasks
from taskcore.validation import validate
from tests.databases import Database
from tests.inputs import EMOJI, INVALID, WHITE_SPACE, details

FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@pytest.fixture
def unopened() -> UserTasks:
    """Tasks of a store that is not open: what passes validation ends in StoreNotOpen."""
    return TaskStore("postgresql://taskcore_app@localhost/taskcore").for_user(1)


@pytest.mark.parametrize("case", INVALID)
async def test_an_invalid_value_is_refused(unopened: UserTasks, case: str) -> None:
    """US1, US3, FR-004, FR-005, SC-006; edge cases: over-length, blank, NUL, surrogates, types."""
    field, value, constraint, limits = INVALID[case]
    expected = details(field, constraint, **limits)
    task: Any = {"title": "good", field: value}

    with pytest.raises(ValidationError) as updated:
        await unopened.update(1, **{field: value})  # type: ignore[arg-type]
    with pytest.raises(ValidationError) as imported:
        await unopened.import_tasks([{"title": "good"}, task])
    can_change = field in TaskUpdate.model_fields
    assert updated.value.details == (expected if can_change else details(field, "unknown_field"))
    assert imported.value.details == expected | {"field": f"tasks[1].{field}"}
    assert str(updated.value).startswith(f"{field} ")
    if field in TaskCreate.model_fields:
        with pytest.raises(ValidationError) as created:
            await unopened.create(**task)
        with pytest.raises(ValidationError) as batched:
            await unopened.create_many([{"title": "good"}, task])
        assert created.value.details == expected
        assert batched.value.details == imported.value.details


@pytest.mark.parametrize("field", ["title", "description"])
async def test_bytes_are_not_text(unopened: UserTasks, field: str) -> None:
    task: Any = {"title": "good", field: b"bytes"}
    with pytest.raises(ValidationError) as error:
        await unopened.create(**task)
    assert error.value.details == details(field, "type")


async def test_the_longest_texts_fit(store: TaskStore) -> None:
    """FR-004, FR-005: lengths are counted in code points."""
    tasks = store.for_user(1)
    for character in ("x", "\u00e9", EMOJI):
        title, description = character * MAX_TITLE, character * MAX_DESCRIPTION
        created = await tasks.create(title, description)
        (batched,) = await tasks.create_many([{"title": title, "description": description}])
        for task in (created, batched):
            assert (task.title, task.description) == (title, description)


async def test_a_title_is_stripped_and_measured_as_it_was_sent(store: TaskStore) -> None:
    """FR-004; edge case: the contract's maxLength is the rule."""
    tasks = store.for_user(1)
    longest = WHITE_SPACE + "x" * (MAX_TITLE - 2 * len(WHITE_SPACE)) + WHITE_SPACE
    assert (await tasks.create(longest)).title == longest.strip()
    for title in (f"{longest} ", f" {longest}", f" {'x' * MAX_TITLE}"):
        with pytest.raises(ValidationError) as error:
            await tasks.create(title)
        assert error.value.details == details("title", "max_length", max=MAX_TITLE)


async def test_unknown_fields_are_refused(unopened: UserTasks) -> None:
    """SC-006; edge case."""
    with pytest.raises(ValidationError) as updated:
        await unopened.update(1, title="good", urgency=1)  # type: ignore[call-arg]
    with pytest.raises(ValidationError) as batched:
        await unopened.create_many([{"title": "good", "completed": True}])

    assert updated.value.details == details("urgency", "unknown_field")
    assert batched.value.details == details("tasks[0].completed", "unknown_field")


@pytest.mark.parametrize("name", ["id", "user_id", "version", "write_id", "created_at"])
async def test_no_one_writes_what_the_store_decides(unopened: UserTasks, name: str) -> None:
    with pytest.raises(ValidationError) as error:
        await unopened.update(1, **{name: 2})  # type: ignore[arg-type]
    assert error.value.details == details(name, "unknown_field")


async def test_an_empty_update_is_refused(unopened: UserTasks) -> None:
    """Edge case: an empty change set is an error."""
    with pytest.raises(ValidationError) as error:
        await unopened.update(1)
    assert error.value.details == details("changes", "empty_update")


async def test_a_batch_without_a_title_is_refused(unopened: UserTasks) -> None:
    with pytest.raises(ValidationError) as error:
        await unopened.create_many([{"description": "Milk"}])
    assert error.value.details == details("tasks[0].title", "required")


@pytest.mark.parametrize("task", [1, "title", ["title"]])
async def test_a_batch_holds_only_tasks(unopened: UserTasks, task: Any) -> None:
    with pytest.raises(ValidationError) as error:
        await unopened.create_many([{"title": "good"}, task])
    assert error.value.details == details("tasks[1]", "type")


async def test_a_batch_of_nothing_names_the_place(unopened: UserTasks) -> None:
    with pytest.raises(ValidationError) as error:
        await unopened.create_many([None])  # type: ignore[list-item]
    assert error.value.field == "tasks[0]"


BAD_IDS = {
    "zero": (0, "min", {"min": 1}),
    "negative": (-1, "min", {"min": 1}),
    "beyond 53 bits": (2**53, "max", {"max": MAX_ID}),
    "beyond 64 bits": (2**64, "max", {"max": MAX_ID}),
    "true": (True, "type", {}),
    "string": ("1", "type", {}),
    "float": (1.0, "type", {}),
    "null": (None, "type", {}),
}


@pytest.mark.parametrize("case", BAD_IDS)
async def test_a_bad_id_is_refused(unopened: UserTasks, case: str) -> None:
    """SC-006; edge case: non-integer and non-positive ids."""
    bad, constraint, limits = BAD_IDS[case]

    with pytest.raises(ValidationError) as error:
        TaskStore("postgresql://taskcore_app@localhost/taskcore").for_user(bad)  # type: ignore[arg-type]
    assert error.value.details == details("user_id", constraint, **limits)
    for call in (unopened.get(bad), unopened.update(bad, title="x"), unopened.delete(bad)):  # type: ignore[arg-type]
        with pytest.raises(ValidationError) as error:
            await call
        assert error.value.details == details("task_id", constraint, **limits)


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (0, details("limit", "min", min=1)),
        (-5, details("limit", "min", min=1)),
        (MAX_PAGE + 1, details("limit", "max", max=1000)),
        (True, details("limit", "type")),
        ("10", details("limit", "type")),
        (10.0, details("limit", "type")),
        (None, details("limit", "type")),
    ],
)
async def test_a_page_has_one_to_a_thousand_tasks(
    unopened: UserTasks, limit: Any, expected: dict[str, Any]
) -> None:
    """SC-006."""
    with pytest.raises(ValidationError) as error:
        await unopened.list(limit=limit)
    assert error.value.details == expected


@pytest.mark.parametrize("completed", [1, 0, "true", "yes"])
async def test_a_bad_filter_is_refused(unopened: UserTasks, completed: Any) -> None:
    """SC-006."""
    with pytest.raises(ValidationError) as error:
        await unopened.list(completed=completed)
    assert error.value.details == details("completed", "type")


def test_a_validation_error_is_a_value_error_and_names_its_field() -> None:
    """SC-006: with a clear message."""
    with pytest.raises(ValueError, match="title must have at most 500 characters") as error:
        validate(TaskCreate, {"title": "x" * 501}, where="body")
    assert isinstance(error.value, ValidationError)


# One truth per fact: SQL repeats what taskcore.limits says.


async def _refusal(database: Database, table: str, **columns: object) -> str | None:
    """Insert a row behind the library's back; return the constraint that refuses it."""
    connection = await asyncpg.connect(**connect_arguments(database.owner_url))
    try:
        transaction = connection.transaction()
        await transaction.start()
        if table == "tasks":
            await connection.execute("INSERT INTO taskcore.users (id) VALUES (1)")
            columns = {"user_id": 1, "id": 1, "write_id": 1, "title": "good"} | columns
        places = ", ".join(f"${n}" for n in range(1, len(columns) + 1))
        await connection.execute(
            f"INSERT INTO taskcore.{table} ({', '.join(columns)}) VALUES ({places})",  # noqa: S608
            *columns.values(),
        )
    except asyncpg.CheckViolationError as exc:
        return exc.constraint_name
    else:
        return None
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("table", "columns", "constraint"),
    [
        ("users", {"id": 1}, None),
        ("users", {"id": MAX_ID}, None),
        ("users", {"id": 0}, "users_id_range"),
        ("users", {"id": MAX_ID + 1}, "users_id_range"),
        ("tasks", {"id": MAX_ID}, None),
        ("tasks", {"id": 0}, "tasks_valid"),
        ("tasks", {"id": MAX_ID + 1}, "tasks_valid"),
        ("tasks", {"title": EMOJI * MAX_TITLE}, None),
        ("tasks", {"title": "x" * (MAX_TITLE + 1)}, "tasks_valid"),
        ("tasks", {"title": ""}, "tasks_valid"),
        ("tasks", {"title": "  "}, "tasks_valid"),
        ("tasks", {"description": EMOJI * MAX_DESCRIPTION}, None),
        ("tasks", {"description": "x" * (MAX_DESCRIPTION + 1)}, "tasks_valid"),
        ("tasks", {"description": ""}, "tasks_valid"),
        ("tasks", {"version": 0}, "tasks_valid"),
        ("tasks", {"version": MAX_VERSION}, None),
        ("tasks", {"title": WHITE_SPACE}, "tasks_valid"),
        ("tasks", {"created_at": FIRST + MICROSECOND, "updated_at": LAST - MICROSECOND}, None),
        ("tasks", {"updated_at": FIRST + MICROSECOND}, "tasks_valid"),
        # asyncpg sends these as minus infinity and infinity.
        ("tasks", {"created_at": FIRST}, "tasks_valid"),
        ("tasks", {"updated_at": LAST}, "tasks_valid"),
        ("tasks", {"completed": True, "completed_at": LAST - MICROSECOND}, None),
        ("tasks", {"completed": True, "completed_at": FIRST}, "tasks_valid"),
        ("tasks", {"completed": True, "completed_at": LAST}, "tasks_valid"),
        ("tasks", {"completed_at": LAST - MICROSECOND}, "tasks_valid"),
    ],
)
@pytest.mark.one_server
async def test_the_database_repeats_every_limit(
    database: Database, table: str, columns: dict[str, object], constraint: str | None
) -> None:
    """FR-004, FR-005."""
    assert await _refusal(database, table, **columns) == constraint


async def test_the_limits_in_the_catalogs_are_the_library_s(owner: asyncpg.Connection) -> None:
    """FR-004, FR-005."""
    source = await owner.fetchval(
        "SELECT prosrc FROM pg_proc WHERE oid = 'taskcore.task_is_valid'::regproc"
    )
    users = await owner.fetchval(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'users_id_range'"
    )

    for limit in (
        f"t.id BETWEEN 1 AND {MAX_ID}",
        f"char_length(t.title) <= {MAX_TITLE}",
        f"t.title ~ '[^{BLANK}]'",
        f"char_length(t.description) BETWEEN 1 AND {MAX_DESCRIPTION})",
        f"'{FIRST_MOMENT}'",
        f"'{AFTER_LAST_MOMENT}'",
    ):
        assert limit in source
    assert f"(id <= '{MAX_ID}'::bigint)" in users


def test_the_white_space_that_the_database_knows_is_python_s() -> None:
    """FR-004."""
    everything = "".join(map(chr, range(sys.maxunicode + 1)))
    assert "".join(re.findall(f"[{BLANK}]", everything)) == WHITE_SPACE


def test_the_moments_that_the_database_has_are_python_s() -> None:
    assert datetime.fromisoformat(FIRST_MOMENT) == FIRST
    year, rest = AFTER_LAST_MOMENT.split("-", 1)
    assert (int(year), rest) == (LAST.year + 1, "01-01 00:00:00+00")


async def test_a_batch_is_read_no_further_than_its_limit(store: TaskStore) -> None:
    def endless() -> Iterator[dict[str, str]]:
        while True:
            yield {"title": "x"}

    with pytest.raises(ValidationError) as error:
        await store.for_user(1).create_many(endless())
    assert error.value.details == {"field": "tasks", "constraint": "max_length", "max": 10_000}


@pytest.mark.parametrize("bad", [{"title": " "}, {"title": "x" * 501}, {"title": None}])
async def test_the_database_refuses_an_instance_that_nobody_validated(
    store: TaskStore, bad: dict[str, Any]
) -> None:
    """FR-004: an instance is not validated again."""
    tasks = store.for_user(1)
    task = await tasks.create("x")
    forged = TaskCreate.model_construct(**bad)
    for call in (
        tasks.create(forged),
        tasks.create_many([forged]),
        tasks.update(task.id, TaskUpdate.model_construct(**bad)),
    ):
        with pytest.raises(DatabaseError):
            await call
    assert [one async for one in tasks.iterate()] == [task]


async def test_an_instance_is_written_as_it_is(store: TaskStore) -> None:
    tasks = store.for_user(1)
    task = await tasks.create(TaskCreate(title=" x ", description="y"))
    assert (task.title, task.description) == ("x", "y")
    changed = await tasks.update(task.id, TaskUpdate(description=None), if_version=1)
    assert (changed.title, changed.description, changed.version) == ("x", None, 2)
    imported = TaskImport(title="x", completed=True)
    with pytest.raises(ValidationError) as error:
        await tasks.create(imported)  # type: ignore[arg-type]
    assert error.value.details == {"field": "title", "constraint": "type"}
    with pytest.raises(ValidationError, match="not both"):
        await tasks.update(task.id, TaskUpdate(title="z"), title="y")


def test_the_keywords_of_an_update_are_the_writable_fields() -> None:
    """One list is for type checkers, the other for validation."""
    assert TaskChanges.__annotations__.keys() == TaskUpdate.model_fields.keys()
    single = {"add_tags", "remove_tags"}
    assert TaskUpdate.model_fields.keys() == TaskFields.model_fields.keys() | single
