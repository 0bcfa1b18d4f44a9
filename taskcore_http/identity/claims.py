"""The claims of a token whose signature is verified, against the rules of its issuer."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from taskcore.errors import ValidationError
from taskcore.validation import validate_name, validate_subject_id
from taskcore_http.identity.principal import Principal
from taskcore_http.identity.refusal import TokenRefused
from taskcore_http.identity.rules import SCOPE, IssuerRules

# OIDC Core, sections 2 and 3.3.2.11; Financial-grade API 1.0, part 2, section 5.1.1.
_OF_ID_TOKENS = frozenset(("nonce", "at_hash", "c_hash", "s_hash"))


def check_claims(claims: dict[str, object], rules: IssuerRules) -> None:
    """Check that the token is an access token for this API.

    The times are checked by `taskcore_http.identity.validity`.

    Raises:
        TokenRefused: Names the first rule that is broken.
    """
    for check in CHECKS:
        check.run(claims, rules)


def principal(claims: dict[str, object], rules: IssuerRules, *, expires_at: float) -> Principal:
    """Return the caller that the claims name.

    Raises:
        TokenRefused: The subject or the scopes are malformed, or a required scope is missing.
    """
    subject = _subject(claims, is_user_id=rules.subject_is_user_id)
    if subject is None:
        raise TokenRefused("sub")
    scopes = _scopes(claims)
    if not scopes.issuperset(rules.required_scopes):
        raise TokenRefused("scope", scope=" ".join(rules.required_scopes))
    return Principal(rules.issuer, subject, scopes, expires_at, rules.subject_is_user_id)


def _subject(claims: dict[str, object], *, is_user_id: bool) -> str | None:
    """Return the claim ``sub``, or None if it cannot name a user."""
    # Not raised from here: the frames of an exception's context hold the token.
    with suppress(ValidationError):
        subject = validate_name(claims.get("sub"), field="sub")
        if is_user_id:
            validate_subject_id(subject)
        return subject
    return None


def _check_kind(claims: dict[str, object], rules: IssuerRules) -> None:
    if "events" in claims:
        # A security event, such as a logout, is not a token for an API (RFC 8417, section 2.2).
        raise TokenRefused("typ")
    if rules.accept_id_tokens:
        return
    if not _OF_ID_TOKENS.isdisjoint(claims):
        raise TokenRefused("id_token")
    if claims.get("token_use", "access") != "access":
        raise TokenRefused("id_token")


def _check_audience(claims: dict[str, object], rules: IssuerRules) -> None:
    """Check ``aud``: a recipient refuses a token that names only others (RFC 7519, section 4.1.3).

    A token without it is accepted only from an issuer that is configured without an audience.
    """
    if "aud" not in claims and not rules.audience:
        return
    value = claims.get("aud")
    names = value if isinstance(value, list) else [value]
    if not all(isinstance(name, str) for name in names) or not set(names) & set(rules.audience):
        raise TokenRefused("aud")


def _check_authorized_party(claims: dict[str, object], rules: IssuerRules) -> None:
    if rules.authorized_parties and claims.get("azp") not in rules.authorized_parties:
        raise TokenRefused("azp")


def _check_client(claims: dict[str, object], rules: IssuerRules) -> None:
    if rules.client_ids and claims.get("client_id") not in rules.client_ids:
        raise TokenRefused("azp")


def _check_required(claims: dict[str, object], rules: IssuerRules) -> None:
    for name, value in rules.required_claims:
        if claims.get(name) != value:
            raise TokenRefused("claim")


def _check_possession(claims: dict[str, object], rules: IssuerRules) -> None:
    """Refuse a token whose sender has to prove possession of a key, which is not checked here.

    RFC 9449, section 7.1; RFC 8705, section 3.
    """
    del rules
    if "cnf" in claims:
        raise TokenRefused("cnf")


def _scopes(claims: dict[str, object]) -> frozenset[str]:
    """Return the scopes of ``scope`` (RFC 9068, section 2.2.3), or of ``scp`` without one."""
    value = claims["scope"] if "scope" in claims else claims.get("scp", "")
    if isinstance(value, str):
        # Some issuers put more than one space between two scopes, or after the last.
        value = [one for one in value.split(" ") if one]
    elif "scope" in claims:
        # Only `scp` may be a list.
        raise TokenRefused("scopes")
    if not isinstance(value, list):
        raise TokenRefused("scopes")
    if not all(isinstance(one, str) and SCOPE.fullmatch(one) for one in value):
        raise TokenRefused("scopes")
    return frozenset(value)


@dataclass(frozen=True, slots=True)
class ClaimCheck:
    """A rule for claims.

    Attributes:
        name: A short name.
        run: Raises `TokenRefused` if the rule is broken.
        claims: The claims that it is about, besides those that its setting names.
        setting: The attribute of `IssuerRules` with the accepted values, if it has any.
    """

    name: str
    run: Callable[[dict[str, object], IssuerRules], None]
    claims: tuple[str, ...]
    setting: str | None = None


CHECKS = (
    ClaimCheck("kind", _check_kind, ("token_use", "events", *sorted(_OF_ID_TOKENS))),
    ClaimCheck("audience", _check_audience, ("aud",), "audience"),
    ClaimCheck("authorized party", _check_authorized_party, ("azp",), "authorized_parties"),
    ClaimCheck("client", _check_client, ("client_id",), "client_ids"),
    ClaimCheck("required claims", _check_required, (), "required_claims"),
    ClaimCheck("possession", _check_possession, ("cnf",)),
)
"""The rules that `check_claims` checks, in this order."""
