"""The keys that verify one issuer's tokens: a shared secret, or keys that are fetched."""

from typing import Protocol

from taskcore_http.identity.signatures import VerificationKey, secret_key


class Keys(Protocol):
    """The keys of one issuer."""

    def generation(self) -> int | None:
        """Return a number that changes when a key is withdrawn; None if the keys are too old."""

    async def find(self, key_id: str | None, algorithm: str) -> VerificationKey | None:
        """Return the key for a token, or None if the issuer has no such key.

        Raises:
            KeysUnavailable: The keys cannot be fetched, and none are cached.
        """

    async def prefetch(self) -> None:
        """Fetch the keys if there are none. A failure is logged."""

    async def close(self) -> None:
        """Stop a fetch that is running."""


class SecretKeys:
    """The one secret of an issuer. It has no id: ``kid`` is ignored."""

    def __init__(self, secret: bytes) -> None:
        self._key = secret_key(secret)

    def generation(self) -> int | None:
        """Return 0: a secret does not change."""
        return 0

    async def find(self, key_id: str | None, algorithm: str) -> VerificationKey | None:
        """Return the key of the secret."""
        del key_id, algorithm
        return self._key

    async def prefetch(self) -> None:
        """Return: a secret is not fetched."""

    async def close(self) -> None:
        """Return: there is nothing to close."""
