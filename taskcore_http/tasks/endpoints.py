"""The endpoints. Each parses the request, calls the library once, and answers."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from fastapi import Request
from pydantic import BaseModel, Field, TypeAdapter
from starlette.responses import Response, StreamingResponse

from taskcore import JsonPage, Task, TaskCreate, TaskUpdate, UserTasks
from taskcore.limits import MAX_PAGE
from taskcore_http.errors import NOT_STORED
from taskcore_http.identity.identify import Identify
from taskcore_http.parameters import (
    AFTER,
    COMPLETED,
    FILTERS,
    IDS,
    LIMIT,
    ORDER,
    TASK_ID,
    check_query,
    values_of,
)
from taskcore_http.tasks.body import JSON, MERGE_PATCH, json_body
from taskcore_http.tasks.idempotency import idempotency_key
from taskcore_http.tasks.preconditions import Preconditions, tag_of_list, tag_of_task

_TASKS = TypeAdapter(tuple[Task, ...])

_AFTER = AFTER.name.encode()

# The characters that a query may have (RFC 3986, section 3.4), and the % of encoded ones.
_QUERY = "/?:@!$&'()*+,;=%"


class TaskCount(BaseModel):
    """A number of tasks."""

    count: int = Field(ge=0, json_schema_extra={"format": "int64"})


class TaskEndpoints:
    """The operations on one user's tasks. Their docstrings are the document's descriptions.

    Args:
        identify: Returns the tasks that a request is about.
    """

    def __init__(self, identify: Identify) -> None:
        self._identify = identify

    async def list_tasks(self, request: Request) -> Response:
        """List the user's tasks: all, or a page of `limit`.

        Without `limit` the answer has every task, however many. To page, send `limit`, and
        follow the `Link` with `rel="next"` until an answer has none.
        """
        tasks = await self._identify(request)
        options = values_of(request, LIMIT, AFTER, ORDER, COMPLETED, *FILTERS)
        limit = options.pop(LIMIT.name, None)
        preconditions = Preconditions.of(request)
        # The other parameters have the names of the library's.
        page = await tasks.list_json(limit=limit or MAX_PAGE, **options)
        if limit is None and page.next is not None:
            if preconditions.is_fresh(None):
                return _not_modified()
            return _stream(request, tasks, page, options)
        tag = tag_of_list(page.items)
        if preconditions.is_fresh(tag):
            return _not_modified(tag)
        headers = {"ETag": tag}
        if page.next is not None:
            headers["Link"] = f'<{_path(request)}?{_query_after(request, page.next)}>; rel="next"'
        return _json(page.items, headers=headers)

    async def create_task(self, request: Request) -> Response:
        """Create a task.

        With a `key`, or an `Idempotency-Key`, you can send the request again: if the task exists
        already, it is returned unchanged, with 200. Without one the task may have been created
        after OUTCOME_UNKNOWN: list the newest tasks before you send it again.
        """
        tasks = await self._identify(request)
        check_query(request)
        preconditions = Preconditions.of(request)
        new = await json_body(request, TaskCreate, defaults={"key": idempotency_key(request)})
        preconditions.refuse_for_creation()
        task, is_new = await tasks.get_or_create(new)
        location = f"{_path(request)}/{task.id}"
        return _task(task, status=201 if is_new else 200, headers={"Location": location})

    async def count_tasks(self, request: Request) -> Response:
        """Count the user's tasks, or those that match the filters."""
        tasks = await self._identify(request)
        count = await tasks.count(**values_of(request, COMPLETED, *FILTERS))
        return _json(TaskCount(count=count).model_dump_json())

    async def update_tasks(self, request: Request) -> Response:
        """Make one change to several tasks: to all of them, or to none.

        The answer has the tasks in the order of the ids. If the user does not have all of them, it
        is 404, and `details.ids` has the missing ones. Preconditions are answered with 412.
        """
        tasks = await self._identify(request)
        ids = values_of(request, IDS)[IDS.name]
        preconditions = Preconditions.of(request)
        change = await json_body(request, TaskUpdate, MERGE_PATCH)
        preconditions.refuse_for_several()
        changed = await tasks.update_many(ids, change)
        # `serialize_as_any`: `extra` may be an instance of the store's model.
        return _json(_TASKS.dump_json(changed, serialize_as_any=True, warnings=False))

    async def delete_tasks(self, request: Request) -> Response:
        """Delete several tasks for good: all of them, or none.

        If the user does not have all of them, the answer is 404, and `details.ids` has the missing
        ones. Preconditions are answered with 412.
        """
        tasks = await self._identify(request)
        ids = values_of(request, IDS)[IDS.name]
        Preconditions.of(request).refuse_for_several()
        await tasks.delete_many(ids)
        return _json(b'{"message":"tasks deleted"}')

    async def get_task(self, request: Request) -> Response:
        """Read one task."""
        tasks = await self._identify(request)
        check_query(request)
        task_id = TASK_ID.of(request)
        preconditions = Preconditions.of(request)
        task = await tasks.get(task_id)
        tag = tag_of_task(task.version)
        if preconditions.is_fresh(tag, version=task.version):
            return _not_modified(tag)
        return _task(task)

    async def update_task(self, request: Request) -> Response:
        """Change the fields that are sent; a description of null removes it.

        PUT and PATCH do the same. With `If-Match` and the `ETag` of an earlier answer the task
        changes only if nobody else has changed it since. After OUTCOME_UNKNOWN read the
        task to learn whether it changed.
        """
        tasks = await self._identify(request)
        check_query(request)
        task_id = TASK_ID.of(request)
        condition = Preconditions.of(request).condition()
        media_types = MERGE_PATCH if request.method == "PATCH" else JSON
        change = await json_body(request, TaskUpdate, media_types)
        return _task(await tasks.update(task_id, change, **condition))

    async def delete_task(self, request: Request) -> Response:
        """Delete a task for good; with `If-Match` only if nobody else has changed it since."""
        tasks = await self._identify(request)
        check_query(request)
        task_id = TASK_ID.of(request)
        await tasks.delete(task_id, **Preconditions.of(request).condition())
        return _json(b'{"message":"task deleted"}')


