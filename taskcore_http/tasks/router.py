"""The routes: each endpoint at its path, and its description for OpenAPI."""

import logging

from fastapi import APIRouter

from taskcore import ConfigurationError, TaskCreate, TaskStore, TaskUpdate
from taskcore_http.identity.identify import Identity, identify_by, identify_by_path
from taskcore_http.openapi import (
    CHANGES,
    NEW_TASK,
    PRECONDITIONS,
    Task,
    deleted,
    errors,
    listed,
    not_modified,
    succeeded,
    takes,
)
from taskcore_http.parameters import AFTER, COMPLETED, LIMIT, TASK_ID, USER_ID
from taskcore_http.server.log import TRUSTED
from taskcore_http.tasks.body import JSON, MERGE_PATCH, body_schema
from taskcore_http.tasks.endpoints import TaskEndpoints
from taskcore_http.tasks.route import TaskRoute

logger = logging.getLogger("taskcore.http")

_TASKS = "/users/{user_id}/tasks"
_TASK = "/users/{user_id}/tasks/{task_id}"


def create_router(store: TaskStore, *, identity: Identity | None = None) -> APIRouter:
    """Make the routes of the task API, for any FastAPI application.

    ::

        app.include_router(create_router(store), prefix="/api")

    The router answers its own errors in its own shape and leaves the application's
    error handling alone.

    Args:
        store: The store. The application opens it before it serves requests.
        identity: Returns the `UserTasks` of the request's user, see
            ``taskcore_http.identity.identify``. A path that names another user is not found.
            None trusts the ``user_id`` in the path, and logs a warning that says so.

    Raises:
        ConfigurationError: ``store`` is something else, such as a URL, or ``identity`` cannot be
            called, such as ``Depends(…)``.
    """
    if not isinstance(store, TaskStore):
        raise ConfigurationError(
            f"create_router takes a TaskStore, such as TaskStore(url), not {type(store).__name__}"
        )
    if identity is None:
        logger.warning(TRUSTED)
    elif not callable(identity):
        raise ConfigurationError(
            "identity must be a function, such as identify, not Depends(identify): its own "
            f"parameters may be dependencies; this is {type(identity).__name__}"
        )
    identify, dependencies = (
        (identify_by_path(store), []) if identity is None else identify_by(identity)
    )
    endpoints = TaskEndpoints(identify)
    router = APIRouter(route_class=TaskRoute, tags=["tasks"], dependencies=dependencies)
    # A dependency declares the path's user itself.
    user = [] if dependencies else [USER_ID]
    # An identity refuses callers, and every path may be another user's.
    refused = [401, 403] if identity is not None else []
    no_user = [*refused, 404] if identity is not None else []

    router.add_api_route(
        _TASKS,
        endpoints.list_tasks,
        methods=["GET"],
        operation_id="list_tasks",
        response_model=list[Task],
        responses=listed() | not_modified() | errors(400, *no_user, 412, 500, 503),
        openapi_extra=takes(*user, LIMIT, AFTER, COMPLETED, *PRECONDITIONS),
    )
    router.add_api_route(
        _TASKS,
        endpoints.create_task,
        methods=["POST"],
        operation_id="create_task",
        status_code=201,
        response_model=Task,
        responses=succeeded(201, "The task; `Location` is its path.", location=True)
        | errors(400, *no_user, 412, 413, 415, 500, 503),
        openapi_extra=takes(*user, *PRECONDITIONS) | body_schema(TaskCreate, NEW_TASK),
    )
    router.add_api_route(
        _TASK,
        endpoints.get_task,
        methods=["GET"],
        operation_id="get_task",
        response_model=Task,
        responses=succeeded(200, "The task.")
        | not_modified()
        | errors(400, *refused, 404, 412, 500, 503),
        openapi_extra=takes(*user, TASK_ID, *PRECONDITIONS),
    )
    for method, operation_id, media_types in (
        ("PUT", "replace_task", JSON),
        ("PATCH", "update_task", MERGE_PATCH),
    ):
        router.add_api_route(
            _TASK,
            endpoints.update_task,
            methods=[method],
            operation_id=operation_id,
            response_model=Task,
            responses=succeeded(200, "The task as it now is.")
            | errors(400, *refused, 404, 412, 413, 415, 500, 503),
            openapi_extra=takes(*user, TASK_ID, *PRECONDITIONS)
            | body_schema(TaskUpdate, CHANGES, media_types),
        )
    router.add_api_route(
        _TASK,
        endpoints.delete_task,
        methods=["DELETE"],
        operation_id="delete_task",
        responses=deleted() | errors(400, *refused, 404, 412, 500, 503),
        openapi_extra=takes(*user, TASK_ID, *PRECONDITIONS),
    )
    # Wherever GET is, HEAD is (RFC 9110, section 9.1).
    for path, endpoint in ((_TASKS, endpoints.list_tasks), (_TASK, endpoints.get_task)):
        router.add_api_route(path, endpoint, methods=["HEAD"], include_in_schema=False)
    return router
