"""Users, for administrators, without ``await``."""

from collections.abc import Iterator

from taskcore.limits import DEFAULT_PAGE
from taskcore.sync.background import Background
from taskcore.users import users as asynchronous
from taskcore.users.user import User, UserDetail
from taskcore.users.user_page import UserPage


class Users:
    """All users of the store, as ``store.users``; see `taskcore.Users`."""

    def __init__(self, background: Background, users: asynchronous.Users) -> None:
        self._background = background
        self._users = users

    def get(self, user_id: int) -> UserDetail:
        """Return one user and the numbers of their tasks."""
        return self._background.call(self._users.get, user_id)

    def list(self, *, limit: int = DEFAULT_PAGE, after: str | None = None) -> UserPage:
        """Return a page of users, by rising id."""
        return self._background.call(self._users.list, limit=limit, after=after)

    def iterate(self) -> Iterator[User]:
        """Yield every user, by rising id, in constant memory."""
        return self._background.iterate(self._users.iterate())

    def delete(self, user_id: int) -> None:
        """Erase a user with all of their tasks and identities, for good."""
        self._background.call(self._users.delete, user_id)

    def block(self, user_id: int) -> User:
        """Block a user: calls with their identities are refused from now on."""
        return self._background.call(self._users.block, user_id)

    def unblock(self, user_id: int) -> User:
        """Let a blocked user in again."""
        return self._background.call(self._users.unblock, user_id)
