"""Tokens that were verified, so that their signatures are not verified at each request."""

from dataclasses import dataclass, field

from taskcore_http.identity.keys import Keys
from taskcore_http.identity.principal import Principal
from taskcore_http.identity.validity import Validity


@dataclass(frozen=True, slots=True, repr=False)
class Verified:
    """The outcome of one verification. It holds neither the token nor its other claims.

    Attributes:
        principal: The caller.
        validity: When the token may be used; to be checked at each use.
        keys: The keys of the issuer.
        generation: The generation of the keys that verified the token.
    """

    principal: Principal
    validity: Validity
    keys: Keys
    generation: int | None

    def is_current(self) -> bool:
        """Return whether no key of the issuer was withdrawn since the verification."""
        return self.generation is not None and self.keys.generation() == self.generation


@dataclass(slots=True)
class VerifiedTokens:
    """A bounded cache of verified tokens, by the SHA-256 of all their bytes.

    Tokens that were refused do not enter it, so that nobody can fill it with garbage. If it is
    full the oldest entry makes room.
    """

    limit: int
    _entries: dict[bytes, Verified] = field(default_factory=dict, repr=False)

    def get(self, digest: bytes) -> Verified | None:
        """Return the entry of a token, if there is one. It may be outdated."""
        return self._entries.get(digest)

    def add(self, digest: bytes, verified: Verified) -> None:
        """Keep an entry, as the newest."""
        self._entries.pop(digest, None)
        if len(self._entries) >= self.limit > 0:
            del self._entries[next(iter(self._entries))]
        if self.limit:
            self._entries[digest] = verified

    def discard(self, digest: bytes) -> None:
        """Forget a token."""
        self._entries.pop(digest, None)

    def __len__(self) -> int:
        return len(self._entries)
