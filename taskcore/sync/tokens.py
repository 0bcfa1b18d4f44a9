"""The API tokens of one user, without ``await``."""

from collections.abc import Iterable

from taskcore.limits import DEFAULT_TOKEN_DAYS
from taskcore.sync.background import Background
from taskcore.tokens import tokens as asynchronous
from taskcore.tokens.token import NewToken, Token, TokenCreate


class Tokens:
    """The API tokens of one user, as ``tasks.tokens``; see `taskcore.Tokens`."""

    def __init__(self, background: Background, tokens: asynchronous.Tokens) -> None:
        self._background = background
        self._tokens = tokens

    def create(
        self,
        name: str | TokenCreate,
        *,
        scopes: Iterable[str] = ("tasks:read",),
        expires_in_days: int | None = DEFAULT_TOKEN_DAYS,
    ) -> NewToken:
        """Create a token. Its secret is in the answer, and cannot be read again."""
        return self._background.call(
            self._tokens.create, name, scopes=scopes, expires_in_days=expires_in_days
        )

    def list(self) -> tuple[Token, ...]:
        """Return the user's tokens, the newest first, without their secrets."""
        return self._background.call(self._tokens.list)

    def rotate(self, token_id: int) -> NewToken:
        """Replace a token; the old one ends after 24 hours at the latest."""
        return self._background.call(self._tokens.rotate, token_id)

    def revoke(self, token_id: int) -> None:
        """Revoke a token for good: its next use is refused."""
        self._background.call(self._tokens.revoke, token_id)
