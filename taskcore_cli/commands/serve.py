"""``taskctl serve``: the REST API, in this process or in worker processes."""

import math
import os
import resource
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from taskcore_cli.exit_codes import FAILED, say
from taskcore_cli.http import by_default, identity_of, require_http
from taskcore_cli.input.interruption import run
from taskcore_cli.output.log import log_config
from taskcore_cli.output.visible import visible
from taskcore_cli.session import embedded, session_of

# Loaded on use, so that --help answers at once.
# ruff: noqa: PLC0415
if TYPE_CHECKING:
    from taskcore import LinkSecret, Settings
    from taskcore.embedded import EmbeddedServer

# Seconds.
_LOOK_EVERY = 1.0

_OPEN_FILES = 65_536
"""The number of open files to allow. Each connection is one."""


class LogLevel(StrEnum):
    """The log level of uvicorn."""

    critical = "critical"
    error = "error"
    warning = "warning"
    info = "info"
    debug = "debug"


def serve(
    context: typer.Context,
    *,
    host: Annotated[str, typer.Option(metavar="HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="PORT", min=1, max=65535, help="Port to listen on.")
    ] = 8000,
    workers: Annotated[
        int, typer.Option(metavar="N", min=1, help="How many processes answer.")
    ] = 1,
    log_level: Annotated[LogLevel, typer.Option(help="How much to log.")] = LogLevel.info,
    user: Annotated[
        int,
        typer.Option(
            "--user",
            "-u",
            metavar="N",
            envvar="TASKCTL_USER",
            help="The user whom the printed link signs in: an id.",
        ),
    ] = 1,
    trust_callers: Annotated[
        bool,
        typer.Option(
            "--trust-callers",
            help="Let every caller name any user, because something in front knows who calls. "
            "Environment: TASKCORE_TRUST_CALLERS.",
        ),
    ] = False,
) -> None:
    """Serve the REST API until Ctrl-C or SIGTERM.

    With TASKCORE_ISSUER and TASKCORE_AUDIENCE callers need a token of that OpenID Connect issuer,
    with TASKCORE_API_TOKENS=true an API token, with TASKCORE_SESSIONS=true a browser session.
    Without them only this machine is served: a link, which can be used once, signs a browser in,
    and programs need an API token.
    """
    require_http("serve")
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        settings = session_of(context).settings()
        if trust_callers:
            settings = settings.model_copy(update={"trust_callers": True})
        given = settings
        settings, callers = _callers(given, _addresses(host, port), host)
        # An error comes before anything starts.
        identity_of(settings)
        # A link is a secret, so it is printed only where nothing else lets a browser in.
        makes_link = settings.sessions and not given.sessions
        with _data(settings) as (place, url):
            link = run(_reach(settings, url, user if makes_link else None))
            say(f"Data: {visible(place)}")
            address = f"http://{_reachable(host)}:{port}"
            if makes_link:
                _say_link(link, address, user)
            else:
                say(f"Open: {address}/{'' if settings.sessions else 'docs'}")
            say(callers)
            _pass_on(settings)
            _run(
                host=host,
                port=port,
                workers=workers,
                log_level=log_level.value,
                # One line a request: for debugging only.
                access_log=log_level is LogLevel.debug,
                log_config=log_config(settings),
                timeout_graceful_shutdown=_grace(settings),
            )
    except KeyboardInterrupt:
        # Ctrl-C is the normal way to stop a server.
        return


def _interrupt(_signal: int, _frame: object) -> NoReturn:
    # uvicorn sends itself the signal again when it has ended. At that time the
    # embedded server still has to stop.
    raise KeyboardInterrupt


def _addresses(host: str, port: int) -> list[str]:
    """Return the addresses to listen on, which are free. This is before the database starts."""
    import socket

    from taskcore.errors import ConfigurationError

    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, *_, address in found:
            socket.create_server(address[:2], family=family).close()
    except (OSError, UnicodeError) as exc:
        # Errors of the resolver have no errno.
        number = None if isinstance(exc, socket.gaierror | UnicodeError) else exc.errno
        reason = os.strerror(number) if number else "no such address"
        raise ConfigurationError(f"cannot listen on {host} port {port}: {reason}") from exc
    return [str(address[0]) for *_, address in found]


def _callers(settings: "Settings", addresses: list[str], host: str) -> "tuple[Settings, str]":
    """Return the settings to serve with, and a line that says who may call.

    Raises:
        ConfigurationError: Other machines could call, and nothing would tell who they are.
    """
    from ipaddress import ip_address

    from taskcore.errors import ConfigurationError

    local = all(ip_address(address.partition("%")[0]).is_loopback for address in addresses)
    hosts = settings.allowed_hosts or ("localhost", "127.0.0.1", "[::1]", _reachable(host))
    if settings.trust_callers:
        if local:
            settings = settings.model_copy(update={"allowed_hosts": hosts})
        return settings, "Every caller can name any user: callers are trusted."
    ways = [] if settings.issuer is None else [f"a token of {visible(settings.issuer)}"]
    if settings.api_tokens:
        ways.append("an API token (`taskctl tokens create`)")
    if settings.sessions:
        ways.append("a session")
    if ways:
        return settings, f"Callers need {', or '.join(ways)}."
    if not local:
        raise ConfigurationError(
            f"listening on {host} lets other machines call: set TASKCORE_ISSUER and "
            "TASKCORE_AUDIENCE, or TASKCORE_API_TOKENS, to verify who they are, or add "
            "--trust-callers if something in front does"
        )
    settings = by_default(settings).model_copy(update={"allowed_hosts": hosts})
    if settings.api_tokens:
        return settings, "Programs need an API token: `taskctl tokens create` makes one."
    return settings, "Callers need a session."


def _say_link(link: "LinkSecret | None", address: str, user: int) -> None:
    """Print the link that signs a browser in.

    Its secret is in the fragment, which browsers do not send.

    Args:
        link: The secret; None: the user has too many tokens.
        address: The URL of the server.
        user: The user whom the link signs in.
    """
    if link is None:
        say(f"Open: {address}/")
        say(
            f"No link signs you in: user {user} has too many tokens. "
            "`taskctl tokens list` shows them."
        )
        return
    say(f"Open: {address}/#sign-in={link.get_secret_value()}")
    say(f"The link signs you in as user {user}. It can be used once, for 10 minutes.")


@contextmanager
def _data(settings: "Settings") -> Iterator[tuple[str, str]]:
    """Yield the address of the database without credentials, and its URL.

    This process uses the embedded server too, so that it outlives a worker.
    """
    from taskcore.database.url import connect_arguments

    if settings.database_url is None:
        with embedded(settings) as server, _watched(server):
            yield f"{server.home} (embedded server)", server.application_url
        return
    url = settings.database_url.get_secret_value()
    arguments = connect_arguments(url)
    place = f"database {arguments.get('database', '-')} on {arguments.get('host', 'this machine')}"
    yield place, url


@contextmanager
def _watched(server: "EmbeddedServer") -> Iterator[None]:
    """End this process and print the reason, when the data folder is removed or replaced."""
    from taskcore.errors import ConfigurationError

    ended, vanished = threading.Event(), threading.Event()

    def watch() -> None:
        while not ended.wait(_LOOK_EVERY):
            if server.has_vanished():
                vanished.set()
                os.kill(os.getpid(), signal.SIGTERM)
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        # Raised however uvicorn has ended.
        if vanished.is_set():
            raise ConfigurationError(
                f"the embedded server's data folder in {server.home} was removed or replaced: "
                "serving has ended"
            )


async def _reach(settings: "Settings", url: str, user: int | None) -> "LinkSecret | None":
    """Connect to the database, and return a sign-in link for a user; None for nobody.

    None: they do not, or the user has too many tokens. The second must not keep the server from
    starting, because browsers that are signed in can still use it.

    Raises:
        ValidationError: The user's id is not an integer from 1 to 2^53-1.
    """
    from taskcore import TaskStore, ValidationError

    async with TaskStore(url, settings=settings) as store:
        if user is None:
            return None
        try:
            return await store.sessions.create_link(user)
        except ValidationError as exc:
            if exc.field == "user_id":
                raise
            return None


def _reachable(host: str) -> str:
    # Not one socket: the one for IPv6 does not accept IPv4.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  (not bound)
    return f"[{host}]" if ":" in host else host


def _pass_on(settings: "Settings") -> None:
    """Put the settings into the environment, where the application and its workers read them."""
    urls = {"DATABASE_URL", "TASKCORE_DATABASE_URL", "TASKCORE_DIRECT_URL"}
    # Names of settings may be in any case.
    for name in [name for name in os.environ if name.upper() in urls]:
        del os.environ[name]
    for name in settings.model_fields_set:
        value: Any = getattr(settings, name)
        if hasattr(value, "get_secret_value"):
            value = value.get_secret_value()
        if isinstance(value, tuple):
            value = ",".join(value)
        if value is not None:
            os.environ[f"TASKCORE_{name.upper()}"] = str(value)


def _grace(settings: "Settings") -> int:
    """Return the seconds from Ctrl-C until running requests are cancelled.

    A request that waits for the database is answered within that time. A client that never
    finishes does not keep the server from stopping.
    """
    return math.ceil(settings.operation_timeout + 1)


def _allow_many_connections() -> None:
    """Raise the soft limit of open files, often 1,024, up to the hard limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        # macOS has a limit below the hard limit.
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _run(**options: Any) -> None:
    import uvicorn

    _allow_many_connections()
    try:
        # By name: workers are processes of their own, and this package does not
        # depend on the other.
        uvicorn.run(
            "taskcore_http.app:app_from_environment",
            factory=True,
            http="taskcore_http.server.protocol:HttpProtocol",
            ws="none",
            **options,
        )
    except SystemExit as exc:
        # Not uvicorn's exit code: its 3 does not mean "not found".
        raise typer.Exit(FAILED if exc.code else 0) from exc
