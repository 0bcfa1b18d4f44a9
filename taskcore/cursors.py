"""Cursors: the place in a list where the next page begins, as an opaque string.

A cursor is a JSON array of the list's order and the key of the page's last item, in
base64url without padding (https://www.rfc-editor.org/rfc/rfc4648#section-5). It holds
nothing of the item but its key, and a key of another user's item selects nothing.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode

from taskcore.errors import ValidationError
from taskcore.limits import MAX_ID

_LONGEST = 100


def cursor_after(order: str, key: int) -> str:
    """Return the cursor of the page that follows the item with this key."""
    document = json.dumps([order, key], separators=(",", ":"))
    return urlsafe_b64encode(document.encode()).rstrip(b"=").decode()


def key_of(cursor: object, order: str) -> int:
    """Return the key in a cursor.

    Args:
        cursor: ``next`` of a page.
        order: The order of the list that the cursor is used for.

    Raises:
        ValidationError: It is not a cursor of a list in this order.
    """
    if not isinstance(cursor, str):
        raise ValidationError("after must be a string", field="after", constraint="type")
    key = _key_in(cursor[: _LONGEST + 1])
    if key is None or cursor_after(order, key) != cursor:
        raise ValidationError(
            "after must be a cursor of this list, unchanged", field="after", constraint="cursor"
        )
    return key


def _key_in(cursor: str) -> int | None:
    try:
        # Python ignores padding that is too long.
        _order, key = json.loads(urlsafe_b64decode(f"{cursor}=="))
    except (ValueError, TypeError, RecursionError):
        return None
    return key if type(key) is int and 1 <= key <= MAX_ID else None
