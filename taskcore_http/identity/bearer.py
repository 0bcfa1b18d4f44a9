"""Authentication of requests by bearer tokens (RFC 6750): those of issuers, and API tokens.

::

    bearer = Bearer(Issuer("https://tenant.eu.auth0.com/", audience="https://tasks.example.com"))

    try:
        principal = await bearer.authenticate(request.scope["headers"])
    except TokenRefused as refused:
        ...  # refused.status, with bearer.challenge(refused) as WWW-Authenticate
    except KeysUnavailable as unavailable:
        ...  # 503, with unavailable.retry_after as Retry-After
"""

import asyncio
import time
from collections.abc import Iterable
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING

from taskcore.errors import ConfigurationError, InvalidToken
from taskcore.owner import PROVISIONS, Provision
from taskcore.tokens.secret import PREFIX, LinkSecret, SessionSecret, TokenSecret
from taskcore_http.identity import signatures
from taskcore_http.identity.authorization import bearer_token
from taskcore_http.identity.challenge import challenge
from taskcore_http.identity.claims import check_claims, principal
from taskcore_http.identity.discovery import discovery_url
from taskcore_http.identity.explanation import Finding, explain
from taskcore_http.identity.fetch import Fetch, fetch_url
from taskcore_http.identity.fetched_keys import FetchedKeys
from taskcore_http.identity.keys import Keys, SecretKeys
from taskcore_http.identity.principal import Principal
from taskcore_http.identity.refusal import API_TOKENS, KeysUnavailable, TokenRefused, log_refusal
from taskcore_http.identity.rules import IssuerRules
from taskcore_http.identity.token import Token, check_header, parse_token
from taskcore_http.identity.url import UnsafeUrl, safe_url
from taskcore_http.identity.validity import validity
from taskcore_http.identity.verified import Verified, VerifiedTokens

if TYPE_CHECKING:
    from taskcore.doctor import Check

_MAX_LEEWAY = 300.0
_API_TOKEN = PREFIX.encode()


