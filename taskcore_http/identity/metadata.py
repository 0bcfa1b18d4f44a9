"""The metadata of a protected resource, by which a client finds the issuers (RFC 9728)."""

from urllib.parse import unquote, urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from taskcore_http.identity.bearer import Bearer
from taskcore_http.identity.challenge import metadata_url


def metadata_routes(bearer: Bearer) -> list[BaseRoute]:
    """Make the route of the metadata, if the resource's URL is configured.

    It is below the root of the host, so an application that is mounted elsewhere cannot serve it.
    """
    if bearer.resource is None:
        return []
    document: dict[str, object] = {"resource": bearer.resource}
    if bearer.issuers:
        document["authorization_servers"] = list(bearer.issuers)
    document["bearer_methods_supported"] = ["header"]

    async def show(_request: Request) -> Response:
        return JSONResponse(document)

    # Starlette matches the decoded path.
    return [Route(unquote(urlsplit(metadata_url(bearer.resource)).path), show)]