def _path(request: Request) -> str:
    """Return the request's path as the client's URI has it (RFC 3986, section 3.3)."""
    path, root_path = request.scope["path"], request.scope.get("root_path", "").rstrip("/")
    if not path.startswith(f"{root_path}/"):
        # A proxy took it off: https://fastapi.tiangolo.com/advanced/behind-a-proxy/
        path = f"{root_path}{path}"
    return quote(path, safe="/:@!$&'()*+,;=~")


def _query_after(request: Request, cursor: str) -> str:
    """Return the request's query as the client has written it, with another cursor."""
    pairs: list[bytes] = request.scope["query_string"].split(b"&")
    others = [one for one in pairs if unquote_to_bytes(one.partition(b"=")[0]) != _AFTER]
    return f"{quote(b'&'.join(others), safe=_QUERY)}&{AFTER.name}={cursor}"


def _json(
    content: str | bytes, *, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    return Response(content, status, NOT_STORED | (headers or {}), "application/json")


def _task(task: Task, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    headers = {"ETag": tag_of_task(task.version)} | (headers or {})
    # Pydantic's warning about an invalid `extra` would show its value.
    document = task.model_dump_json(warnings=False)
    return _json(document, status=status, headers=headers)


def _not_modified(tag: str | None = None) -> Response:
    # RFC 9110, section 15.4.5: with the headers of a 200 that a cache needs.
    headers = NOT_STORED if tag is None else NOT_STORED | {"ETag": tag}
    return Response(status_code=304, headers=headers)


def _stream(
    request: Request, tasks: UserTasks, first: JsonPage, options: dict[str, Any]
) -> StreamingResponse:
    """Answer with every task, with one page in memory at a time.

    The caller has read the first page, so its errors were answered. A later failure
    breaks the connection, because a shorter array must not look complete.
    """

    async def chunks() -> AsyncIterator[bytes]:
        if request.method == "HEAD":
            return
        yield first.items[:-1]
        cursor = first.next
        while cursor is not None:
            page = await tasks.list_json(limit=MAX_PAGE, **options | {AFTER.name: cursor})
            if page.items != b"[]":
                yield b"," + page.items[1:-1]
            cursor = page.next
        yield b"]"

    return StreamingResponse(chunks(), headers=NOT_STORED, media_type="application/json")
