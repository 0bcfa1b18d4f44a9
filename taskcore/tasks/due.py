"""Due dates: a date, or a local date and time, which no clock and no time zone changes.

A due date has no offset. An offset would be wrong as soon as the rules of its time zone change,
so the zone is a field of its own, as in iCalendar (RFC 5545, section 3.3.5) and JSCalendar
(RFC 8984, section 1.4.4). Without a zone the time is local wherever it is read.
"""

import re
from datetime import date, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import GetPydanticSchema
from pydantic_core import PydanticCustomError, core_schema

_FORM = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}:[0-9]{2}(?::[0-9]{2})?)?", re.ASCII)
_OFFSET = re.compile(r"T.*(Z|[+-][0-9]{2}(:?[0-9]{2})?)$", re.ASCII | re.IGNORECASE)
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+/-]{0,63}", re.ASCII)
_NO_DATE = "must be a date or a local time, such as 2026-11-30 or 2026-11-30T17:00"


def validate_due(value: object) -> datetime | date | None:
    """Return the due date that a text, a `date` or a `datetime` stands for; None for None.

    Raises:
        PydanticCustomError: The value is of another type or form, has an offset or a fraction of a
            second, or does not exist in the calendar.
    """
    if value is None:
        return None
    if isinstance(value, datetime):
        if value.tzinfo is not None:
            raise _has_offset()
        if value.microsecond:
            raise PydanticCustomError("whole_seconds", "must have whole seconds")
        return value.replace(fold=0)
    if isinstance(value, date):
        return value
    if isinstance(value, str):
        if _FORM.fullmatch(value):
            try:
                return parse_due(value)
            except ValueError:
                raise PydanticCustomError("date", "must be a valid date and time") from None
        if _OFFSET.search(value):
            raise _has_offset()
    raise PydanticCustomError("type", _NO_DATE)


def parse_due(text: str) -> datetime | date:
    """Return the due date of a text in the form that the database stores.

    Raises:
        ValueError: It does not exist in the calendar.
    """
    return datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text)


def validate_zone(value: str) -> str:
    """Return the name of a time zone unchanged, if the zone exists.

    Raises:
        PydanticCustomError: The IANA Time Zone Database has no such zone.
    """
    # These are files of a machine, not names of the database: what they mean depends on it.
    is_local = value in ("localtime", "posixrules") or value.startswith(("posix/", "right/"))
    if _ZONE.fullmatch(value) and not is_local:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            pass
        else:
            return value
    raise PydanticCustomError(
        "zone", "must be a time zone of the IANA database, such as Europe/Berlin"
    )


def _has_offset() -> PydanticCustomError:
    return PydanticCustomError(
        "no_offset",
        "must have no offset: send the local time, such as 2026-11-30T17:00, and its zone as "
        "due_zone, such as Europe/Berlin",
    )


_SCHEMA = core_schema.no_info_plain_validator_function(
    validate_due,
    serialization=core_schema.plain_serializer_function_ser_schema(
        lambda value: None if value is None else value.isoformat(), when_used="json"
    ),
)


def _schema(_source: Any, _handler: Any) -> core_schema.CoreSchema:
    return _SCHEMA


Due = Annotated[date | datetime | None, GetPydanticSchema(_schema, lambda *_: dict(_JSON_SCHEMA))]
"""A field that holds None, a `date` (the whole day), or a `datetime` without ``tzinfo``."""

# Not date-time: that has an offset (RFC 3339, section 5.6).
_JSON_SCHEMA = {"anyOf": [{"type": "string", "format": "local-date-time"}, {"type": "null"}]}
