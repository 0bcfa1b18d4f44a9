"""Why a request is not authenticated: the token is refused, or its issuer has no keys.

Every text here is fixed. No value of a token gets into an exception, an answer or a log line.
"""

import logging
from typing import Literal

logger = logging.getLogger("taskcore.http.identity")

Reason = Literal[
    "missing",
    "scheme",
    "several",
    "size",
    "form",
    "header",
    "crit",
    "alg",
    "typ",
    "iss",
    "kid",
    "signature",
    "aud",
    "azp",
    "exp",
    "nbf",
    "iat",
    "sub",
    "id_token",
    "claim",
    "cnf",
    "scopes",
    "scope",
    "inactive",
    "blocked",
    "unknown",
    "api_token",
    "no_api_token",
    "both",
    "cookies",
    "origin",
    "session",
    "signed_out",
    "only_sessions",
    "link",
]
"""A short code for logs and tests; most are the name of the claim or parameter at fault."""

ErrorCode = Literal["invalid_request", "invalid_token", "insufficient_scope"]
"""An error code of RFC 6750, section 3.1."""

_UNVERIFIED = "the signature of the token cannot be verified"

_ANSWERS: dict[Reason, tuple[int, ErrorCode | None, str]] = {
    # A request without credentials gets no error code (RFC 6750, section 3.1).
    "missing": (401, None, "a bearer token is required"),
    "scheme": (401, None, "a bearer token is required, not another kind of credentials"),
    "several": (400, "invalid_request", "send one Authorization field with one token"),
    "size": (401, "invalid_token", "the token is too long"),
    "form": (401, "invalid_token", "the token is not a well-formed signed JSON Web Token"),
    "header": (401, "invalid_token", "the token has a header parameter that is not accepted"),
    "crit": (401, "invalid_token", "the token needs an extension that is not supported"),
    "alg": (401, "invalid_token", "the algorithm of the token is not accepted"),
    "typ": (401, "invalid_token", "the token is not an access token"),
    "iss": (401, "invalid_token", "the issuer of the token is not accepted"),
    # An unknown key and a wrong signature get one answer.
    "kid": (401, "invalid_token", _UNVERIFIED),
    "signature": (401, "invalid_token", _UNVERIFIED),
    "aud": (401, "invalid_token", "the token is not meant for this API"),
    "azp": (401, "invalid_token", "the token was issued to another application"),
    "exp": (401, "invalid_token", "the token has expired, or has no valid expiration time"),
    "nbf": (401, "invalid_token", "the token is not valid yet"),
    "iat": (401, "invalid_token", "the token is too old, or has no valid time of issue"),
    "sub": (401, "invalid_token", "the token has no usable subject"),
    "id_token": (401, "invalid_token", "the token is an ID token, not an access token"),
    "claim": (401, "invalid_token", "the token lacks a claim that is required of its issuer"),
    "cnf": (401, "invalid_token", "the token is bound to a key and is not a bearer token"),
    "scopes": (401, "invalid_token", "the scopes of the token are malformed"),
    "scope": (403, "insufficient_scope", "the token lacks a scope"),
    # For an authenticator that asks the issuer (RFC 7662, section 2.2).
    "inactive": (401, "invalid_token", "the token is not active"),
    "blocked": (401, "invalid_token", "the caller is blocked"),
    "unknown": (403, None, "the caller has no account here"),
    # One answer: unknown, expired, revoked, of a blocked user.
    "api_token": (401, "invalid_token", "the API token is not accepted"),
    "no_api_token": (403, "insufficient_scope", "this cannot be done with an API token"),
    # RFC 6750, section 3.1: more than one way of authenticating is an invalid request.
    "both": (400, "invalid_request", "send a session cookie or an Authorization field, not both"),
    "cookies": (400, "invalid_request", "send one session cookie: delete those of this site"),
    "origin": (
        403,
        None,
        "this is only for pages of this server: a script needs a token, or its URL as Origin",
    ),
    "session": (401, "invalid_token", "the session has ended: sign in again"),
    "signed_out": (
        401,
        None,
        "sign in with a link, such as taskctl serve prints when it starts, or send a token",
    ),
    "only_sessions": (
        401,
        None,
        "sign in with a link, such as taskctl serve prints when it starts: tokens are not accepted",
    ),
    "link": (
        401,
        "invalid_token",
        "the link was used or is older than 10 minutes: taskctl serve prints one when it starts",
    ),
}


# The log names these sources of credentials instead of an issuer.
API_TOKENS = "API tokens"
SESSIONS = "sessions"
LINKS = "sign-in links"


def log_refusal(reason: Reason, issuer: str | None) -> None:
    """Write one log line for a refusal.

    Args:
        reason: The rule that the request breaks.
        issuer: The configured issuer, or the source of credentials such as `SESSIONS`. None: the
            token names an issuer that is not configured, or none.
    """
    logger.info("refused: %s (issuer: %s)", reason, issuer or "unknown")


class TokenRefused(Exception):
    """The request is not authenticated. The text is fixed by the reason.

    Attributes:
        reason: The rule that the request breaks, for logs.
        status: 401, or 400 for a malformed request, or 403 for a missing scope.
        error: The error code of RFC 6750, section 3.1; None if there were no credentials.
        description: An explanation for developers, in the characters of RFC 6750, section 3.
        scope: The scopes that the request needs, separated by spaces; for 403 only.
        issuer: The configured issuer that the token names; None if it names another or none.
        hint: What the log says instead of the issuer. It has no value of the token.
    """

    def __init__(self, reason: Reason, *, scope: str | None = None) -> None:
        self.status, self.error, self.description = _ANSWERS[reason]
        super().__init__(self.description)
        self.reason: Reason = reason
        self.scope = scope
        self.issuer: str | None = None
        self.hint: str | None = None


class KeysUnavailable(Exception):
    """The keys of a configured issuer cannot be fetched, and none are cached: answer 503.

    The token may be valid. A 401 would make clients discard their login.

    Attributes:
        issuer: The configured issuer.
        retry_after: Seconds until the next attempt to fetch the keys, at least 1.
    """

    def __init__(self, issuer: str, *, retry_after: int) -> None:
        super().__init__(f"the keys of {issuer} cannot be fetched")
        self.issuer = issuer
        self.retry_after = retry_after
