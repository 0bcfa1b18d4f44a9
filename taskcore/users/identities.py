"""Identities, for administrators: the database role must be a member of taskcore_admin."""

from collections.abc import AsyncIterator
from typing import Any

from taskcore.database.database import Database
from taskcore.errors import NotFound
from taskcore.limits import MAX_PAGE
from taskcore.rows import columns_of, reader_of
from taskcore.users.administration import administered
from taskcore.users.identity import Identity
from taskcore.validation import validate_id, validate_name

_LIST = f"SELECT {columns_of(Identity)} FROM taskcore.identity_list_v1($1, $2, $3, $4)"  # noqa: S608
_BLOCK = f"SELECT {columns_of(Identity)} FROM taskcore.identity_block_v1($1, $2, $3)"  # noqa: S608

_identities_from_rows = reader_of(Identity)


class Identities:
    """The names that issuers have for the users, as ``store.identities``.

    Every method raises `PermissionDenied` with the application's role, as those of `Users` do.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def iterate(self, *, user_id: int | None = None) -> AsyncIterator[Identity]:
        """Yield every identity, or those of one user, by issuer and subject, in constant memory.

        Raises:
            ValidationError: The user's id is not an integer from 1 to 2^53-1.
        """
        if user_id is not None:
            validate_id(user_id, field="user_id")
        after: tuple[str | None, str | None] = (None, None)
        while True:
            rows = await administered(self._database.fetch(_LIST, user_id, *after, MAX_PAGE))
            for identity in _identities_from_rows(rows):
                yield identity
                after = identity.issuer, identity.subject
            if len(rows) < MAX_PAGE:
                return

    async def block(self, issuer: str, subject: str) -> Identity:
        """Block an identity, whether or not it has a user yet; its next call is refused.

        Tasks stay. Deleting the user also deletes the block: block the identity again, or block
        the user instead.

        Raises:
            ValidationError: The issuer or the subject is not a text of 1 to 255 characters.
        """
        rows, _ = await self._write(issuer, subject, blocked=True)
        return _identities_from_rows(rows)[0]

    async def unblock(self, issuer: str, subject: str) -> None:
        """Let a blocked identity in again. One of a user that is not blocked stays as it is.

        Raises:
            NotFound: The identity has no user and is not blocked.
            ValidationError: The issuer or the subject is not a text of 1 to 255 characters.
        """
        rows, repeated = await self._write(issuer, subject, blocked=False)
        if not rows and not repeated:
            raise NotFound("identity not found")

    async def _write(self, issuer: str, subject: str, *, blocked: bool) -> tuple[list[Any], bool]:
        validate_name(issuer, field="issuer")
        validate_name(subject, field="subject")
        return await administered(self._database.write(_BLOCK, issuer, subject, blocked))
