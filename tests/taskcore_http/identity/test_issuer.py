"""Issuers: tokens of the shape that each product documents, and rules that are refused."""

from typing import Any

import pytest

from taskcore.errors import ConfigurationError
from taskcore_http.identity.bearer import Bearer
from taskcore_http.identity.issuer import Issuer
from taskcore_http.identity.refusal import TokenRefused
from tests.taskcore_http.identity.inputs import PUBLIC_KEYS_AS_SECRETS
from tests.taskcore_http.identity.issuing import (
    AUDIENCE,
    NOW,
    Service,
    SigningKey,
    ec_key,
    ed25519_key,
    headers,
    rsa_key,
    service,
    token,
)

SECRET = "rPzE6DqT0nOa7mYw3bKxVfHsLuGcJiQe"  # noqa: S105
TIMES = {"iat": int(NOW) - 1, "exp": int(NOW) + 59}
TENANT = "2f8c1f6e-7f0d-4a9e-9d6c-1d0f3b6a7c55"

# For each product: its preset, a header and a payload as its documentation shows them, the key,
# and the URL of the key set, or None for discovery.
PRODUCTS: dict[str, tuple[Issuer, dict[str, Any], dict[str, Any], SigningKey, str | None]] = {
    # auth0.com/docs/secure/tokens/access-tokens/access-token-profiles
    "auth0": (
        Issuer.auth0("tenant.eu.auth0.com", audience=AUDIENCE),
        {"alg": "RS256", "typ": "JWT", "kid": "NkJCQzIyQzRBMEU4Nj"},
        {
            "iss": "https://tenant.eu.auth0.com/",
            "sub": "auth0|5f7c8ec7c33c6c004bbafe82",
            "aud": [AUDIENCE, "https://tenant.eu.auth0.com/userinfo"],
            "azp": "my_client_id",
            "scope": "openid profile tasks:read",
            **TIMES,
        },
        rsa_key(),
        None,
    ),
    "auth0 with the profile of RFC 9068": (
        Issuer.auth0("tenant.eu.auth0.com", audience=AUDIENCE),
        {"alg": "RS256", "typ": "at+jwt", "kid": "NkJCQzIyQzRBMEU4Nj"},
        {
            "iss": "https://tenant.eu.auth0.com/",
            "sub": "google-oauth2|108",
            "aud": AUDIENCE,
            "client_id": "my_client_id",
            "jti": "73WakrfVbNJBaAmhQtEeDv",
            **TIMES,
        },
        rsa_key(),
        None,
    ),
    # keycloak.org/docs/latest/server_admin
    "keycloak": (
        Issuer.keycloak("https://sso.example.com/", realm="main", audience="tasks"),
        {"alg": "RS256", "typ": "JWT", "kid": "FJ86GcF3jTbNLOco4NvZkUCIUmfYCqoqtOQeMfbhNlE"},
        {
            "jti": "onrtac:2b1a5e",
            "iss": "https://sso.example.com/realms/main",
            "aud": ["tasks", "account"],
            "sub": "2f9a1f9b-4a58-4f9e-8b51-9e9f0a1c4d77",
            "typ": "Bearer",
            "azp": "web",
            "sid": "6d8ed9a1",
            "acr": "1",
            "allowed-origins": ["https://app.example.com"],
            "realm_access": {"roles": ["offline_access"]},
            "scope": "openid profile",
            "preferred_username": "victim",
            **TIMES,
        },
        rsa_key(),
        None,
    ),
    # clerk.com/docs/guides/sessions/session-tokens
    "clerk": (
        Issuer.clerk("https://clerk.example.com", authorized_parties="https://app.example.com"),
        {"alg": "RS256", "typ": "JWT", "kid": "ins_2abc", "cat": "cl_B7d4PD111AAA"},
        {
            "azp": "https://app.example.com",
            "fva": [0, -1],
            "iss": "https://clerk.example.com",
            "nbf": int(NOW) - 11,
            "o": {"id": "org_123", "rol": "admin", "slg": "acme"},
            "sid": "sess_2abc",
            "sts": "active",
            "sub": "user_2abc",
            "v": 2,
            **TIMES,
        },
        rsa_key(),
        "https://clerk.example.com/.well-known/jwks.json",
    ),
    # workos.com/docs/reference/authkit/session-tokens; workos/workos-node#1694
    "workos": (
        Issuer.workos("client_123"),
        {"alg": "RS256", "kid": "sso_oidc_key_pair_123"},
        {
            "iss": "https://api.workos.com/user_management/client_123",
            "sub": "user_01HBEQKA6K4QJAS93VPE39W1JT",
            "act": {"sub": "admin@example.com"},
            "org_id": "org_01HRDMC6CM357W30QMHMQ96Q0S",
            "role": "member",
            "permissions": ["posts:read"],
            "sid": "session_01HQSXZGF8FHF7A9ZZFCW4387R",
            "jti": "01HQSXZXPPFPKMDD32RKTFY6PV",
            **TIMES,
        },
        rsa_key(),
        "https://api.workos.com/sso/jwks/client_123",
    ),
    "workos of an older environment": (
        Issuer.workos("client_123", url="https://api.workos.com"),
        {"alg": "RS256", "kid": "sso_oidc_key_pair_123"},
        {"iss": "https://api.workos.com", "sub": "user_01HBEQKA6K4QJAS93VPE39W1JT", **TIMES},
        rsa_key(),
        "https://api.workos.com/sso/jwks/client_123",
    ),
    # docs.aws.amazon.com/cognito/latest/developerguide
    "cognito": (
        Issuer.cognito("eu-central-1", "eu-central-1_EXAMPLE", client_ids="1example23456789"),
        {"alg": "RS256", "kid": "1234example="},
        {
            "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
            "cognito:groups": ["admin"],
            "iss": "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_EXAMPLE",
            "version": 2,
            "client_id": "1example23456789",
            "origin_jti": "aaaaaaaa",
            "token_use": "access",
            "scope": "phone openid",
            "auth_time": int(NOW) - 1,
            "jti": "bbbbbbbb",
            "username": "victim",
            **TIMES,
        },
        rsa_key(),
        "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_EXAMPLE/.well-known/jwks.json",
    ),
    # learn.microsoft.com/entra/identity-platform/access-token-claims-reference
    "entra": (
        Issuer.entra(TENANT, audience="6e74172b-be56-4843-9ff4-e66a39bb12e3"),
        {"alg": "RS256", "typ": "JWT", "kid": "i6lGk3FZzxRcUb2C3nEQ7syHJlY"},
        {
            "aud": "6e74172b-be56-4843-9ff4-e66a39bb12e3",
            "iss": f"https://login.microsoftonline.com/{TENANT}/v2.0",
            "nbf": int(NOW) - 5,
            "aio": "AXQAi/8IAAAA",
            "azp": "6e74172b-be56-4843-9ff4-e66a39bb12e4",
            "azpacr": "0",
            "oid": "690222be-ff1a-4d56-abd1-7e4f7d38e474",
            "rh": "I",
            "scp": "access_as_user",
            "sub": "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ",
            "tid": TENANT,
            "uti": "fqiBqXLPj0eQa82S-IYFAA",
            "ver": "2.0",
            **TIMES,
        },
        rsa_key(),
        None,
    ),
    # supabase.com/docs/guides/auth/jwt-fields
    "supabase": (
        Issuer.supabase("https://ref.supabase.co"),
        {"alg": "ES256", "typ": "JWT", "kid": "d7c1"},
        {
            "aal": "aal1",
            "amr": [{"method": "password", "timestamp": 1640991600}],
            "app_metadata": {"provider": "email"},
            "aud": "authenticated",
            "email": "victim@example.com",
            "is_anonymous": False,
            "iss": "https://ref.supabase.co/auth/v1",
            "phone": "",
            "role": "authenticated",
            "session_id": "a9b2",
            "sub": "123e4567-e89b-12d3-a456-426614174000",
            **TIMES,
        },
        ec_key(),
        "https://ref.supabase.co/auth/v1/.well-known/jwks.json",
    ),
    # better-auth.com/docs/plugins/jwt
    "better auth": (
        Issuer.better_auth("https://app.example.com"),
        {"alg": "EdDSA", "kid": "c5c7995d-0037-4553-8aee-b5b620b89b23"},
        {
            "iss": "https://app.example.com",
            "aud": "https://app.example.com",
            "sub": "Yq3xFvHdYcQ2",
            "id": "Yq3xFvHdYcQ2",
            "email": "victim@example.com",
            "emailVerified": True,
            **TIMES,
        },
        ed25519_key(),
        "https://app.example.com/api/auth/jwks",
    ),
    # neon.com/docs/auth/guides/plugins/jwt
    "neon auth": (
        Issuer.neon_auth("https://ep-x-1.neonauth.us-east-2.aws.neon.tech/neondb/auth"),
        {"alg": "EdDSA", "kid": "6ab964bf"},
        {
            "name": "User Name",
            "email": "victim@example.com",
            "emailVerified": False,
            "image": None,
            "createdAt": "2025-12-20T11:04:41.437Z",
            "role": "authenticated",
            "banned": False,
            "id": "860dc360-609f-4b7d-9e70-ec93fe6414d3",
            "sub": "860dc360-609f-4b7d-9e70-ec93fe6414d3",
            "iss": "https://ep-x-1.neonauth.us-east-2.aws.neon.tech",
            "aud": "https://ep-x-1.neonauth.us-east-2.aws.neon.tech",
            **TIMES,
        },
        ed25519_key(),
        "https://ep-x-1.neonauth.us-east-2.aws.neon.tech/neondb/auth/.well-known/jwks.json",
    ),
    # zitadel.com/docs/apis/openidoauth/claims
    "zitadel": (
        Issuer.zitadel("https://instance.zitadel.cloud", audience="264838364838364838"),
        {"alg": "RS256", "typ": "at+jwt", "kid": "264838"},
        {
            "iss": "https://instance.zitadel.cloud",
            "sub": "261392519512006241",
            "aud": ["264838364838364838", "264838364838364838@project"],
            "nbf": int(NOW) - 1,
            "client_id": "264838",
            "jti": "V2_2648",
            **TIMES,
        },
        rsa_key(),
        None,
    ),
    # ory.com/docs/hydra/advanced
    "hydra": (
        Issuer.hydra("https://hydra.example.com/", audience="tasks", required_scopes="tasks:read"),
        {"alg": "RS256", "typ": "JWT", "kid": "public:hydra.jwt.access-token"},
        {
            "aud": ["tasks"],
            "client_id": "web",
            "ext": {},
            "iss": "https://hydra.example.com/",
            "jti": "3d4d",
            "nbf": int(NOW) - 1,
            "scp": ["tasks:read", "offline"],
            "sub": "0f6ca2dd",
            **TIMES,
        },
        rsa_key(),
        None,
    ),
}


