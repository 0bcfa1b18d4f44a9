"""Base64url without padding (RFC 7515, section 2)."""

import base64
import re

_CHARACTERS = re.compile(rb"[A-Za-z0-9_-]+")


def decode(text: bytes) -> bytes | None:
    """Return the bytes, or None if the text is empty or not the one encoding of them.

    Unused bits of the last character must be zero: otherwise several texts have one value
    (RFC 4648, section 3.5).
    """
    if not _CHARACTERS.fullmatch(text) or len(text) % 4 == 1:
        return None
    value = base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    return value if encode(value) == text else None


def encode(value: bytes) -> bytes:
    """Return the text of the bytes."""
    return base64.urlsafe_b64encode(value).rstrip(b"=")
