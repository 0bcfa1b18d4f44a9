"""A private PostgreSQL server for one machine: the extra ``embedded``."""

from taskcore.embedded.backup import backup, restore
from taskcore.embedded.server import EmbeddedServer, EmbeddedStatus

__all__ = ["EmbeddedServer", "EmbeddedStatus", "backup", "restore"]
