"""Times as iCalendar and Taskwarrior write them: the basic format of ISO 8601."""

from datetime import UTC, date, datetime
from typing import Any


def basic(value: date) -> str:
    """Return a date, or a local date and time: ``20261130`` or ``20261130T170000``."""
    return value.isoformat().replace("-", "").replace(":", "")


def basic_utc(moment: datetime) -> str:
    """Return an aware time in UTC, in whole seconds: ``20261130T160000Z``."""
    return f"{basic(moment.astimezone(UTC).replace(microsecond=0, tzinfo=None))}Z"


def put_in_order(fields: dict[str, Any]) -> None:
    """Set ``updated_at`` to ``created_at`` if it is earlier, because two clocks differed."""
    created, updated = fields.get("created_at"), fields.get("updated_at")
    if created and updated and updated < created:
        fields["updated_at"] = created
