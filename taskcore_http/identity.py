"""Who the user is: one dependency, to be replaced by the application's own.

In this release the default trusts the path: whoever may call the API may name any
user. Put an authenticated identity in its place by passing a dependency of your
own to ``create_router`` or ``create_app``::

    async def identify(user_id: UserId, token: Annotated[str, Depends(bearer)]) -> UserTasks:
        if verify(token) != user_id:
            raise HTTPException(403)
        return store.for_user(user_id)
"""

from collections.abc import Awaitable, Callable

from taskcore import TaskStore, UserTasks
from taskcore_http.parameters import UserId

__all__ = ["Identity", "UserId", "trusted_path"]

Identity = Callable[..., UserTasks | Awaitable[UserTasks]]
"""A FastAPI dependency that yields the tasks of the request's user."""


def trusted_path(store: TaskStore) -> Identity:
    """Return the dependency that believes the ``user_id`` of the path."""

    async def identify(user_id: UserId) -> UserTasks:
        return store.for_user(user_id)

    return identify
