"""One user's tasks. There is no other way to a task, so no call can forget its user."""

import builtins
import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Generic, Self, TypeVar, Unpack

from taskcore.access import CREATE, READ, WRITE
from taskcore.database.database import Database
from taskcore.database.failures import IdsMissing, IdsTaken, NotNewest
from taskcore.errors import (
    DatabaseError,
    OutcomeUnknown,
    TaskcoreError,
    TaskNotFound,
    ValidationError,
    VersionConflict,
)
from taskcore.limits import DEFAULT_PAGE, MAX_BATCH, MAX_BATCH_BYTES, MAX_PAGE
from taskcore.operation import FIND_USER, Operation
from taskcore.owner import NO_USER, Owner, UserOwner
from taskcore.tasks.condition import Versions, version_condition
from taskcore.tasks.extra import ExtraT
from taskcore.tasks.fields import NewTaskOptions, TaskCreate
from taskcore.tasks.ids import ID_ATTEMPTS, IdGenerator, new_write_id
from taskcore.tasks.importing import Import, ImportResult, Tasks
from taskcore.tasks.json_page import JsonPage
from taskcore.tasks.search import find_of, with_find, with_folds
from taskcore.tasks.task import ONE_TASK, TASK_COLUMNS, Task, TaskRows
from taskcore.tasks.task_filter import TaskFilters, filter_options
from taskcore.tasks.task_order import (
    NEWEST,
    TaskOrder,
    cursor_of,
    options_after,
    validate_order,
)
from taskcore.tasks.task_page import TaskPage
from taskcore.tasks.task_update import TaskChanges, TaskUpdate
from taskcore.tokens.tokens import Tokens
from taskcore.validation import validate, validate_id, validate_integer

_CREATE = Operation("task_create_v1", 4, ONE_TASK, CREATE)
_CREATE_ONCE = Operation("task_create_v1", 4, f"{ONE_TASK}, write_id", CREATE)
_CREATE_MANY = Operation("task_create_many_v1", 3, TASK_COLUMNS, CREATE)
_GET = Operation("task_get_v1", 1, ONE_TASK, READ)
_LIST = Operation("task_list_v1", 3, TASK_COLUMNS, READ)
_LIST_CHOSEN = Operation("task_list_v1", 4, TASK_COLUMNS, READ)
_COUNT = Operation("task_count_v1", 2, "tasks", READ)
_UPDATE = Operation("task_update_v1", 5, f"{ONE_TASK}, write_id", WRITE)
_UPDATE_MANY = Operation("task_update_many_v1", 3, TASK_COLUMNS, WRITE)
_DELETE = Operation("task_delete_v1", 3, "version", WRITE)
_DELETE_MANY = Operation("task_delete_many_v1", 1, "id", WRITE)

# How many of the missing ids an error names.
_MOST_NAMED = 10

_Item = TypeVar("_Item")


