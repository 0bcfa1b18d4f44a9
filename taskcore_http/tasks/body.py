"""Request bodies: JSON objects of at most 128 KiB."""

import json
from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar

from fastapi import Request
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

from taskcore import ValidationError
from taskcore.limits import MAX_JSON
from taskcore.validation import validate
from taskcore_http.errors import RequestRefused

# If a body is too long, the server reads and drops up to this many bytes before it answers.
_DISCARDED = 16 * 1024 * 1024

_Model = TypeVar("_Model", bound=BaseModel)


JSON = ("application/json",)
MERGE_PATCH = (*JSON, "application/merge-patch+json")
"""For PATCH. A change has the meaning of a merge patch (RFC 7396): null removes a value."""


async def json_body(
    request: Request,
    model: type[_Model],
    media_types: tuple[str, ...] = JSON,
    defaults: Mapping[str, object] | None = None,
) -> _Model:
    """Read a model from the request's body.

    Args:
        request: The request.
        model: The model.
        media_types: Those that are accepted.
        defaults: Values for members that are absent or null in the body. A value of None sets
            nothing.

    Raises:
        RequestRefused: 415 if it is not plain JSON, 413 if it is too long.
        ValidationError: Names the field and the constraint.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in media_types:
        # RFC 9110, section 12.5.1, and RFC 5789, section 2.2: what would be accepted.
        field = "Accept-Patch" if request.method == "PATCH" else "Accept"
        raise RequestRefused(
            415,
            "the body must be JSON: send Content-Type: application/json",
            {field: ", ".join(media_types)},
        )
    if {*request.headers.getlist("content-encoding")} - {"", "identity"}:
        # RFC 9110, section 15.5.16.
        raise RequestRefused(
            415,
            "the body must not be compressed: send no Content-Encoding",
            {"Accept-Encoding": "identity"},
        )
    try:
        # Not json.loads(bytes): it would guess other encodings (RFC 8259, section 8.1).
        data = json.loads((await _read(request)).decode(), parse_constant=_refuse)
    except (ValueError, RecursionError, ClientDisconnect):
        raise ValidationError(
            "body is not well-formed JSON", field="body", constraint="json"
        ) from None
    if isinstance(data, dict):
        for name, value in (defaults or {}).items():
            if value is not None and data.get(name) is None:
                data[name] = value
    return validate(model, data, where="body")


def _refuse(constant: str) -> NoReturn:
    """Refuse NaN and Infinity, which Python accepts and JSON forbids (RFC 8259, section 6)."""
    raise ValueError(constant)


def body_schema(
    model: type[BaseModel], example: dict[str, Any], media_types: tuple[str, ...] = JSON
) -> dict[str, Any]:
    """Describe the body for OpenAPI, by the name of its schema."""
    described = {
        "schema": {"$ref": f"#/components/schemas/{model.__name__}"},
        "example": example,
    }
    content = dict.fromkeys(media_types, described)
    return {"requestBody": {"required": True, "content": content}}


async def _read(request: Request) -> bytes:
    length = request.headers.get("content-length", "")
    # Twenty digits are above every limit. Chunks override the length (RFC 9112, section 6.3).
    is_declared = length.isdecimal() and "transfer-encoding" not in request.headers
    declared = int(length[:20]) if is_declared else 0
    if declared > MAX_JSON and (declared <= _DISCARDED or "expect" in request.headers):
        # Many clients read only after they have sent everything.
        raise _too_long(close=False)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_JSON:
            raise _too_long(close=True)
    return bytes(body)


def _too_long(*, close: bool) -> RequestRefused:
    return RequestRefused(
        413,
        f"the body must have at most {MAX_JSON} bytes",
        {"Connection": "close"} if close else None,
    )
