"""Identities, for administrators, without ``await``."""

from collections.abc import Iterator, Mapping

from taskcore.sync.background import Background
from taskcore.users import identities as asynchronous
from taskcore.users.identity import Identity
from taskcore.users.identity_move import IdentityMove


class Identities:
    """The identities of the users, as ``store.identities``; see `taskcore.Identities`."""

    def __init__(self, background: Background, identities: asynchronous.Identities) -> None:
        self._background = background
        self._identities = identities

    def iterate(self, *, user_id: int | None = None) -> Iterator[Identity]:
        """Yield every identity, or those of one user, in constant memory."""
        return self._background.iterate(self._identities.iterate(user_id=user_id))

    def issuers(self) -> tuple[str, ...]:
        """Return the issuers of all identities, in the order of their bytes."""
        return self._background.call(self._identities.issuers)

    def move(
        self,
        from_issuer: str,
        to_issuer: str,
        subjects: Mapping[str, str] | None = None,
        *,
        dry_run: bool = False,
    ) -> IdentityMove:
        """Move identities to another issuer, or none if a new identity already exists."""
        return self._background.call(
            self._identities.move, from_issuer, to_issuer, subjects, dry_run=dry_run
        )

    def block(self, issuer: str, subject: str) -> Identity:
        """Block an identity; its next call is refused."""
        return self._background.call(self._identities.block, issuer, subject)

    def unblock(self, issuer: str, subject: str) -> None:
        """Let a blocked identity in again."""
        self._background.call(self._identities.unblock, issuer, subject)
