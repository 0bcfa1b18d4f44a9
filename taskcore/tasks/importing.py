"""Importing tasks, in batches."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, TypeAdapter

from taskcore.access import CREATE, WRITE
from taskcore.errors import DatabaseError, OutcomeUnknown, ValidationError
from taskcore.operation import Operation
from taskcore.tasks.ids import ID_ATTEMPTS, new_write_id
from taskcore.tasks.search import with_find
from taskcore.tasks.task import Task
from taskcore.tasks.task_import import TaskImport
from taskcore.validation import validate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from taskcore.database.database import Database
    from taskcore.owner import Owner
    from taskcore.tasks.ids import IdGenerator

Importable = TaskImport | Task | Mapping[str, Any]
Tasks = Iterable[Importable] | AsyncIterable[Importable]
"""The tasks of an import."""

_IMPORT = Operation("task_import_v1", 2, "id, by_key", CREATE)

_LIST = Operation("task_list_v1", 3, "id", WRITE)

# The most tasks, and about the most characters of text, in a batch.
_TASKS = 2_000
_CHARACTERS = 1_000_000
# Batches that are stored at once, while the next one is read.
_UNDER_WAY = 4

_BATCH = TypeAdapter(list[TaskImport])


class ImportResult(BaseModel):
    """The result of an import, in numbers of tasks.

    Attributes:
        imported: New tasks.
        present: Tasks whose id or key the user had already; the user's task was left as it is.
    """

    model_config = ConfigDict(frozen=True)

    imported: int
    present: int


class Import:
    """An import into the tasks of one user."""

    def __init__(self, database: Database, ids: IdGenerator, owner: Owner) -> None:
        self._database = database
        self._ids = ids
        self._owner = owner
        self._imported = 0
        self._present = 0
        self._risen = False

    async def run(self, tasks: Tasks, *, new_ids: bool) -> ImportResult:
        """Store every task, a few batches at a time, in constant memory."""
        storing: deque[asyncio.Task[None]] = deque()
        try:
            async for batch in _batches(tasks):
                if not self._risen and (new_ids or any(task.id is None for task in batch)):
                    await self._rise()
                if len(storing) == _UNDER_WAY:
                    await storing.popleft()
                storing.append(asyncio.create_task(self._store(batch, new_ids=new_ids)))
            while storing:
                await storing.popleft()
        finally:
            for one in storing:
                one.cancel()
            await asyncio.gather(*storing, return_exceptions=True)
        return ImportResult(imported=self._imported, present=self._present)

    async def _rise(self) -> None:
        """Make new ids higher than those of the user's tasks, even if the clock is wrong.

        This is done once for an import, because its batches may be stored in any order.
        """
        rows = await self._database.fetch(
            _LIST.statement(type(self._owner)),
            *self._owner.parameters(_LIST.access),
            *(None, 1, None),
        )
        if rows:
            self._ids.rise(self._owner.key, rows[0]["id"])
        self._risen = True

    async def _store(self, batch: list[TaskImport], *, new_ids: bool) -> None:
        given = set() if new_ids else {task.id for task in batch if task.id is not None}
        tasks: dict[int, TaskImport] = {}
        for task in batch:
            if new_ids or task.id is None:
                self._add_as_new(task, tasks, given)
            else:
                # If two tasks have one id, the first is stored and the second is present.
                tasks.setdefault(task.id, task)
        stored = 0
        write_id = new_write_id()
        for _ in range(ID_ATTEMPTS):
            document = _document_of(list(tasks.values()))
            rows, repeated = await self._database.write(
                _IMPORT.statement(type(self._owner)),
                *self._owner.parameters(_IMPORT.access),
                *(write_id, document),
            )
            taken = {row["id"] for row in rows}
            present = {row["id"] for row in rows if row["by_key"]}
            stored += len(tasks) - len(taken)
            # Ids that were made here, and that other writes hold.
            clashes = [tasks[task_id] for task_id in sorted(taken - given - present)]
            if not clashes:
                self._imported += stored
                self._present += len(batch) - stored
                return
            if repeated:
                raise OutcomeUnknown(
                    "tasks were imported, and other writes have changed them since"
                )
            tasks = {}
            for task in clashes:
                self._add_as_new(task, tasks, given)
        raise DatabaseError("no free task ids were found")

    def _add_as_new(
        self, task: TaskImport, tasks: dict[int, TaskImport], given: Collection[int]
    ) -> None:
        """Give the task an id that no other task of its batch has."""
        task_id = self._ids.next(self._owner.key)
        while task_id in given:
            task_id = self._ids.next(self._owner.key)
        tasks[task_id] = task.model_copy(update={"id": task_id})


def _weight(text: str) -> int:
    """Return about how many characters a text needs with its folded form."""
    # A character can become 18, but few do.
    return len(text) if text.isascii() else 4 * len(text)


def _document_of(tasks: list[TaskImport]) -> str:
    document = _BATCH.dump_json(tasks).decode()
    if document.isascii():
        return document
    return f"[{','.join(with_find(task, task.model_dump_json()) for task in tasks)}]"


async def _batches(tasks: Tasks) -> AsyncIterator[list[TaskImport]]:
    batch: list[TaskImport] = []
    characters = number = 0
    async for one in _each(tasks):
        task = _validated(one, number)
        number += 1
        batch.append(task)
        characters += _weight(task.title) + _weight(task.description or "")
        characters += sum(map(_weight, task.tags))
        if task.extra:
            characters += len(str(task.extra))
        if len(batch) == _TASKS or characters > _CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _validated(task: Importable, number: int) -> TaskImport:
    # An instance is validated already, for example by the reader of a file.
    if type(task) is TaskImport:
        return task
    fields = dict(task) if isinstance(task, Task) else task
    return validate(TaskImport, fields, where=f"tasks[{number}]")


async def _each(tasks: Tasks) -> AsyncIterator[Importable]:
    if isinstance(tasks, AsyncIterable):
        async for task in tasks:
            yield task
    elif isinstance(tasks, Iterable):
        for task in tasks:
            yield task
    else:
        raise ValidationError("tasks must be iterable", field="tasks", constraint="type")
