"""Escaping of text for a terminal: the text of tasks must not control it."""

import unicodedata
from collections.abc import Callable

# Joiners belong to Indic and Persian words and to emoji. They do not move text.
_HARMLESS = frozenset("\u200c\u200d")
# Control, format (bidirectional overrides among them), surrogate, line and
# paragraph separator: https://www.unicode.org/reports/tr44/#General_Category_Values
_OBEYED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def visible(text: str, *, lines: bool = False) -> str:
    r"""Return the text on one line with every control character escaped, such as ``\x1b``.

    Args:
        text: Anything.
        lines: Leave line feeds as they are.
    """
    return escaped(text, _escape, besides="\n" if lines else "")


def escaped(text: str, escape: Callable[[str], str], *, besides: str = "") -> str:
    """Return the text with every control character escaped, except those in ``besides``."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character if character in besides or _is_plain(character) else escape(character)
        for character in text
    )


def _is_plain(character: str) -> bool:
    return unicodedata.category(character) not in _OBEYED or character in _HARMLESS


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")
