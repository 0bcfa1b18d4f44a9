"""Calls of an administrator: an error says which role they need."""

from collections.abc import Awaitable
from typing import TypeVar

from taskcore.errors import PermissionDenied

_Rows = TypeVar("_Rows")


async def administered(call: Awaitable[_Rows]) -> _Rows:
    """Wait for a call, and say which role it needs if this one may not make it."""
    try:
        return await call
    except PermissionDenied as exc:
        raise PermissionDenied(
            "this role may not work with users and identities: use the URL of the role that "
            "migrated the database, or EmbeddedServer().admin_url"
        ) from exc
