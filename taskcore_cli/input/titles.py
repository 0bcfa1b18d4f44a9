"""Titles from standard input, one a line."""

import io
from itertools import islice
from pathlib import Path

from taskcore_cli.input.files import opened_for_reading

# One more than a batch may have, and more characters than a title may have: the library
# refuses both, and an endless file is not read to its end.
_LINES = 10_001
_CHARACTERS = 4_096


def read_titles() -> list[tuple[int, str]]:
    """Return the lines that are not blank, with their numbers."""
    with opened_for_reading(Path("-"), twice=False) as file:
        text = io.TextIOWrapper(file, "utf-8", "surrogateescape")
        lines = enumerate(iter(lambda: text.readline(_CHARACTERS), ""), 1)
        titles = ((number, line.strip()) for number, line in lines)
        return list(islice(((number, title) for number, title in titles if title), _LINES))
