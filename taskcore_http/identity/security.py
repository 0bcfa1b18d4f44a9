"""How callers authenticate, in the OpenAPI document (OpenAPI 3.1, section 4.8.27)."""

from typing import Any

from fastapi import FastAPI

from taskcore_http.identity.bearer import Bearer

_TAGS = {"tasks", "me"}


def document_security(app: FastAPI, bearer: Bearer) -> None:
    """Add the security schemes of an identity to an application's document."""
    make = app.openapi
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

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = make()
            document["components"]["securitySchemes"] = schemes
            for operations in document["paths"].values():
                for operation in operations.values():
                    if _TAGS.intersection(operation.get("tags", ())):
                        operation["security"] = [{name: []} for name in schemes]
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
