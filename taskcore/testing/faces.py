"""Faces: the ways in which users reach the store, and the library as one of them."""

import asyncio
from collections.abc import Callable, Collection, Coroutine
from types import TracebackType
from typing import Any, Protocol, Self

from taskcore import Task, TaskPage, TaskStore, UserTasks
from taskcore.cursors import cursor_after, place_of
from taskcore.tasks.task_order import NEWEST, TaskOrder
from taskcore.testing.operations import (
    Cancelled,
    Count,
    Create,
    CreateMany,
    Delete,
    DeleteMany,
    Get,
    List,
    Observation,
    Operation,
    Update,
    UpdateMany,
    Walk,
    ids,
)


class Face(Protocol):
    """A way in which users reach the store, such as the REST API."""

    @property
    def operations(self) -> Collection[type[Operation]]:
        """The operations of this face, including `Create`, `Get` and `List`."""

    async def perform(self, user_id: int, operation: Operation, target: int | None) -> Observation:
        """Perform an operation, and return everything that the user sees, errors included.

        Args:
            user_id: The user.
            operation: The operation.
            target: The id that ``operation.target`` refers to.
        """


class LibraryFace:
    """The library, as a Python program uses it.

    Args:
        store: A store that is not open. The check opens it on its own event loop.
    """

    operations: Collection[type[Operation]] = frozenset(
        {
            *(Create, CreateMany, Get, List, Walk, Count),
            *(Update, UpdateMany, Delete, DeleteMany, Cancelled),
        }
    )

    def __init__(self, store: TaskStore[Any]) -> None:
        self._store = store

    async def __aenter__(self) -> Self:
        await self._store.open()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._store.close()

    def tasks_of(self, user_id: int) -> UserTasks:
        """Return a user's tasks; override it where users have other names."""
        return self._store.for_user(user_id)

    async def perform(self, user_id: int, operation: Operation, target: int | None) -> Observation:
        """Call the library. The text, arguments and attributes of an error are observed."""
        try:
            return await _call(self.tasks_of(user_id), operation, target)
        except Exception as exc:  # noqa: BLE001  (a defect is observed like any other error)
            return Observation(
                type(exc).__qualname__,
                {"text": str(exc), "args": list(exc.args), **vars(exc)},
            )


async def _call(tasks: UserTasks, operation: Operation, target: Any) -> Observation:
    match operation:
        case Create(new):
            task, is_new = await tasks.get_or_create(**new)
            seen = {"task": _fields(task), "is_new": is_new}
            return Observation("returned", seen, (task.id,))
        case CreateMany(batch):
            created = await tasks.create_many(batch)
            return Observation(
                "returned", [_fields(task) for task in created], tuple(task.id for task in created)
            )
        case Get():
            return Observation("returned", _fields(await tasks.get(target)))
        case List() | Walk() | Count():
            return Observation("returned", await _read_several(tasks, operation, target))
        case Update(_, changes, if_version):
            change: dict[str, Any] = dict(changes)
            task = await tasks.update(target, if_version=if_version, **change)
            return Observation("returned", _fields(task))
        case Delete(_, if_version):
            await tasks.delete(target, if_version=if_version)
            return Observation("returned")
        case UpdateMany() | DeleteMany():
            return Observation("returned", await _change_several(tasks, operation))
        case Cancelled():
            return await _cancel(tasks, operation)
    raise NotImplementedError(type(operation).__name__)


async def _change_several(tasks: UserTasks, operation: UpdateMany | DeleteMany) -> Any:
    if isinstance(operation, DeleteMany):
        return await tasks.delete_many(ids(operation))
    change: dict[str, Any] = dict(operation.changes)
    return [_fields(task) for task in await tasks.update_many(ids(operation), **change)]


async def _read_several(tasks: UserTasks, operation: List | Walk | Count, target: Any) -> Any:
    match operation:
        case List():
            return await _list(tasks, operation, target)
        case Walk():
            return await _walk(tasks, operation)
    return await tasks.count(
        completed=operation.completed, project=operation.project, search=operation.search
    )


async def _list(tasks: UserTasks, operation: List, key: Any) -> Any:
    completed, search = operation.completed, operation.search
    after = None if key is None else cursor_after(NEWEST, key)
    if operation.limit is None:
        found = tasks.iterate(completed=completed, after=after, search=search)
        return [_fields(task) async for task in found]
    page = await tasks.list(limit=operation.limit, after=after, completed=completed, search=search)
    return _page(page, NEWEST)


async def _walk(tasks: UserTasks, operation: Walk) -> Any:
    pages: list[dict[str, Any]] = []
    after: str | None = None
    while not pages or after is not None:
        page = await tasks.list(
            limit=operation.limit,
            completed=operation.completed,
            order=operation.order,
            after=after,
        )
        pages.append(_page(page, operation.order))
        after = page.next
    return pages


async def _cancel(tasks: UserTasks, operation: Cancelled) -> Observation:
    before = await tasks.create("before")
    known = {task.id: task async for task in tasks.iterate()}
    calls: dict[str, Callable[[], Coroutine[Any, Any, object]]] = {
        "create": lambda: tasks.create("created", "wholly"),
        "update": lambda: tasks.update(before.id, title="after", completed=True),
        "delete": lambda: tasks.delete(before.id),
        "list": tasks.list,
    }
    running = asyncio.create_task(calls[operation.call]())
    for _ in range(operation.turns):
        await asyncio.sleep(0)
    running.cancel()
    (result,) = await asyncio.gather(running, return_exceptions=True)
    if isinstance(result, Exception):
        raise result
    left = {task.id: task async for task in tasks.iterate()}
    changed = [task for task_id, task in left.items() if known.get(task_id) != task]
    lost = known.keys() - left.keys()
    for task_id in {before.id, *(task.id for task in changed)} & left.keys():
        await tasks.delete(task_id)
    if not (changed or lost) or _is_whole(operation.call, before, changed, lost):
        return Observation("cancelled", "took effect wholly or not at all")
    return Observation(
        "cancelled", {"changed": [_fields(task) for task in changed], "lost": sorted(lost)}
    )


def _is_whole(call: str, before: Task, changed: list[Task], lost: set[int]) -> bool:
    """Tell whether the changes are the whole effect of a call."""
    if call == "delete":
        return lost == {before.id} and not changed
    if lost or len(changed) != 1:
        return False
    (task,) = changed
    found = (task.title, task.description, task.completed, task.version)
    if call == "update":
        return task.id == before.id and found == ("after", None, True, 2)
    return call == "create" and task.id > before.id and found == ("created", "wholly", False, 1)


def _page(page: TaskPage, order: TaskOrder) -> dict[str, Any]:
    """Return a page with the content of its cursor, so that two runs can be compared."""
    following = None if page.next is None else place_of(page.next, order)
    return {"items": [_fields(task) for task in page], "next": following}


def _fields(task: Task) -> dict[str, Any]:
    return task.model_dump(mode="json")
