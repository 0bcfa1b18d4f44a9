"""The routes. Each parses the request, calls the library once, and answers."""

import logging
from collections.abc import AsyncIterator
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request
from pydantic import TypeAdapter
from starlette.responses import JSONResponse, Response, StreamingResponse

from taskcore import Task, TaskCreate, TaskPage, TaskStore, TaskUpdate, UserTasks
from taskcore.limits import MAX_PAGE
from taskcore_http.identity import Identity, identify_by, identify_by_path
from taskcore_http.openapi import (
    CHANGES,
    NEW_TASK,
    deleted,
    errors,
    listed,
    succeeded,
    takes,
)
from taskcore_http.parameters import AFTER, COMPLETED, LIMIT, TASK_ID, USER_ID
from taskcore_http.tasks.body import body_schema, json_body
from taskcore_http.tasks.route import TaskRoute

logger = logging.getLogger("taskcore.http")

_TASKS = TypeAdapter(tuple[Task, ...])


def create_router(store: TaskStore, *, identity: Identity | None = None) -> APIRouter:
    """Make the routes of the task API, for any FastAPI application.

    ::

        app.include_router(create_router(store), prefix="/api")

    The router answers its own errors in its own shape and leaves the application's
    error handling alone.

    Args:
        store: The store. The application opens it before it serves requests.
        identity: Returns the `UserTasks` of the request's user, see
            ``taskcore_http.identity``. A path that names another user is not found.
            None trusts the ``user_id`` in the path, and logs a warning that says so.
    """
    if identity is None:
        logger.warning("the caller is trusted to name the user: no identity is configured")
    identify, dependencies = (
        (identify_by_path(store), []) if identity is None else identify_by(identity)
    )
    # A dependency declares the path's user itself.
    in_path = [] if dependencies else [USER_ID]
    # With an identity every path may be another user's.
    foreign = [404] if identity is not None else []
    router = APIRouter(route_class=TaskRoute, tags=["tasks"], dependencies=dependencies)

    @router.get(
        "/users/{user_id}/tasks",
        operation_id="list_tasks",
        response_model=list[Task],
        responses=listed() | errors(400, *foreign, 500, 503),
        openapi_extra=takes(*in_path, LIMIT, AFTER, COMPLETED),
    )
    async def list_tasks(request: Request) -> Response:
        """List the user's tasks, newest first: all, or a page of `limit`."""
        tasks = await identify(request)
        limit, after, completed = LIMIT.of(request), AFTER.of(request), COMPLETED.of(request)
        page = await tasks.list(completed=completed, limit=limit or MAX_PAGE, after=after)
        if limit is None and page.next is not None:
            return _stream(tasks, page, completed=completed)
        headers = {}
        if page.next is not None:
            headers["Link"] = f'<{_path(request)}?{_query_after(request, page.next)}>; rel="next"'
        return _json(_TASKS.dump_json(page.items), headers=headers)

    @router.post(
        "/users/{user_id}/tasks",
        operation_id="create_task",
        status_code=201,
        response_model=Task,
        responses=succeeded(201, "The task; `Location` is its path.", location=True)
        | errors(400, *foreign, 413, 415, 500, 503),
        openapi_extra=takes(*in_path) | body_schema(TaskCreate, NEW_TASK),
    )
    async def create_task(request: Request) -> Response:
        """Create a task."""
        tasks = await identify(request)
        new = await json_body(request, TaskCreate)
        task = await tasks.create(new)
        return _json(
            task.model_dump_json(),
            status=201,
            headers={"Location": f"{_path(request)}/{task.id}"},
        )

    @router.get(
        "/users/{user_id}/tasks/{task_id}",
        operation_id="get_task",
        response_model=Task,
        responses=succeeded(200, "The task.") | errors(400, 404, 500, 503),
        openapi_extra=takes(*in_path, TASK_ID),
    )
    async def get_task(request: Request) -> Response:
        """Read one task."""
        tasks = await identify(request)
        task = await tasks.get(TASK_ID.of(request))
        return _json(task.model_dump_json())

    async def update_task(request: Request) -> Response:
        """Change the fields that are sent. PUT and PATCH do the same."""
        tasks = await identify(request)
        task_id = TASK_ID.of(request)
        change = await json_body(request, TaskUpdate)
        task = await tasks.update(task_id, change)
        return _json(task.model_dump_json())

    for method in ("PUT", "PATCH"):
        router.add_api_route(
            "/users/{user_id}/tasks/{task_id}",
            update_task,
            methods=[method],
            operation_id="replace_task" if method == "PUT" else "update_task",
            response_model=Task,
            responses=succeeded(200, "The task as it now is.")
            | errors(400, 404, 413, 415, 500, 503),
            openapi_extra=takes(*in_path, TASK_ID) | body_schema(TaskUpdate, CHANGES),
        )

    @router.delete(
        "/users/{user_id}/tasks/{task_id}",
        operation_id="delete_task",
        responses=deleted() | errors(400, 404, 500, 503),
        openapi_extra=takes(*in_path, TASK_ID),
    )
    async def delete_task(request: Request) -> Response:
        """Delete a task for good."""
        tasks = await identify(request)
        await tasks.delete(TASK_ID.of(request))
        return JSONResponse({"message": "task deleted"})

    return router


def _path(request: Request) -> str:
    """Return the request's path as the client's URI has it (RFC 3986, section 3.3)."""
    path, root_path = request.scope["path"], request.scope.get("root_path", "").rstrip("/")
    if not path.startswith(f"{root_path}/"):
        # A proxy took it off: https://fastapi.tiangolo.com/advanced/behind-a-proxy/
        path = f"{root_path}{path}"
    return quote(path, safe="/:@!$&'()*+,;=~")


def _query_after(request: Request, cursor: str) -> str:
    """Return the request's query with another cursor."""
    pairs = [pair for pair in request.query_params.multi_items() if pair[0] != AFTER.name]
    return urlencode([*pairs, (AFTER.name, cursor)])


def _json(
    content: str | bytes, *, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    return Response(content, status, headers, "application/json")


def _stream(tasks: UserTasks, first: TaskPage, *, completed: bool | None) -> StreamingResponse:
    """Answer with every task, with one page in memory at a time.

    The caller has read the first page, so its errors were answered. A later failure
    breaks the connection, because a shorter array must not look complete.
    """

    async def chunks() -> AsyncIterator[bytes]:
        yield _TASKS.dump_json(first.items)[:-1]
        cursor = first.next
        while cursor is not None:
            page = await tasks.list(completed=completed, limit=MAX_PAGE, after=cursor)
            if page.items:
                yield b"," + _TASKS.dump_json(page.items)[1:-1]
            cursor = page.next
        yield b"]"

    return StreamingResponse(chunks(), media_type="application/json")
