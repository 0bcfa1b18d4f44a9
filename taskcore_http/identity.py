"""Who the user is: one dependency, to be replaced by the application's own.

In this release the default trusts the path: whoever may call the API may name any
user. Put an authenticated identity in its place by passing a dependency of your
own to ``create_router`` or ``create_app``::

    async def identify(token: Annotated[str, Depends(bearer)]) -> UserTasks:
        return store.for_user(verify(token))

A path that names another user than the identity is answered with *not found*: a URL
means one user's tasks, whoever asks.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request

from taskcore import TaskStore, UserNotFound, UserTasks
from taskcore_http.parameters import USER_ID, UserId

__all__ = ["Identity", "TasksOf", "UserId", "identified", "identifier", "trusted_path"]

Identity = Callable[..., UserTasks | Awaitable[UserTasks]]
"""A FastAPI dependency that yields the tasks of the request's user."""

TasksOf = Callable[[Request], UserTasks]
"""How a route learns whose tasks a request is about."""


def trusted_path(store: TaskStore) -> TasksOf:
    """Return what believes the ``user_id`` of the path."""

    def tasks_of(request: Request) -> UserTasks:
        return store.for_user(USER_ID.of(request))

    return tasks_of


def identifier(identity: Identity) -> Callable[..., Awaitable[None]]:
    """Return the dependency of every route that asks an identity, and keeps the answer."""

    async def identify(
        request: Request, user_id: UserId, tasks: Annotated[UserTasks, Depends(identity)]
    ) -> None:
        if not isinstance(tasks, UserTasks):
            raise TypeError(
                "identity has to yield UserTasks, as store.for_user(…) makes them, "
                f"not {type(tasks).__name__}"
            )
        if tasks.user_id != user_id:
            raise UserNotFound(f"user {user_id} not found")
        request.state.tasks_of_user = tasks

    return identify


def identified(request: Request) -> UserTasks:
    """Return what the identity has said of this request."""
    tasks: UserTasks = request.state.tasks_of_user
    return tasks
