"""A JSON Web Token in the compact serialization, parsed and not yet trusted."""

from dataclasses import dataclass

from taskcore_http.identity import base64url
from taskcore_http.identity.json_object import json_object
from taskcore_http.identity.refusal import TokenRefused
from taskcore_http.identity.rules import IssuerRules

_MAX_HEADER = 4 * 1024
_MAX_KID = 256

# They name or hold a key of the sender's choice (RFC 8725, section 3.10), or change what is
# signed or how it is encoded (RFC 7797; RFC 7516, section 4.1).
_REFUSED_PARAMETERS = frozenset(("jku", "jwk", "x5u", "b64", "zip", "enc"))

_ACCESS_TOKEN_TYPES = frozenset(("at+jwt", "application/at+jwt"))


@dataclass(frozen=True, slots=True, repr=False)
class Token:
    """The parts of a token. Nothing in it is trusted before the signature is verified.

    Attributes:
        header: The protected header.
        payload: The claims.
        signing_input: The bytes that are signed (RFC 7515, section 5.2).
        signature: The signature.
        algorithm: The header parameter ``alg``.
        key_id: The header parameter ``kid``, if there is one.
    """

    header: dict[str, object]
    payload: dict[str, object]
    signing_input: bytes
    signature: bytes
    algorithm: str
    key_id: str | None


def parse_token(token: bytes) -> Token:
    """Parse a token, and check the rules for its header that hold for every issuer.

    Args:
        token: The token, of a length that was checked before.

    Raises:
        TokenRefused: It is not three canonical base64url segments with two JSON objects, or
            has a header parameter that is not accepted.
    """
    segments = token.split(b".", 3)
    if len(segments) != 3:
        raise TokenRefused("form")
    header = _object(segments[0], _MAX_HEADER)
    _check_parameters(header)
    algorithm, key_id = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str):
        raise TokenRefused("alg")
    if not isinstance(key_id, str | None) or (key_id is None and "kid" in header):
        raise TokenRefused("kid")
    if key_id is not None and len(key_id) > _MAX_KID:
        raise TokenRefused("kid")
    payload = _object(segments[1], len(token))
    signature = base64url.decode(segments[2])
    if signature is None:
        raise TokenRefused("form")
    signing_input = token[: len(segments[0]) + 1 + len(segments[1])]
    return Token(header, payload, signing_input, signature, algorithm, key_id)


def check_header(token: Token, rules: IssuerRules) -> None:
    """Check the header against the rules of the issuer that the token names.

    Raises:
        TokenRefused: The algorithm or the type is not accepted.
    """
    if token.algorithm not in rules.algorithms:
        raise TokenRefused("alg")
    kind = token.header.get("typ", "JWT")
    kind = kind.lower() if isinstance(kind, str) else ""
    if kind in _ACCESS_TOKEN_TYPES:
        return
    if rules.rfc9068 or kind != "jwt":
        raise TokenRefused("typ")


def _object(segment: bytes, limit: int) -> dict[str, object]:
    content = base64url.decode(segment)
    if content is None or len(content) > limit:
        raise TokenRefused("form")
    value = json_object(content)
    if value is None:
        raise TokenRefused("form")
    return value


def _check_parameters(header: dict[str, object]) -> None:
    if "crit" in header:
        # No extension is understood (RFC 7515, section 4.1.11).
        raise TokenRefused("crit")
    if not _REFUSED_PARAMETERS.isdisjoint(header):
        raise TokenRefused("header")
    content_type = header.get("cty", "JWT")
    if not isinstance(content_type, str) or content_type.upper() != "JWT":
        raise TokenRefused("header")
