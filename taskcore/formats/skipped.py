"""A part of a file that is left out on purpose."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that is not a task to import, such as an event of a calendar.

    Attributes:
        number: The number of the line where it begins, counted from 1.
        reason: What the part is.
    """

    number: int
    reason: str