def _serving(issuer: Issuer, key: SigningKey, kid: str, url: str | None) -> Service:
    """A service whose issuer publishes a key without ``alg``, where it is looked for."""
    tested: Service
    jwks_url = url or f"{issuer.issuer}/keys"
    configuration = f"{issuer.issuer.rstrip('/')}/.well-known/openid-configuration"

    async def fetch(asked: str) -> tuple[bytes, float | None]:
        if url is None and asked == configuration:
            document = f'{{"issuer": "{issuer.issuer}", "jwks_uri": "{jwks_url}"}}'
            return document.encode(), None
        assert asked == jwks_url
        return await tested.publisher.fetch(asked)

    encryption_key = rsa_key("enc").jwk(kid="enc", use="enc", alg="RSA-OAEP")
    tested = service(issuer, keys=[encryption_key, key.jwk(kid=kid)], fetch=fetch)
    return tested


@pytest.mark.parametrize(
    ("issuer", "head", "payload", "key", "url"), PRODUCTS.values(), ids=PRODUCTS
)
async def test_a_token_of_the_product_is_accepted(
    issuer: Issuer, head: dict[str, Any], payload: dict[str, Any], key: SigningKey, url: str | None
) -> None:
    """ID-501."""
    tested = _serving(issuer, key, head["kid"], url)

    principal = await tested.principal(token(payload, head, key=key))

    assert (principal.issuer, principal.subject) == (payload["iss"], payload["sub"])


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("auth0", {"aud": ["https://tenant.eu.auth0.com/userinfo"]}, "aud"),
        ("auth0", {"aud": "my_client_id", "nonce": "n"}, "id_token"),
        ("keycloak", {"aud": "account"}, "aud"),
        ("keycloak", {"typ": "ID"}, "claim"),
        ("keycloak", {"typ": "Refresh"}, "claim"),
        ("keycloak", {"typ": "DPoP", "cnf": {"jkt": "x"}}, "claim"),
        ("clerk", {"azp": "https://evil.example"}, "azp"),
        ("clerk", {"azp": None}, "azp"),
        ("clerk", {"aud": "convex"}, "aud"),
        ("workos", {"aud": "client_456"}, "aud"),
        ("cognito", {"token_use": "id", "aud": "1example23456789"}, "id_token"),
        ("cognito", {"token_use": None}, "claim"),
        ("cognito", {"client_id": "other"}, "azp"),
        ("entra", {"aud": "00000003-0000-0000-c000-000000000000"}, "aud"),
        ("supabase", {"aud": "anon"}, "aud"),
        ("supabase", {"sub": None}, "sub"),
        ("better auth", {"aud": "https://other.example.com"}, "aud"),
        ("neon auth", {"aud": "https://ep-y-2.neonauth.us-east-2.aws.neon.tech"}, "aud"),
        ("zitadel", {"aud": ["other"]}, "aud"),
        ("hydra", {"aud": []}, "aud"),
        ("hydra", {"scp": ["offline"]}, "scope"),
    ],
)
async def test_another_token_of_the_product_is_refused(
    name: str, changes: dict[str, Any], reason: str
) -> None:
    """ID-501: ID tokens, refresh tokens, and tokens for another API or client."""
    issuer, head, payload, key, url = PRODUCTS[name]
    changed = {claim: one for claim, one in (payload | changes).items() if one is not None}

    with pytest.raises(TokenRefused) as refused:
        await _serving(issuer, key, head["kid"], url).bearer.authenticate(
            headers(token(changed, head, key=key))
        )

    assert refused.value.reason == reason


