"""The session of a browser: a cookie, which only pages of this server may use.

A browser sends cookies with requests that other sites cause (cross-site request forgery). The
cookie is not sent to a request from another site (``SameSite=Strict``), but other ports of this
machine are the same site. So the origin of the request counts too.
"""

import re

from starlette.requests import Request
from starlette.responses import Response

from taskcore import SessionSecret
from taskcore.limits import SESSION_MINUTES
from taskcore_http.errors import RequestRefused
from taskcore_http.identity.refusal import SESSIONS, TokenRefused, log_refusal

COOKIE = "taskcore"
"""The name of the cookie over HTTP. The port follows, if it is not that of the scheme: browsers
send cookies to every port of a host, and another server must not end or replace the session."""

SECURE_COOKIE = "__Host-taskcore"
"""The name over HTTPS. Browsers accept a cookie with this prefix only from its own host."""

_PORT = re.compile(r":([0-9]{1,5})\Z")

_SAFE = {"GET", "HEAD"}


def session_of(request: Request) -> SessionSecret | None:
    """Return the secret in the request's session cookie; None without one.

    Raises:
        TokenRefused: There is another session cookie, or also a token (RFC 6750, section 3.1).
        RequestRefused: 403: the request does not come from a page of this server.
    """
    cookies = _cookies(request)
    if len(cookies) > 1:
        log_refusal("cookies", SESSIONS)
        raise TokenRefused("cookies")
    found = SessionSecret.find("".join(cookies))
    if found is None:
        return None
    if "authorization" in request.headers:
        log_refusal("both", SESSIONS)
        raise TokenRefused("both")
    require_same_origin(request)
    return found


def require_same_origin(request: Request) -> None:
    """Refuse a request that a page of another origin has made, or may have made.

    Current browsers send ``Sec-Fetch-Site`` (https://www.w3.org/TR/fetch-metadata/). Older browsers
    send ``Origin`` with every request that changes something (RFC 6454, section 7). A request that
    only reads may come from no page: the user has typed the address.

    Raises:
        RequestRefused: 403: the request comes from elsewhere.
    """
    reads = request.method in _SAFE
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None:
        ours = site == "same-origin" or (reads and site == "none")
    elif origin is not None:
        ours = origin == f"{request.url.scheme}://{request.headers.get('host', '')}"
    else:
        ours = reads
    if not ours:
        log_refusal("origin", SESSIONS)
        refused = TokenRefused("origin")
        raise RequestRefused(refused.status, refused.description)


def set_session(request: Request, response: Response, session: SessionSecret) -> None:
    """Give the browser the cookie of a session. No script can read it."""
    response.set_cookie(
        _name(request),
        session.get_secret_value(),
        max_age=SESSION_MINUTES * 60,
        path="/",
        secure=_is_secure(request),
        httponly=True,
        samesite="strict",
    )


def unset_session(request: Request, response: Response) -> None:
    """Make the browser remove the session cookie."""
    response.delete_cookie(
        _name(request), path="/", secure=_is_secure(request), httponly=True, samesite="strict"
    )


def _cookies(request: Request) -> list[str]:
    """Return the value of each session cookie; Starlette keeps the last one."""
    name = _name(request)
    pairs = [
        pair.partition("=")
        for field in request.headers.getlist("cookie")
        for pair in field.split(";")
    ]
    return [value.strip() for key, _, value in pairs if key.strip() == name]


def _is_secure(request: Request) -> bool:
    return request.url.scheme == "https"


def _name(request: Request) -> str:
    name = SECURE_COOKIE if _is_secure(request) else COOKIE
    port = _PORT.search(request.headers.get("host", ""))
    return name if port is None else f"{name}_{port[1]}"
