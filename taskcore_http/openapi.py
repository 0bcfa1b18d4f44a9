"""Descriptions and examples of parameters, answers and errors for OpenAPI."""

from dataclasses import dataclass
from typing import Any, cast

from pydantic import BaseModel, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from pydantic_core.core_schema import union_schema

import taskcore
from taskcore import TaskCreate, TaskUpdate
from taskcore_http.errors import RETRY_AFTER, ErrorBody
from taskcore_http.parameters import PathParameter, QueryParameter

Responses = dict[int | str, dict[str, Any]]


class Task(taskcore.Task):
    """One task as it is stored."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Name the schemas of its request bodies, which makes them components of a document.

        The routes read their bodies themselves, so FastAPI does not know them. Without a
        name, generated clients invent one.
        """
        return with_bodies(core_schema, handler, TaskCreate, TaskUpdate)


def with_bodies(
    core_schema: CoreSchema, handler: GetJsonSchemaHandler, *models: type[BaseModel]
) -> JsonSchemaValue:
    """Return the schema of a model, which refers to those of its request bodies."""
    schema = handler(core_schema)
    target = handler.resolve_ref_schema(schema)
    bodies = handler(union_schema([_named(body) for body in models]))
    target["x-request-bodies"] = bodies.get("anyOf", [bodies])
    return schema


def _named(model: type[BaseModel]) -> CoreSchema:
    """Return a model's core schema with a name, so that Pydantic refers to it."""
    name = f"{model.__module__}.{model.__qualname__}:{id(model)}"
    return cast("CoreSchema", {**model.__pydantic_core_schema__, "ref": name})


@dataclass(frozen=True, slots=True)
class HeaderParameter:
    """A header of the request, for the document."""

    name: str
    description: str
    format: str

    def documented(self) -> dict[str, Any]:
        """Describe it for OpenAPI."""
        return {
            "name": self.name,
            "in": "header",
            "required": False,
            "schema": {"type": "string", "format": self.format},
            "description": self.description,
        }


PRECONDITIONS = (
    HeaderParameter(
        "If-Match",
        "The `ETag` of an earlier answer, several of them, or `*`. If the task has none of these "
        "tags now, nothing is done and the answer is 412.",
        "entity-tags",
    ),
    HeaderParameter(
        "If-None-Match",
        "The `ETag` of an earlier answer, several of them, or `*`. If the task or list still has "
        "one of these tags, GET and HEAD answer 304, and other methods do nothing and answer 412.",
        "entity-tags",
    ),
)
IDEMPOTENCY_KEY = HeaderParameter(
    "Idempotency-Key",
    "The `key` of the task if the body has none, with or without quotes. A request that is sent "
    "again with the same key creates nothing: the answer is 200, with the stored task.",
    "idempotency-key",
)
_ETAG = {
    "description": "Names this version of the answer, for `If-Match` and `If-None-Match`.",
    "schema": {"type": "string", "example": '"2"'},
}

NEW_TASK = {"title": "Buy groceries", "description": "Milk and eggs"}
CHANGES = {"completed": True}
TASK = {
    "id": 244559826733118,
    "title": "Buy groceries",
    "description": "Milk and eggs",
    "due": "2026-11-30T17:00:00",
    "due_zone": "Europe/Berlin",
    "priority": 5,
    "project": "Household",
    "tags": ["shop"],
    "extra": {"color": "red"},
    "key": "ticket-4711",
    "completed": True,
    "user_id": 42,
    "version": 2,
    "created_at": "2026-11-23T01:16:28.948348Z",
    "updated_at": "2026-11-23T09:30:12.105472Z",
    "completed_at": "2026-11-23T09:30:12.105472Z",
}

