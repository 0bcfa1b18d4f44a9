"""Texts of other programs that can be tags."""

from pydantic_core import PydanticCustomError

from taskcore.tasks.tags import validate_tags


def tag_of(text: str) -> str | None:
    """Return the tag that a text is stored as; None if it cannot be a tag."""
    try:
        return validate_tags((text,))[0]
    except PydanticCustomError:
        return None