class UserTasks(Generic[ExtraT]):
    """The tasks of one user.

    A store's ``for_user``, ``for_identity``, ``for_token`` and ``for_session`` return them.

    Every method but `iterate` and `import_tasks` is one call of one SQL function, and one
    network round trip unless it is sent again. Every method may raise `Unavailable` and
    `DatabaseError`, and every write `OutcomeUnknown`. Many asyncio tasks may use it at once. A
    cancelled call takes effect wholly or not at all; of an import some batches may be stored.

    A batch without items does nothing and asks nothing, not even whether the caller is let in.

    With an identity every method may also raise `Unauthenticated`, `Forbidden` and
    `UserNotFound`: see ``TaskStore.for_identity``. With an API token or a session every
    method may raise `InvalidToken`, and with an API token also `InsufficientScope`: see
    ``TaskStore.for_token``.

    Attributes:
        user_id: The user, as the request names it or as the first answer with a task tells it;
            None before.
    """

    def __init__(
        self, database: Database, ids: IdGenerator, owner: Owner, rows: TaskRows[ExtraT]
    ) -> None:
        self._database = database
        self._ids = ids
        self._owner = owner
        self._rows = rows
        self.user_id = owner.user_id

    def __repr__(self) -> str:
        return f"UserTasks(user_id={self.user_id})"

    @property
    def tokens(self) -> Tokens:
        """The user's API tokens."""
        return Tokens(self._database, self._owner)

    def of_user(self, user_id: int) -> Self:
        """Return these tasks for a request that names a user.

        Raises:
            UserNotFound: The tasks are another user's. If the user is not known yet, every
                operation raises it.
        """
        # The owner decides, not `user_id`: an identity may have another user than it had before.
        return type(self)(self._database, self._ids, self._owner.of_user(user_id), self._rows)

    async def find_user_id(self) -> int | None:
        """Return the user's id; None if the identity has no user yet.

        For a user of ``TaskStore.for_user`` nothing is asked.
        """
        if isinstance(self._owner, UserOwner):
            return self._owner.user_id
        owner = self._owner
        rows = await self._database.fetch(
            FIND_USER.statement(type(owner)), *owner.parameters(FIND_USER.access)
        )
        found: int = rows[0][0]
        if found == NO_USER:
            return None
        self.user_id = found
        return found

    async def create(
        self,
        title: str | TaskCreate,
        description: str | None = None,
        **fields: Unpack[NewTaskOptions],
    ) -> Task[ExtraT]:
        """Create a task. The user's first task creates the user.

        With a ``key`` the call may be repeated: if the user already has a task with this key, that
        task is returned as it is now. `get_or_create` also tells whether it is new.

        Args:
            title: 1 to 500 characters; white space at both ends is removed. Or a whole
                `TaskCreate`, which is not validated again.
            description: At most 5,000 characters; empty means none.
            fields: Any of these. ``due``: a `date`, a `datetime` without ``tzinfo`` or with a
                `ZoneInfo`, or their text, such as ``2026-11-30T17:00``; ``due_zone``: the IANA zone
                of a due time; ``priority``: 0 (none), 1 (highest) to 9; ``project``: 1 to 100
                characters; ``tags``: at most 20, each of 1 to 50 characters; ``key``: your own name
                for the task, 1 to 200 characters, which cannot be changed later; ``extra``: fields
                of your own, a mapping of at most 4096 bytes as JSON, or an instance of the store's
                model.

        Raises:
            ValidationError: Names the field and the constraint.
        """
        task, _ = await self.get_or_create(title, description, **fields)
        return task

    async def get_or_create(
        self,
        title: str | TaskCreate,
        description: str | None = None,
        **fields: Unpack[NewTaskOptions],
    ) -> tuple[Task[ExtraT], bool]:
        """Create a task, unless the user has one with its ``key``.

        Without a key it is always created. Arguments and errors are those of `create`.

        Returns:
            The task, and whether this call has created it. A task that was there is returned as
            it is now; its other fields may differ from those given.
        """
        if type(title) is TaskCreate and description is None and not fields:
            new = title
        else:
            given = {"title": title, "description": description, **fields}
            new = validate(TaskCreate, given, where="task")
        new = self._with_valid_extra(new, where="extra")
        document = with_find(new, new.model_dump_json(exclude_defaults=True))
        operation = _CREATE if new.key is None else _CREATE_ONCE
        owner = self._owner.key
        task_id, write_id = self._ids.next(owner), self._ids.write_id(owner)
        must_be_newest = True
        for _ in range(ID_ATTEMPTS):
            try:
                rows, repeated = await self._write(
                    operation, task_id, write_id, document, must_be_newest
                )
            except NotNewest as found:
                self._ids.rise(owner, found.newest, found.server_ms)
                # A task with an even higher id was created after this call began.
                must_be_newest = False
            else:
                if rows and new.key is None:
                    return self._task(rows[0]), True
                if rows:
                    *columns, made_by = rows[0]
                    task = self._task(columns)
                    # If an earlier attempt stored it, another write may have changed it since.
                    return task, made_by == write_id or (repeated and task.id == task_id)
                if repeated:
                    raise OutcomeUnknown(
                        "the answer to the create was lost, and another write holds the task now"
                    )
            task_id = self._ids.next(owner)
        raise DatabaseError("no free task id was found")

    async def create_many(
        self, tasks: Iterable[TaskCreate | Mapping[str, Any]]
    ) -> tuple[Task[ExtraT], ...]:
        """Create a batch of tasks in one statement: all of them, or none.

        Args:
            tasks: At most 10,000 `TaskCreate` or mappings of their fields. Later
                ones are newer.

        Returns:
            The tasks, in the order given. If the user already has a task with a key, or if the
            batch has the key twice, the existing task is returned in its place, unchanged.

        Raises:
            ValidationError: Names the field with its place, such as ``tasks[3].title``.
        """
        new = [
            task
            if type(task) is TaskCreate
            else validate(TaskCreate, task, where=f"tasks[{index}]")
            for index, task in enumerate(_batch(tasks, "tasks"))
        ]
        new = [
            self._with_valid_extra(task, where=f"tasks[{index}].extra")
            for index, task in enumerate(new)
        ]
        if not new:
            return ()
        owner = self._owner.key
        ids = [self._ids.next(owner) for _ in new]
        write_id = self._ids.write_id(owner)
        must_be_newest = True
        for _ in range(ID_ATTEMPTS):
            batch = [
                {
                    "id": task_id,
                    **task.model_dump(mode="json", exclude_defaults=True),
                    **find_of(task),
                }
                for task_id, task in zip(ids, new, strict=True)
            ]
            document = json.dumps(batch)
            if len(document) > MAX_BATCH_BYTES:
                raise ValidationError(
                    f"tasks must have at most {MAX_BATCH_BYTES} bytes together as JSON",
                    field="tasks",
                    constraint="max_bytes",
                    limits={"max": MAX_BATCH_BYTES},
                )
            try:
                rows, repeated = await self._write(_CREATE_MANY, write_id, document, must_be_newest)
            except NotNewest as found:
                self._ids.rise(owner, found.newest, found.server_ms)
                ids = [self._ids.next(owner) for _ in ids]
                must_be_newest = False
                continue
            except IdsTaken as taken:
                # A new id is higher than all others. To keep the order, the ids after the
                # first one that is taken are made anew too.
                first = min(ids.index(task_id) for task_id in taken.ids)
                ids[first:] = [self._ids.next(owner) for _ in ids[first:]]
                continue
            stored = self._tasks(rows)
            if any(task.key is not None for task in new):
                in_order = _in_order(stored, ids, new)
                if None in in_order and not repeated:
                    in_order = await self._again(in_order, new)
                stored = tuple(task for task in in_order if task is not None)
            if len(stored) < len(new):
                raise OutcomeUnknown("the batch was stored, and other writes have changed it since")
            return stored
        raise DatabaseError("no free task ids were found")

    async def _again(
        self, found: builtins.list[Task[ExtraT] | None], new: builtins.list[TaskCreate]
    ) -> builtins.list[Task[ExtraT] | None]:
        """Create the tasks of a batch whose keys existed, and were deleted before they were read.

        Raises:
            OutcomeUnknown: They could not be created; the rest of the batch is stored.
        """
        missing = [task for task, there in zip(new, found, strict=True) if there is None]
        try:
            created = iter(await self.create_many(missing))
        except TaskcoreError as exc:
            raise OutcomeUnknown(
                "a part of the batch was stored; tasks with its other keys were deleted meanwhile"
            ) from exc
        return [next(created) if there is None else there for there in found]

    async def import_tasks(self, tasks: Tasks, *, new_ids: bool = False) -> ImportResult:
        """Store tasks of an export or another system, with their ids, versions and times.

        Each statement stores up to 2,000 tasks, in constant memory; one more statement
        runs if ids must be made. If the user already has a task with the same id or key, that task
        stays as it is, so importing an export twice adds nothing. Tasks with neither are added
        each time. If two tasks have the same id or key, either may be stored. After a failure some
        tasks are stored, and importing again stores the rest.

        Args:
            tasks: `TaskImport`, `Task` or mappings of their fields, as an iterable or
                an asynchronous iterable, such as another user's ``iterate()``.
                ``taskcore.tasks.files`` reads them from files.
            new_ids: Give every task a new id. Later tasks are newer.

        Raises:
            ValidationError: Names the field with its place, such as ``tasks[3].title``.
        """
        return await Import(self._database, self._ids, self._owner).run(tasks, new_ids=new_ids)

    async def get(self, task_id: int) -> Task[ExtraT]:
        """Return one task.

        Raises:
            TaskNotFound: The user has no task with this id.
            ValidationError: The id is not an integer from 1 to 2^53-1.
        """
        validate_id(task_id, field="task_id")
        rows = await self._fetch(_GET, task_id)
        if not rows:
            raise _not_found()
        return self._task(rows[0])

    async def list(
        self,
        *,
        completed: bool | None = None,
        order: TaskOrder = NEWEST,
        limit: int = DEFAULT_PAGE,
        after: str | None = None,
        **filters: Unpack[TaskFilters],
    ) -> TaskPage[ExtraT]:
        """Return a page of tasks.

        Args:
            completed: Only completed or only open tasks; None for both.
            order: ``newest`` first; ``due``: soonest first, tasks without a due date last; or
                ``priority``: highest first, tasks without a priority last. Equal tasks come
                newest first.
            limit: 1 to 1,000.
            after: The cursor: ``next`` of the page before, in the same order.
            filters: Only tasks that match all of these. ``project``: of this project; an empty
                text means without one. ``tags``: with all of these. ``due_before`` and
                ``due_after``: due on an earlier or a later day than this one, as written, whatever
                the zone. ``priority_at_least``: 5 means the priorities 1 to 5. ``search``: at most
                200 characters; title, description or tags contain each of its words, also within
                a longer word, in any case and in any form that Unicode's NFKC treats as the same.

        Raises:
            ValidationError: Names the argument and its limit.
        """
        rows, following = await self._page(completed, order, limit, after, filters)
        return TaskPage.model_construct(items=self._tasks(rows), next=following)

    async def list_json(
        self,
        *,
        completed: bool | None = None,
        order: TaskOrder = NEWEST,
        limit: int = DEFAULT_PAGE,
        after: str | None = None,
        **filters: Unpack[TaskFilters],
    ) -> JsonPage:
        """Return a page of tasks as JSON, in less time than making `Task` objects takes.

        Arguments and errors are those of `list`.
        """
        rows, following = await self._page(completed, order, limit, after, filters)
        if self._owner.user_id is None and rows:
            self.user_id = rows[0]["user_id"]
        return JsonPage(self._rows.json(rows), following)

    async def iterate(
        self,
        *,
        completed: bool | None = None,
        order: TaskOrder = NEWEST,
        after: str | None = None,
        **filters: Unpack[TaskFilters],
    ) -> AsyncIterator[Task[ExtraT]]:
        """Yield every task in constant memory.

        Reads one page after another. Newest first, a task that is created meanwhile is not seen,
        and one that is deleted meanwhile may be. In another order a task whose due date or
        priority changes meanwhile may be seen twice, or not at all. Arguments and errors are
        those of `list`.
        """
        cursor = after
        while True:
            page = await self.list(
                completed=completed, order=order, limit=MAX_PAGE, after=cursor, **filters
            )
            for task in page:
                yield task
            if page.next is None:
                return
            cursor = page.next

    async def count(self, *, completed: bool | None = None, **filters: Unpack[TaskFilters]) -> int:
        """Return the number of tasks that match. The database reads all of them to count them.

        Arguments and errors are those of `list`.
        """
        _check_completed(completed)
        options = filter_options(filters)
        rows = await self._fetch(_COUNT, completed, json.dumps(options) if options else None)
        number: int = rows[0]["tasks"]
        return number

    async def update(
        self,
        task_id: int,
        change: TaskUpdate | None = None,
        /,
        *,
        if_version: Versions | None = None,
        unless_version: Versions | None = None,
        **changes: Unpack[TaskChanges],
    ) -> Task[ExtraT]:
        """Change the fields given and return the task as it then is.

        A change that changes nothing leaves ``version`` and ``updated_at`` alone.

        Args:
            task_id: The task.
            change: The change as a whole, which is not validated again.
            if_version: Change the task only if it has this version, or one of these.
            unless_version: Change the task only if it has another version than these.
            changes: Any of the fields of `create` except ``key``, and ``completed``; None clears a
                field. A due date without a time removes the zone. ``add_tags`` and ``remove_tags``
                change single tags, even if somebody else changes other tags at the same time.
                ``extra`` is merged into the stored object (RFC 7396): a member of None is removed.

        Raises:
            TaskNotFound: The user has no task with this id.
            VersionConflict: The version does not meet the condition; nothing was changed.
            ValidationError: Names the field and the constraint.
        """
        validate_id(task_id, field="task_id")
        condition = version_condition(if_version, unless_version)
        change = self._validated_change(change, changes)
        document = with_folds(change, change.model_dump_json(exclude_unset=True))
        write_id = new_write_id()
        rows, repeated = await self._write(
            _UPDATE, task_id, write_id, condition.wanted, document, condition.unwanted
        )
        if not rows:
            raise _not_found()
        *columns, last_write_id = rows[0]
        task = self._task(columns)
        if last_write_id != write_id and not condition.holds(task.version):
            if repeated:
                raise OutcomeUnknown(
                    "the answer to the update was lost, and another write has changed the task"
                )
            raise _conflict(task.version)
        return task

    async def update_many(
        self,
        task_ids: Iterable[int],
        change: TaskUpdate | None = None,
        /,
        **changes: Unpack[TaskChanges],
    ) -> tuple[Task[ExtraT], ...]:
        """Make one change to several tasks in one statement: to all of them, or to none.

        Args:
            task_ids: At most 10,000 ids.
            change: As in `update`.
            changes: As in `update`.

        Returns:
            The tasks as they then are, in the order of the ids.

        Raises:
            TaskNotFound: The user does not have all of them; `ids` has the missing ones.
            ValidationError: Names the field and the constraint, such as ``task_ids[3]``.
        """
        ids = _task_ids(task_ids)
        change = self._validated_change(change, changes)
        if not ids:
            return ()
        document = with_folds(change, change.model_dump_json(exclude_unset=True))
        try:
            rows, _ = await self._write(_UPDATE_MANY, list(map(str, ids)), new_write_id(), document)
        except IdsMissing as missing:
            if missing.repeated:
                raise OutcomeUnknown(
                    "the answer to the update was lost, and some of the tasks are gone now"
                ) from missing
            raise _missing(ids, missing) from None
        tasks = {task.id: task for task in self._tasks(rows)}
        return tuple(tasks[task_id] for task_id in ids)

    async def delete(
        self,
        task_id: int,
        *,
        if_version: Versions | None = None,
        unless_version: Versions | None = None,
    ) -> None:
        """Delete a task for good.

        Args:
            task_id: The task.
            if_version: Delete the task only if it has this version, or one of these.
            unless_version: Delete the task only if it has another version than these.

        Raises:
            TaskNotFound: The user has no task with this id.
            VersionConflict: The version does not meet the condition; nothing was deleted.
            ValidationError: The id is not an integer from 1 to 2^53-1.
        """
        validate_id(task_id, field="task_id")
        condition = version_condition(if_version, unless_version)
        rows, repeated = await self._write(_DELETE, task_id, condition.wanted, condition.unwanted)
        if not rows:
            if repeated:
                # It is gone: either the lost attempt or another caller deleted it.
                return
            raise _not_found()
        if not condition.holds(rows[0]["version"]):
            raise _conflict(rows[0]["version"])

    async def delete_many(self, task_ids: Iterable[int]) -> None:
        """Delete several tasks for good, in one statement: all of them, or none.

        Args:
            task_ids: At most 10,000 ids.

        Raises:
            TaskNotFound: The user does not have all of them; `ids` has the missing ones.
            ValidationError: An id is invalid, and is named, such as ``task_ids[3]``; or there are
                too many.
        """
        ids = _task_ids(task_ids)
        if not ids:
            return
        try:
            await self._write(_DELETE_MANY, list(map(str, ids)))
        except IdsMissing as missing:
            # All gone: either the lost attempt or another caller deleted them.
            if not (missing.repeated and missing.ids.issuperset(ids)):
                raise _missing(ids, missing) from None

    async def _page(
        self,
        completed: bool | None,  # noqa: FBT001
        order: TaskOrder,
        limit: int,
        after: str | None,
        filters: TaskFilters,
    ) -> tuple[builtins.list[Any], str | None]:
        """Return the rows of a page, and the cursor of the next one."""
        validate_integer(limit, field="limit", low=1, high=MAX_PAGE)
        key, place = options_after(after, validate_order(order))
        _check_completed(completed)
        options = filter_options(filters) | place
        # One row more than asked for tells whether there is a next page.
        if options:
            rows = await self._fetch(_LIST_CHOSEN, key, limit + 1, completed, json.dumps(options))
        else:
            rows = await self._fetch(_LIST, key, limit + 1, completed)
        if len(rows) <= limit:
            return rows, None
        rows.pop()
        return rows, cursor_of(rows[-1], order)

    async def _fetch(self, operation: Operation, *args: object) -> builtins.list[Any]:
        owner = self._owner
        return await self._database.fetch(
            operation.statement(type(owner)), *owner.parameters(operation.access), *args
        )

    async def _write(self, operation: Operation, *args: object) -> tuple[builtins.list[Any], bool]:
        owner = self._owner
        return await self._database.write(
            operation.statement(type(owner)), *owner.parameters(operation.access), *args
        )

    def _with_valid_extra(self, new: TaskCreate, *, where: str) -> TaskCreate:
        """Return a new task with the ``extra`` that the store's model makes of it.

        Raises:
            ValidationError: The model refuses it.
        """
        if self._rows.extra is None:
            return new
        return new.model_copy(update={"extra": self._rows.extra.for_new(new.extra, where=where)})

    def _validated_change(self, change: TaskUpdate | None, changes: TaskChanges) -> TaskUpdate:
        """Return a change, however it was given, that the store's model accepts.

        Raises:
            ValidationError: It is invalid, or was given twice.
        """
        if type(change) is not TaskUpdate or changes:
            change = validate(TaskUpdate, _given(change, changes), where="changes")
        if self._rows.extra is None or "extra" not in change.model_fields_set:
            return change
        return change.model_copy(update={"extra": self._rows.extra.for_change(change.extra)})

    def _task(self, row: Sequence[Any]) -> Task[ExtraT]:
        """Return the task of a row with `ONE_TASK`, and remember whose it is."""
        (task,) = self._rows.one((row,))
        if self._owner.user_id is None:
            self.user_id = task.user_id
        return task

    def _tasks(self, rows: builtins.list[Any]) -> tuple[Task[ExtraT], ...]:
        """Return the tasks of rows, and learn the user's id from them if it is unknown."""
        tasks = self._rows.tasks(rows)
        if self._owner.user_id is None and tasks:
            self.user_id = tasks[0].user_id
        return tasks