class Bearer:
    """Authenticates requests by tokens of issuers, API tokens, session cookies, or several of them.

    Nothing is fetched before the first token arrives. One object serves one event loop.

    Args:
        issuers: The issuers whose tokens are accepted.
        api_tokens: Accept API tokens too, and serve ``/me/tokens``. At least one issuer,
            ``api_tokens`` or ``sessions`` must be given.
        sessions: Accept the session cookies of browsers too, and serve ``/session``, where a
            one-time link from ``store.sessions`` signs a browser in.
        leeway: Seconds by which the clocks of the issuer and this machine may differ.
        verified_cache: The most tokens to remember as verified; 0: verify every time.
        resource: The URL of this API, if its metadata are published (RFC 9728). It is put into
            challenges and never taken from a request.
        fetch: How to fetch keys, instead of the built-in client.
        provision: When a caller who is unknown to the database gets a user: with the first task,
            or never.

    Raises:
        ConfigurationError: An argument is not usable, or the extra ``auth`` is not installed.
    """

    def __init__(
        self,
        *issuers: IssuerRules,
        api_tokens: bool = False,
        sessions: bool = False,
        leeway: float = 30,
        verified_cache: int = 10_000,
        resource: str | None = None,
        fetch: Fetch | None = None,
        provision: Provision = "on_write",
    ) -> None:
        if issuers:
            signatures.check_installed()
        for issuer in issuers:
            if not isinstance(issuer, IssuerRules):
                raise ConfigurationError(
                    f"Bearer takes issuers, such as Issuer(url, audience=…), not "
                    f"{type(issuer).__name__}"
                )
        names = [rules.issuer for rules in issuers]
        if len(set(names)) < len(names) or not (names or api_tokens or sessions):
            raise ConfigurationError(
                "give at least one issuer, each of them once, or api_tokens=True or sessions=True"
            )
        if sum(rules.subject_is_user_id for rules in issuers) > 1:
            raise ConfigurationError(
                "only one issuer can have subject_is_user_id: each could name the other's users"
            )
        if not isinstance(leeway, int | float) or not 0 <= leeway <= _MAX_LEEWAY:
            raise ConfigurationError(f"leeway must be 0 to {_MAX_LEEWAY:g} seconds")
        if verified_cache < 0:
            raise ConfigurationError("verified_cache must not be negative")
        _check_resource(resource)
        if provision not in PROVISIONS:
            raise ConfigurationError("provision must be on_write or never")
        self.api_tokens = api_tokens
        self.sessions = sessions
        self.resource = resource
        self.provision = provision
        self._leeway = float(leeway)
        self._issuers: dict[str, tuple[IssuerRules, Keys]] = {
            rules.issuer: (rules, _keys(rules, fetch or fetch_url)) for rules in issuers
        }
        self._verified = VerifiedTokens(verified_cache)
        self._clock = time.time

    @property
    def issuers(self) -> tuple[str, ...]:
        """The issuers whose tokens are accepted."""
        return tuple(self._issuers)

    @property
    def takes_tokens(self) -> bool:
        """Whether tokens are accepted, of issuers or API tokens, and not sessions alone."""
        return bool(self._issuers) or self.api_tokens

    @property
    def discovery_url(self) -> str | None:
        """The URL of the issuer's OpenID Connect Discovery document, if there is one issuer."""
        found = [rules for rules, _keys in self._issuers.values() if rules.jwks_url is None]
        if len(self._issuers) > 1 or not found or found[0].secret is not None:
            return None
        return discovery_url(found[0].issuer)

    async def authenticate(self, headers: Iterable[tuple[bytes, bytes]]) -> Principal | TokenSecret:
        """Return the caller that the request's token names, or the API token.

        Of an API token only the form is checked; the database verifies it.

        Args:
            headers: The header list of the ASGI scope.

        Raises:
            TokenRefused: There is no token, or it is not accepted.
            KeysUnavailable: The keys of the token's issuer cannot be fetched.
        """
        try:
            return await self._authenticate(bearer_token(headers))
        except TokenRefused as refused:
            log_refusal(refused.reason, refused.hint or refused.issuer)
            # The frames of the traceback hold the token, and this one holds the headers.
            del headers
            raise refused.with_traceback(None) from None
        except KeysUnavailable as unavailable:
            del headers
            raise unavailable.with_traceback(None) from None

    async def explain(self, token: bytes, *, offline: bool = False) -> list[Finding]:
        """Return what each rule says of a token, for whoever holds it; see `explain`.

        Args:
            token: The token, without ``Bearer``. It is sent to nobody.
            offline: Do not fetch keys, and skip the signature.
        """
        if token.startswith(_API_TOKEN):
            return [self._explain_api_token(token)]
        for kind in (SessionSecret, LinkSecret):
            if token.startswith(kind.prefix.encode()):
                told = (
                    f"this is the secret of a {kind.noun}, which is for a browser: it is no token"
                )
                return [Finding(kind.noun, "failed", told)]
        return await explain(
            token, self._issuers, leeway=self._leeway, now=self._clock(), offline=offline
        )

    async def examine(self) -> "list[Check]":
        """Ask every issuer for its keys and its time, for whoever runs the server."""
        # A server does not need it.
        from taskcore_http.identity.examination import examine  # noqa: PLC0415

        return await examine(self._issuers, leeway=self._leeway)

    def _explain_api_token(self, token: bytes) -> Finding:
        if not self.api_tokens:
            return Finding("API token", "failed", "API tokens are not accepted: set api_tokens")
        try:
            _api_token(token)
        except TokenRefused as refused:
            return Finding("API token", "failed", refused.description)
        return Finding("API token", "passed", "the form is right; the database knows the rest")

    def challenge(self, refused: TokenRefused) -> str:
        """Return the value of ``WWW-Authenticate`` for a refusal."""
        return challenge(refused, resource=self.resource)

    async def prefetch(self) -> None:
        """Fetch the keys of all issuers that have none yet. Failures are logged, not raised."""
        await asyncio.gather(*(keys.prefetch() for _rules, keys in self._issuers.values()))

    async def close(self) -> None:
        """Stop fetches that are running."""
        await asyncio.gather(*(keys.close() for _rules, keys in self._issuers.values()))

    async def _authenticate(self, token: bytes) -> Principal | TokenSecret:
        if self.api_tokens and (token.startswith(_API_TOKEN) or not self._issuers):
            return _api_token(token)
        if not self._issuers:
            raise TokenRefused("only_sessions")
        digest = sha256(token).digest()
        verified = self._verified.get(digest)
        if verified is None or not verified.is_current():
            verified = await self._verify(parse_token(token))
            self._verified.add(digest, verified)
            return verified.principal
        try:
            verified.validity.check(self._clock())
        except TokenRefused as refused:
            self._verified.discard(digest)
            refused.issuer = verified.principal.issuer
            raise
        return verified.principal

    async def _verify(self, token: Token) -> Verified:
        issuer = token.payload.get("iss")
        if not isinstance(issuer, str) or issuer not in self._issuers:
            refused = TokenRefused("iss")
            if isinstance(issuer, str) and _other_slash(issuer) in self._issuers:
                refused.hint = f"unknown, it differs from {_other_slash(issuer)} in the last slash"
            raise refused
        rules, keys = self._issuers[issuer]
        try:
            check_header(token, rules)
            await _check_signature(token, keys)
            # Nothing is awaited between the two: it is the generation of the key that was used.
            generation = keys.generation()
            limits = validity(token.payload, leeway=self._leeway, max_age=rules.max_age)
            limits.check(self._clock())
            check_claims(token.payload, rules)
            caller = principal(token.payload, rules, expires_at=limits.expires)
        except TokenRefused as refused:
            refused.issuer = rules.issuer
            raise
        return Verified(caller, limits, keys, generation)


def _api_token(token: bytes) -> TokenSecret:
    # Not raised in the handler: the context of the exception would hold the token.
    with suppress(InvalidToken):
        return TokenSecret.parse(token.decode("latin-1"))
    refused = TokenRefused("api_token")
    refused.issuer = API_TOKENS
    raise refused


async def _check_signature(token: Token, keys: Keys) -> None:
    key = await keys.find(token.key_id, token.algorithm)
    if key is None:
        raise TokenRefused("kid")
    if not key.verify(token.algorithm, token.signing_input, token.signature):
        raise TokenRefused("signature")


def _other_slash(issuer: str) -> str:
    """Return the issuer with a slash at its end if it has none, and without it if it has."""
    return issuer.removesuffix("/") if issuer.endswith("/") else f"{issuer}/"


def _keys(rules: IssuerRules, fetch: Fetch) -> Keys:
    return FetchedKeys(rules, fetch) if rules.secret is None else SecretKeys(rules.secret)


def _check_resource(resource: str | None) -> None:
    if resource is None:
        return
    try:
        safe_url(resource, query=True)
    except UnsafeUrl as exc:
        raise ConfigurationError(f"resource {exc}") from None
