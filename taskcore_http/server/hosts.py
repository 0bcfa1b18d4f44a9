"""The hosts that a server answers for.

A page of another site can resolve its own name to this machine (DNS rebinding) and then call the
API in the name of whoever looks at it. Such a request has the other site's name in ``Host``.
"""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from taskcore_http.errors import closed_if_unread, error_response


class AllowedHosts:
    """Answers 421 to a request for another host (RFC 9110, section 15.5.20).

    Args:
        app: The application.
        hosts: Names and addresses without a port, such as ``tasks.example.org`` or ``[::1]``.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str]) -> None:
        self._app = app
        self._hosts = {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request for one of the hosts."""
        if scope["type"] != "http" or self._is_ours(scope):
            await self._app(scope, receive, send)
            return
        response = error_response(421, "this server does not answer for that host")
        await closed_if_unread(Request(scope), response)(scope, receive, send)

    def _is_ours(self, scope: Scope) -> bool:
        values = [value for name, value in scope["headers"] if name == b"host"]
        return len(values) == 1 and _without_port(values[0].decode("latin-1")) in self._hosts


def _without_port(host: str) -> str:
    """Return the host of ``host:port`` in lower case; colons of IPv6 are in brackets."""
    name, colon, port = host.lower().rpartition(":")
    return name if colon and (port.isdecimal() or not port) else host.lower()
