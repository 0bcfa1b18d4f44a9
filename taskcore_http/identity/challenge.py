"""The field ``WWW-Authenticate``: how to authenticate, and why a request was refused."""

from urllib.parse import urlsplit

from taskcore_http.identity.refusal import TokenRefused

REALM = "taskcore"

_WELL_KNOWN = "/.well-known/oauth-protected-resource"


def challenge(refused: TokenRefused, *, resource: str | None = None) -> str:
    """Return the value of ``WWW-Authenticate`` (RFC 6750, section 3).

    Args:
        refused: The refusal to explain. Without credentials there is no error code.
        resource: The URL of the API, if its metadata are published (RFC 9728, section 5.1).
    """
    parameters = {"realm": REALM}
    if refused.error:
        parameters["error"] = refused.error
        parameters["error_description"] = refused.description
    if refused.scope:
        parameters["scope"] = refused.scope
    if resource:
        parameters["resource_metadata"] = metadata_url(resource)
    return "Bearer " + ", ".join(f'{name}="{value}"' for name, value in parameters.items())


def metadata_url(resource: str) -> str:
    """Return the URL of a resource's metadata: the path follows the well-known part.

    A path that is only a slash counts as none:
    https://www.rfc-editor.org/rfc/rfc9728#section-3.1
    """
    parts = urlsplit(resource)
    path = "" if parts.path == "/" else parts.path
    return parts._replace(path=_WELL_KNOWN + path).geturl()
