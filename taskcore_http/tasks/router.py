"""The routes: each endpoint at its path, and its description for OpenAPI."""

import logging
from typing import Any

from fastapi import APIRouter
from fastapi.params import Depends as Dependency

from taskcore import ConfigurationError, TaskCreate, TaskStore, TaskUpdate
from taskcore_http.identity.authenticator import Authenticator
from taskcore_http.identity.bearer import Bearer
from taskcore_http.identity.identify import (
    Identify,
    Identity,
    fastapi_dependency,
    identify_by,
    identify_by_path,
    needs_path,
    require_path_user,
)
from taskcore_http.me import Me, MyEndpoints
from taskcore_http.openapi import (
    CHANGES,
    IDEMPOTENCY_KEY,
    NEW_TASK,
    PRECONDITIONS,
    TASK,
    Task,
    answered,
    deleted,
    described_user,
    errors,
    listed,
    not_modified,
    succeeded,
    takes,
)
from taskcore_http.parameters import (
    AFTER,
    COMPLETED,
    FILTERS,
    IDS,
    LIMIT,
    ORDER,
    TASK_ID,
    USER_ID,
)
from taskcore_http.server.log import TRUSTED
from taskcore_http.session import add_session
from taskcore_http.tasks.body import JSON, MERGE_PATCH, body_schema
from taskcore_http.tasks.endpoints import TaskCount, TaskEndpoints
from taskcore_http.tasks.route import Endpoint, TaskRoute
from taskcore_http.tokens import add_tokens

logger = logging.getLogger("taskcore.http")

_OF_USER = "/users/{user_id}"
ME = "/me"


def create_router(store: TaskStore[Any], *, identity: Identity | None = None) -> APIRouter:
    """Make the routes of the task API, for any FastAPI application.

    ::

        app.include_router(create_router(store), prefix="/api")

    The router answers its own errors in its own shape and leaves the application's
    error handling alone.

    Args:
        store: The store. The application opens it before it serves requests.
        identity: Says who a request comes from: a `Bearer`, or a function that returns their
            `UserTasks`, see ``taskcore_http.identity.identify``. A path that names another
            user is not found, and the paths below ``/me`` name the caller. None trusts the
            ``user_id`` in the path, and logs a warning that says so.

    Raises:
        ConfigurationError: ``store`` is something else, such as a URL, or ``identity`` cannot be
            called, such as ``Depends(…)``.
    """
    if not isinstance(store, TaskStore):
        raise ConfigurationError(
            f"create_router takes a TaskStore, such as TaskStore(url), not {type(store).__name__}"
        )
    router = APIRouter(route_class=TaskRoute)
    if identity is None:
        logger.warning(TRUSTED)
        _add_tasks(router, _OF_USER, identify_by_path(store), [])
        return router
    is_class = isinstance(identity, type)
    if is_class or not (callable(identity) or isinstance(identity, Authenticator)):
        raise ConfigurationError(
            "identity must be a Bearer, such as Bearer(issuer), or a function, such as identify. "
            "It must not be Depends(identify): parameters of the function may be dependencies. "
            f"This is {type(identity).__name__}"
        )
    identify, solved = identify_by(store, identity)
    if solved is None:
        _add_tasks(router, _OF_USER, require_path_user(identify), [401, 403, 404])
        _add_me(router, identify)
        if isinstance(identity, Bearer) and identity.api_tokens:
            add_tokens(router, identify)
        if isinstance(identity, Bearer) and identity.sessions:
            add_session(router, store, identity)
    else:
        of_path = fastapi_dependency(solved, of_path=True)
        _add_tasks(router, _OF_USER, require_path_user(identify), [401, 403, 404], of_path)
        if not needs_path(solved):
            _add_me(router, identify, fastapi_dependency(solved, of_path=False))
    return router


def _add_me(router: APIRouter, identify: Identify, dependency: Dependency | None = None) -> None:
    """Add the routes below ``/me``: the caller's user id and tasks."""
    endpoints = MyEndpoints(identify)
    responses = described_user() | errors(400, 401, 403, 500, 503)
    router.add_api_route(
        ME,
        endpoints.get_me,
        methods=["GET"],
        operation_id="get_me",
        tags=["me"],
        response_model=Me,
        responses=responses,
        dependencies=_dependencies(dependency),
    )
    router.add_api_route(
        ME,
        endpoints.get_me,
        methods=["HEAD"],
        include_in_schema=False,
        dependencies=_dependencies(dependency),
    )
    _add_tasks(router, ME, identify, [401, 403], dependency)


