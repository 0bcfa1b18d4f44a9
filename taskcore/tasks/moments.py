"""Moments: date-times with an offset, in the format of RFC 3339.

https://www.rfc-editor.org/rfc/rfc3339#section-5.6
"""

import re
from contextlib import suppress
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any

from pydantic import GetPydanticSchema
from pydantic_core import PydanticCustomError, core_schema

_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_HOUR_AND_MINUTE = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_FRACTION_AND_OFFSET = rf"(?:\.[0-9]+)?(?:[Zz]|[+-]{_HOUR_AND_MINUTE})"
_USUAL = f"^{_DAY}[Tt ]{_HOUR_AND_MINUTE}:[0-5][0-9]{_FRACTION_AND_OFFSET}$"
_LEAP_SECOND = re.compile(f"{_DAY}[Tt ]{_HOUR_AND_MINUTE}:60{_FRACTION_AND_OFFSET}")


def _unusual(value: object) -> datetime:
    """Accept what Pydantic's own parser does not: aware datetimes and leap seconds."""
    if isinstance(value, datetime):
        # Some subclasses, such as pandas.NaT, return something else.
        if isinstance(value.utcoffset(), timedelta):
            return value
    elif isinstance(value, str) and _LEAP_SECOND.fullmatch(value):
        before = datetime.fromisoformat(f"{value[:17]}59{value[19:]}".upper())
        # A leap second ends a day in UTC. As PostgreSQL does, take the second after it.
        with suppress(OverflowError):
            if before.astimezone(UTC).time().replace(microsecond=0) == time(23, 59, 59):
                return before.replace(microsecond=0) + timedelta(seconds=1)
    raise ValueError


def _utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("max", "must be in the years 1 to 9999 in UTC") from None


_SCHEMA = core_schema.no_info_after_validator_function(
    _utc,
    core_schema.union_schema(
        [
            # Without the pattern Pydantic takes "20240102" and "-1" for seconds since 1970.
            core_schema.chain_schema(
                [
                    core_schema.str_schema(strict=True, pattern=_USUAL),
                    core_schema.datetime_schema(tz_constraint="aware"),
                ]
            ),
            core_schema.no_info_plain_validator_function(_unusual),
        ],
        mode="left_to_right",
        custom_error_type="date_time",
        custom_error_message="must be a date-time",
    ),
)


def _schema(_source: Any, _handler: Any) -> core_schema.CoreSchema:
    return _SCHEMA


Moment = Annotated[datetime, GetPydanticSchema(_schema)]
"""A field that takes an aware `datetime` or RFC 3339 text, and holds UTC.

``T`` and ``Z`` may be in lower case, and a space may replace the ``T``. Digits beyond
microseconds are cut off.
"""
