"""``/me/tokens``: the caller's API tokens. They are not for callers with an API token."""

from typing import Any

from fastapi import APIRouter, Request
from pydantic import Field, GetJsonSchemaHandler, TypeAdapter
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from starlette.responses import Response

import taskcore
from taskcore import TokenCreate
from taskcore.limits import MAX_TOKENS
from taskcore.tokens.secret import PATTERN
from taskcore_http.errors import NOT_STORED, closed_if_unread
from taskcore_http.identity.identify import Identify
from taskcore_http.openapi import Responses, answered, deleted, errors, takes, with_bodies
from taskcore_http.parameters import TOKEN_ID, check_query
from taskcore_http.tasks.body import body_schema, json_body

_TOKENS = "/me/tokens"
_TOKEN = f"{_TOKENS}/{{token_id}}"
_NEW = {"name": "Backup of the laptop", "scopes": ["tasks:read"], "expires_in_days": 90}
_EXAMPLE = {
    "id": 5263301792043113,
    "name": "Backup of the laptop",
    "scopes": ["tasks:read"],
    "created_at": "2026-11-23T01:16:28.948348Z",
    "expires_at": "2027-02-21T01:16:28.948348Z",
    "last_used_on": "2026-11-24",
}
_SECRET = "taskcore_pat_" + 51 * "…"


class Token(taskcore.Token):
    """An API token, without its secret."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Name the schema of the request body: the routes read their bodies themselves."""
        return with_bodies(core_schema, handler, TokenCreate)


class NewToken(taskcore.Token):
    """An API token that was just made, with its secret."""

    token: str = Field(
        pattern=f"^{PATTERN}$",
        repr=False,
        description="The secret. It is shown this once; the server keeps only its hash.",
    )


_LIST = TypeAdapter(tuple[taskcore.Token, ...])


class TokenEndpoints:
    """The operations on the caller's API tokens.

    Args:
        identify: Returns the caller's tasks.
    """

    def __init__(self, identify: Identify) -> None:
        self._identify = identify

    async def list_tokens(self, request: Request) -> Response:
        """List the caller's API tokens, the newest first, without their secrets."""
        tasks = await self._identify(request)
        check_query(request)
        return _json(_LIST.dump_json(await tasks.tokens.list()))

    async def create_token(self, request: Request) -> Response:
        """Make an API token. The answer has its secret, which cannot be read again.

        After OUTCOME_UNKNOWN the token may have been made: revoke the newest one, because nobody
        has its secret.
        """
        tasks = await self._identify(request)
        check_query(request)
        new = await json_body(request, TokenCreate)
        return _created(await tasks.tokens.create(new))

    async def rotate_token(self, request: Request) -> Response:
        """Replace an API token by one with the same name, scopes and lifetime.

        The old one ends after 24 hours, or when it would have ended if that is sooner.
        """
        tasks = await self._identify(request)
        check_query(request)
        token = await tasks.tokens.rotate(TOKEN_ID.of(request))
        return closed_if_unread(request, _created(token))

    async def revoke_token(self, request: Request) -> Response:
        """Revoke an API token for good: its next use is refused."""
        tasks = await self._identify(request)
        check_query(request)
        await tasks.tokens.revoke(TOKEN_ID.of(request))
        return _json(b'{"message":"token revoked"}')


def add_tokens(router: APIRouter, identify: Identify) -> None:
    """Add the routes of the caller's API tokens."""
    endpoints = TokenEndpoints(identify)
    tags: list[Any] = ["tokens"]
    made = answered(201, "The token, and its secret.", _EXAMPLE | {"token": _SECRET})
    router.add_api_route(
        _TOKENS,
        endpoints.list_tokens,
        methods=["GET"],
        operation_id="list_my_tokens",
        tags=tags,
        response_model=list[Token],
        responses=answered(200, f"The tokens, at most {MAX_TOKENS} and expired ones.", [_EXAMPLE])
        | errors(400, 401, 403, 500, 503),
    )
    router.add_api_route(_TOKENS, endpoints.list_tokens, methods=["HEAD"], include_in_schema=False)
    router.add_api_route(
        _TOKENS,
        endpoints.create_token,
        methods=["POST"],
        operation_id="create_my_token",
        tags=tags,
        status_code=201,
        response_model=NewToken,
        responses=made | errors(400, 401, 403, 413, 415, 500, 503),
        openapi_extra=body_schema(TokenCreate, _NEW),
    )
    router.add_api_route(
        _TOKEN,
        endpoints.revoke_token,
        methods=["DELETE"],
        operation_id="revoke_my_token",
        tags=tags,
        responses=deleted("token", "token revoked") | _of_one(),
        openapi_extra=takes(TOKEN_ID),
    )
    router.add_api_route(
        f"{_TOKEN}/rotate",
        endpoints.rotate_token,
        methods=["POST"],
        operation_id="rotate_my_token",
        tags=tags,
        status_code=201,
        response_model=NewToken,
        responses=made | _of_one(),
        openapi_extra=takes(TOKEN_ID),
    )


def _of_one() -> Responses:
    described = errors(400, 401, 403, 404, 500, 503)
    described[404] |= {
        "description": "The caller has no such token.",
        "content": {
            "application/json": {
                "example": {"error": {"code": "NOT_FOUND", "message": "token not found"}}
            }
        },
    }
    return described


def _created(token: taskcore.NewToken) -> Response:
    fields = {name: value for name, value in token if name != "secret"}
    answer = NewToken(**fields, token=token.secret.get_secret_value())
    return _json(answer.model_dump_json(), status=201)


def _json(content: str | bytes, *, status: int = 200) -> Response:
    return Response(content, status, NOT_STORED, "application/json")