def _add_tasks(
    router: APIRouter,
    prefix: str,
    identify: Identify,
    refused: list[int],
    dependency: Dependency | None = None,
) -> None:
    """Add the routes of a user's tasks.

    Args:
        router: The router to add to.
        prefix: The path of the user.
        identify: Returns the user's tasks.
        refused: The statuses of callers who are refused, on every route.
        dependency: Asks the identity, if FastAPI solves it.
    """
    endpoints = TaskEndpoints(identify)
    whose = "my_" if prefix == ME else ""
    tasks, task = f"{prefix}/tasks", f"{prefix}/tasks/{{task_id}}"
    count = f"{tasks}/count"
    # A dependency declares the path's user itself.
    user = [USER_ID] if prefix == _OF_USER and dependency is None else []
    one = sorted({*refused, 404})

    def add(path: str, endpoint: Endpoint, method: str, operation: str, **described: Any) -> None:
        verb, _, noun = operation.partition("_")
        router.add_api_route(
            path,
            endpoint,
            methods=[method],
            operation_id=f"{verb}_{whose}{noun}",
            tags=["me" if whose else "tasks"],
            dependencies=_dependencies(dependency),
            **described,
        )

    add(
        tasks,
        endpoints.list_tasks,
        "GET",
        "list_tasks",
        response_model=list[Task],
        responses=listed() | not_modified() | errors(400, *refused, 412, 500, 503),
        openapi_extra=takes(*user, LIMIT, AFTER, ORDER, COMPLETED, *FILTERS, *PRECONDITIONS),
    )
    add(
        tasks,
        endpoints.create_task,
        "POST",
        "create_task",
        status_code=201,
        response_model=Task,
        responses=succeeded(201, "The task; `Location` is its path.", location=True)
        | succeeded(200, "A task with this key exists already, unchanged.", location=True)
        | errors(400, *refused, 412, 413, 415, 500, 503),
        openapi_extra=takes(*user, IDEMPOTENCY_KEY, *PRECONDITIONS)
        | body_schema(TaskCreate, NEW_TASK),
    )
    # Before the path of one task, which would take "count" for an id.
    add(
        count,
        endpoints.count_tasks,
        "GET",
        "count_tasks",
        response_model=TaskCount,
        responses=answered(200, "The number of tasks.", {"count": 3})
        | errors(400, *refused, 500, 503),
        openapi_extra=takes(*user, COMPLETED, *FILTERS),
    )
    add(
        task,
        endpoints.get_task,
        "GET",
        "get_task",
        response_model=Task,
        responses=succeeded(200, "The task.") | not_modified() | errors(400, *one, 412, 500, 503),
        openapi_extra=takes(*user, TASK_ID, *PRECONDITIONS),
    )
    for method, operation, media_types in (
        ("PUT", "replace_task", JSON),
        ("PATCH", "update_task", MERGE_PATCH),
    ):
        add(
            task,
            endpoints.update_task,
            method,
            operation,
            response_model=Task,
            responses=succeeded(200, "The task as it now is.")
            | errors(400, *one, 412, 413, 415, 500, 503),
            openapi_extra=takes(*user, TASK_ID, *PRECONDITIONS)
            | body_schema(TaskUpdate, CHANGES, media_types),
        )
    add(
        task,
        endpoints.delete_task,
        "DELETE",
        "delete_task",
        responses=deleted() | errors(400, *one, 412, 500, 503),
        openapi_extra=takes(*user, TASK_ID, *PRECONDITIONS),
    )
    add(
        tasks,
        endpoints.update_tasks,
        "PATCH",
        "update_tasks",
        response_model=list[Task],
        responses=answered(200, "The tasks as they now are.", [TASK])
        | errors(400, *one, 412, 413, 415, 500, 503),
        openapi_extra=takes(*user, IDS, *PRECONDITIONS)
        | body_schema(TaskUpdate, CHANGES, MERGE_PATCH),
    )
    add(
        tasks,
        endpoints.delete_tasks,
        "DELETE",
        "delete_tasks",
        responses=deleted("tasks", "tasks deleted") | errors(400, *one, 412, 500, 503),
        openapi_extra=takes(*user, IDS, *PRECONDITIONS),
    )
    # Wherever GET is, HEAD is (RFC 9110, section 9.1).
    for path, endpoint in (
        (tasks, endpoints.list_tasks),
        (count, endpoints.count_tasks),
        (task, endpoints.get_task),
    ):
        router.add_api_route(
            path,
            endpoint,
            methods=["HEAD"],
            include_in_schema=False,
            dependencies=_dependencies(dependency),
        )


def _dependencies(dependency: Dependency | None) -> list[Dependency]:
    return [] if dependency is None else [dependency]