CONTRADICTIONS: dict[str, dict[str, Any]] = {
    "no audience": {"audience": ()},
    "an empty audience": {"audience": ""},
    "an empty audience in a list": {"audience": [AUDIENCE, ""]},
    "an audience that is not a text": {"audience": [5]},
    "http": {"issuer": "http://idp.example"},
    "http at a name that begins like this machine": {"issuer": "http://localhost.evil.example"},
    "http at an address of the network": {"issuer": "http://192.168.0.1"},
    "another scheme": {"issuer": "ftp://idp.example"},
    "a file": {"jwks_url": "file:///etc/keys.json"},
    "no scheme": {"issuer": "idp.example"},
    "no host": {"issuer": "https:///path"},
    "a port out of range": {"issuer": "https://idp.example:99999"},
    "a host in brackets that is no address": {"issuer": "https://[x]/"},
    "credentials": {"issuer": "https://user:password@idp.example"},
    "a query": {"issuer": "https://idp.example/?tenant=1"},
    "a fragment": {"issuer": "https://idp.example/#x"},
    "a space": {"issuer": "https://idp.example/ "},
    "a line break": {"issuer": "https://idp.example/\r\nX: y"},
    "an empty issuer": {"issuer": ""},
    "http for keys": {"jwks_url": "http://idp.example/keys"},
    "none": {"algorithms": ["RS256", "none"]},
    "None": {"algorithms": "None"},
    "an unknown algorithm": {"algorithms": ["RS256", "RS257"]},
    "an algorithm in lower case": {"algorithms": "rs256"},
    "a weak algorithm": {"algorithms": "RSA1_5"},
    "HS256 without a secret": {"algorithms": "HS256"},
    "HS256 beside RS256": {"algorithms": ["RS256", "HS256"], "secret": SECRET},
    "RS256 with a secret": {"algorithms": "RS256", "secret": SECRET},
    "a secret with keys": {"secret": SECRET, "jwks_url": "https://idp.example/keys"},
    "a short secret": {"secret": SECRET[:31]},
    "a secret that is short for HS512": {"secret": SECRET, "algorithms": "HS512"},
    "Keycloak's own audience": {
        "issuer": "https://sso.example/realms/main",
        "audience": ["account", "tasks"],
    },
    "RFC 9068 and ID tokens": {"rfc9068": True, "accept_id_tokens": True},
    "no maximum age": {"max_age": 0},
    "an infinite maximum age": {"max_age": float("inf")},
    "a maximum age that is not a number": {"max_age": float("nan")},
    "a scope with a space": {"required_scopes": "tasks:read tasks:write"},
    "a scope with a quote": {"required_scopes": ['x"']},
}


