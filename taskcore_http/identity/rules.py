"""The rules for the tokens of one issuer, validated at construction."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from taskcore.errors import ConfigurationError
from taskcore.limits import MAX_IDENTITY
from taskcore_http.identity.algorithms import ASYMMETRIC, DEFAULT, HMAC
from taskcore_http.identity.secret import checked_secret
from taskcore_http.identity.url import UnsafeUrl, safe_url

# RFC 6749, section 3.3.
SCOPE = re.compile(r"[!#-\[\]-~]+")

Strings = str | Iterable[str]
"""One string, or several."""


@dataclass(frozen=True, init=False)
class IssuerRules:
    """An issuer of tokens, and the rules for its tokens.

    Args:
        issuer: The exact value of the claim ``iss``; an https URL, or http on this machine.
        audience: The names of this API in the claim ``aud``. A token must have one of them.
        jwks_url: The URL of the issuer's key set. Without one it is found by OpenID Connect
            Discovery.
        algorithms: The algorithms to accept; by default RS256, PS256, ES256, EdDSA and Ed25519,
            and HS256 with a secret.
        authorized_parties: The accepted values of the claim ``azp``; none: not checked.
        client_ids: The accepted values of the claim ``client_id``; none: not checked.
        single_client: The issuer's keys sign for one application only, so that a token
            without ``aud`` cannot be meant for another one.
        required_scopes: Scopes that every token must have.
        required_claims: Claims that every token must have, with the exact text.
        rfc9068: Accept only tokens with the type ``at+jwt`` (RFC 9068, section 4).
        accept_id_tokens: Accept ID tokens too. Their audience is a client, not an API.
        max_age: The most seconds since ``iat``. None: only ``exp`` counts.
        subject_is_user_id: The claim ``sub`` is the user's id in the store, 1 to 2^52-1, in
            decimal. Only one issuer can have it, because it can name every such user.
        secret: The shared secret of HS256, HS384 or HS512; it is never shown.

    Raises:
        ConfigurationError: The rules contradict each other or would accept tokens that are not
            meant for this API.
    """

    issuer: str
    audience: tuple[str, ...]
    jwks_url: str | None
    algorithms: tuple[str, ...]
    authorized_parties: tuple[str, ...]
    client_ids: tuple[str, ...]
    single_client: bool
    required_scopes: tuple[str, ...]
    required_claims: tuple[tuple[str, str], ...]
    rfc9068: bool
    accept_id_tokens: bool
    max_age: float | None
    subject_is_user_id: bool
    secret: bytes | None = field(repr=False)

    def __init__(
        self,
        issuer: str,
        *,
        audience: Strings = (),
        jwks_url: str | None = None,
        algorithms: Strings = (),
        authorized_parties: Strings = (),
        client_ids: Strings = (),
        single_client: bool = False,
        required_scopes: Strings = (),
        required_claims: Mapping[str, str] | None = None,
        rfc9068: bool = False,
        accept_id_tokens: bool = False,
        max_age: float | None = None,
        subject_is_user_id: bool = False,
        secret: str | bytes | None = None,
    ) -> None:
        allowed = _strings("algorithms", algorithms) or (DEFAULT if secret is None else ("HS256",))
        _check_algorithms(allowed, secret=secret is not None, jwks_url=jwks_url)
        values = {
            "issuer": issuer,
            "audience": _strings("audience", audience),
            "jwks_url": jwks_url,
            "algorithms": allowed,
            "authorized_parties": _strings("authorized_parties", authorized_parties),
            "client_ids": _strings("client_ids", client_ids),
            "single_client": single_client,
            "required_scopes": _strings("required_scopes", required_scopes),
            "required_claims": tuple(dict(required_claims or {}).items()),
            "rfc9068": rfc9068,
            "accept_id_tokens": accept_id_tokens,
            "max_age": max_age,
            "subject_is_user_id": subject_is_user_id,
            "secret": None if secret is None else checked_secret(secret, allowed),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        self._check()

    def _check(self) -> None:
        _check_url("issuer", self.issuer)
        if len(self.issuer) > MAX_IDENTITY:
            raise ConfigurationError(f"issuer must have at most {MAX_IDENTITY} characters")
        if self.jwks_url is not None:
            _check_url("jwks_url", self.jwks_url, query=True)
        if not (self.audience or self.authorized_parties or self.client_ids or self.single_client):
            raise ConfigurationError(
                f"the issuer {self.issuer} needs an audience. If its tokens have no aud, give "
                "authorized_parties or client_ids"
            )
        if "account" in self.audience and "/realms/" in self.issuer:
            # Keycloak puts it into the tokens of every client of the realm.
            raise ConfigurationError(
                "the audience account belongs to Keycloak itself: add an audience mapper to the "
                "client, and give its audience"
            )
        if self.rfc9068 and self.accept_id_tokens:
            raise ConfigurationError("rfc9068 and accept_id_tokens contradict each other")
        self._check_types()
        if not all(SCOPE.fullmatch(scope) for scope in self.required_scopes):
            raise ConfigurationError("required_scopes must be scopes without spaces or quotes")

    def _check_types(self) -> None:
        for name in ("single_client", "rfc9068", "accept_id_tokens", "subject_is_user_id"):
            # A text such as "false" would count as true.
            if not isinstance(getattr(self, name), bool):
                raise ConfigurationError(f"{name} must be True or False")
        if not all(isinstance(value, str) for _name, value in self.required_claims):
            raise ConfigurationError("required_claims must have texts as values")
        age = self.max_age
        if age is not None and not (isinstance(age, int | float) and 0 < age < float("inf")):
            raise ConfigurationError("max_age must be a positive number of seconds")


def _strings(name: str, given: Strings) -> tuple[str, ...]:
    values = (given,) if isinstance(given, str) else tuple(given)
    if not all(isinstance(value, str) and value for value in values):
        raise ConfigurationError(f"{name} must be non-empty strings")
    return values


def _check_url(name: str, url: str, *, query: bool = False) -> None:
    if not isinstance(url, str):
        raise ConfigurationError(f"{name} must be a string")
    try:
        safe_url(url, query=query)
    except UnsafeUrl as exc:
        raise ConfigurationError(f"{name} {exc}") from None


def _check_algorithms(algorithms: tuple[str, ...], *, secret: bool, jwks_url: str | None) -> None:
    """Refuse unknown algorithms, and a secret beside public keys (RFC 8725, section 3.5)."""
    for algorithm in algorithms:
        if algorithm not in ASYMMETRIC and algorithm not in HMAC:
            raise ConfigurationError(f"{algorithm!a} is not an algorithm that can be allowed")
    symmetric = HMAC.keys() & algorithms
    if symmetric and len(symmetric) < len(set(algorithms)):
        raise ConfigurationError("an issuer uses a shared secret or public keys, not both")
    if secret and not symmetric:
        raise ConfigurationError("a secret is for HS256, HS384 and HS512 only")
    if symmetric and not secret:
        raise ConfigurationError("HS256, HS384 and HS512 need a secret")
    if secret and jwks_url is not None:
        raise ConfigurationError("an issuer with a secret has no jwks_url")
