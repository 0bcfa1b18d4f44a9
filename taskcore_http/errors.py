"""Errors as HTTP answers, all in one shape.

``{"error": {"code": "…", "message": "…", "details": {…}?}}``
"""

import logging
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response

from taskcore import OutcomeUnknown, TaskcoreError, ValidationError, VersionConflict
from taskcore.validation import explained_error
from taskcore_http.server.log import RepeatFilter

logger = logging.getLogger("taskcore.http")
# Thousands of requests may meet one fault, and their tracebacks would fill a disk.
repeat_filter = RepeatFilter()
logger.addFilter(repeat_filter)

_STATUSES = {
    "VALIDATION_ERROR": 400,
    "UNAUTHENTICATED": 401,
    "FORBIDDEN": 403,
    "NOT_FOUND": 404,
    "VERSION_CONFLICT": 412,
    "UNAVAILABLE": 503,
    # These two occur while an administrator changes the database.
    "SCHEMA_OUTDATED": 503,
    "PERMISSION_DENIED": 503,
    "OUTCOME_UNKNOWN": 503,
}
"""The status for each ``code`` of an error of taskcore; 500 for any other."""

_CODES = {
    400: "VALIDATION_ERROR",
    401: "UNAUTHENTICATED",
    413: "PAYLOAD_TOO_LARGE",
    500: "INTERNAL_ERROR",
    503: "UNAVAILABLE",
}
"""The code for each status that is not named as in ``http.HTTPStatus``."""

KNOWN_CODES = (
    "VALIDATION_ERROR",
    "UNAUTHENTICATED",
    "FORBIDDEN",
    "NOT_FOUND",
    "METHOD_NOT_ALLOWED",
    "PRECONDITION_FAILED",
    "PAYLOAD_TOO_LARGE",
    "UNSUPPORTED_MEDIA_TYPE",
    "MISDIRECTED_REQUEST",
    "INTERNAL_ERROR",
    "UNAVAILABLE",
    "OUTCOME_UNKNOWN",
)
"""The codes of this release, for the document. Clients must accept others."""

NOT_STORED = {"Cache-Control": "no-store"}
"""A user's answers must not be kept by a shared cache (RFC 9111, section 5.2.2.5)."""

RETRY_AFTER = "5"
"""Seconds; a suspended Neon compute wakes up in less than one."""


def _details_schema(schema: dict[str, Any]) -> None:
    """Describe the members that are known, in place of Pydantic's ``anyOf``."""
    del schema["anyOf"]
    schema["type"] = "object"
    schema["properties"] = {
        "field": {"type": "string"},
        "constraint": {"type": "string"},
        "min": {"type": "integer", "format": "int64"},
        "max": {"type": "integer", "format": "int64"},
        "version": {"type": "integer", "format": "int32"},
        "ids": {"type": "array", "items": {"type": "integer", "format": "int64"}},
    }
    schema.pop("default", None)


class ErrorDetail(BaseModel):
    """An error."""

    code: str = Field(
        description=f"The kind of error, for programs: {', '.join(KNOWN_CODES)}. "
        "Later releases may add codes, and an identity may use others."
    )
    message: str = Field(description="What is wrong, for people. The text may change.")
    details: dict[str, Any] | None = Field(
        default=None,
        description="For VALIDATION_ERROR: `field`, `constraint`, and its limit (`min` or "
        "`max`) if any. For PRECONDITION_FAILED: the task's `version`. For NOT_FOUND, if several "
        "tasks were asked for: the missing `ids`.",
        json_schema_extra=_details_schema,
    )


class ErrorBody(BaseModel):
    """The body of every error answer."""

    error: ErrorDetail


class RequestRefused(Exception):
    """The request is refused before it reaches the library. The answer has this status."""

    def __init__(
        self,
        status: int,
        message: str,
        headers: dict[str, str] | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers
        self.details = details


class PreconditionFailed(RequestRefused):
    """A precondition is false (RFC 9110, section 15.5.13). The answer has the task's version."""

    def __init__(self, message: str, *, version: int | None = None) -> None:
        details = None if version is None else {"version": version}
        super().__init__(412, message, details=details)


def error_response(
    status: int,
    message: str,
    *,
    code: str | None = None,
    details: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """Return an error answer; the status gives the code unless there is one."""
    error: dict[str, Any] = {"code": code or _code(status), "message": message}
    if details:
        error["details"] = details
    return JSONResponse({"error": error}, status_code=status, headers=NOT_STORED | (headers or {}))


_UNSURE = frozenset((b"expect", b"upgrade"))
_FRAMING = frozenset((b"content-length", b"transfer-encoding"))


def closed_if_unread(request: HTTPConnection, response: Response) -> Response:
    """Close the connection after an answer if the next bytes may not be the request's body.

    A client that sent ``Expect: 100-continue`` may send its next request instead of the body
    (RFC 9110, section 10.1.1). After a request with ``Upgrade``, uvicorn with httptools reads
    the body as the next request; `taskcore_http.server.protocol` prevents that.
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
        return error_response(exc.status, str(exc), details=exc.details, headers=exc.headers)
    if isinstance(exc, HTTPException):
        return _of_http_exception(exc)
    logger.error("500: %s", type(exc).__name__, exc_info=exc)
    return error_response(500, "internal error")


def _of_taskcore_error(exc: TaskcoreError, status: int) -> Response:
    if isinstance(exc, VersionConflict):
        return error_response(status, str(exc), details={"version": exc.current})
    if status < 500:
        return error_response(status, str(exc), details=getattr(exc, "details", None))
    logger.warning("%s: %s", status, exc)
    if isinstance(exc, OutcomeUnknown):
        # Without Retry-After: repeating a write blindly could do it twice.
        return error_response(status, str(exc), code=exc.code)
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
