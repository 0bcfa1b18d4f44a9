"""A shared secret for HMAC: long enough, and not a public key or a placeholder."""

import base64
import json
from collections.abc import Iterable

from taskcore.errors import ConfigurationError
from taskcore_http.identity.algorithms import HMAC

_MIN_DIFFERENT_BYTES = 8

_KEY_MARKS = (b"-----begin", b"---- begin", b"ssh-rsa", b"ssh-dss", b"ssh-ed25519", b"ecdsa-sha2-")

_PLACEHOLDERS = (b"secret", b"change", b"password", b"placeholder", b"example", b"your-", b"your_")

_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


def checked_secret(secret: str | bytes, algorithms: Iterable[str]) -> bytes:
    """Return the secret as bytes; text is encoded as UTF-8.

    A public key as a secret would let everybody sign (CVE-2022-29217).

    Raises:
        ConfigurationError: It is shorter than the output of the hash (RFC 7518, section 3.2),
            looks like a key in the form of PEM, DER, JWK or SSH, or is a placeholder.
    """
    try:
        value = secret.encode() if isinstance(secret, str) else secret
    except UnicodeEncodeError:
        # Not as its context: the exception holds the secret.
        value = b""
    needed = max(HMAC[algorithm] for algorithm in algorithms)
    if len(value) < needed:
        raise ConfigurationError(f"the secret of an issuer needs at least {needed} random bytes")
    text = _as_ascii(value)
    if any(_is_key(form) for form in (value, _decoded(value))):
        raise ConfigurationError("the secret of an issuer must not be a key: use jwks_url")
    repeats = value in (value + value)[1:-1]
    if (
        repeats
        or len(set(value)) < _MIN_DIFFERENT_BYTES
        or any(word in text for word in _PLACEHOLDERS)
    ):
        raise ConfigurationError(
            "the secret of an issuer is a placeholder: make one with openssl rand -base64 48"
        )
    return value


def _as_ascii(value: bytes) -> bytes:
    """Return the text in lower case, without the signs of UTF-16 and of a byte order mark."""
    for mark in _BYTE_ORDER_MARKS:
        value = value.removeprefix(mark)
    return value.replace(b"\0", b"").strip().lower()


def _is_jwk(text: bytes) -> bool:
    """Return whether the text is a JSON object or array, as a JWK or a key set is."""
    try:
        return isinstance(json.loads(text), (dict, list))
    except (ValueError, RecursionError):
        return False


def _is_key(value: bytes) -> bool:
    """Return whether the bytes are a key in the form of PEM, DER, JWK or SSH."""
    text = _as_ascii(value)
    return any(mark in text for mark in _KEY_MARKS) or _is_jwk(text) or _is_sequence(value)


def _decoded(value: bytes) -> bytes:
    """Return the content of base64 or base64url, padded or not; empty if it is neither."""
    text = b"".join(value.split()).translate(bytes.maketrans(b"-_", b"+/")).rstrip(b"=")
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except ValueError:
        return b""


def _is_sequence(value: bytes) -> bool:
    """Return whether the bytes are exactly one ASN.1 sequence, as DER keys and certificates are.

    It begins with a sequence or an integer. Random bytes match once in eight million.
    """
    if len(value) < 4 or value[0] != 0x30:
        return False
    size = value[1] & 0x7F if value[1] & 0x80 else 0
    length = int.from_bytes(value[2 : 2 + size]) if size else value[1]
    content = value[2 + size :]
    return len(content) == length and content[:1] in (b"\x30", b"\x02")
