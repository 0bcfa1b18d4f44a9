"""Any interleaving of several users' operations, against a plain model in memory.

Each example takes user ids that nobody had before, so that one database serves them all.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from taskcore import Task, TaskNotFound, TaskStore, ValidationError, VersionConflict
from taskcore.testing.strategies import bad_changes, bad_new_tasks, new_tasks
from taskcore.testing.strategies import changes as good_changes
from tests.cursors import cursor as cursor_of
from tests.databases import Database
from tests.merge_patch import is_same, merge_patched

_Result = TypeVar("_Result")

USERS = st.integers(min_value=0, max_value=2)
PLACES = st.integers(min_value=0, max_value=30)

_user_ids = itertools.count(1, 3)


@dataclass(frozen=True)
class Row:
    """A task as the model sees it."""

    id: int
    title: str
    description: str | None = None
    due: str | None = None
    due_zone: str | None = None
    priority: int = 0
    project: str | None = None
    tags: tuple[str, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)
    key: str | None = None
    completed: bool = False
    version: int = 1


_FIELDS = {one.name for one in fields(Row)}


def _normalized(given: dict[str, Any]) -> dict[str, Any]:
    """Return fields as they are stored."""
    stored = dict(given)
    if "title" in stored:
        stored["title"] = stored["title"].strip()
    if "description" in stored:
        stored["description"] = stored["description"] or None
    for name in ("project", "key"):
        if stored.get(name):
            stored[name] = stored[name].strip()
    if "tags" in stored:
        stored["tags"] = tuple(sorted({tag.strip() for tag in stored["tags"]}))
    if "extra" in stored:
        stored["extra"] = stored["extra"] or {}
    # A due date without a time removes the zone.
    if "due" in stored and len(stored["due"] or "") <= len("2026-11-30"):
        stored["due_zone"] = None
    return stored


class Users(RuleBasedStateMachine):
    """Three users of one store, and what each of them must see."""

    run: Callable[[Awaitable[Any]], Any]
    store: TaskStore

    @initialize()
    def begin(self) -> None:
        first = next(_user_ids)
        self.users = [first, first + 1, first + 2]
        # Oldest first, as ids rise.
        self.rows: dict[int, dict[int, Row]] = {user: {} for user in self.users}
        self.deleted: list[int] = []

    # The values that a rule picks from.

    def _mine(self, user: int, place: int) -> Row:
        rows = list(self.rows[user].values())
        return rows[place % len(rows)]

    def _not_mine(self, user: int, place: int) -> int:
        """Another user's id, a deleted task's, or one that never was."""
        others = [task for other in self.users if other != user for task in self.rows[other]]
        ids = [task for task in (*others, *self.deleted, 1) if task not in self.rows[user]]
        return ids[place % len(ids)]

    def _is(self, user: int, task: Task, row: Row) -> None:
        assert (task.user_id, task.id) == (user, row.id)
        assert task.model_dump(mode="json", include=_FIELDS) == asdict(row) | {
            "tags": list(row.tags)
        }

    def _stored(self, user: int, task: Task, new: dict[str, Any]) -> bool:
        """Add a new task to the model, unless its key is there: then it is the task returned."""
        row = Row(task.id, **_normalized(new))
        for known in self.rows[user].values():
            if row.key is not None and known.key == row.key:
                self._is(user, task, known)
                return False
        self._is(user, task, row)
        assert all(task.id > other for other in self.rows[user])
        self.rows[user][task.id] = row
        return True

    # The actions of a user.

    @rule(who=USERS, new=new_tasks)
    def create(self, who: int, new: dict[str, Any]) -> None:
        user = self.users[who]
        task, is_new = self.run(self.store.for_user(user).get_or_create(**new))
        assert is_new is self._stored(user, task, new)

    @rule(who=USERS, tasks=st.lists(new_tasks, max_size=4))
    def create_many(self, who: int, tasks: list[dict[str, Any]]) -> None:
        user = self.users[who]
        created = self.run(self.store.for_user(user).create_many(tasks))
        for task, new in zip(created, tasks, strict=True):
            self._stored(user, task, new)

    @rule(who=USERS, bad=bad_new_tasks)
    def create_badly(self, who: int, bad: dict[str, Any]) -> None:
        tasks = self.store.for_user(self.users[who])
        for call in (tasks.create(**bad), tasks.create_many([{"title": "good"}, bad])):
            with pytest.raises(ValidationError):
                self.run(call)

    @precondition(lambda self: any(self.rows.values()))
    @rule(who=USERS, place=PLACES, changes=good_changes, guarded=st.booleans())
    def update(self, who: int, place: int, changes: dict[str, Any], guarded: bool) -> None:  # noqa: FBT001
        user = self.users[who]
        if not self.rows[user]:
            return
        before = self._mine(user, place)
        task = self.run(
            self.store.for_user(user).update(
                before.id, if_version=before.version if guarded else None, **changes
            )
        )
        merged = _normalized(changes)
        if "extra" in changes:
            merged["extra"] = merge_patched(before.extra, changes["extra"]) or {}
        after = replace(before, **merged)
        if after != before or not is_same(after.extra, before.extra):
            after = replace(after, version=before.version + 1)
        self._is(user, task, after)
        self.rows[user][before.id] = after

    @precondition(lambda self: any(self.rows.values()))
    @rule(who=USERS, place=PLACES, bad=bad_changes)
    def update_badly(self, who: int, place: int, bad: dict[str, Any]) -> None:
        user = self.users[who]
        if not self.rows[user]:
            return
        tasks, row = self.store.for_user(user), self._mine(user, place)
        with pytest.raises(ValidationError):
            self.run(tasks.update(row.id, **bad))

    @precondition(lambda self: any(self.rows.values()))
    @rule(who=USERS, place=PLACES, changes=good_changes, off=st.integers(1, 3))
    def touch_a_stale_version(
        self, who: int, place: int, changes: dict[str, Any], off: int
    ) -> None:
        user = self.users[who]
        if not self.rows[user]:
            return
        tasks, row = self.store.for_user(user), self._mine(user, place)
        for version in {row.version + off, max(row.version - off, 1)} - {row.version}:
            for call in (
                tasks.update(row.id, if_version=version, **changes),
                tasks.delete(row.id, if_version=version),
            ):
                with pytest.raises(VersionConflict) as conflict:
                    self.run(call)
                assert conflict.value.current == row.version

    @precondition(lambda self: any(self.rows.values()))
    @rule(who=USERS, place=PLACES, guarded=st.booleans())
    def delete(self, who: int, place: int, guarded: bool) -> None:  # noqa: FBT001
        user = self.users[who]
        if not self.rows[user]:
            return
        row = self._mine(user, place)
        self.run(
            self.store.for_user(user).delete(row.id, if_version=row.version if guarded else None)
        )
        del self.rows[user][row.id]
        self.deleted.append(row.id)

    @rule(who=USERS, place=PLACES, changes=good_changes, version=st.none() | st.integers(1, 5))
    def reach_for_what_is_not_ones_own(
        self, who: int, place: int, changes: dict[str, Any], version: int | None
    ) -> None:
        """FR-008, FR-010, FR-012, SC-002: always, and always in the same words."""
        user = self.users[who]
        tasks, task_id = self.store.for_user(user), self._not_mine(user, place)
        for call in (
            tasks.get(task_id),
            tasks.update(task_id, if_version=version, **changes),
            tasks.delete(task_id, if_version=version),
        ):
            with pytest.raises(TaskNotFound) as error:
                self.run(call)
            assert error.value.args == ("task not found",)

    @rule(
        who=USERS,
        place=PLACES,
        limit=st.integers(1, 5),
        completed=st.none() | st.booleans(),
        cursor=st.sampled_from(["none", "mine", "not mine"]),
    )
    def page(
        self,
        who: int,
        place: int,
        limit: int,
        completed: bool | None,  # noqa: FBT001
        cursor: str,
    ) -> None:
        user = self.users[who]
        after: int | None = None
        if cursor == "not mine":
            after = self._not_mine(user, place)
        elif cursor == "mine" and self.rows[user]:
            after = self._mine(user, place).id
        page = self.run(
            self.store.for_user(user).list(
                limit=limit,
                completed=completed,
                after=None if after is None else cursor_of(after),
            )
        )
        expected = [
            row
            for row in sorted(self.rows[user].values(), key=lambda row: row.id, reverse=True)
            if (completed is None or row.completed == completed)
            and (after is None or row.id < after)
        ]
        assert len(page.items) == len(expected[:limit])
        for task, row in zip(page.items, expected, strict=False):
            self._is(user, task, row)
        last = expected[limit - 1] if len(expected) > limit else None
        assert page.next == (None if last is None else cursor_of(last.id))

    @rule(who=USERS, place=PLACES)
    def get(self, who: int, place: int) -> None:
        user = self.users[who]
        if self.rows[user]:
            row = self._mine(user, place)
            self._is(user, self.run(self.store.for_user(user).get(row.id)), row)

    @invariant()
    def everybody_sees_their_own_and_nothing_else(self) -> None:
        """FR-006, FR-018."""
        for user in self.users:
            rows = sorted(self.rows[user].values(), key=lambda row: row.id, reverse=True)
            tasks = self.run(self.store.for_user(user).list(limit=1000)).items
            assert len(tasks) == len(rows)
            for task, row in zip(tasks, rows, strict=True):
                self._is(user, task, row)


@pytest.fixture
def machine(database: Database) -> Iterator[type[Users]]:
    with asyncio.Runner() as runner:
        store = runner.run(TaskStore(database.url).open())

        def run(call: Awaitable[_Result]) -> _Result:
            async def wait() -> _Result:
                return await call

            return runner.run(wait())

        yield type("Machine", (Users,), {"run": staticmethod(run), "store": store})
        runner.run(store.close())


def test_no_interleaving_of_operations_crosses_from_one_user_to_another(
    machine: type[Users],
) -> None:
    """FR-001 to FR-012, FR-018, SC-002."""
    machine.TestCase.settings = settings(
        max_examples=40, stateful_step_count=30, deadline=None, database=None
    )
    machine.TestCase().runTest()
