"""Cursors: the place in a list where the next page begins, as an opaque string.

A cursor is a JSON array of the list's order, the key of the page's last item and the values
that the list is sorted by, in base64url without padding
(https://www.rfc-editor.org/rfc/rfc4648#section-5). It holds nothing else of the item, and the
key of another user's item selects nothing.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode

from taskcore.errors import ValidationError
from taskcore.limits import MAX_ID

_LONGEST = 100

# json.dumps makes an encoder for each call that has separators.
_encode = json.JSONEncoder(separators=(",", ":")).encode

Value = str | int | None
"""A value that a list is sorted by, before the key."""


def cursor_after(order: str, key: int, *values: Value) -> str:
    """Return the cursor of the page that follows the item with this key and these values."""
    document = _encode([order, key, *values])
    return urlsafe_b64encode(document.encode()).rstrip(b"=").decode()


def key_of(cursor: object, order: str) -> int:
    """Return the key in a cursor of a list that is ordered by its keys alone.

    Args:
        cursor: ``next`` of a page.
        order: The order of the list that the cursor is used for.

    Raises:
        ValidationError: It is not a cursor of a list in this order.
    """
    key, values = place_of(cursor, order)
    if values:
        raise not_of_this_list()
    return key


def place_of(cursor: object, order: str) -> tuple[int, tuple[Value, ...]]:
    """Return the key in a cursor, and the values that the list is sorted by.

    The values are texts, integers or None; the caller checks which.

    Args:
        cursor: ``next`` of a page.
        order: The order of the list that the cursor is used for.

    Raises:
        ValidationError: It is not a cursor of a list in this order.
    """
    if not isinstance(cursor, str):
        raise ValidationError("after must be a string", field="after", constraint="type")
    place = _place_in(cursor[: _LONGEST + 1])
    if place is None or cursor_after(order, place[0], *place[1]) != cursor:
        raise not_of_this_list()
    return place


def not_of_this_list() -> ValidationError:
    """Return the error for a cursor of another list or order."""
    return ValidationError(
        "after must be a cursor of this list, unchanged", field="after", constraint="cursor"
    )


def _place_in(cursor: str) -> tuple[int, tuple[Value, ...]] | None:
    try:
        # Python ignores padding that is too long.
        _order, key, *values = json.loads(urlsafe_b64decode(f"{cursor}=="))
    except (ValueError, TypeError, RecursionError):
        return None
    if type(key) is not int or not 1 <= key <= MAX_ID:
        return None
    if not all(value is None or type(value) in (str, int) for value in values):
        return None
    return key, tuple(values)
