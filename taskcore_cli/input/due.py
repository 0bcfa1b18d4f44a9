"""Due dates as people type them: tomorrow, 2026-12-01, or fri 17:00."""

import re
from datetime import datetime
from typing import TYPE_CHECKING

from taskcore_cli.exit_codes import WrongUsage

# Loaded on use, so that --help answers at once.
# ruff: noqa: PLC0415
if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_ISO = re.compile(r"(\d{4}-\d\d-\d\d)(?:[ Tt](\S.*))?", re.ASCII)


def due_of(text: str, zone: str | None) -> str:
    """Return a due date in the library's form: a date, or a date and a time.

    Words are English, and a day of the week means the next such day. A text that begins like an
    ISO 8601 date is left to the library, whose error names the fault.

    Args:
        text: The text that was typed.
        zone: The time zone in which words such as "today" are meant; None: this machine's.

    Raises:
        WrongUsage: The text names no date.
    """
    if iso := _ISO.fullmatch(text.strip()):
        return "T".join(part for part in iso.groups() if part)
    from dateparser.date import DateDataParser

    now = datetime.now(_zone(zone)).replace(tzinfo=None)
    parser = DateDataParser(
        languages=["en"],
        settings={
            "DATE_ORDER": "DMY",
            "PREFER_DATES_FROM": "future",
            "RELATIVE_BASE": now,
            "RETURN_TIME_AS_PERIOD": True,
        },
    )
    found = parser.get_date_data(text)
    # It drops a time that does not exist, such as 25:00.
    is_cut = found.period == "day" and ":" in text
    kinds = ("day", "time")
    if found.date_obj is None or found.period not in kinds or found.date_obj.tzinfo or is_cut:
        raise WrongUsage(
            f"--due {text!r} is not understood: try tomorrow, 2026-12-01, or 'fri 17:00'"
        )
    due: datetime = found.date_obj
    if found.period == "day":
        return due.date().isoformat()
    return due.replace(microsecond=0).isoformat()


def _zone(name: str | None) -> "ZoneInfo | None":
    from zoneinfo import ZoneInfo

    try:
        return None if name is None else ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        # The library will refuse the zone, and say why.
        return None
