"""``/session``: sign a browser in with a one-time link, and sign it out."""

from contextlib import suppress
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, SecretStr
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from starlette.responses import Response

from taskcore import SessionSecret, TaskcoreError, TaskStore
from taskcore_http.errors import NOT_STORED, closed_if_unread
from taskcore_http.identity.bearer import Bearer
from taskcore_http.identity.identify import AUTHENTICATED, refusal_of
from taskcore_http.identity.refusal import LINKS, TokenRefused
from taskcore_http.identity.session import (
    require_same_origin,
    session_of,
    set_session,
    unset_session,
)
from taskcore_http.openapi import errors, with_bodies
from taskcore_http.parameters import check_query
from taskcore_http.tasks.body import body_schema, json_body

PATH = "/session"
_TAGS: list[Any] = ["session"]


class SignIn(BaseModel):
    """The secret of a sign-in link: the part of the link after ``#sign-in=``."""

    model_config = ConfigDict(extra="forbid")

    link: SecretStr


class Message(BaseModel):
    """The confirmation of a sign-in or a sign-out."""

    message: str = Field(description="For people. The text may change.")

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Name the schema of the request body: the routes read their bodies themselves."""
        return with_bodies(core_schema, handler, SignIn)


class SessionEndpoints:
    """The operations on the session of a browser.

    Args:
        store: The store.
        bearer: Makes the challenge for a link that is refused.
    """

    def __init__(self, store: TaskStore[Any], bearer: Bearer) -> None:
        self._store = store
        self._bearer = bearer

    async def sign_in(self, request: Request) -> Response:
        """Sign a browser in: exchange the secret of a link for a session cookie.

        A link can be used once, within 10 minutes. The session lasts 7 days. That of the cookie
        in the request ends. The request must come from a page of this server.
        """
        check_query(request)
        require_same_origin(request)
        before = self._session_of(request)
        link = (await json_body(request, SignIn)).link
        request.scope[AUTHENTICATED] = self._bearer, LINKS
        session = await self._store.sessions.open(link)
        if before is not None:
            # The browser is signed in by now, so it is told so whatever becomes of this.
            with suppress(TaskcoreError):
                await self._store.sessions.close(before)
        response = _message("signed in")
        set_session(request, response, session)
        return response

    async def sign_out(self, request: Request) -> Response:
        """Sign a browser out: end its session, if it has one, and remove the cookie."""
        check_query(request)
        require_same_origin(request)
        if (session := self._session_of(request)) is not None:
            await self._store.sessions.close(session)
        response = _message("signed out")
        unset_session(request, response)
        return closed_if_unread(request, response)

    def _session_of(self, request: Request) -> SessionSecret | None:
        try:
            return session_of(request)
        except TokenRefused as refused:
            raise refusal_of(self._bearer, refused) from None


def add_session(router: APIRouter, store: TaskStore[Any], bearer: Bearer) -> None:
    """Add the routes by which a browser signs in and out."""
    endpoints = SessionEndpoints(store, bearer)
    router.add_api_route(
        PATH,
        endpoints.sign_in,
        methods=["POST"],
        operation_id="sign_in",
        tags=_TAGS,
        response_model=Message,
        responses=errors(400, 401, 403, 413, 415, 500, 503),
        openapi_extra=body_schema(SignIn, {"link": "taskcore_link_" + 49 * "…"}),
    )
    router.add_api_route(
        PATH,
        endpoints.sign_out,
        methods=["DELETE"],
        operation_id="sign_out",
        tags=_TAGS,
        response_model=Message,
        responses=errors(400, 403, 500, 503),
    )


def _message(text: str) -> Response:
    return Response(Message(message=text).model_dump_json(), 200, NOT_STORED, "application/json")
