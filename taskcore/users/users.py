"""Users, for administrators: the database role must be a member of taskcore_admin."""

from collections.abc import AsyncIterator

from taskcore.cursors import cursor_after, key_of
from taskcore.database.database import Database
from taskcore.errors import UserNotFound
from taskcore.limits import DEFAULT_PAGE, MAX_PAGE
from taskcore.rows import columns_of, reader_of
from taskcore.users.administration import administered
from taskcore.users.user import User, UserDetail
from taskcore.users.user_page import UserPage
from taskcore.validation import validate_id, validate_integer

_GET = f"SELECT {columns_of(UserDetail)} FROM taskcore.user_get_v1($1)"  # noqa: S608
_LIST = f"SELECT {columns_of(User)} FROM taskcore.user_list_v1($1, $2)"  # noqa: S608
_DELETE = "SELECT id FROM taskcore.user_delete_v1($1)"
_BLOCK = f"SELECT {columns_of(User)} FROM taskcore.user_block_v1($1, $2)"  # noqa: S608

_ORDER = "users"

_details_from_rows = reader_of(UserDetail)
_users_from_rows = reader_of(User)


class Users:
    """All users of the store, as ``store.users``.

    The role that migrated the database may use it. With the application's role every
    method raises `PermissionDenied`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, user_id: int) -> UserDetail:
        """Return one user and the numbers of their tasks.

        Raises:
            UserNotFound: There is no user with this id.
            PermissionDenied: The role is not an administrator's.
        """
        validate_id(user_id, field="user_id")
        rows = await administered(self._database.fetch(_GET, user_id))
        if not rows:
            raise UserNotFound(f"user {user_id} not found")
        return _details_from_rows(rows)[0]

    async def list(self, *, limit: int = DEFAULT_PAGE, after: str | None = None) -> UserPage:
        """Return a page of users, by rising id.

        Args:
            limit: 1 to 1,000.
            after: The cursor: ``next`` of the page before.

        Raises:
            ValidationError: The limit is out of range, or the cursor is not of this list.
            PermissionDenied: The role is not an administrator's.
        """
        validate_integer(limit, field="limit", low=1, high=MAX_PAGE)
        key = None if after is None else key_of(after, _ORDER)
        rows = await administered(self._database.fetch(_LIST, key, limit + 1))
        items = _users_from_rows(rows[:limit])
        return UserPage.model_construct(
            items=items, next=cursor_after(_ORDER, items[-1].id) if len(rows) > limit else None
        )

    async def iterate(self) -> AsyncIterator[User]:
        """Yield every user, by rising id, in constant memory; errors as in `list`."""
        cursor: str | None = None
        while True:
            page = await self.list(limit=MAX_PAGE, after=cursor)
            for user in page:
                yield user
            if page.next is None:
                return
            cursor = page.next

    async def delete(self, user_id: int) -> None:
        """Erase a user with all of their tasks, identities and API tokens, for good.

        An identity that signs in again begins as a new user: block it to keep somebody out.

        Raises:
            UserNotFound: There is no user with this id.
            PermissionDenied: The role is not an administrator's.
        """
        validate_id(user_id, field="user_id")
        rows, repeated = await administered(self._database.write(_DELETE, user_id))
        if not rows and not repeated:
            raise UserNotFound(f"user {user_id} not found")

    async def block(self, user_id: int) -> User:
        """Block a user: calls with their identities and tokens raise `Unauthenticated`.

        Tasks stay. ``TaskStore.for_user`` still reaches them: its caller has decided who it is.

        Raises:
            UserNotFound: There is no user with this id.
            PermissionDenied: The role is not an administrator's.
        """
        return await self._block(user_id, blocked=True)

    async def unblock(self, user_id: int) -> User:
        """Let a blocked user in again; errors as in `block`."""
        return await self._block(user_id, blocked=False)

    async def _block(self, user_id: int, *, blocked: bool) -> User:
        validate_id(user_id, field="user_id")
        rows, _ = await administered(self._database.write(_BLOCK, user_id, blocked))
        if not rows:
            raise UserNotFound(f"user {user_id} not found")
        return _users_from_rows(rows)[0]
