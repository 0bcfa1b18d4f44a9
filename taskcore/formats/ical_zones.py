"""Time zones of iCalendar: the names that a file gives them, and their definitions as VTIMEZONE.

Programs use names of the IANA database, names of Windows, names with a prefix, or names of their
own. The file has the rules of each zone, as a VTIMEZONE (RFC 5545, section 3.6.5).
"""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from icalendar import Timezone
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON
from pydantic_core import PydanticCustomError

from taskcore.formats.content_lines import ContentLine
from taskcore.tasks.due import validate_zone

# Rules that are cheap to evaluate over centuries.
_RULE = re.compile(
    r"FREQ=YEARLY(?:;(?:INTERVAL|BYMONTH|BYDAY|BYMONTHDAY|UNTIL|COUNT|WKST)=[0-9A-Z,+-]+)*",
    re.IGNORECASE,
)
_ALIASES = ("X-LIC-LOCATION", "X-TZINFO", "TZID-ALIAS-OF")
# The most zones that one file may define. Others are ignored, so that memory is bounded.
_MOST = 200


class Zones:
    """The time zones that one file names."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._rules: dict[str, tzinfo] = {}
        self._found: dict[tuple[str, int], str | None] = {}

    def add(self, lines: Sequence[ContentLine]) -> None:
        """Take the lines of a VTIMEZONE, without its own BEGIN and END."""
        tzid = next((_plain(line.value) for line in lines if line.name == "TZID"), "")
        if not tzid or len(self._names) + len(self._rules) >= _MOST:
            return
        named = [tzid, *(line.value.partition("[")[0] for line in lines if line.name in _ALIASES)]
        if name := next(filter(None, map(_known, named)), None):
            self._names[tzid] = name
        elif rules := _rules_of(lines):
            self._rules[tzid] = rules

    def due(self, tzid: str, time: datetime) -> tuple[datetime, str | None, bool]:
        """Return a local time, its zone in the IANA database, and whether the zone is known.

        A zone whose name is unknown but whose rules are in the file is replaced by a zone that
        has the same rules in that year. If there is none, the time is converted to UTC.
        """
        name = _plain(tzid)
        if zone := self._names.get(name) or _known(name):
            return time, zone, True
        rules = self._rules.get(name)
        if rules is None:
            return time, None, False
        key = (name, time.year)
        if key not in self._found:
            self._found[key] = _alike(rules, time.year)
        if zone := self._found[key]:
            return time, zone, True
        try:
            return time.replace(tzinfo=rules).astimezone(UTC).replace(tzinfo=None), "UTC", True
        except (OverflowError, ValueError):
            return time, None, False

    def moment(self, tzid: str, time: datetime) -> datetime | None:
        """Return the moment of a local time, or None if the zone is unknown."""
        local, zone, is_known = self.due(tzid, time)
        if not is_known or zone is None:
            return None
        try:
            return local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        except OverflowError:
            return None


@lru_cache(maxsize=100)
def definition(zone: str) -> bytes:
    """Return a zone of the IANA database as a VTIMEZONE."""
    text: bytes = Timezone.from_tzid(zone).to_ical()
    return text


def _plain(tzid: str) -> str:
    # Exchange fills up names with NUL characters, which clients write as U+FFFD.
    return tzid.strip().strip("\x00\ufffd").strip()


@lru_cache(maxsize=1000)
def _known(name: str) -> str | None:
    """Return the IANA database's name for a zone; None if it is unknown."""
    if found := WINDOWS_TO_OLSON.get(name):
        return found
    # "/mozilla.org/20050126_1/Europe/Berlin" and "tzone://Microsoft/Utc".
    parts = name.split("/")
    for count in (len(parts), 3, 2, 1):
        for one in ("/".join(parts[-count:]), "/".join(parts[-count:]).upper()):
            try:
                return validate_zone(one)
            except PydanticCustomError:
                continue
    return None


def _rules_of(lines: Sequence[ContentLine]) -> tzinfo | None:
    """Return the rules in a VTIMEZONE; None if they are invalid or too costly to evaluate."""
    if not all(_RULE.fullmatch(line.value.strip()) for line in lines if line.name == "RRULE"):
        return None
    text = "\r\n".join(line.text for line in lines)
    try:
        zone = Timezone.from_ical(f"BEGIN:VTIMEZONE\r\n{text}\r\nEND:VTIMEZONE\r\n")
        rules = zone.to_tz(lookup_tzid=False) if isinstance(zone, Timezone) else None
        if rules is not None:
            rules.utcoffset(datetime(2000, 1, 1))  # noqa: DTZ001  (a local time)
    except Exception:  # noqa: BLE001  (dateutil raises whatever it meets)
        return None
    return rules


def _alike(rules: tzinfo, year: int) -> str | None:
    """Return a zone of the IANA database that has the same rules in a year, or None."""
    try:
        offsets = [rules.utcoffset(time) for time in _times(year)]
    except Exception:  # noqa: BLE001  (dateutil raises whatever it meets)
        return None
    first = offsets[0]
    if first is None:
        return None
    if all(offset == first for offset in offsets) and not first % timedelta(hours=1):
        hours = first // timedelta(hours=1)
        if -12 <= hours <= 14:  # noqa: PLR2004  (the zones that there are)
            return f"Etc/GMT{-hours:+d}" if hours else "UTC"
    for name in dict.fromkeys(WINDOWS_TO_OLSON.values()):
        try:
            zone = ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            continue
        if all(
            zone.utcoffset(time) == offset
            for time, offset in zip(_times(year), offsets, strict=True)
        ):
            return name
    return None


def _times(year: int) -> Iterator[datetime]:
    """Yield one time in each week of a year: rules that differ mostly do so for whole weeks."""
    noon = datetime(year, 1, 1, 12)  # noqa: DTZ001  (a local time)
    for days in range(0, 365, 7):
        yield noon + timedelta(days=days)