_ERRORS: dict[int | str, tuple[str, dict[str, Any]]] = {
    400: (
        "The input breaks a rule; `details` names the field and the constraint.",
        {
            "code": "VALIDATION_ERROR",
            "message": "title must have at most 500 characters",
            "details": {"field": "title", "constraint": "max_length", "max": 500},
        },
    ),
    401: (
        "The caller is not signed in.",
        {"code": "UNAUTHENTICATED", "message": "a bearer token is required"},
    ),
    403: (
        "The caller may not do this.",
        {"code": "FORBIDDEN", "message": "the caller has no account here"},
    ),
    404: (
        "No such task for this user. Another user's task gets the same answer.",
        {"code": "NOT_FOUND", "message": "task not found"},
    ),
    412: (
        "A precondition is false, so nothing was changed. For one task `details` has its version.",
        {
            "code": "PRECONDITION_FAILED",
            "message": "the task has version 3 now: read it and decide again",
            "details": {"version": 3},
        },
    ),
    413: (
        "The body is longer than 128 KiB.",
        {"code": "PAYLOAD_TOO_LARGE", "message": "the body must have at most 131072 bytes"},
    ),
    415: (
        "The body is not JSON.",
        {
            "code": "UNSUPPORTED_MEDIA_TYPE",
            "message": "the body must be JSON: send Content-Type: application/json",
        },
    ),
    500: ("The server failed.", {"code": "INTERNAL_ERROR", "message": "internal error"}),
    503: (
        (
            "The database cannot be used now. With UNAVAILABLE nothing was changed, so try again "
            "after `Retry-After`. With OUTCOME_UNKNOWN a write took effect wholly or not at all: "
            "read before you try again."
        ),
        {
            "code": "UNAVAILABLE",
            "message": "the database cannot be used now; nothing was changed",
        },
    ),
    "4XX": (
        "Any other client error, such as 405 for a method that is not served.",
        {"code": "METHOD_NOT_ALLOWED", "message": "TRACE is not allowed here"},
    ),
}


def errors(*statuses: int) -> Responses:
    """Describe error answers.

    The range ``4XX`` covers 405, which belongs to a path and not to an operation. It also
    keeps FastAPI from documenting its 422, which these routes never answer.
    """
    every: list[int | str] = [*statuses, "4XX"]
    described: Responses = {
        status: {
            "model": ErrorBody,
            "description": _ERRORS[status][0],
            "content": {"application/json": {"example": {"error": _ERRORS[status][1]}}},
        }
        for status in every
    }
    if 503 in described:
        described[503]["headers"] = {
            "Retry-After": {
                "description": "Seconds; absent with OUTCOME_UNKNOWN.",
                "schema": {"type": "string", "example": RETRY_AFTER},
            }
        }
    if 401 in described:
        described[401]["headers"] = {
            "WWW-Authenticate": {
                "description": "How to sign in (RFC 9110, section 11.6.1).",
                "schema": {"type": "string"},
            }
        }
    return described


def not_modified() -> Responses:
    """Describe the answer to a client that has the current representation."""
    return {304: {"description": "The client has this answer already.", "headers": {"ETag": _ETAG}}}


def succeeded(status: int, description: str, *, location: bool = False) -> Responses:
    """Describe an answer with one task."""
    response: dict[str, Any] = {
        "model": Task,
        "description": description,
        "content": {"application/json": {"example": TASK}},
        "headers": {"ETag": _ETAG},
    }
    if location:
        response["headers"]["Location"] = {
            "description": "The task's path, relative to the URL of the request (RFC 3986).",
            "schema": {"type": "string", "format": "uri-reference"},
        }
    return {status: response}


def takes(
    *parameters: PathParameter | QueryParameter[Any] | HeaderParameter,
) -> dict[str, Any]:
    """Describe the parameters of a route."""
    return {"parameters": [parameter.documented() for parameter in parameters]}


def listed() -> Responses:
    """Describe the answer with tasks."""
    return {
        200: {
            "description": "The tasks.",
            "content": {"application/json": {"example": [TASK]}},
            "headers": {
                "ETag": _ETAG | {"description": f"{_ETAG['description']} Absent from a long list."},
                "Link": {
                    "description": 'With `limit`, while more remain: `<…>; rel="next"`. It is '
                    "relative to the URL of the request (RFC 8288).",
                    "schema": {"type": "string"},
                },
            },
        }
    }


def described_user() -> Responses:
    """Describe the answer with the caller."""
    return answered(200, "The caller.", {"user_id": 42})


def answered(status: int, description: str, example: object) -> Responses:
    """Describe an answer by an example; its schema is that of the route's model."""
    return {
        status: {
            "description": description,
            "content": {"application/json": {"example": example}},
        }
    }


def deleted(what: str = "task", message: str = "task deleted") -> Responses:
    """Describe the answer to a deletion."""
    schema = {
        "type": "object",
        "properties": {"message": {"type": "string"}},
        "required": ["message"],
    }
    return {
        200: {
            "description": f"The {what} {'are' if what.endswith('s') else 'is'} gone.",
            "content": {"application/json": {"schema": schema, "example": {"message": message}}},
        }
    }
