"""The settings of the application's role, which the role itself may change permanently.

PostgreSQL lets every role change its own settings (ALTER ROLE … SET). A setting of the
role wins over one of the database, which only the database's owner may change
(https://www.postgresql.org/docs/current/config-setting.html).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import asyncpg

ROLE = "taskcore_app"

TIMEOUTS = {
    "statement_timeout": "30s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "60s",
}
"""Timeouts are settings of the role, because Neon's pooler drops start-up parameters.

A wait for a lock ends before ``command_timeout``, so the client knows that it was rolled back.
"""

SHORTEST, LONGEST = 1.0, 3600.0
"""Seconds. A timeout in this range is an administrator's choice and is kept."""

_SECONDS = {"us": 1e-6, "ms": 1e-3, "": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_TIME = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(us|ms|s|min|h|d|)\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class RoleSetting:
    """One setting of the role.

    Attributes:
        name: The setting's name.
        value: Its value, as it was written.
        in_this_database: Whether it applies to this database only.
    """

    name: str
    value: str
    in_this_database: bool

    @property
    def kept(self) -> bool:
        """Whether to keep it as an administrator's choice: a timeout of 1 second to 1 hour."""
        time = _TIME.fullmatch(self.value) if self.name in TIMEOUTS else None
        return time is not None and SHORTEST <= float(time[1]) * _SECONDS[time[2]] <= LONGEST


async def read(connection: asyncpg.Connection) -> list[RoleSetting]:
    """Return the settings that the role may have given itself. Every role may read them."""
    query = resources.files("taskcore.schema").joinpath("role_settings.sql").read_text("utf-8")
    return [RoleSetting(*row) for row in await connection.fetch(query)]


def as_objects(settings: Iterable[RoleSetting]) -> dict[str, str]:
    """Return the settings as objects of the catalog. A kept timeout gets the released value."""
    found: dict[str, str] = {}
    for setting in settings:
        name = f"setting {ROLE}.{setting.name}"
        if not setting.in_this_database:
            found[name] = TIMEOUTS[setting.name] if setting.kept else setting.value
        elif not setting.kept:
            found[f"{name} in this database"] = setting.value
    return found


def corrections(settings: Iterable[RoleSetting], database: str) -> list[str]:
    """Return the statements that restore the released settings, except the kept ones.

    Args:
        settings: The settings of the role.
        database: The database's name, quoted.
    """
    settings = list(settings)
    kept = {setting.name for setting in settings if setting.kept and not setting.in_this_database}
    return [
        f"ALTER ROLE {ROLE} {f'IN DATABASE {database} ' * setting.in_this_database}"
        f'RESET "{setting.name}"'
        for setting in settings
        if not setting.kept
    ] + [
        f"ALTER ROLE {ROLE} SET {name} = '{value}'"
        for name, value in TIMEOUTS.items()
        if name not in kept
    ]
