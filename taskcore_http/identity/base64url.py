"""Base64url without padding (RFC 7515, section 2)."""

import base64


def decode(text: bytes) -> bytes | None:
    """Return the bytes, or None if the text is empty or is not the canonical encoding of them.

    Python's decoder ignores characters outside of the alphabet, and the unused bits of the last
    one (RFC 4648, sections 3.3 and 3.5). Encoding the bytes again finds both.
    """
    try:
        value = base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    except ValueError:
        return None
    return value if value and encode(value) == text else None


def encode(value: bytes) -> bytes:
    """Return the text of the bytes."""
    return base64.urlsafe_b64encode(value).rstrip(b"=")
