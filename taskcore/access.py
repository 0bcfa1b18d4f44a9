"""The access that an operation needs: what a token must allow, and whose rows it may begin."""

from dataclasses import dataclass
from typing import Literal, get_args

Scope = Literal["tasks:read", "tasks:write"]
"""What an API token allows. ``tasks:write`` does not include ``tasks:read``."""

SCOPES: tuple[Scope, ...] = get_args(Scope)

Right = Scope | Literal["tokens", "sign-in"]
"""A scope, or a right that no API token has.

A browser session has both scopes and ``tokens``; a sign-in link has only ``sign-in``.
"""


@dataclass(frozen=True, slots=True)
class Access:
    """The access that an operation needs.

    Attributes:
        scope: The right that an API token, a session or a sign-in link must have.
        creates: Whether the operation stores something new, and creates its user if need be.
    """

    scope: Right
    creates: bool = False


READ = Access("tasks:read")
WRITE = Access("tasks:write")
CREATE = Access("tasks:write", creates=True)
