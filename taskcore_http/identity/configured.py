"""The identity that the settings describe."""

from taskcore import ConfigurationError, Settings
from taskcore_http.identity.bearer import Bearer
from taskcore_http.identity.issuer import Issuer

_OF_ISSUER = (
    "audience",
    "authorized_parties",
    "client_ids",
    "jwks_url",
    "jwt_secret",
    "subject_is_user_id",
    "resource",
    "provision",
)


def bearer_of(settings: Settings) -> Bearer | None:
    """Return the `Bearer` of the settings; None if they say that callers are trusted.

    Raises:
        ConfigurationError: The settings name neither an issuer, nor ``api_tokens``, nor
            ``sessions``, nor ``trust_callers``, or they contradict each other.
    """
    given = [name for name in _OF_ISSUER if name in settings.model_fields_set]
    if settings.issuer is None and given:
        raise ConfigurationError(f"TASKCORE_{given[0].upper()} needs TASKCORE_ISSUER")
    verified_by = _verified_by(settings)
    if settings.trust_callers:
        if verified_by is None:
            return None
        raise ConfigurationError(
            f"set {verified_by} or TASKCORE_TRUST_CALLERS (--trust-callers), not both"
        )
    if verified_by is None:
        raise ConfigurationError(
            "set TASKCORE_ISSUER and TASKCORE_AUDIENCE to verify who calls, "
            "TASKCORE_API_TOKENS=true to let API tokens in, or "
            "TASKCORE_TRUST_CALLERS=true if something in front of this server does"
        )
    if settings.issuer is None:
        return Bearer(api_tokens=settings.api_tokens, sessions=settings.sessions)
    try:
        return _bearer(settings, settings.issuer)
    except ConfigurationError as exc:
        raise ConfigurationError(
            f"TASKCORE_ISSUER and the settings that belong to it cannot be used: {exc}"
        ) from None


def _verified_by(settings: Settings) -> str | None:
    """Return the first setting by which callers are verified; None if there is none."""
    if settings.issuer is not None:
        return "TASKCORE_ISSUER"
    if settings.sessions:
        return "TASKCORE_SESSIONS"
    return "TASKCORE_API_TOKENS" if settings.api_tokens else None


def _bearer(settings: Settings, issuer: str) -> Bearer:
    secret = settings.jwt_secret
    return Bearer(
        Issuer(
            issuer,
            audience=settings.audience,
            authorized_parties=settings.authorized_parties,
            client_ids=settings.client_ids,
            jwks_url=settings.jwks_url,
            subject_is_user_id=settings.subject_is_user_id,
            secret=None if secret is None else secret.get_secret_value(),
        ),
        api_tokens=settings.api_tokens,
        sessions=settings.sessions,
        resource=settings.resource,
        provision=settings.provision,
    )
