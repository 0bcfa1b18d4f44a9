"""Tags: a set of short texts, kept sorted."""

import re
import unicodedata

from pydantic_core import PydanticCustomError

from taskcore.limits import MAX_TAG, MAX_TAGS

# A character of the form NFC has at most so many in NFD
# (https://unicode.org/faq/normalization.html).
_DECOMPOSED = 4
# A comma separates tags in CSV and in query strings.
_NOT_IN_TAGS = re.compile("[\x00-\x1f\x7f-\x9f,\ud800-\udfff\u2028\u2029]")


def validate_tags(value: tuple[str, ...]) -> tuple[str, ...]:
    """Return the tags in Unicode's form NFC, sorted by code points, without duplicates.

    White space at both ends of a tag is removed.

    Raises:
        PydanticCustomError: A tag is empty, is too long or has a character that tags must not
            have, or there are too many tags.
    """
    tags = {_tag(tag) for tag in value}
    if len(tags) > MAX_TAGS:
        raise PydanticCustomError("max_items", "must have at most {max} tags", {"max": MAX_TAGS})
    return tuple(sorted(tags))


def _tag(value: str) -> str:
    stripped = value.strip()
    if not stripped:
        raise PydanticCustomError("non_empty", "must not have an empty tag")
    # Normalizing takes the square of the length of a text of combining marks.
    tag = unicodedata.normalize("NFC", stripped[: _DECOMPOSED * MAX_TAG + 1])
    if len(tag) > MAX_TAG or len(stripped) > _DECOMPOSED * MAX_TAG:
        raise PydanticCustomError(
            "max_length", "must have tags of at most {max} characters", {"max": MAX_TAG}
        )
    if _NOT_IN_TAGS.search(tag):
        raise PydanticCustomError(
            "characters", "must have tags without commas and control characters"
        )
    return tag
