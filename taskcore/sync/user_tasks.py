"""One user's tasks, without ``await``."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Generic, Self, TypeVar, Unpack

from taskcore.limits import DEFAULT_PAGE, MAX_BATCH
from taskcore.sync.background import Background
from taskcore.sync.tokens import Tokens
from taskcore.tasks import user_tasks
from taskcore.tasks.condition import Versions
from taskcore.tasks.extra import ExtraT
from taskcore.tasks.fields import NewTaskOptions, TaskCreate
from taskcore.tasks.importing import Importable, ImportResult
from taskcore.tasks.json_page import JsonPage
from taskcore.tasks.task import Task
from taskcore.tasks.task_filter import TaskFilters
from taskcore.tasks.task_order import NEWEST, TaskOrder
from taskcore.tasks.task_page import TaskPage
from taskcore.tasks.task_update import TaskChanges, TaskUpdate

_Item = TypeVar("_Item")


class UserTasks(Generic[ExtraT]):
    """The tasks of one user, from ``TaskStore.for_user``; see `taskcore.UserTasks`."""

    def __init__(self, background: Background, tasks: user_tasks.UserTasks[ExtraT]) -> None:
        self._background = background
        self._tasks = tasks
        self.tokens = Tokens(background, tasks.tokens)

    def __repr__(self) -> str:
        return repr(self._tasks)

    @property
    def user_id(self) -> int | None:
        """The user. None: the identity's user is not known yet."""
        return self._tasks.user_id

    def of_user(self, user_id: int) -> Self:
        """Return these tasks for a request that names a user."""
        return type(self)(self._background, self._tasks.of_user(user_id))

    def find_user_id(self) -> int | None:
        """Return the user's id; None if the identity has no user yet."""
        return self._background.call(self._tasks.find_user_id)

    def create(
        self,
        title: str | TaskCreate,
        description: str | None = None,
        **fields: Unpack[NewTaskOptions],
    ) -> Task[ExtraT]:
        """Create a task."""
        return self._background.call(self._tasks.create, title, description, **fields)

    def get_or_create(
        self,
        title: str | TaskCreate,
        description: str | None = None,
        **fields: Unpack[NewTaskOptions],
    ) -> tuple[Task[ExtraT], bool]:
        """Create a task, unless the user has one with its ``key``; tell whether it is new."""
        return self._background.call(self._tasks.get_or_create, title, description, **fields)

    def create_many(
        self, tasks: Iterable[TaskCreate | Mapping[str, Any]]
    ) -> tuple[Task[ExtraT], ...]:
        """Create a batch of tasks in one statement: all of them, or none."""
        return self._background.call(self._tasks.create_many, _read(tasks))

    def import_tasks(self, tasks: Iterable[Importable], *, new_ids: bool = False) -> ImportResult:
        """Store tasks of an export or another system, with their ids, versions and times.

        The iterable is read in the calling thread.
        """
        if not isinstance(tasks, Iterable):
            return self._background.call(self._tasks.import_tasks, tasks, new_ids=new_ids)
        return self._background.feed(
            tasks, lambda items: self._tasks.import_tasks(items, new_ids=new_ids)
        )

    def get(self, task_id: int) -> Task[ExtraT]:
        """Return one task."""
        return self._background.call(self._tasks.get, task_id)

    def list(
        self,
        *,
        completed: bool | None = None,
        order: TaskOrder = NEWEST,
        limit: int = DEFAULT_PAGE,
        after: str | None = None,
        **filters: Unpack[TaskFilters],
    ) -> TaskPage[ExtraT]:
        """Return a page of tasks."""
        return self._background.call(
            self._tasks.list, completed=completed, order=order, limit=limit, after=after, **filters
        )

    def list_json(
        self,
        *,
        completed: bool | None = None,
        order: TaskOrder = NEWEST,
        limit: int = DEFAULT_PAGE,
        after: str | None = None,
        **filters: Unpack[TaskFilters],
    ) -> JsonPage:
        """Return a page of tasks as JSON."""
        return self._background.call(
            self._tasks.list_json,
            completed=completed,
            order=order,
            limit=limit,
            after=after,
            **filters,
        )

    def iterate(
        self,
        *,
        completed: bool | None = None,
        order: TaskOrder = NEWEST,
        after: str | None = None,
        **filters: Unpack[TaskFilters],
    ) -> Iterator[Task[ExtraT]]:
        """Yield every task in constant memory."""
        return self._background.iterate(
            self._tasks.iterate(completed=completed, order=order, after=after, **filters)
        )

    def count(self, *, completed: bool | None = None, **filters: Unpack[TaskFilters]) -> int:
        """Return the number of tasks."""
        return self._background.call(self._tasks.count, completed=completed, **filters)

    def update(
        self,
        task_id: int,
        change: TaskUpdate | None = None,
        /,
        *,
        if_version: Versions | None = None,
        unless_version: Versions | None = None,
        **changes: Unpack[TaskChanges],
    ) -> Task[ExtraT]:
        """Change the fields given and return the task as it then is."""
        return self._background.call(
            self._tasks.update,
            task_id,
            change,
            if_version=if_version,
            unless_version=unless_version,
            **changes,
        )

    def update_many(
        self,
        task_ids: Iterable[int],
        change: TaskUpdate | None = None,
        /,
        **changes: Unpack[TaskChanges],
    ) -> tuple[Task[ExtraT], ...]:
        """Make one change to several tasks in one statement: to all of them, or to none."""
        return self._background.call(self._tasks.update_many, _read(task_ids), change, **changes)

    def delete(
        self,
        task_id: int,
        *,
        if_version: Versions | None = None,
        unless_version: Versions | None = None,
    ) -> None:
        """Delete a task for good."""
        self._background.call(
            self._tasks.delete, task_id, if_version=if_version, unless_version=unless_version
        )

    def delete_many(self, task_ids: Iterable[int]) -> None:
        """Delete several tasks for good, in one statement: all of them, or none."""
        self._background.call(self._tasks.delete_many, _read(task_ids))


def _read(items: Iterable[_Item]) -> Iterable[_Item]:
    """Read a batch in this thread, one item more than the limit, which is then refused."""
    return list(islice(items, MAX_BATCH + 1)) if isinstance(items, Iterable) else items
