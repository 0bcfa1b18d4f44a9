"""How callers authenticate, in the OpenAPI document (OpenAPI 3.1, section 4.8.27)."""

from typing import Any

from fastapi import FastAPI

from taskcore.tokens.secret import PREFIX
from taskcore_http.identity.bearer import Bearer
from taskcore_http.identity.session import COOKIE, SECURE_COOKIE

_TAGS = {"tasks", "me"}
_TAGS_OF_TOKENS = {"tokens"}


def document_security(app: FastAPI, bearer: Bearer) -> None:
    """Add the security schemes of an identity to an application's document."""
    make = app.openapi
    signed_in = _of_issuers(bearer)
    if bearer.sessions:
        signed_in |= _of_sessions()
    api_tokens = _of_api_tokens() if bearer.api_tokens else {}

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = make()
            document["components"]["securitySchemes"] = signed_in | api_tokens
            if not signed_in:
                document["paths"] = _without_tokens(document["paths"])
            for operations in document["paths"].values():
                for operation in operations.values():
                    if _has_tag(operation, _TAGS):
                        operation["security"] = [{name: []} for name in signed_in | api_tokens]
                    elif _has_tag(operation, _TAGS_OF_TOKENS):
                        operation["security"] = [{name: []} for name in signed_in]
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _without_tokens(paths: dict[str, Any]) -> dict[str, Any]:
    """Remove the operations on API tokens: only a caller who has signed in may call them."""
    return {
        path: operations
        for path, operations in paths.items()
        if not any(_has_tag(operation, _TAGS_OF_TOKENS) for operation in operations.values())
    }


def _has_tag(operation: dict[str, Any], tags: set[str]) -> bool:
    return not tags.isdisjoint(operation.get("tags", ()))


def _of_issuers(bearer: Bearer) -> dict[str, dict[str, Any]]:
    if not bearer.issuers:
        return {}
    schemes: dict[str, dict[str, Any]] = {
        "bearerAuth": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": f"An access token of {' or '.join(bearer.issuers)} (RFC 6750).",
        }
    }
    if (discovery := bearer.discovery_url) is not None:
        schemes["openIdConnect"] = {"type": "openIdConnect", "openIdConnectUrl": discovery}
    return schemes


def _of_sessions() -> dict[str, dict[str, Any]]:
    return {
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": COOKIE,
            "description": f"The cookie of a browser after sign-in; over HTTPS `{SECURE_COOKIE}`. "
            "On a port that is not that of the scheme, an underscore and the port follow.",
        }
    }


def _of_api_tokens() -> dict[str, dict[str, Any]]:
    return {
        "apiToken": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": f"{PREFIX}…",
            "description": "An API token, with the scope `tasks:read` to read and `tasks:write` to "
            "write.",
        }
    }
