"""A page of a user's tasks, as JSON."""

from typing import NamedTuple


class JsonPage(NamedTuple):
    """Some of a user's tasks, in the order of their list, for callers that only pass the JSON on.

    Attributes:
        items: A JSON array of the tasks, in UTF-8: the JSON of `Task`, without spaces.
        next: The cursor of the next page (``after=page.next``); None on the last page.
    """

    items: bytes
    next: str | None
