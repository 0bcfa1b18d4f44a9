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
                # Nobody can call what an API token must not.
                document["paths"] = {
                    path: operations
                    for path, operations in document["paths"].items()
                    if not any(_is_of_tokens(operation) for operation in operations.values())
                }
            for operations in document["paths"].values():
                for operation in operations.values():
                    tags = set(operation.get("tags", ()))
                    if tags & _TAGS:
                        operation["security"] = [{name: []} for name in signed_in | api_tokens]
                    elif tags & _TAGS_OF_TOKENS:
                        operation["security"] = [{name: []} for name in signed_in]
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _is_of_tokens(operation: dict[str, Any]) -> bool:
    return not _TAGS_OF_TOKENS.isdisjoint(operation.get("tags", ()))


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
            "description": f"The cookie of a browser after sign-in; over HTTPS `{SECURE_COOKIE}`.",
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
