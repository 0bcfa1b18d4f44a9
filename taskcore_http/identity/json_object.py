"""A JSON object, read more strictly than ``json.loads`` does."""

import json
import math
import re

_MAX_DEPTH = 32

# The closing quote is optional, so that a string without one is not searched again and again.
_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_BRACKETS = re.compile(r"[\[\]{}]")


def json_object(content: bytes) -> dict[str, object] | None:
    """Return the object, or None if the content is not one JSON object in UTF-8.

    A name that occurs twice in one object, a number that is not finite, and more than 32 levels
    are refused: parsers disagree about them (RFC 8259, sections 4, 6 and 9).
    """
    # None is returned because an exception would hold the content, which is secret.
    try:
        text = content.decode()
        if _is_deep(text):
            return None
        value: object = _DECODER.decode(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _is_deep(text: str) -> bool:
    if text.count("[") + text.count("{") <= _MAX_DEPTH:
        return False
    depth = 0
    for bracket in _BRACKETS.findall(_STRINGS.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > _MAX_DEPTH:
            return True
    return False


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name occurs twice")
    return members


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _refuse(_: str) -> None:
    raise ValueError("not a number of JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_refuse)
