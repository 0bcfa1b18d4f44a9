"""The route class: how a request reaches its endpoint, and how errors become answers.

FastAPI solves a route's dependencies before it calls the endpoint, which costs a request
more than its SQL statement. The endpoints here take nothing but the request, so without
dependencies there is nothing to solve, and the route calls its endpoint itself. A
dependency may come from an identity, or from the host: from its application, from
``include_router``, or from a router in between. FastAPI then solves it as usual.
"""

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from taskcore import (
    Forbidden,
    InsufficientScope,
    InvalidToken,
    TaskcoreError,
    Unauthenticated,
)
from taskcore_http.errors import RequestRefused, closed_if_unread, error_response, response_for
from taskcore_http.identity.challenge import challenge
from taskcore_http.identity.identify import AUTHENTICATED
from taskcore_http.identity.refusal import LINKS, SESSIONS, Reason, TokenRefused, log_refusal
from taskcore_http.identity.session import unset_session
from taskcore_http.parameters import IDENTITY_PARAMETERS

METHODS = {
    "/me": "GET, HEAD",
    "/me/tasks": "DELETE, GET, HEAD, PATCH, POST",
    "/me/tasks/count": "GET, HEAD",
    "/me/tasks/{task_id}": "DELETE, GET, HEAD, PATCH, PUT",
    "/me/tokens": "GET, HEAD, POST",
    "/me/tokens/{token_id}": "DELETE",
    "/me/tokens/{token_id}/rotate": "POST",
    "/session": "DELETE, POST",
    "/users/{user_id}/tasks": "DELETE, GET, HEAD, PATCH, POST",
    "/users/{user_id}/tasks/count": "GET, HEAD",
    "/users/{user_id}/tasks/{task_id}": "DELETE, GET, HEAD, PATCH, PUT",
}
"""The methods of each path (RFC 9110, section 10.2.1: Allow lists the resource's methods)."""

_WRITES = {"POST", "PUT", "PATCH"}

_REASON_OF_INVALID: dict[str | None, Reason] = {SESSIONS: "session", LINKS: "link"}
"""Why an invalid secret is refused, by its source; the secret of any other is an API token."""

Endpoint = Callable[[Request], Awaitable[Response]]
"""Makes the answer to a request."""


