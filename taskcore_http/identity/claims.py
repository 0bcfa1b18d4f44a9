"""The claims of a token whose signature is verified, against the rules of its issuer."""

from contextlib import suppress

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
    _check_kind(claims, rules)
    _check_audience(claims, rules)
    _check_party(claims, "azp", rules.authorized_parties)
    _check_party(claims, "client_id", rules.client_ids)
    for name, value in rules.required_claims:
        if claims.get(name) != value:
            raise TokenRefused("claim")
    if "cnf" in claims:
        # The sender would have to prove possession of a key (RFC 9449, section 7.1; RFC 8705,
        # section 3), which is not checked here.
        raise TokenRefused("cnf")


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


def _check_party(claims: dict[str, object], name: str, accepted: tuple[str, ...]) -> None:
    if accepted and claims.get(name) not in accepted:
        raise TokenRefused("azp")


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
