"""Database URLs, as pasted from Neon's console or elsewhere, and asyncpg's arguments for them.

asyncpg itself sends unknown parameters as server settings, and does not verify
certificates for ``sslmode=require``.
"""

import os
import re
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from taskcore.errors import ConfigurationError

_SCHEMES = frozenset({"postgres", "postgresql", "postgresql+asyncpg", "postgres+asyncpg"})
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_SERVER_SETTINGS = frozenset({"application_name", "options"})
_SSL_MODES = frozenset({"disable", "allow", "prefer", "require", "verify-ca", "verify-full"})
# Parameters of libpq that asyncpg does not have. Ignoring them would change the meaning.
# https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
_UNSUPPORTED = frozenset(
    {"hostaddr", "passfile", "replication", "require_auth", "requirepeer", "service"}
    | {"servicefile", "sslcert", "sslcrl", "sslcrldir", "sslkey", "sslpassword"}
    | {"ssl_max_protocol_version", "ssl_min_protocol_version"}
)
# Parameters of libpq that can be ignored safely. asyncpg has no SCRAM-SHA-256-PLUS, so
# there is nothing to bind a channel with; the certificate is verified instead.
_NEEDLESS = frozenset(
    {"channel_binding", "client_encoding", "fallback_application_name", "gssdelegation"}
    | {"gssencmode", "gsslib", "keepalives", "keepalives_count", "keepalives_idle"}
    | {"keepalives_interval", "krbsrvname", "load_balance_hosts", "sslcompression"}
    | {"sslnegotiation", "sslsni", "tcp_user_timeout"}
)
_NEON_POOLER = re.compile(r"(ep-[^.]*)-pooler\.", re.IGNORECASE)
_PLAIN_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}", re.ASCII)
_UNPARSED = (
    "the database URL cannot be parsed: check the port, and that special characters "
    "in the password are percent-encoded"
)
_USED = frozenset(
    {"host", "port", "user", "password", "dbname", "connect_timeout", "sslmode", "sslrootcert"}
    | {"target_session_attrs"}
    | _SERVER_SETTINGS
)


