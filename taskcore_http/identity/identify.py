"""The user of a request: from the path, or from an identity of the application's own.

In this release the default trusts the path: every caller can name any user. Pass an
identity to ``create_router`` or ``create_app`` to authenticate the caller::

    async def identify(request: Request) -> UserTasks:
        return store.for_user(verify(request.headers.get("Authorization")))

The route awaits an identity that takes the request, or nothing. It cannot add query
parameters: the route refuses unknown ones. An identity with other parameters is a FastAPI
dependency: FastAPI solves it for each request, at some cost, and a host can override it with
``dependency_overrides``.

If the path names another user, the answer is *not found*, whether or not that user exists.
"""

import inspect
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.params import Depends as Dependency
from starlette.requests import HTTPConnection

from taskcore import TaskStore, UserNotFound, UserTasks
from taskcore_http.parameters import USER_ID, UserId

__all__ = ["Identify", "Identity", "UserId", "identify_by", "identify_by_path"]

Identity = Callable[..., UserTasks | Awaitable[UserTasks]]
"""Returns the tasks of the request's user, given the request, or nothing, or as a dependency.

It raises ``HTTPException`` (401, 403) to refuse a caller. A plain function must not block.
"""

Identify = Callable[[Request], Awaitable[UserTasks]]
"""Returns the tasks that a request is about."""


def identify_by_path(store: TaskStore) -> Identify:
    """Return an `Identify` that trusts the ``user_id`` of the path."""

    async def identify(request: Request) -> UserTasks:
        return store.for_user(USER_ID.of(request))

    return identify


def identify_by(identity: Identity) -> tuple[Identify, list[Dependency]]:
    """Return an `Identify` that asks an identity, and the dependencies it needs."""
    if not (_takes_request(identity) or _takes_nothing(identity)):
        return _identified, [Depends(_dependency_on(identity))]
    arguments = int(_takes_request(identity))

    async def identify(request: Request) -> UserTasks:
        tasks = identity(*[request][:arguments])
        if inspect.isawaitable(tasks):
            tasks = await tasks
        _check_type(tasks)
        _check_path(tasks, USER_ID.of(request))
        return tasks

    return identify, []


def _dependency_on(identity: Identity) -> Callable[..., Awaitable[None]]:
    """Return a dependency that asks the identity and keeps the answer for `_identified`."""

    async def identify(
        request: Request, user_id: UserId, tasks: Annotated[UserTasks, Depends(identity)]
    ) -> None:
        _check_type(tasks)
        _check_path(tasks, user_id)
        request.state.tasks_of_user = tasks

    return identify


async def _identified(request: Request) -> UserTasks:
    tasks: UserTasks = request.state.tasks_of_user
    return tasks


def _check_type(tasks: object) -> None:
    if not isinstance(tasks, UserTasks):
        raise TypeError(
            "identity must return UserTasks, such as store.for_user(42), "
            f"not {type(tasks).__name__}"
        )


def _check_path(tasks: UserTasks, user_id: int) -> None:
    if tasks.user_id != user_id:
        raise UserNotFound(f"user {user_id} not found")


def _parameters(identity: Identity) -> list[inspect.Parameter]:
    return list(inspect.signature(identity).parameters.values())


def _takes_nothing(identity: Identity) -> bool:
    return not _parameters(identity) and not _is_generator(identity)


def _takes_request(identity: Identity) -> bool:
    parameters = _parameters(identity)
    if len(parameters) != 1 or _is_generator(identity):
        return False
    (one,) = parameters
    if one.kind is not inspect.Parameter.POSITIONAL_OR_KEYWORD:
        return False
    annotation: Any = one.annotation
    if annotation is inspect.Parameter.empty:
        return one.name == "request"
    if isinstance(annotation, str):
        return annotation.rpartition(".")[2] in ("Request", "HTTPConnection")
    return isinstance(annotation, type) and issubclass(annotation, HTTPConnection)


def _is_generator(identity: Identity) -> bool:
    return any(
        inspect.isgeneratorfunction(one) or inspect.isasyncgenfunction(one)
        for one in (identity, type(identity).__call__)
    )
