"""Due dates as people type them, and as they read them."""

# ruff: noqa: DTZ001  (a due time has no zone)

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from taskcore import Task
from taskcore_cli.exit_codes import WrongUsage
from taskcore_cli.input import due as typed
from taskcore_cli.input.due import due_of
from taskcore_cli.output.due import due_cell, due_text, is_overdue

# A Friday.
NOW = datetime(2026, 11, 27, 20, 50, tzinfo=UTC)


class _Clock(datetime):
    @classmethod
    def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
        return NOW.astimezone(tz)


@pytest.fixture(autouse=True)
def _friday_evening(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typed, "datetime", _Clock)


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("today", "2026-11-27"),
        ("tomorrow", "2026-11-28"),
        ("friday", "2026-12-04"),
        ("in 3 days", "2026-11-30"),
        ("dec 24", "2026-12-24"),
        ("24.12.2026", "2026-12-24"),
        ("fri 17:00", "2026-12-04T17:00:00"),
        ("monday at 9am", "2026-11-30T09:00:00"),
        ("in 2 hours", "2026-11-27T22:50:00"),
        # The library checks what begins like a date.
        ("2026-12-01", "2026-12-01"),
        (" 2026-12-01 17:00 ", "2026-12-01T17:00"),
        ("2026-12-01t17:00Z", "2026-12-01T17:00Z"),
        ("2026-13-01", "2026-13-01"),
    ],
)
def test_words_are_a_day_or_a_day_and_a_time(text: str, due: str) -> None:
    """TK-201."""
    assert due_of(text, "UTC") == due


@pytest.mark.parametrize(
    ("zone", "due"),
    [("Pacific/Kiritimati", "2026-11-29"), ("America/Los_Angeles", "2026-11-28")],
)
def test_words_are_meant_in_the_zone(zone: str, due: str) -> None:
    """TK-202."""
    assert due_of("tomorrow", zone) == due


@pytest.mark.parametrize("text", ["tomorrow 99:99", "yesterday 25:00", "fri 25:00", "soonish", ""])
def test_words_that_name_no_time_are_refused(text: str) -> None:
    """TK-202: dateparser drops a time that does not exist."""
    with pytest.raises(WrongUsage, match="not understood"):
        due_of(text, "UTC")


def task(due: date | None, zone: str | None = None, *, completed: bool = False) -> Task:
    moment = NOW - timedelta(days=1)
    return Task(
        id=1,
        title="x",
        description=None,
        due=due,
        due_zone=zone,
        priority=0,
        project=None,
        tags=(),
        extra={},
        key=None,
        completed=completed,
        user_id=1,
        version=1,
        created_at=moment,
        updated_at=moment,
        completed_at=moment if completed else None,
    )


@pytest.mark.parametrize(
    ("due", "zone", "cell", "late"),
    [
        (None, None, "-", False),
        (date(2026, 11, 27), None, "2026-11-27 today", False),
        (date(2026, 11, 26), None, "2026-11-26 -1d", True),
        (date(2027, 11, 27), None, "2027-11-27 +365d", False),
        (datetime(2026, 11, 27, 20, 51), None, "2026-11-27 20:51 today", False),
        (datetime(2026, 11, 27, 20, 49), None, "2026-11-27 20:49 today", True),
        # The same time in other zones.
        (datetime(2026, 11, 27, 20, 51), "Europe/Berlin", "2026-11-27 20:51 today", True),
        (datetime(2026, 11, 28, 10, 51), "Pacific/Kiritimati", "2026-11-28 10:51 today", False),
        (datetime(2026, 11, 28, 10, 49), "Pacific/Kiritimati", "2026-11-28 10:49 today", True),
    ],
)
def test_a_task_is_late_after_its_day_or_its_time(
    due: date | None, zone: str | None, cell: str, *, late: bool
) -> None:
    """TK-204."""
    assert due_cell(task(due, zone), NOW) == cell
    assert is_overdue(task(due, zone), NOW) is late
    assert not is_overdue(task(due, zone, completed=True), NOW)


def test_seconds_are_shown_if_there_are_any() -> None:
    assert due_text(datetime(2026, 11, 27, 20, 51, 9)) == "2026-11-27 20:51:09"