def connect_arguments(url: str) -> dict[str, Any]:
    """Parse a database URL into keyword arguments of ``asyncpg.connect``.

    TLS is required and the certificate verified for every host that is not this
    machine, ``sslmode=require`` included; ``sslmode=prefer``, ``allow`` and
    ``disable`` ask for less by name. Parameters that libpq does not have are ignored
    (`unknown_parameters`).

    Raises:
        ConfigurationError: Says what is wrong; never shows the password.
    """
    if not isinstance(url, str):
        raise ConfigurationError(f"the database URL must be a str, not {type(url).__name__}")
    if url.lstrip().startswith("psql "):
        raise ConfigurationError("the database URL must be given alone, without psql and quotes")
    try:
        parts = _split(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ConfigurationError(_UNPARSED) from None
    if parts.scheme not in _SCHEMES:
        raise ConfigurationError("the database URL must start with postgresql:// or postgres://")
    if parts.fragment:
        raise ConfigurationError(
            "the database URL contains '#': percent-encode it as %23 if it is in the password"
        )
    query = dict(_parameters(parts))
    if any("@" in name for name in query):
        # A question mark in a password begins the query too early.
        raise ConfigurationError(_UNPARSED)
    _refuse_unsupported(query)
    arguments: dict[str, Any] = {
        # The driver would look there too, after TLS was decided on.
        "host": query.get("host") or _unquote(host or "") or os.environ.get("PGHOST"),
        "port": _integer(query.get("port"), "port", high=65535)
        or port
        or _integer(os.environ.get("PGPORT"), "port (PGPORT)", high=65535),
        "user": unquote(parts.username) if parts.username else query.get("user"),
        # Pass an empty password on: without one the driver looks into ~/.pgpass.
        "password": unquote(parts.password) if parts.password else query.get("password"),
        "database": unquote(parts.path.lstrip("/")) or query.get("dbname"),
    }
    _require_one_host(arguments["host"])
    if timeout := _integer(query.get("connect_timeout"), "connect_timeout", high=3600):
        arguments["timeout"] = float(timeout)
    arguments["ssl"] = _ssl(query.get("sslmode"), query.get("sslrootcert"), arguments["host"])
    if arguments["ssl"] is False:
        # PGSSLNEGOTIATION must not ask for TLS.
        arguments["direct_tls"] = False
    # "any" keeps PGTARGETSESSIONATTRS from refusing the server.
    arguments["target_session_attrs"] = query.get("target_session_attrs")
    arguments["server_settings"] = {
        name: query[name] for name in _SERVER_SETTINGS & query.keys()
    } or None
    return {name: value for name, value in arguments.items() if value is not None}


def libpq_text(url: str, *, authorities: str = "system") -> str:
    """Return the address of a URL as libpq takes it, without a login.

    TLS is as `connect_arguments` has it: libpq itself does not ask for certificates by default.
    https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING

    Args:
        url: The URL.
        authorities: The file of authorities, if the URL names none.
    """
    arguments = connect_arguments(url)
    query = dict(_parameters(_split(url)))
    parameters = {
        "host": arguments.get("host"),
        "port": arguments.get("port"),
        "dbname": arguments.get("database"),
        "sslmode": query.get("sslmode"),
        # A server that stops answering.
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 20_000,
    }
    if isinstance(arguments["ssl"], ssl.SSLContext):
        parameters["sslmode"] = "verify-full" if arguments["ssl"].check_hostname else "verify-ca"
        parameters["sslrootcert"] = query.get("sslrootcert", authorities)
    return " ".join(
        f"{name}={_libpq_value(str(value))}"
        for name, value in parameters.items()
        if value is not None
    )


def _libpq_value(value: str) -> str:
    if re.fullmatch(r"[\w./:-]+", value, re.ASCII):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def address(arguments: Mapping[str, Any]) -> str:
    """Return host and port of `connect_arguments`, or the socket's folder, for people."""
    host, port = arguments.get("host") or "localhost", arguments.get("port") or 5432
    if str(host).startswith("/"):
        return str(host)
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"


def unknown_parameters(url: str) -> str:
    """Return the names of the URL's parameters that `connect_arguments` ignores."""
    parameters = _parameters(_split(url))
    unknown = sorted({name for name, _ in parameters} - _USED - _NEEDLESS)
    # In a password that is not escaped, the text after a "&" looks like a parameter.
    has_password = any(name == "password" and value for name, value in parameters)
    if unknown and (has_password or not all(map(_PLAIN_NAME.fullmatch, unknown))):
        return "one or more parameters"
    return ", ".join(unknown)


def direct_url(url: str) -> str:
    """Turn the URL of Neon's pooled host (``ep-…-pooler.…``) into that of the direct host.

    Any other URL is returned as it is. https://neon.com/docs/connect/connection-pooling
    """
    host = connect_arguments(url).get("host") or ""
    if not _NEON_POOLER.match(host):
        return url
    # The host comes after the password, in the address or in the query.
    login, at, rest = url.rpartition("@")
    return login + at + _NEON_POOLER.sub(r"\1.", rest, count=1)


def with_login(url: str, role: str, password: str) -> str:
    """Return the URL with another role and password."""
    parts = _split(url)
    address = parts.netloc.rpartition("@")[2]
    login = f"{quote(role, safe='')}:{quote(password, safe='')}"
    query = [
        (name, value) for name, value in _parameters(parts) if name not in ("user", "password")
    ]
    encoded = urlencode(query, quote_via=quote, errors="surrogateescape")
    return parts._replace(netloc=f"{login}@{address}", query=encoded).geturl()


def _split(url: str) -> SplitResult:
    """Split a URL; a pasted one may have white space around it."""
    return urlsplit(url.strip())


def _parameters(parts: SplitResult) -> list[tuple[str, str]]:
    # As in libpq, "+" does not mean a space. A folder's name may have bytes that are not UTF-8.
    return parse_qsl(
        parts.query.replace("+", "%2B"), keep_blank_values=True, errors="surrogateescape"
    )


def _unquote(text: str) -> str:
    return unquote(text, errors="surrogateescape")


def _refuse_unsupported(query: Mapping[str, str]) -> None:
    unsupported = _UNSUPPORTED & query.keys()
    if query.get("target_session_attrs", "any") != "any":
        unsupported |= {"target_session_attrs"}
    if unsupported:
        raise ConfigurationError(
            f"the database URL has an unsupported parameter: {', '.join(sorted(unsupported))}"
        )


def _require_one_host(host: str | None) -> None:
    if host is None or (host.startswith("/") and "\0" not in host):
        return
    if "," in host:
        raise ConfigurationError("the database URL must name one host")
    try:
        # Empty labels, labels of more than 63 characters, and invalid characters.
        host.encode("idna").decode("ascii")
    except UnicodeError:
        host = "\0"
    if {"\0", "/"} & set(host):
        raise ConfigurationError(
            "the database URL's host must be a host name, an address or a folder"
        )


def _integer(value: str | None, name: str, *, high: int) -> int | None:
    if value is None:
        return None
    # Check the length first: int() raises its own error for thousands of digits.
    if not value.isascii() or not value.isdigit() or len(value) > len(str(high)):
        value = str(high + 1)
    if int(value) > high:
        raise ConfigurationError(
            f"the database URL's {name} must be a whole number, at most {high}"
        )
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
    except (OSError, ValueError):
        raise ConfigurationError("the database URL's sslrootcert cannot be read") from None
    context.check_hostname = mode != "verify-ca"
    return context
