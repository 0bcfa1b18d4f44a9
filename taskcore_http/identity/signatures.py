"""Verification of signatures: the one module that uses joserfc.

joserfc is imported on use, because the extra ``auth`` is optional.
"""

import warnings
from typing import TYPE_CHECKING

from taskcore.errors import ConfigurationError

if TYPE_CHECKING:
    from joserfc.jwk import Key

# Loaded on use: the packages of the extra.
# ruff: noqa: PLC0415


def check_installed() -> None:
    """Check that tokens can be verified.

    Raises:
        ConfigurationError: The extra is not installed.
    """
    try:
        import joserfc.jws  # noqa: F401
    except ModuleNotFoundError as exc:
        raise ConfigurationError(
            "verification of tokens needs the extra auth: pip install 'taskcore[auth]'"
        ) from exc


class VerificationKey:
    """A key that verifies signatures. The caller has checked that the algorithm fits it."""

    def __init__(self, key: "Key") -> None:
        from joserfc.jws import JWSRegistry

        self._key = key
        self._algorithms = JWSRegistry.algorithms

    def verify(self, algorithm: str, signing_input: bytes, signature: bytes) -> bool:
        """Return whether the signature is right."""
        return self._algorithms[algorithm].verify(signing_input, signature, self._key)


def public_key(members: dict[str, str | list[str]]) -> VerificationKey | None:
    """Return the key of the public members of a JWK, or None if it cannot be used."""
    from joserfc.jwk import import_key

    try:
        return VerificationKey(import_key(members))
    except Exception:  # noqa: BLE001  (whatever a broken key raises, the others must work)
        return None


def secret_key(secret: bytes) -> VerificationKey:
    """Return the key of a shared secret, which was checked before."""
    from joserfc.jwk import OctKey

    with warnings.catch_warnings():
        # It warns about texts that resemble keys; those were refused.
        warnings.simplefilter("ignore")
        return VerificationKey(OctKey.import_key(secret))