def _batch(items: Iterable[_Item], field: str) -> list[_Item]:
    """Read a batch. An endless iterable is refused too.

    Raises:
        ValidationError: It is not iterable, or has more than 10,000 items.
    """
    if not isinstance(items, Iterable):
        raise ValidationError(f"{field} must be iterable", field=field, constraint="type")
    batch = list(islice(items, MAX_BATCH + 1))
    if len(batch) > MAX_BATCH:
        raise ValidationError(
            f"{field} must have at most {MAX_BATCH} items",
            field=field,
            constraint="max_length",
            limits={"max": MAX_BATCH},
        )
    return batch


def _in_order(
    stored: tuple[Task[ExtraT], ...], ids: list[int], new: list[TaskCreate]
) -> list[Task[ExtraT] | None]:
    """Return the stored task for each new one, by id or else by key; None: there is none."""
    by_id = {task.id: task for task in stored}
    by_key = {task.key: task for task in stored if task.key is not None}
    return [
        by_id.get(task_id) or by_key.get(task.key or "")
        for task_id, task in zip(ids, new, strict=True)
    ]


def _task_ids(task_ids: Iterable[int]) -> list[int]:
    return [
        validate_id(task_id, field=f"task_ids[{index}]")
        for index, task_id in enumerate(_batch(task_ids, "task_ids"))
    ]


def _missing(ids: list[int], missing: IdsMissing) -> TaskNotFound:
    found = [task_id for task_id in dict.fromkeys(ids) if task_id in missing.ids]
    named = ", ".join(map(str, found[:_MOST_NAMED]))
    more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    return TaskNotFound(f"tasks not found: {named}{more}", ids=found)


def _given(change: object, changes: TaskChanges) -> object:
    """Return the change to validate, however it was given.

    Raises:
        ValidationError: It was given twice.
    """
    if change is None:
        return changes
    if changes:
        raise ValidationError(
            "changes must be given as a TaskUpdate or as keywords, not both",
            field="changes",
            constraint="given_twice",
        )
    return change


def _check_completed(completed: object) -> None:
    if completed is not None and not isinstance(completed, bool):
        raise ValidationError(
            "completed must be true or false", field="completed", constraint="type"
        )


def _not_found() -> TaskNotFound:
    # The text has no id and no user: it must be the same for another user's task.
    return TaskNotFound("task not found")


def _conflict(current: int) -> VersionConflict:
    return VersionConflict(
        f"the task has version {current} now: read it and decide again", current=current
    )
