"""URLs that may be contacted: https, or http on this machine."""

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

# Visible ASCII without the characters that RFC 3986 excludes from URLs.
_CHARACTERS = re.compile(r"[!#-;=?-\[\]_a-z~]+")


class UnsafeUrl(ValueError):
    """The URL must not be contacted. The text completes "the URL …"."""


def safe_url(url: str, *, query: bool = False) -> SplitResult:
    """Return the parts of a URL.

    Args:
        url: An absolute URL.
        query: Whether it may have a query.

    Raises:
        UnsafeUrl: The scheme is not https, or http on this machine; or it has credentials, a
            fragment, or characters that do not belong into a URL.
    """
    if not _CHARACTERS.fullmatch(url):
        raise UnsafeUrl("has characters that must be escaped")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        parts = None
    if parts is None or not parts.hostname:
        raise UnsafeUrl("has no valid host")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts)):
        raise UnsafeUrl("must begin with https://, or with http:// on this machine")
    if "@" in parts.netloc:
        raise UnsafeUrl("must not hold credentials")
    if "#" in url or ("?" in url and not query):
        raise UnsafeUrl("must not have a query or a fragment")
    return parts


def is_loopback(parts: SplitResult) -> bool:
    """Return whether the host is this machine."""
    host = parts.hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
