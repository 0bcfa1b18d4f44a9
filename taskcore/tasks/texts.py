"""Texts that PostgreSQL can store."""

from pydantic_core import PydanticCustomError


def storable(text: str) -> str:
    """Return a text unchanged, if PostgreSQL can store it.

    Raises:
        PydanticCustomError: It has NUL characters or lone surrogates.
    """
    if "\x00" in text:
        raise PydanticCustomError("no_nul", "must not contain the NUL character")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise PydanticCustomError("unicode", "must not contain lone surrogates") from None
    return text
