"""Database URLs, as pasted from Neon's console or anywhere else, to asyncpg's arguments.

asyncpg would send parameters it does not know as server settings, and does not
verify certificates for ``sslmode=require``; hence this module.
"""

import ssl
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from taskcore.errors import ConfigurationError

_SCHEMES = frozenset({"postgres", "postgresql", "postgresql+asyncpg", "postgres+asyncpg"})
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_SERVER_SETTINGS = frozenset({"application_name", "options"})
_SSL_MODES = frozenset({"disable", "allow", "prefer", "require", "verify-ca", "verify-full"})
# asyncpg has no SCRAM-SHA-256-PLUS, so there is nothing to bind a channel with;
# the certificate is verified instead.
_IGNORED = frozenset({"channel_binding", "gssencmode", "sslnegotiation", "sslsni"})


def connect_arguments(url: str) -> dict[str, Any]:
    """Parse a database URL into keyword arguments of ``asyncpg.connect``.

    TLS is required and the certificate verified for every host that is not this
    machine, ``sslmode=require`` included; ``sslmode=prefer``, ``allow`` and
    ``disable`` ask for less by name.

    Raises:
        ConfigurationError: Says what is wrong; never shows the password.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ConfigurationError(
            "the database URL cannot be parsed: check the port, and that special characters "
            "in the password are percent-encoded"
        ) from None
    if parts.scheme not in _SCHEMES:
        raise ConfigurationError("the database URL must start with postgresql:// or postgres://")
    if parts.fragment:
        raise ConfigurationError(
            "the database URL contains '#': percent-encode it as %23 if it is in the password"
        )
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    arguments: dict[str, Any] = {
        "host": query.pop("host", None) or (unquote(host) if host else None),
        "port": _integer(query.pop("port", None), "port") or port,
        "user": unquote(parts.username) if parts.username else query.pop("user", None),
        "password": unquote(parts.password) if parts.password else query.pop("password", None),
        "database": unquote(parts.path.lstrip("/")) or query.pop("dbname", None),
    }
    if timeout := _integer(query.pop("connect_timeout", None), "connect_timeout"):
        arguments["timeout"] = float(timeout)
    arguments["ssl"] = _ssl(
        query.pop("sslmode", None), query.pop("sslrootcert", None), arguments["host"]
    )
    arguments["server_settings"] = {
        name: query.pop(name) for name in _SERVER_SETTINGS & query.keys()
    } or None
    if unknown := query.keys() - _IGNORED:
        raise ConfigurationError(
            f"the database URL has an unknown parameter: {', '.join(sorted(unknown))}"
        )
    return {name: value for name, value in arguments.items() if value is not None}


def direct_url(url: str) -> str:
    """Turn the URL of Neon's pooled host (``…-pooler.…``) into that of the direct host.

    Any other URL is returned as it is. https://neon.com/docs/connect/connection-pooling
    """
    parts = urlsplit(url)
    credentials, at, address = parts.netloc.rpartition("@")
    label, dot, domain = address.partition(".")
    if dot and label.lower().endswith("-pooler"):
        address = label[: -len("-pooler")] + dot + domain
    return parts._replace(netloc=credentials + at + address).geturl()


def with_login(url: str, role: str, password: str) -> str:
    """Return the URL with another role and password."""
    parts = urlsplit(url)
    address = parts.netloc.rpartition("@")[2]
    login = f"{quote(role, safe='')}:{quote(password, safe='')}"
    query = [
        (name, value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
        if name not in ("user", "password")
    ]
    # libpq does not read "+" as a space.
    encoded = urlencode(query, quote_via=quote)
    return parts._replace(netloc=f"{login}@{address}", query=encoded).geturl()


def _integer(value: str | None, name: str) -> int | None:
    if value is None:
        return None
    if not value.isascii() or not value.isdigit():
        raise ConfigurationError(f"the database URL's {name} must be a whole number")
    return int(value)


def _ssl(mode: str | None, root: str | None, host: str | None) -> ssl.SSLContext | str | bool:
    if mode is not None and mode not in _SSL_MODES:
        raise ConfigurationError(
            f"the database URL's sslmode must be one of {', '.join(sorted(_SSL_MODES))}"
        )
    socket = host is None or host.startswith("/")
    if mode == "disable" or socket or (host in _LOCAL and mode is None):
        return False
    if mode in ("allow", "prefer"):
        return mode
    try:
        context = ssl.create_default_context(cafile=None if root in (None, "system") else root)
    except (OSError, ssl.SSLError):
        raise ConfigurationError("the database URL's sslrootcert cannot be read") from None
    context.check_hostname = mode != "verify-ca"
    return context
