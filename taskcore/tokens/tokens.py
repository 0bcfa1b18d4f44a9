"""The API tokens of one user."""

import builtins
import secrets
from collections.abc import Iterable
from typing import Any

from taskcore.access import Access
from taskcore.database.database import Database
from taskcore.errors import DatabaseError, TokenNotFound
from taskcore.limits import DEFAULT_TOKEN_DAYS, MAX_ID, MINUTES_A_DAY
from taskcore.operation import Operation
from taskcore.owner import Owner
from taskcore.rows import columns_of, reader_of
from taskcore.tokens.secret import TokenSecret
from taskcore.tokens.token import NewToken, Token, TokenCreate
from taskcore.validation import validate, validate_id

_COLUMNS = columns_of(Token)
_tokens_from_rows = reader_of(Token, scopes=tuple)
# No API token has this scope: a token must not make, show or end tokens.
_SEE = Access("tokens")
_MAKE = Access("tokens", creates=True)

_CREATE = Operation("token_create_v1", 5, f"{_COLUMNS}, place", _MAKE)
_ROTATE = Operation("token_rotate_v1", 3, f"{_COLUMNS}, place", _SEE)
_LIST = Operation("token_list_v1", 0, _COLUMNS, _SEE)
_DELETE = Operation("token_delete_v1", 1, "id", _SEE)


class Tokens:
    """The API tokens of one user, as ``tasks.tokens``. Each method is one round trip.

    Every method may raise the errors that every method of `UserTasks` may raise. With the tasks of
    ``TaskStore.for_token`` every method raises `InsufficientScope`: an API token must not make,
    show or end tokens. A browser session may.
    """

    def __init__(self, database: Database, owner: Owner) -> None:
        self._database = database
        self._owner = owner

    async def create(
        self,
        name: str | TokenCreate,
        *,
        scopes: Iterable[str] = ("tasks:read",),
        expires_in_days: int | None = DEFAULT_TOKEN_DAYS,
    ) -> NewToken:
        """Create a token. Its secret is in the answer, and cannot be read again.

        Args:
            name: For people, 1 to 100 characters. Or a whole `TokenCreate`.
            scopes: ``tasks:read``, ``tasks:write`` or both. Writing does not include reading.
            expires_in_days: 1 to 366; None: the token lasts until it is revoked.

        Raises:
            ValidationError: Names the field and the constraint, or the user has 100 tokens.
        """
        if isinstance(name, TokenCreate):
            # Also what model_construct has made: nothing else refuses the scopes of a session.
            fields = dict(name)
        else:
            several = isinstance(scopes, Iterable) and not isinstance(scopes, str)
            given = tuple(scopes) if several else scopes
            fields = {"name": name, "scopes": given, "expires_in_days": expires_in_days}
        new = validate(TokenCreate, fields, where="token")
        secret = TokenSecret.random()
        minutes = None if new.expires_in_days is None else new.expires_in_days * MINUTES_A_DAY
        rows = await self._write(
            _CREATE, secret.digest, new_id(), new.name, list(new.scopes), minutes
        )
        if not rows:
            raise DatabaseError("no free token id was found")
        return _new(rows, secret)

    async def list(self) -> tuple[Token, ...]:
        """Return the user's tokens, the newest first, without their secrets.

        Expired tokens are included until the user's next token is made.
        """
        owner = self._owner
        rows = await self._database.fetch(
            _LIST.statement(type(owner)), *owner.parameters(_LIST.access)
        )
        return _tokens_from_rows(rows)

    async def rotate(self, token_id: int) -> NewToken:
        """Replace a token: create one with the same name, scopes and lifetime.

        The old token ends after 24 hours, or when it would have ended if that is sooner. It cannot
        be replaced a second time.

        Raises:
            TokenNotFound: The user has no API token with this id, or it has expired.
            ValidationError: The user has 100 tokens, this one was replaced before, or the id is not
                an integer from 1 to 2^53-1.
        """
        validate_id(token_id, field="token_id")
        secret = TokenSecret.random()
        rows = await self._write(_ROTATE, token_id, secret.digest, new_id())
        if not rows:
            raise TokenNotFound("token not found")
        return _new(rows, secret)

    async def revoke(self, token_id: int) -> None:
        """Revoke a token for good: its next use is refused.

        Raises:
            TokenNotFound: The user has no token with this id.
            ValidationError: The id is not an integer from 1 to 2^53-1.
        """
        validate_id(token_id, field="token_id")
        owner = self._owner
        rows, repeated = await self._database.write(
            _DELETE.statement(type(owner)), *owner.parameters(_DELETE.access), token_id
        )
        # A lost attempt may have revoked it.
        if not rows and not repeated:
            raise TokenNotFound("token not found")

    async def _write(self, operation: Operation, *args: object) -> builtins.list[Any]:
        owner = self._owner
        rows, _ = await self._database.write(
            operation.statement(type(owner)), *owner.parameters(operation.access), *args
        )
        return rows


def new_id() -> int:
    """Return a random id. A rising id would reveal when a token was made."""
    return 1 + secrets.randbelow(MAX_ID)


def _new(rows: builtins.list[Any], secret: TokenSecret) -> NewToken:
    ((*columns, place),) = rows
    (token,) = _tokens_from_rows([columns])
    return NewToken(**dict(token), secret=secret.at(place))
