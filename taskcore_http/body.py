"""Request bodies: JSON objects of at most 128 KiB."""

import json
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

from taskcore import ValidationError
from taskcore.limits import MAX_JSON
from taskcore.validation import validate
from taskcore_http.errors import RequestRefused

_Model = TypeVar("_Model", bound=BaseModel)


async def json_body(request: Request, model: type[_Model]) -> _Model:
    """Read a model from the request's body.

    Raises:
        RequestRefused: 415 if it is not JSON, 413 as soon as it is too long.
        ValidationError: Names the field and the constraint.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise RequestRefused(415, "the body must be JSON: send Content-Type: application/json")
    try:
        # Not json.loads(bytes): it would guess other encodings (RFC 8259, section 8.1).
        data = json.loads((await _read(request)).decode())
    except (ValueError, RecursionError, ClientDisconnect):
        raise ValidationError(
            "body is not well-formed JSON", field="body", constraint="json"
        ) from None
    return validate(model, data, where="body")


def body_schema(model: type[BaseModel], example: dict[str, Any]) -> dict[str, Any]:
    """Describe the body for OpenAPI."""
    schema = model.model_json_schema()
    content = {"application/json": {"schema": schema, "example": example}}
    return {"requestBody": {"required": True, "content": content}}


async def _read(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_JSON:
            raise RequestRefused(
                413, f"the body must have at most {MAX_JSON} bytes", {"Connection": "close"}
            )
    return bytes(body)
