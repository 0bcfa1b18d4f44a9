"""A route that answers errors itself, so that a host application's handlers stay its own."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from taskcore import TaskcoreError
from taskcore_http.errors import RequestRefused, error_response, response_for

METHODS = {
    "/users/{user_id}/tasks": "GET, POST",
    "/users/{user_id}/tasks/{task_id}": "DELETE, GET, PATCH, PUT",
}
"""What each path serves (RFC 9110, section 10.2.1: Allow names the resource's methods)."""


class TaskRoute(APIRoute):
    """The route class of ``create_router``.

    What a host's identity or dependencies raise, and the host has a handler for, is
    left to it; ``HTTPException`` always is.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap FastAPI's handler: exceptions become answers."""
        handler = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except (TaskcoreError, RequestRefused, RequestValidationError) as exc:
                return response_for(exc)
            except Exception as exc:
                if _host_handles(exc, request):
                    raise
                return response_for(exc)

        return answer

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a wrong method, naming all that the path serves."""
        if self.methods and scope["method"] not in self.methods:
            response = error_response(
                405,
                f"{scope['method']} is not allowed here",
                headers={"Allow": _methods_of(self.path)},
            )
            await response(scope, receive, send)
        else:
            await super().handle(scope, receive, send)


def _host_handles(exc: Exception, request: Request) -> bool:
    handlers, _by_status = request.scope.get("starlette.exception_handlers", ({}, {}))
    return any(kind in handlers for kind in type(exc).__mro__)


def _methods_of(path: str) -> str:
    # In older releases of FastAPI an included route's path has the prefix in front.
    return next(methods for served, methods in METHODS.items() if path.endswith(served))
