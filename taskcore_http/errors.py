"""Errors as HTTP answers, all in one shape.

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

from taskcore import OutcomeUnknown, TaskcoreError, ValidationError
from taskcore.validation import explained_error
from taskcore_http.server.log import RepeatFilter

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

_STATUSES = {
    "VALIDATION_ERROR": 400,
    "NOT_FOUND": 404,
    "UNAVAILABLE": 503,
    # These two occur while an administrator changes the database.
    "SCHEMA_OUTDATED": 503,
    "PERMISSION_DENIED": 503,
    "OUTCOME_UNKNOWN": 503,
}
"""The status for each ``code`` of an error of taskcore; 500 for any other."""

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
    """An error."""

    code: Code
    message: str
    details: dict[str, Any] | None = Field(
        default=None,
        description="For a VALIDATION_ERROR: the field, the constraint, and its limit if any.",
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
    """The body of every error answer."""

    error: ErrorDetail


class RequestRefused(Exception):
    """The request cannot be read. The answer has this status."""

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
    """Return an error answer."""
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
    request, except with the classes of `taskcore_http.server.protocol`, which remove the field.
    """
    names = {name for name, _value in request.scope["headers"]}
    if not names.isdisjoint(_UNSURE) and not names.isdisjoint(_FRAMING):
        response.headers["Connection"] = "close"
    return response


def _code(status: int) -> str:
    """Return the code for a status; an identity of the host may use any status."""
    with suppress(ValueError):
        return _CODES.get(status) or HTTPStatus(status).name
    return "HTTP_ERROR"


def response_for(exc: Exception) -> Response:
    """Return the answer for an exception. Faults are logged; their answers give no detail."""
    if isinstance(exc, RequestValidationError):
        exc = _first_error(exc)
    if isinstance(exc, TaskcoreError) and exc.code in _STATUSES:
        return _of_taskcore_error(exc, _STATUSES[exc.code])
    if isinstance(exc, RequestRefused):
        return error_response(exc.status, str(exc), headers=exc.headers)
    if isinstance(exc, HTTPException):
        return _of_http_exception(exc)
    logger.error("500: %s", type(exc).__name__, exc_info=exc)
    return error_response(500, "internal error")


def _of_taskcore_error(exc: TaskcoreError, status: int) -> Response:
    if status < 500:
        return error_response(status, str(exc), details=getattr(exc, "details", None))
    logger.warning("%s: %s", status, exc)
    if isinstance(exc, OutcomeUnknown):
        # Without Retry-After: repeating a write blindly could do it twice.
        return error_response(status, str(exc))
    return error_response(
        status,
        "the database cannot be used now; nothing was changed",
        headers={"Retry-After": RETRY_AFTER},
    )


def _of_http_exception(exc: HTTPException) -> Response:
    """Return the answer for an ``HTTPException`` of an identity; FastAPI allows any detail."""
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
    """Return the first error of FastAPI's as an error of ours."""
    error = exc.errors()[0]
    raised = error.get("ctx", {}).get("error")
    if isinstance(raised, ValidationError):
        return raised
    # Numbers in it are an index in a list, or a position in the body.
    named = [part for part in error["loc"][1:] if isinstance(part, str)]
    return explained_error(error | {"loc": tuple(named[-1:])}, where="request")
