"""Time zones of iCalendar: the names that a file gives them, and their definitions as VTIMEZONE.

Programs use names of the IANA database, names of Windows, names with a prefix, or names of their
own. The file has the rules of each zone, as a VTIMEZONE (RFC 5545, section 3.6.5).
"""

import re
from collections.abc import Iterator, Sequence
from datetime import MAXYEAR, UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from icalendar import Timezone
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON
from pydantic_core import PydanticCustomError

from taskcore.formats.content_lines import ContentLine
from taskcore.tasks.due import validate_zone

# Rules that are cheap to evaluate over centuries. An interval of 0 would never end.
_RULE = re.compile(
    r"FREQ=YEARLY(?:;(?:INTERVAL=[1-9][0-9]{0,3}|UNTIL=[0-9]{8}[0-9TZ]*"
    r"|(?:BYMONTH|BYDAY|BYMONTHDAY|COUNT|WKST)=[0-9A-Z,+-]+))*",
    re.IGNORECASE,
)
_RULES = ("RRULE", "EXRULE")
_YEAR = re.compile("[0-9]{4}")
_ALIASES = ("X-LIC-LOCATION", "X-TZINFO", "TZID-ALIAS-OF")
# The most zones that one file may define. Others are ignored, so that memory is bounded.
_MOST = 200
# The years in which rules are evaluated.
_YEARS = range(1900, 2101)
_LAST_MOMENT = f"{_YEARS[-1]}1231T235959Z"
# The most changes of the offset that the rules of one zone, and of a file's zones, may yield. A
# change takes some microseconds. Outlook's rules begin in 1601 and yield 1,000.
_MOST_CHANGES = 10_000
_MOST_CHANGES_IN_FILE = 100_000
# Every observance is looked at for each time, which takes as long as so many changes.
_CHANGES_PER_OBSERVANCE = 30
# The most times in a file that rules are compared with the zones of the IANA database.
_MOST_COMPARED = 500


class Zones:
    """The time zones that one file names."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._rules: dict[str, tzinfo] = {}
        self._found: dict[tuple[str, int], str | None] = {}
        self._changes = 0

    def add(self, lines: Sequence[ContentLine]) -> None:
        """Take the lines of a VTIMEZONE, without its own BEGIN and END."""
        tzid = next((_plain(line.value) for line in lines if line.name == "TZID"), "")
        if not tzid or len(self._names) + len(self._rules) >= _MOST:
            return
        named = [tzid, *(line.value.partition("[")[0] for line in lines if line.name in _ALIASES)]
        if name := next(filter(None, map(_known, named)), None):
            self._names[tzid] = name
            return
        changes = _changes_in(lines)
        if changes is None or self._changes + changes > _MOST_CHANGES_IN_FILE:
            return
        self._changes += changes
        if rules := _rules_of(lines):
            self._rules[tzid] = rules

    def due(self, tzid: str, time: datetime) -> tuple[datetime, str | None, bool]:
        """Return a local time, its zone in the IANA database, and whether the zone is known.

        A zone whose name is unknown but whose rules are in the file is replaced by a zone that
        has the same rules in that year. If there is none, or too many were looked for, the time is
        converted to UTC. Before 1900 and after 2100 rules are not evaluated.
        """
        name = _plain(tzid)
        if zone := self._names.get(name) or _known(name):
            return time, zone, True
        rules = self._rules.get(name)
        if rules is None or time.year not in _YEARS:
            return time, None, False
        key = (name, time.year)
        if key not in self._found and len(self._found) < _MOST_COMPARED:
            self._found[key] = _alike(rules, time.year)
        if zone := self._found.get(key):
            return time, zone, True
        try:
            return time.replace(tzinfo=rules).astimezone(UTC).replace(tzinfo=None), "UTC", True
        except Exception:  # noqa: BLE001  (dateutil raises whatever it meets)
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


def _changes_in(lines: Sequence[ContentLine]) -> int | None:
    """Return the most changes that the lines can yield; None if they cost too much to evaluate."""
    changes = 0
    start = 1
    rules: list[str] = []
    for line in lines:
        if line.name == "BEGIN":
            start, rules = 1, []
            changes += _CHANGES_PER_OBSERVANCE
        elif line.name == "DTSTART":
            start = _year_in(line.value, 1)
        elif line.name in _RULES:
            rule = line.value.strip().upper()
            if not _RULE.fullmatch(rule):
                return None
            rules.append(rule)
        elif line.name in ("RDATE", "EXDATE"):
            changes += 1 + line.value.count(",")
        elif line.name == "END":
            changes += sum(_changes_of(rule, start) for rule in rules)
        if changes > _MOST_CHANGES:
            return None
    return changes


def _changes_of(rule: str, start: int) -> int:
    """Return the most changes that a rule can yield."""
    parts = [part.split("=") for part in rule.split(";")]
    values = {name: value.split(",") for name, value in parts}
    if len(values) < len(parts):
        # It is unclear which of two parts with the same name counts.
        return _MOST_CHANGES + 1
    months = len(values["BYMONTH"]) if "BYMONTH" in values else 12
    days = 1
    if "BYDAY" in values:
        # SU is each Sunday of a month, and -1SU the last one.
        days = sum(1 if re.search("[0-9]", day) else 5 for day in values["BYDAY"])
    elif "BYMONTHDAY" in values:
        days = len(values["BYMONTHDAY"])
    last = MAXYEAR if "COUNT" in values else _YEARS[-1]
    if "UNTIL" in values:
        last = _year_in(values["UNTIL"][0], MAXYEAR)
    return months * days * max(1, last - start + 1)


def _year_in(value: str, default: int) -> int:
    found = _YEAR.match(value.strip())
    return int(found[0]) if found else default


def _rules_of(lines: Sequence[ContentLine]) -> tzinfo | None:
    """Return the rules in a VTIMEZONE; None if they are invalid."""
    # dateutil also ends lines at U+2028 and others, where a rule could hide.
    if any(len(line.text.splitlines()) > 1 for line in lines):
        return None
    text = "\r\n".join(map(_ending, lines))
    try:
        zone = Timezone.from_ical(f"BEGIN:VTIMEZONE\r\n{text}\r\nEND:VTIMEZONE\r\n")
        rules = zone.to_tz(lookup_tzid=False) if isinstance(zone, Timezone) else None
        if rules is not None:
            # Later than any change: all are now computed, and kept for the times to come.
            rules.utcoffset(datetime(MAXYEAR, 12, 31))  # noqa: DTZ001  (a local time)
    except Exception:  # noqa: BLE001  (dateutil raises whatever it meets)
        return None
    return rules


def _ending(line: ContentLine) -> str:
    """Return the text of a line. A rule without an end gets one."""
    if line.name not in _RULES or re.search("UNTIL|COUNT", line.value, re.IGNORECASE):
        return line.text
    return f"{line.text.rstrip()};UNTIL={_LAST_MOMENT}"


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
