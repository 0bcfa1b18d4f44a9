"""The URL of an issuer's keys, by OpenID Connect Discovery."""

from taskcore_http.identity.fetch import Fetch, FetchFailed
from taskcore_http.identity.json_object import json_object
from taskcore_http.identity.url import UnsafeUrl, safe_url

_WELL_KNOWN = "/.well-known/openid-configuration"


def discovery_url(issuer: str) -> str:
    """Return the URL of an issuer's discovery document."""
    return issuer.rstrip("/") + _WELL_KNOWN


async def discover_keys(issuer: str, fetch: Fetch) -> str:
    """Return the ``jwks_uri`` of an issuer.

    https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig

    Args:
        issuer: The issuer, as it is configured.
        fetch: How to fetch the document.

    Raises:
        FetchFailed: The document belongs to another issuer (section 4.3), or its ``jwks_uri``
            must not be contacted.
    """
    content, _ = await fetch(discovery_url(issuer))
    document = json_object(content)
    if document is None:
        raise FetchFailed("the discovery document is not a JSON object")
    if document.get("issuer") != issuer:
        named = document.get("issuer")
        only_slash = isinstance(named, str) and named.rstrip("/") == issuer.rstrip("/")
        hint = ", which differs in the slash at its end" if only_slash else ""
        raise FetchFailed(f"the discovery document names another issuer{hint}")
    url = document.get("jwks_uri")
    if not isinstance(url, str):
        raise FetchFailed("the discovery document has no jwks_uri")
    try:
        parts = safe_url(url, query=True)
    except UnsafeUrl as exc:
        raise FetchFailed(f"the jwks_uri {exc}") from None
    if issuer.startswith("https:") and parts.scheme != "https":
        raise FetchFailed("the jwks_uri must begin with https://")
    return url
