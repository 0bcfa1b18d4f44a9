"""The bearer token of a request, from its header fields."""

from collections.abc import Iterable

from taskcore_http.identity.refusal import TokenRefused

MAX_TOKEN = 8 * 1024
"""The longest token that is looked at, in bytes."""


def bearer_token(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the token of the field ``Authorization`` (RFC 6750, section 2.1).

    Tokens in a query or a form are not looked for (RFC 6750, sections 2.2 and 2.3). The
    characters of the token are checked by its parser.

    Args:
        headers: The header list of an ASGI scope, with names in lower case.

    Raises:
        TokenRefused: There is no token, more than one, or it is too long.
    """
    fields = [value for name, value in headers if name == b"authorization"]
    if not fields:
        raise TokenRefused("missing")
    if len(fields) > 1:
        # Which of them counts would depend on the server in front.
        raise TokenRefused("several")
    # Some servers keep the white space around a value, which is not part of it (RFC 9110,
    # section 5.5).
    scheme, _, token = fields[0].strip(b" \t").partition(b" ")
    if scheme.lower() != b"bearer":
        raise TokenRefused("scheme")
    token = token.lstrip(b" ")
    if len(token) > MAX_TOKEN:
        raise TokenRefused("size")
    if b"," in token:
        raise TokenRefused("several")
    return token
