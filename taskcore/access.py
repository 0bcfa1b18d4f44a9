"""The access that an operation needs: what a token must allow, and whose rows it may begin."""

from dataclasses import dataclass
from typing import Literal, get_args

Scope = Literal["tasks:read", "tasks:write"]
"""What an API token allows. ``tasks:write`` does not include ``tasks:read``."""

SCOPES: tuple[Scope, ...] = get_args(Scope)

Right = Scope | Literal["tokens", "sign-in"]
"""A scope, or what no API token allows: a browser session is for ``tokens`` too, and a link that
signs a browser in is for ``sign-in`` alone."""


@dataclass(frozen=True, slots=True)
class Access:
    """The access that an operation needs.

    Attributes:
        scope: What an API token, a session or a sign-in link must allow.
        creates: Whether the operation stores something new, and creates its user if need be.
    """

    scope: Right
    creates: bool = False


READ = Access("tasks:read")
WRITE = Access("tasks:write")
CREATE = Access("tasks:write", creates=True)
