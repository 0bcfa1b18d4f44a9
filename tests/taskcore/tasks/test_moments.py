"""Times of tasks that are imported: RFC 3339 with an offset, and nothing else."""

import io
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskcore import TaskImport, ValidationError
from taskcore.tasks.files import BadLine, read_csv, read_jsonl
from taskcore.validation import validate

REASON = "created_at must be a date-time of RFC 3339 with an offset, such as 2026-01-31T12:00:00Z"


def of_jsonl(value: object) -> datetime | str:
    (line,) = read_jsonl(io.BytesIO(json.dumps({"title": "x", "created_at": value}).encode()))
    return _found(line)


def of_csv(value: object) -> datetime | str:
    cell = str(value).replace('"', '""')
    (line,) = read_csv(io.BytesIO(f'title,created_at\nx,"{cell}"\n'.encode()))
    return _found(line)


def of_mapping(value: object) -> datetime | str:
    try:
        return _found(validate(TaskImport, {"title": "x", "created_at": value}, where="task"))
    except ValidationError as exc:
        return str(exc)


def _found(line: TaskImport | BadLine) -> datetime | str:
    if isinstance(line, BadLine):
        return line.reason
    assert line.created_at is not None
    return line.created_at


FACES: tuple[Callable[[object], datetime | str], ...] = (of_jsonl, of_csv, of_mapping)
every_face = pytest.mark.parametrize("read", FACES)

NO_TIMES = [
    # Pydantic takes these for seconds since 1970: pydantic/pydantic#5914.
    *("20240102", "2024", "-1", "1e3", "1704164645", "1704164645.5", "+5"),
    *("2024-01-02", "2024-01-02T", "03:04:05Z", "yesterday", "now", "NaT", "infinity"),
    *("2024-01-02T03:04:05", "2024-01-02 03:04:05", "2024-01-02T03:04Z", "2024-01-02T03Z"),
    *("2024-01-02T03:04:05+00", "2024-01-02T03:04:05+0530", "2024-01-02T03:04:05 UTC"),
    *("2024-01-02T03:04:05+01:60", "2024-01-02T03:04:05+24:00", "2024-01-02T03:04:05+1:00"),
    *("2024-01-02T03:04:05,5Z", "2024-01-02T03:04:05.Z", "2024-01-02T03:04:05.5"),
    *("20240102T030405Z", "2024-W01-2T03:04:05Z", "2024-002T03:04:05Z", "24-01-02T03:04:05Z"),
    *("2024-01-02_03:04:05Z", "2024-01-02  03:04:05Z", "2024-01-02T03:04:05 Z"),
    *("2024-01-02T24:00:00Z", "2024-13-02T03:04:05Z", "2024-02-30T03:04:05Z"),
    *("0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "-2024-01-02T03:04:05Z"),
    *("2024-01-02T03:04:05Z\n", "2024-01-02T03:04:05Z ", " 2024-01-02T03:04:05Z"),
    # Digits and a sign that are not ASCII.
    *("٢٠٢٤-01-02T03:04:05Z", "2024-01-02T03:04:05\u221201:00"),
    # Leap seconds that no clock has shown.
    *("2024-01-02T03:04:60Z", "2016-12-31T23:59:60+01:00", "2024-01-02T03:04:61Z"),
    "9999-12-31T23:59:60Z",
]

TIMES = {
    "2024-01-02T03:04:05Z": datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC),
    "2024-01-02T03:04:05.123456Z": datetime(2024, 1, 2, 3, 4, 5, 123456, tzinfo=UTC),
    "2024-01-02T03:04:05.1Z": datetime(2024, 1, 2, 3, 4, 5, 100000, tzinfo=UTC),
    # pandas writes nanoseconds.
    "2024-01-02 03:04:05.123456789+00:00": datetime(2024, 1, 2, 3, 4, 5, 123456, tzinfo=UTC),
    "2024-01-02 03:04:05+00:00": datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC),
    "2024-01-02t03:04:05z": datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC),
    "2024-01-02T03:04:05+05:30": datetime(2024, 1, 1, 21, 34, 5, tzinfo=UTC),
    "2024-01-02T03:04:05-00:00": datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC),
    "2016-12-31T23:59:60Z": datetime(2017, 1, 1, tzinfo=UTC),
    "2017-01-01t05:29:60.9+05:30": datetime(2017, 1, 1, tzinfo=UTC),
    "0001-01-01T00:00:00Z": datetime.min.replace(tzinfo=UTC),
    "9999-12-31T23:59:59.999999Z": datetime.max.replace(tzinfo=UTC),
}


@every_face
@pytest.mark.parametrize("text", NO_TIMES)
def test_text_that_is_no_date_time_of_rfc_3339_is_refused(
    read: Callable[[object], datetime | str], text: str
) -> None:
    """SC-006: with the name of the field."""
    assert read(text) == REASON


@every_face
@pytest.mark.parametrize("text", TIMES)
def test_a_date_time_of_rfc_3339_is_read_as_utc(
    read: Callable[[object], datetime | str], text: str
) -> None:
    found = read(text)
    assert found == TIMES[text]
    assert isinstance(found, datetime)
    assert found.tzinfo is UTC


@every_face
@given(value=st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans())
def test_a_number_is_never_a_time(read: Callable[[object], datetime | str], value: object) -> None:
    assert read(value) == REASON


@every_face
@given(text=st.text("0123456789-+:.,TtZzW _", max_size=25))
def test_no_other_text_of_digits_and_signs_is_a_time(
    read: Callable[[object], datetime | str], text: str
) -> None:
    """Every accepted text has a date, a time of day and an offset."""
    found = read(text) if text else REASON
    if found != REASON:
        assert len(text) >= 20
        assert text[4] == text[7] == "-"
        assert text[13] == text[16] == ":"


@every_face
@given(
    value=st.datetimes(
        min_value=datetime(1, 1, 2),  # noqa: DTZ001
        max_value=datetime(9999, 12, 30),  # noqa: DTZ001
        timezones=st.builds(
            timezone, st.integers(-23 * 60, 23 * 60).map(lambda minutes: timedelta(minutes=minutes))
        ),
    ),
    separator=st.sampled_from("Tt "),
)
def test_every_date_time_with_an_offset_is_the_moment_that_it_names(
    read: Callable[[object], datetime | str], value: datetime, separator: str
) -> None:
    assert read(value.isoformat(separator)) == value


class _Odd(tzinfo):
    """A time zone without an offset, as ``pandas.NaT`` has."""

    def utcoffset(self, _at: datetime | None, /) -> Any:
        return None

    def dst(self, _at: datetime | None, /) -> None:
        return None

    def tzname(self, _at: datetime | None, /) -> None:
        return None


@pytest.mark.parametrize(
    "value",
    [datetime(2024, 1, 2), datetime(2024, 1, 2, tzinfo=_Odd()), date(2024, 1, 2), 7, b"x", []],  # noqa: DTZ001
    ids=str,
)
def test_only_aware_datetimes_of_python_s_own_values_are_times(value: object) -> None:
    assert of_mapping(value) == REASON
    aware = datetime(2024, 1, 2, 4, tzinfo=timezone(timedelta(hours=1)))
    assert of_mapping(aware) == datetime(2024, 1, 2, 3, tzinfo=UTC)
