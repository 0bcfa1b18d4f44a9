"""Errors as HTTP answers: one shape for every status.

``{"error": {"code": "…", "message": "…", "details": {…}?}}``
"""

import logging
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Literal

from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response

from taskcore import (
    NotFound,
    OutcomeUnknown,
    PermissionDenied,
    SchemaOutdated,
    Unavailable,
    ValidationError,
)
from taskcore.validation import explained_error
from taskcore_http.log import RepeatFilter

logger = logging.getLogger("taskcore.http")
# Thousands of requests may meet one fault, and their tracebacks would fill a disk.
repeat_filter = RepeatFilter()
logger.addFilter(repeat_filter)

Code = Literal[
    "VALIDATION_ERROR",
    "NOT_FOUND",
    "METHOD_NOT_ALLOWED",
    "PAYLOAD_TOO_LARGE",
    "UNSUPPORTED_MEDIA_TYPE",
    "INTERNAL_ERROR",
    "UNAVAILABLE",
]

_CODES: dict[int, Code] = {
    400: "VALIDATION_ERROR",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    500: "INTERNAL_ERROR",
    503: "UNAVAILABLE",
}

RETRY_AFTER = "5"
"""Seconds; a suspended Neon compute wakes up in less than one."""


class ErrorDetail(BaseModel):
    """What went wrong."""

    code: Code
    message: str
    details: dict[str, Any] | None = Field(
        default=None,
        description="Of a VALIDATION_ERROR: the field, the constraint, and its limit if any.",
        json_schema_extra={
            "anyOf": [
                {
                    "type": "object",
                    "properties": {
                        "field": {"type": "string"},
                        "constraint": {"type": "string"},
                        "min": {"type": "integer"},
                        "max": {"type": "integer"},
                    },
                    "required": ["field", "constraint"],
                }
            ]
        },
    )


class ErrorBody(BaseModel):
    """The body of every answer that is not a success."""

    error: ErrorDetail


class RequestRefused(Exception):
    """The request cannot be read; becomes an answer with this status."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers


def error_response(
    status: int,
    message: str,
    *,
    details: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """Make an answer in the one shape."""
    error: dict[str, Any] = {
        "code": _code(status),
        "message": message,
    }
    if details:
        error["details"] = details
    return JSONResponse({"error": error}, status_code=status, headers=headers)


_UNSURE = frozenset((b"expect", b"upgrade"))
_FRAMING = frozenset((b"content-length", b"transfer-encoding"))


def closed_if_unread(request: HTTPConnection, response: Response) -> Response:
    """Close the connection after an answer if the next bytes may not be the request's body.

    A client that asked whether to send it may send the next request instead (RFC 9110,
    section 10.1.1). uvicorn with httptools takes what follows an upgrade for the next
    request, except with the classes of `taskcore_http.protocol`, which remove the field.
    """
    names = {name for name, _value in request.scope["headers"]}
    if not names.isdisjoint(_UNSURE) and not names.isdisjoint(_FRAMING):
        response.headers["Connection"] = "close"
    return response


def _code(status: int) -> str:
    """Name a status; those outside the contract come from an identity of the host's."""
    with suppress(ValueError):
        return _CODES.get(status) or HTTPStatus(status).name
    return "HTTP_ERROR"


def response_for(exc: Exception) -> Response:
    """Translate an exception; what is not the client's fault is logged, and tells nothing."""
    match exc:
        case RequestValidationError():
            return response_for(_first_error(exc))
        case ValidationError():
            return error_response(400, str(exc), details=exc.details)
        case NotFound():
            return error_response(404, str(exc))
        case RequestRefused():
            return error_response(exc.status, str(exc), headers=exc.headers)
        case Unavailable() | SchemaOutdated() | PermissionDenied():
            # The last two occur while an administrator changes the database.
            logger.warning("503: %s", exc)
            return error_response(
                503,
                "the database cannot be used now; nothing was changed",
                headers={"Retry-After": RETRY_AFTER},
            )
        case OutcomeUnknown():
            # No Retry-After: repeating a write blindly could double it.
            logger.warning("503: %s", exc)
            return error_response(503, str(exc))
        case HTTPException():
            return _of_http_exception(exc)
    logger.error("500: %s", type(exc).__name__, exc_info=exc)
    return error_response(500, "internal error")


def _of_http_exception(exc: HTTPException) -> Response:
    """Answer what an identity has raised, whose detail may be anything (FastAPI's)."""
    status, headers, detail = exc.status_code, dict(exc.headers or {}), exc.detail
    if status < 200 or status in (204, 304):
        return Response(status_code=status, headers=headers)
    if isinstance(detail, str):
        return error_response(status, detail, headers=headers)
    details = jsonable_encoder(detail if isinstance(detail, dict) else {"detail": detail})
    return error_response(status, _phrase(status), details=details, headers=headers)


def _phrase(status: int) -> str:
    with suppress(ValueError):
        return HTTPStatus(status).phrase
    return "refused"


def _first_error(exc: RequestValidationError) -> ValidationError:
    """Return what a parameter's parser raised."""
    error = exc.errors()[0]
    raised = error.get("ctx", {}).get("error")
    if isinstance(raised, ValidationError):
        return raised
    # A list's place and a body's position are numbers.
    named = [part for part in error["loc"][1:] if isinstance(part, str)]
    return explained_error(error | {"loc": tuple(named[-1:])}, where="request")