@pytest.mark.parametrize("changes", CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_lenient_or_contradictory_rules_are_refused(changes: dict[str, Any]) -> None:
    """ID-502: at once, when they are written down."""
    arguments = {"issuer": "https://idp.example", "audience": AUDIENCE} | changes

    with pytest.raises(ConfigurationError) as refused:
        Issuer(arguments.pop("issuer"), **arguments)

    assert SECRET[:31] not in str(refused.value)


@pytest.mark.parametrize(
    "issuer",
    [
        "http://localhost:9000",
        "http://127.0.0.1/x",
        "http://[::1]:9000",
        "https://idp.example:8443",
    ],
)
def test_http_is_for_this_machine(issuer: str) -> None:
    """ID-203, ID-502."""
    assert Issuer(issuer, audience=AUDIENCE).issuer == issuer


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Issuer.keycloak("https://s.example", realm="m", audience="account"), "account"),
        (lambda: Issuer.keycloak("https://s.example", realm="a/b", audience="tasks"), "'a/b'"),
        (lambda: Issuer.auth0("https://tenant.auth0.com", audience="x"), "https://tenant"),
        (lambda: Issuer.auth0("tenant.auth0.com", audience=()), "audience"),
        (lambda: Issuer.clerk("https://c.example", authorized_parties=()), "audience"),
        (lambda: Issuer.cognito("eu", "eu_X", client_ids=[]), "audience"),
        (lambda: Issuer.entra("common", audience="x"), "tenant_id"),
        (lambda: Issuer.entra("contoso.onmicrosoft.com", audience="x"), "tenant_id"),
        (lambda: Issuer.neon_auth("ep-x.neon.tech/auth"), "issuer"),
        (lambda: Issuer.workos("client/../../x"), "client"),
    ],
)
def test_presets_refuse_arguments_that_weaken_them(make: Any, message: str) -> None:
    """ID-502."""
    with pytest.raises(ConfigurationError, match=message):
        make()


