"""Descriptions and examples of parameters, answers and errors for OpenAPI."""

from typing import Any

from taskcore_http.errors import RETRY_AFTER, ErrorBody
from taskcore_http.parameters import PathParameter, QueryParameter

Responses = dict[int | str, dict[str, Any]]

NEW_TASK = {"title": "Buy groceries", "description": "Milk and eggs"}
CHANGES = {"completed": True}
TASK = {
    "id": 244559826733118,
    "title": "Buy groceries",
    "description": "Milk and eggs",
    "completed": True,
    "user_id": 42,
    "version": 2,
    "created_at": "2026-11-23T01:16:28.948348Z",
    "updated_at": "2026-11-23T09:30:12.105472Z",
    "completed_at": "2026-11-23T09:30:12.105472Z",
}

_ERRORS: dict[int, tuple[str, dict[str, Any]]] = {
    400: (
        "The input breaks a rule; `details` names the field and the constraint.",
        {
            "code": "VALIDATION_ERROR",
            "message": "title must have at most 500 characters",
            "details": {"field": "title", "constraint": "max_length", "max": 500},
        },
    ),
    404: (
        "No such task for this user. Another user's task gets the same answer.",
        {"code": "NOT_FOUND", "message": "task not found"},
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
        "The database cannot be used now.",
        {
            "code": "UNAVAILABLE",
            "message": "the database cannot be used now; nothing was changed",
        },
    ),
}


def errors(*statuses: int) -> Responses:
    """Describe error answers.

    The range ``4XX`` covers 405, which belongs to a path and not to an operation. It also
    keeps FastAPI from documenting its 422, which these routes never answer.
    """
    described: Responses = {
        status: {
            "model": ErrorBody,
            "description": _ERRORS[status][0],
            "content": {"application/json": {"example": {"error": _ERRORS[status][1]}}},
        }
        for status in statuses
    }
    if 503 in described:
        described[503]["headers"] = {
            "Retry-After": {
                "description": "Seconds; absent if a write's outcome is unknown.",
                "schema": {"type": "string", "example": RETRY_AFTER},
            }
        }
    described["4XX"] = {
        "model": ErrorBody,
        "description": "Any other client error, such as 405 for a method that is not served.",
    }
    return described


def succeeded(status: int, description: str, *, location: bool = False) -> Responses:
    """Describe an answer with one task."""
    response: dict[str, Any] = {
        "description": description,
        "content": {"application/json": {"example": TASK}},
    }
    if location:
        response["headers"] = {
            "Location": {"description": "The task's path.", "schema": {"type": "string"}}
        }
    return {status: response}


def takes(*parameters: PathParameter | QueryParameter[Any]) -> dict[str, Any]:
    """Describe the parameters of a route."""
    return {"parameters": [parameter.documented() for parameter in parameters]}


def listed() -> Responses:
    """Describe the answer with tasks."""
    return {
        200: {
            "description": "The tasks, newest first.",
            "content": {"application/json": {"example": [TASK]}},
            "headers": {
                "Link": {
                    "description": 'With `limit`, while more remain: `<…>; rel="next"`.',
                    "schema": {"type": "string"},
                }
            },
        }
    }


def deleted() -> Responses:
    """Describe the answer to a deletion."""
    schema = {
        "type": "object",
        "properties": {"message": {"type": "string"}},
        "required": ["message"],
    }
    return {
        200: {
            "description": "The task is gone.",
            "content": {
                "application/json": {"schema": schema, "example": {"message": "task deleted"}}
            },
        }
    }
