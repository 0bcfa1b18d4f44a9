"""A condition on a task's version, so that a change does not overwrite somebody else's."""

from collections.abc import Collection
from dataclasses import dataclass

from taskcore.errors import ValidationError
from taskcore.limits import MAX_VERSION
from taskcore.validation import validate_integer

Versions = int | Collection[int]
"""One version, or several. An empty collection has no version, so ``if_version=()`` never holds."""


@dataclass(frozen=True, slots=True)
class VersionCondition:
    """The versions that a task must have, and those that it must not have.

    Attributes:
        wanted: The task must have one of these; None for any.
        unwanted: The task must have none of these; None for none.
    """

    wanted: list[str] | None = None
    unwanted: list[str] | None = None

    def holds(self, version: int) -> bool:
        """Tell whether a task with this version meets the condition."""
        text = str(version)
        return (self.wanted is None or text in self.wanted) and text not in (self.unwanted or ())


_NONE = VersionCondition()


def version_condition(
    if_version: Versions | None, unless_version: Versions | None
) -> VersionCondition:
    """Return the condition that a caller gives.

    Raises:
        ValidationError: ``if_version`` or ``unless_version`` is not a version.
    """
    if if_version is None and unless_version is None:
        return _NONE
    return VersionCondition(
        _texts(if_version, "if_version"), _texts(unless_version, "unless_version")
    )


def _texts(versions: Versions | None, field: str) -> list[str] | None:
    if versions is None:
        return None
    if isinstance(versions, str | bytes):
        raise ValidationError(f"{field} must be an integer", field=field, constraint="type")
    each = versions if isinstance(versions, Collection) else (versions,)
    return [str(validate_integer(one, field=field, low=1, high=MAX_VERSION)) for one in each]
