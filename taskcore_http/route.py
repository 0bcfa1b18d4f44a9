"""Routes that answer errors themselves, so that a host application's handlers stay its own."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from taskcore import TaskcoreError
from taskcore_http.errors import RequestRefused, closed_if_unread, error_response, response_for

METHODS = {
    "/users/{user_id}/tasks": "GET, POST",
    "/users/{user_id}/tasks/{task_id}": "DELETE, GET, PATCH, PUT",
}
"""What each path serves (RFC 9110, section 10.2.1: Allow names the resource's methods)."""


_WRITES = {"POST", "PUT", "PATCH"}

Handler = Callable[[Request], Awaitable[Response]]
"""What makes an answer of a request."""


class TaskRoute(APIRoute):
    """The route class of ``create_router``.

    What a host's identity or dependencies raise, and the host has a handler for, is
    left to it; ``HTTPException`` always is.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap FastAPI's handler: exceptions become answers."""
        handler = super().get_route_handler()

        async def answer(request: Request) -> Response:
            return await answered(handler, request)

        return answer

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a second spelling of the path, and a wrong method, naming all it serves."""
        if self._is_misspelt(scope):
            response = error_response(404, "no such path")
            await closed_if_unread(Request(scope), response)(scope, receive, send)
        elif self.methods and scope["method"] not in self.methods:
            response = error_response(
                405,
                f"{scope['method']} is not allowed here",
                headers={"Allow": _methods_of(self.path)},
            )
            await closed_if_unread(Request(scope), response)(scope, receive, send)
        else:
            await super().handle(scope, receive, send)

    def _is_misspelt(self, scope: Scope) -> bool:
        # Starlette's patterns end in "$", which matches before a line feed too.
        path: str = scope["path"]
        return path.endswith("\n") and not self.path.endswith("}")


class DirectRoute(TaskRoute):
    """A route of an application of ours, where no dependency has to be asked before it.

    FastAPI documents it; its machinery for dependencies is passed by
    (``specs/001-backend-core/research.md``, D35). In any other application, which may
    have included it behind dependencies of its own, it is a `TaskRoute`.

    Attributes:
        application: The one it was made for.
    """

    application: FastAPI | None = None

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the endpoint."""
        ours = self.application is not None and scope.get("app") is self.application
        served = self.methods and scope["method"] in self.methods
        if ours and served and not self._is_misspelt(scope):
            response = await answered(self.endpoint, Request(scope, receive, send))
            await response(scope, receive, send)
        else:
            await super().handle(scope, receive, send)


async def answered(handler: Handler, request: Request) -> Response:
    """Return the handler's answer, or the one that its exception stands for."""
    try:
        response = await handler(request)
    except (TaskcoreError, RequestRefused, RequestValidationError) as exc:
        return closed_if_unread(request, response_for(exc))
    except Exception as exc:
        if _host_handles(exc, request):
            raise
        return closed_if_unread(request, response_for(exc))
    # A write that succeeded has read its body to the end.
    return response if request.method in _WRITES else closed_if_unread(request, response)


def _host_handles(exc: Exception, request: Request) -> bool:
    handlers, _by_status = request.scope.get("starlette.exception_handlers", ({}, {}))
    return any(kind in handlers for kind in type(exc).__mro__)


def _methods_of(path: str) -> str:
    # In older releases of FastAPI an included route's path has the prefix in front.
    return next(methods for served, methods in METHODS.items() if path.endswith(served))
