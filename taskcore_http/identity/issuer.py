"""Issuers of tokens, with presets for common products."""

import re
from typing import Self
from urllib.parse import urlsplit

from taskcore.errors import ConfigurationError
from taskcore_http.identity.rules import IssuerRules, Strings

_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# A domain, region or identifier that becomes a part of a URL.
_NAME = re.compile(r"[A-Za-z0-9._~:-]+")


class Issuer(IssuerRules):
    """An issuer of tokens.

    The constructor is for any OpenID Connect provider; `IssuerRules` describes its arguments.
    Each class method is for one product and asks only for the values that differ between its
    customers. All of them raise ``ConfigurationError`` as the constructor does.
    """

    @classmethod
    def auth0(cls, domain: str, *, audience: Strings, required_scopes: Strings = ()) -> Self:
        """Auth0. The domain is such as ``tenant.eu.auth0.com``; the audience is the API's.

        Clients must ask for the audience: otherwise their tokens are opaque.
        """
        return cls(
            f"https://{_name(domain)}/",
            audience=audience,
            algorithms=("RS256", "PS256"),
            required_scopes=required_scopes,
        )

    @classmethod
    def keycloak(
        cls, url: str, *, realm: str, audience: Strings, required_scopes: Strings = ()
    ) -> Self:
        """Keycloak. The URL is such as ``https://sso.example.com``.

        The audience comes from an audience mapper of the client; ``account`` is refused.
        """
        return cls(
            f"{url.rstrip('/')}/realms/{_name(realm)}",
            audience=audience,
            required_scopes=required_scopes,
            required_claims={"typ": "Bearer"},
        )

    @classmethod
    def clerk(cls, url: str, *, authorized_parties: Strings, audience: Strings = ()) -> Self:
        """Clerk. The URL is the Frontend API's; the parties are the origins of the web pages.

        Session tokens have no ``aud``. Give an audience if a template adds one.
        """
        return cls(
            url.rstrip("/"),
            audience=audience,
            jwks_url=f"{url.rstrip('/')}/.well-known/jwks.json",
            algorithms="RS256",
            authorized_parties=authorized_parties,
        )

    @classmethod
    def workos(cls, client_id: str, *, url: str | None = None, audience: Strings = ()) -> Self:
        """WorkOS AuthKit. Its keys, and by default its issuer, belong to one client id.

        Session tokens have no ``aud``. Environments with another issuer, such as
        ``https://api.workos.com`` or an own domain, give it as the URL.
        """
        client = _name(client_id)
        return cls(
            url or f"https://api.workos.com/user_management/{client}",
            audience=audience,
            jwks_url=f"https://api.workos.com/sso/jwks/{client}",
            algorithms="RS256",
            single_client=True,
        )

    @classmethod
    def cognito(
        cls,
        region: str,
        user_pool_id: str,
        *,
        client_ids: Strings,
        audience: Strings = (),
        required_scopes: Strings = (),
    ) -> Self:
        """Amazon Cognito. Access tokens have a ``client_id``.

        They have an ``aud`` only with resource binding. Give an audience if it is used.
        """
        url = f"https://cognito-idp.{_name(region)}.amazonaws.com/{_name(user_pool_id)}"
        return cls(
            url,
            audience=audience,
            jwks_url=f"{url}/.well-known/jwks.json",
            algorithms="RS256",
            client_ids=client_ids,
            required_scopes=required_scopes,
            required_claims={"token_use": "access"},
        )

    @classmethod
    def entra(cls, tenant_id: str, *, audience: Strings, required_scopes: Strings = ()) -> Self:
        """Microsoft Entra ID, tokens of version 2.0. The tenant is its GUID.

        The subject is the claim ``sub``, which differs between applications of one tenant:
        another application registration means another user. ``oid`` is not used.
        """
        if not _GUID.fullmatch(tenant_id):
            raise ConfigurationError("tenant_id must be the GUID of one tenant, in lower case")
        return cls(
            f"https://login.microsoftonline.com/{tenant_id}/v2.0",
            audience=audience,
            algorithms="RS256",
            required_scopes=required_scopes,
        )

    @classmethod
    def supabase(cls, url: str, *, audience: Strings = "authenticated") -> Self:
        """Supabase Auth with signing keys. The URL is such as ``https://ref.supabase.co``.

        A project that still uses the legacy JWT secret needs `shared_secret`.
        """
        issuer = f"{url.rstrip('/')}/auth/v1"
        return cls(
            issuer,
            audience=audience,
            jwks_url=f"{issuer}/.well-known/jwks.json",
            algorithms=("ES256", "RS256", "EdDSA"),
        )

    @classmethod
    def better_auth(cls, url: str, *, audience: Strings = (), path: str = "/api/auth/jwks") -> Self:
        """Better Auth with its plugin JWT. The URL is the base URL, and the default audience."""
        issuer = url.rstrip("/")
        return cls(issuer, audience=audience or issuer, jwks_url=f"{issuer}{path}")

    @classmethod
    def neon_auth(cls, url: str) -> Self:
        """Neon Auth. The URL is such as ``https://ep-….neonauth.….neon.tech/neondb/auth``.

        Issuer and audience are its origin.
        """
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        return cls(
            origin,
            audience=origin,
            jwks_url=f"{url.rstrip('/')}/.well-known/jwks.json",
            algorithms=("EdDSA", "Ed25519"),
        )

    @classmethod
    def zitadel(cls, url: str, *, audience: Strings, required_scopes: Strings = ()) -> Self:
        """Zitadel. The audience is the id of the project or of the API's application.

        The application must issue access tokens of the type JWT, not opaque ones.
        """
        return cls(url.rstrip("/"), audience=audience, required_scopes=required_scopes)

    @classmethod
    def hydra(cls, url: str, *, audience: Strings, required_scopes: Strings = ()) -> Self:
        """Ory Hydra. The URL is the issuer, exactly as it is configured there.

        Its access token strategy must be ``jwt``; it is opaque by default.
        """
        return cls(url, audience=audience, required_scopes=required_scopes)

    @classmethod
    def shared_secret(
        cls,
        issuer: str,
        *,
        audience: Strings,
        secret: str | bytes,
        subject_is_user_id: bool = False,
    ) -> Self:
        """An issuer that signs with HS256 and a secret of at least 32 random bytes.

        Everybody who knows the secret can sign. Prefer keys if the issuer offers them.
        """
        return cls(issuer, audience=audience, secret=secret, subject_is_user_id=subject_is_user_id)


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ConfigurationError(f"{value!a} is not a name that can be a part of a URL")
    return value