@pytest.mark.parametrize("secret", PUBLIC_KEYS_AS_SECRETS.values(), ids=PUBLIC_KEYS_AS_SECRETS)
def test_a_public_key_is_not_a_secret(secret: bytes) -> None:
    """ID-212: PyJWT CVE-2022-29217; python-jose, DER."""
    with pytest.raises(ConfigurationError, match="must not be a key") as refused:
        Issuer.shared_secret("https://idp.example", audience=AUDIENCE, secret=secret)

    assert secret[-40:].decode(errors="replace") not in str(refused.value)


@pytest.mark.parametrize(
    "secret",
    [
        "x" * 32,
        "ab" * 20,
        "0" * 64,
        "acme-tasks-api." * 3,
        "your-256-bit-secret-your-256-bit-secret",
        "super-secret-jwt-token-with-at-least-32-characters-long",
        "CHANGEME-CHANGEME-CHANGEME-CHANGEME",
        "correct-password-horse-battery-staple-x",
        b"\x00" * 31 + b"\x01",
    ],
)
def test_a_placeholder_is_not_a_secret(secret: str | bytes) -> None:
    """ID-212."""
    with pytest.raises(ConfigurationError, match="placeholder"):
        Issuer.shared_secret("https://idp.example", audience=AUDIENCE, secret=secret)


@pytest.mark.parametrize(
    "secret",
    [
        SECRET,
        SECRET.encode(),
        bytes(range(32)),
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        b"\x30\x82" + bytes(range(60)),
        b"\x30" + bytes(range(40)),
        "12345678901234567890123456789012",
    ],
)
def test_random_bytes_are_a_secret(secret: str | bytes) -> None:
    """ID-212: and they are never shown."""
    issuer = Issuer.shared_secret("https://idp.example", audience=AUDIENCE, secret=secret)

    assert issuer.algorithms == ("HS256",)
    assert issuer.secret == (secret.encode() if isinstance(secret, str) else secret)
    assert "secret" not in repr(issuer)
    assert str(issuer.secret) not in repr(issuer)


def test_rules_cannot_be_changed_after_they_were_checked() -> None:
    """ID-502."""
    issuer = Issuer("https://idp.example", audience=AUDIENCE)

    with pytest.raises(AttributeError):
        issuer.audience = ()  # type: ignore[misc]
    assert hash(issuer) == hash(Issuer("https://idp.example", audience=[AUDIENCE]))


@pytest.mark.parametrize(
    "arguments",
    [{"leeway": -1}, {"leeway": 301}, {"leeway": float("nan")}, {"verified_cache": -1}],
)
def test_a_bearer_refuses_arguments_out_of_range(arguments: dict[str, Any]) -> None:
    """ID-312, ID-502."""
    with pytest.raises(ConfigurationError):
        Bearer(Issuer("https://idp.example", audience=AUDIENCE), **arguments)


def test_a_bearer_needs_each_issuer_once() -> None:
    """ID-201, ID-502."""
    with pytest.raises(ConfigurationError, match="at least one"):
        Bearer()
    with pytest.raises(ConfigurationError, match="each of them once"):
        Bearer(*(Issuer("https://idp.example", audience=name) for name in "ab"))
