"""The access that an operation needs: what an API token must allow, and whose rows it may begin."""

from dataclasses import dataclass
from typing import Literal, get_args

Scope = Literal["tasks:read", "tasks:write"]
"""What an API token allows. ``tasks:write`` does not include ``tasks:read``."""

SCOPES: tuple[Scope, ...] = get_args(Scope)


@dataclass(frozen=True, slots=True)
class Access:
    """The access that an operation needs.

    Attributes:
        scope: The scope that an API token must have. None: no token will do.
        creates: Whether the operation stores something new, and creates its user if need be.
    """

    scope: Scope | None
    creates: bool = False


READ = Access("tasks:read")
WRITE = Access("tasks:write")
CREATE = Access("tasks:write", creates=True)
