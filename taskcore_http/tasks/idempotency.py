"""The header ``Idempotency-Key``, an alternative to the member ``key`` of a new task.

https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

import re

from fastapi import Request

from taskcore import ValidationError

_NAME = "Idempotency-Key"
# A String of RFC 9651, section 3.3.3. Most clients send the key without quotes.
_QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*)"')
_ESCAPED = re.compile(r'\\(["\\])')


def idempotency_key(request: Request) -> str | None:
    """Return the key in the request's header; None without the header.

    Raises:
        ValidationError: There are several, or the key has characters beyond ASCII.
    """
    found = request.headers.getlist(_NAME)
    if not found:
        return None
    if len(found) > 1:
        raise ValidationError(f"{_NAME} must be given once", field=_NAME, constraint="given_twice")
    (key,) = found
    if not key.isascii():
        raise ValidationError(
            f"{_NAME} must be ASCII: send other keys in the body", field=_NAME, constraint="type"
        )
    quoted = _QUOTED.fullmatch(key)
    return _ESCAPED.sub(r"\1", quoted[1]) if quoted else key