class TaskRoute(APIRoute):
    """A route of ``create_router``, in an application of ours and in a host's.

    Errors are answered in the shape of this API. The host keeps the exceptions it has a
    handler for, and every ``HTTPException``: an identity or a dependency raises them.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if _has_nothing_to_solve(super().get_route_handler(), self.endpoint):
            # Used where the route is an application's own. An application that includes
            # the route calls `get_route_handler` again, with its own dependencies.
            self.app = self._call_endpoint

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of a request; FastAPI calls it for each inclusion of the route."""
        solving = super().get_route_handler()
        if _has_nothing_to_solve(solving, self.endpoint):
            names: frozenset[str] = frozenset()
            handler: Endpoint = self.endpoint
        else:
            names, handler = _query_parameters(solving), solving

        async def answer(request: Request) -> Response:
            request.scope[IDENTITY_PARAMETERS] = names
            return await answered(handler, request)

        return answer

    async def _call_endpoint(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await answered(self.endpoint, Request(scope, receive, send))
        await response(scope, receive, send)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request whose path matches; refuse other methods, and two kinds of paths."""
        if self._has_line_feed(scope) or b"%2f" in scope.get("raw_path", b"").lower():
            # An encoded slash is data (RFC 3986, section 2.2), and no id has one.
            response = error_response(404, "no such path")
            await closed_if_unread(Request(scope), response)(scope, receive, send)
        elif self._is_of_count(scope) or (self.methods and scope["method"] not in self.methods):
            path = (
                self.path.replace("{task_id}", "count") if self._is_of_count(scope) else self.path
            )
            response = error_response(
                405,
                f"{scope['method']} is not allowed here",
                headers={"Allow": _methods_of(path)},
            )
            await closed_if_unread(Request(scope), response)(scope, receive, send)
        else:
            await super().handle(scope, receive, send)

    def _has_line_feed(self, scope: Scope) -> bool:
        # Starlette's patterns end in "$", which also matches before a line feed.
        path: str = scope["path"]
        return path.endswith("\n") and not self.path.endswith("}")

    @staticmethod
    def _is_of_count(scope: Scope) -> bool:
        """Tell whether ``count`` was taken for a task id: only GET and HEAD have a route for it."""
        return bool(scope.get("path_params", {}).get("task_id") == "count")


def _query_parameters(handler: Callable[..., Any]) -> frozenset[str]:
    """Return the names of the query parameters that FastAPI's handler reads."""
    dependant = inspect.getclosurevars(handler).nonlocals.get("dependant")
    return frozenset(_names(dependant)) if isinstance(dependant, Dependant) else frozenset()


def _names(dependant: Dependant) -> Iterator[str]:
    for field in dependant.query_params:
        kind = field.field_info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            # A model whose fields are parameters.
            yield from (one.alias or name for name, one in kind.model_fields.items())
        yield field.alias
    for each in dependant.dependencies:
        yield from _names(each)


def _has_nothing_to_solve(handler: Callable[..., Any], endpoint: Callable[..., Any]) -> bool:
    """Tell whether FastAPI's handler would do nothing but call the endpoint.

    The handler's closure holds what FastAPI solves. The attributes of a route do not: a
    route that is included has the dependencies of the inclusion elsewhere. If a release of
    FastAPI has no such closure, its handler is used.
    """
    dependant = inspect.getclosurevars(handler).nonlocals.get("dependant")
    return (
        isinstance(dependant, Dependant)
        and dependant.call is endpoint
        and not dependant.dependencies
    )


async def answered(handler: Endpoint, request: Request) -> Response:
    """Return the handler's answer, or the answer for the exception it raises."""
    try:
        response = await handler(request)
    except (Unauthenticated, Forbidden) as exc:
        return closed_if_unread(request, _refused(request, exc))
    except (TaskcoreError, RequestRefused, RequestValidationError) as exc:
        return closed_if_unread(request, response_for(exc))
    except Exception as exc:
        if _host_handles(exc, request):
            raise
        return closed_if_unread(request, response_for(exc))
    # A write that succeeded has read its body to the end.
    return response if request.method in _WRITES else closed_if_unread(request, response)


def _refused(request: Request, exc: Unauthenticated | Forbidden) -> Response:
    """Log that the database refuses the caller, and return the answer."""
    authenticator, source = request.scope.get(AUTHENTICATED, (None, None))
    refused = _refusal(exc, source)
    log_refusal(refused.reason, source)
    response = _refusal_response(request, exc, refused)
    if refused.error:
        # RFC 6750, section 3.1: a 401 has a challenge, and so has a 403 for a missing scope.
        response.headers["WWW-Authenticate"] = (
            challenge(refused) if authenticator is None else authenticator.challenge(refused)
        )
    return response


def _refusal_response(
    request: Request, exc: Unauthenticated | Forbidden, refused: TokenRefused
) -> Response:
    """Return the answer to a refused caller, without a challenge."""
    if refused.reason not in ("session", "link", "api_token"):
        return response_for(exc)
    response = error_response(refused.status, refused.description)
    if refused.reason == "session":
        # Otherwise the browser would go on sending it.
        unset_session(request, response)
    return response


def _refusal(exc: Unauthenticated | Forbidden, source: str | None) -> TokenRefused:
    """Return the refusal that an error of the database stands for."""
    match exc:
        case InvalidToken():
            return TokenRefused(_REASON_OF_INVALID.get(source, "api_token"))
        case Unauthenticated():
            return TokenRefused("blocked")
        case InsufficientScope(scope=None):
            return TokenRefused("no_api_token")
        case InsufficientScope(scope=scope):
            return TokenRefused("scope", scope=scope)
        case _:
            return TokenRefused("unknown")


def _host_handles(exc: Exception, request: Request) -> bool:
    handlers, _by_status = request.scope.get("starlette.exception_handlers", ({}, {}))
    return any(kind in handlers for kind in type(exc).__mro__)


def _methods_of(path: str) -> str:
    # In older releases of FastAPI the path of an included route begins with the prefix.
    return next(methods for served, methods in METHODS.items() if path.endswith(served))
