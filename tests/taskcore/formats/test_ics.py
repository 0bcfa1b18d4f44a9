"""iCalendar files, read and written without a database (TK-401 to TK-406)."""

import io
import os
import re
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from taskcore import ConfigurationError, Task, TaskImport
from taskcore.formats import Skipped, read_ics, write_ics
from taskcore.tasks.files import BadLine
from tests.taskcore.formats.ics_reports import AMERICA, EUROPE, REPORTS, calendar, vtodo, zone
from tests.taskcore.formats.samples import Read, local, same, stored, tasks, utc

LINES = st.lists(
    st.sampled_from(
        [
            "SUMMARY:a",
            "SUMMARY;LANGUAGE=de:ä",
            "DUE:20260101",
            "DUE;TZID=Nowhere:20260101T000000",
            "STATUS:IN-PROCESS",
            "COMPLETED:20260101T000000Z",
            "DTSTAMP:20260101T000000Z",
            "CATEGORIES:a,b",
            "RECURRENCE-ID:20260101",
            "UID:k",
            "BEGIN:VALARM",
            "END:VALARM",
            "BEGIN:VTODO",
            "END:VTODO",
            "X-TASKCORE:{}",
            "RRULE:FREQ=DAILY",
            "X-EMPTY:",
            "no line",
            "",
            "X:a\r\nX:b",
            "x:lower",
            'ATTACH;X="a:b;c":d',
        ]
    ),
    max_size=5,
)


def read(text: str | bytes, **options: Any) -> list[Read]:
    return list(read_ics(io.BytesIO(text.encode() if isinstance(text, str) else text), **options))


def only(text: str) -> TaskImport:
    (task,) = read(text)
    assert isinstance(task, TaskImport), task
    return task


def a_task(*lines: str, zones: str = "", uid: str = "1") -> TaskImport:
    return only(
        calendar(zones, vtodo("SUMMARY:a", *lines, uid=uid))
        if zones
        else vtodo("SUMMARY:a", *lines, uid=uid)
    )


def kept(task: TaskImport) -> list[str]:
    assert task.extra is not None
    found: list[str] = task.extra.get("ical", [])
    return found


def unfolded(file: bytes) -> list[str]:
    return file.decode().replace("\r\n ", "").split("\r\n")


QA = "\u0958"
DAILY = f"BYMONTHDAY={','.join(map(str, range(1, 32)))}"


def _parts(text: str) -> st.SearchStrategy[str]:
    """Lines of a file, some of them malformed."""
    line = st.sampled_from(text.splitlines())
    changed = st.builds(
        lambda line, at, other: line[: at % (len(line) + 1)] + other + line[at % (len(line) + 1) :],
        line,
        st.integers(0, 99),
        st.sampled_from([":", ";", "=", '"', "\\", "\x00", " ", "é", "T", "9", ","]),
    )
    return line | changed


@given(st.lists(tasks() | tasks(LINES.map(lambda lines: {"ical": lines, "a": 1})), max_size=3))
def test_tasks_that_are_written_and_read_are_the_same(written: list[Task]) -> None:
    file = write_ics(written)
    assert write_ics(same(read(file), written)) == file


@pytest.mark.parametrize("report", REPORTS)
def test_a_file_of_another_program_loses_nothing(report: str) -> None:
    text = REPORTS[report]
    found = stored(read(text))
    first = write_ics(found)
    assert stored(read(first)) == found
    assert write_ics(stored(read(first))) == first
    # Every line without a field is written again; lines of fields are written in our form.
    fields = r"(SUMMARY|DESCRIPTION|DUE|CATEGORIES|CREATED|LAST-MODIFIED|COMPLETED|DTSTAMP)\b"
    inside = re.findall(r"BEGIN:VTODO\n(.*?)END:VTODO", text.replace("\n ", ""), re.DOTALL)
    lines = [line for part in inside for line in part.splitlines()]
    expected = {
        line for line in lines if line.partition(":")[2].strip() and not re.match(fields, line)
    }
    assert expected - {"PRIORITY:0", "PERCENT-COMPLETE:0"} <= {*unfolded(first)}


def test_fields_of_the_reports() -> None:
    """TK-402"""

    def fields(report: str, number: int = 0) -> dict[str, Any]:
        task = read(REPORTS[report])[number]
        assert isinstance(task, TaskImport), task
        return task.model_dump(exclude_defaults=True, exclude={"extra"})

    assert fields("nextcloud") == {
        "key": "b7a8f963-0000-4000-8000-358318e7af2a",
        "title": "Task 2",
        "created_at": utc(2026, 2, 1, 13, 13, 26),
        "updated_at": utc(2026, 2, 1, 13, 47, 3),
    }
    assert fields("tasks.org")["priority"] == 5
    assert fields("deck") == {
        "key": "deck-card-4",
        "title": "Shopping",
        "project": "Deck: Groceries",
        "due": local(2022, 7, 25, 22),
        "due_zone": "UTC",
        "updated_at": utc(2022, 7, 25, 13, 9, 39),
    }
    assert fields("deck", 1)["project"] == "Deck: Groceries"
    assert fields("opentasks").keys() == {"key", "title", "updated_at"}
    assert fields("local times") == {
        "title": "Irgendeine Aufgabe",
        "created_at": utc(2019, 6, 27, 16, 58, 10),
        "updated_at": utc(2019, 11, 19, 11, 17, 24),
    }
    assert fields("no uid").keys() == {"title", "updated_at"}
    assert (fields("2Do")["due"], fields("2Do")["due_zone"]) == (
        local(2018, 1, 12, 18),
        "Europe/Vienna",
    )
    thunderbird = fields("thunderbird")
    assert thunderbird["tags"] == ("Garden", "Home")
    assert (thunderbird["due"], thunderbird["due_zone"]) == (
        local(2024, 9, 2, 10),
        "Europe/Copenhagen",
    )
    exchange = fields("exchange")
    assert exchange["key"].endswith("0000000000000000100000004ABACBF9E1E8E048A49157F1874D9D33")
    assert (exchange["due"], exchange["due_zone"]) == (local(2024, 5, 30, 13), "America/Chicago")
    nuls = fields("trailing NULs")
    assert (nuls["due"], nuls["due_zone"]) == (local(2020, 3, 22, 19), "Europe/Berlin")
    evolution = fields("evolution")
    assert (evolution["due"], evolution["due_zone"]) == (local(2022, 1, 1, 10), "Europe/Paris")
    assert fields("jtx board")["due"] == local(2026, 4, 12, 7)
    assert fields("only percent")["completed"] is True
    apple = fields("apple")
    assert (apple["due"], apple["completed"], apple["completed_at"]) == (
        date(2025, 9, 1),
        True,
        utc(2025, 8, 23, 9, 15),
    )


@pytest.mark.parametrize("zone", ["Europe/Copenhagen", "Pacific/Kiritimati", "Etc/GMT+12"])
def test_a_day_is_written_as_it_is_whatever_the_zone_of_the_process(zone: str) -> None:
    """calendar-link#678, home-assistant/core#125191 (TK-402)"""
    program = (
        "import io, sys; from taskcore.formats import read_ics, write_ics\n"
        "from tests.taskcore.formats.samples import stored\n"
        "data = sys.stdin.buffer.read()\n"
        "for _ in range(5): data = write_ics(stored(read_ics(io.BytesIO(data))))\n"
        "sys.stdout.buffer.write(data)"
    )
    text = vtodo("SUMMARY:a", "DUE;VALUE=DATE:20240830") + vtodo(
        "SUMMARY:b", "DUE;TZID=Europe/Berlin:20220714T150000", uid="2"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        input=calendar(text).encode(),
        env=os.environ | {"TZ": zone},
        capture_output=True,
        check=True,
    )
    assert b"DUE;VALUE=DATE:20240830\r\n" in result.stdout
    assert b"DUE;TZID=Europe/Berlin:20220714T150000\r\n" in result.stdout


@pytest.mark.parametrize(
    ("line", "due", "due_zone", "is_kept"),
    [
        ("DUE;VALUE=DATE:20240229", date(2024, 2, 29), None, False),
        ("DUE:20240229", date(2024, 2, 29), None, False),
        ("due:20240229t170000", local(2024, 2, 29, 17), None, False),
        ("DUE:20240229T1700Z", local(2024, 2, 29, 17), "UTC", False),
        (
            "DUE;TZID=Europe/Berlin:20240229T170000",
            local(2024, 2, 29, 17),
            "Europe/Berlin",
            False,
        ),
        (
            'DUE;TZID="Europe/Berlin":20240229T170000',
            local(2024, 2, 29, 17),
            "Europe/Berlin",
            False,
        ),
        (
            "DUE;TZID=/freeassociation.sourceforge.net/Europe/Berlin:20240229T170000",
            local(2024, 2, 29, 17),
            "Europe/Berlin",
            False,
        ),
        (
            "DUE;TZID=/mozilla.org/20050126_1/America/Argentina/Salta:20240229T170000",
            local(2024, 2, 29, 17),
            "America/Argentina/Salta",
            False,
        ),
        (
            'DUE;TZID="tzone://Microsoft/Utc":20240229T170000',
            local(2024, 2, 29, 17),
            "UTC",
            False,
        ),
        (
            "DUE;TZID=W. Europe Standard Time:20240229T170000",
            local(2024, 2, 29, 17),
            "Europe/Berlin",
            False,
        ),
        ("DUE;TZID=Nowhere:20240229T170000", local(2024, 2, 29, 17), None, True),
        ("DUE;X-A=b;VALUE=DATE:20240229", date(2024, 2, 29), None, True),
        ("DUE:20240331T023000", local(2024, 3, 31, 2, 30), None, False),
    ],
)
def test_due_dates(line: str, due: date, due_zone: str | None, *, is_kept: bool) -> None:
    """TK-402"""
    task = a_task(line)
    assert (task.due, task.due_zone, kept(task)) == (due, due_zone, [line] if is_kept else [])


@pytest.mark.parametrize(
    ("rules", "due", "expected"),
    [
        (zone("Customized Time Zone", **EUROPE), "20240701T100000", (10, "Europe/Budapest")),
        (zone("(UTC-06:00) Mitte", **AMERICA), "20240701T100000", (10, "America/Chicago")),
        (
            zone("X", **EUROPE | {"winter": "+0200"}),
            "20240701T100000",
            (10, "Etc/GMT-2"),
        ),
        # No zone of the IANA database has these rules.
        (zone("X", **EUROPE | {"autumn_month": "7"}), "20240701T100000", (8, "UTC")),
        # Rules that repeat every second are not followed.
        (zone("X", **EUROPE).replace("YEARLY", "SECONDLY"), "20240701T100000", (10, None)),
        (zone("X", **EUROPE).replace("+0200", "long"), "20240701T100000", (10, None)),
        # An interval of 0 never ends.
        (zone("X", **EUROPE).replace("INTERVAL=1", "INTERVAL=0"), "20240701T100000", (10, None)),
        (
            zone("X", **EUROPE).replace("RRULE", "EXRULE;X=1:a\nRRULE"),
            "20240701T100000",
            (10, None),
        ),
        # dateutil would end a line at U+2028.
        (
            zone("X", **EUROPE).replace("RRULE", "TZNAME:a\u2028RRULE:FREQ=DAILY\nRRULE"),
            "20240701T100000",
            (10, None),
        ),
        (zone("X", **EUROPE).replace("BYDAY=-1SU", DAILY), "20240701T100000", (10, None)),
        (zone("X", **EUROPE), "21010701T100000", (10, None)),
        # No standard time, and rules that begin later.
        (
            zone("X", **EUROPE).replace("STANDARD", "DAYLIGHT").replace(":1601", ":2001"),
            "20000701T100000",
            (10, None),
        ),
    ],
)
def test_a_zone_without_a_known_name_is_found_by_its_rules(
    rules: str, due: str, expected: tuple[int, str | None]
) -> None:
    """TK-402"""
    name = re.findall("TZID:(.*)", rules)[0]
    task = a_task(f'DUE;TZID="{name}":{due}', zones=rules)
    assert isinstance(task.due, datetime)
    assert (task.due.hour, task.due_zone) == expected


def test_the_work_for_zones_without_a_known_name_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """TK-402: times are converted to UTC after so many searches for a zone with the same rules."""
    monkeypatch.setattr("taskcore.formats.ical_zones._MOST_COMPARED", 2)
    dues = [f"DUE;TZID=X:{year}0701T100000" for year in (2001, 2002, 2003, 2001)]
    text = calendar(zone("X", **EUROPE), *(vtodo("SUMMARY:a", due) for due in dues))
    found = [task.due_zone for task in read(text) if isinstance(task, TaskImport)]
    assert found == ["Europe/Budapest", "Europe/Budapest", "UTC", "Europe/Budapest"]


def test_rules_that_cost_too_much_for_one_file_are_not_evaluated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """TK-402"""
    monkeypatch.setattr("taskcore.formats.ical_zones._MOST_CHANGES_IN_FILE", 1500)
    zones = [zone(name, **EUROPE) for name in ("X", "Y")]
    dues = [f"DUE;TZID={name}:20240701T100000" for name in ("X", "Y")]
    text = calendar(*zones, *(vtodo("SUMMARY:a", due) for due in dues))
    found = [task.due_zone for task in read(text) if isinstance(task, TaskImport)]
    assert found == ["Europe/Budapest", None]


def test_a_zone_with_a_malformed_line_cannot_be_read() -> None:
    """TK-402"""
    due = "DUE;TZID=X:20240701T100000"
    for changed in ("no line\nRRULE", "END:STANDARD\nRRULE"):
        rules = zone("X", **EUROPE).replace("RRULE", changed, 1)
        task = a_task(due, zones=rules)
        assert (task.due_zone, kept(task)) == (None, [due])


@pytest.mark.parametrize(
    ("lines", "completed", "is_kept"),
    [
        ([], False, False),
        (["STATUS:NEEDS-ACTION"], False, False),
        (["STATUS:COMPLETED"], True, False),
        (["PERCENT-COMPLETE:100"], True, False),
        (["COMPLETED:20240101T000000Z"], True, False),
        (["STATUS:COMPLETED", "PERCENT-COMPLETE:100", "COMPLETED:20240101T000000Z"], True, False),
        (["STATUS:IN-PROCESS", "PERCENT-COMPLETE:40"], False, True),
        (["STATUS:CANCELLED"], True, True),
        (["STATUS:NEEDS-ACTION", "COMPLETED:20240101T000000Z"], False, True),
        (["STATUS:COMPLETED", "PERCENT-COMPLETE:40"], True, True),
    ],
)
def test_the_state_of_a_task(lines: list[str], *, completed: bool, is_kept: bool) -> None:
    """TK-402"""
    task = a_task(*lines)
    assert (task.completed, kept(task)) == (completed, lines if is_kept else [])
    assert [line in unfolded(write_ics(stored([task]))) for line in lines] == [True] * len(lines)


def test_a_line_that_was_kept_is_written_only_while_it_says_what_the_task_says() -> None:
    """TK-403"""
    lines = ["SUMMARY;LANGUAGE=de:Alt", "STATUS:IN-PROCESS", "PERCENT-COMPLETE:70", "CLASS:PRIVATE"]
    (task,) = stored(read(vtodo(*lines)))
    assert {*lines} < {*unfolded(write_ics([task]))}
    now = utc(2027, 1, 1)
    changed = task.model_copy(
        update={"title": "Neu", "completed": True, "completed_at": now, "updated_at": now}
    )
    written = unfolded(write_ics([changed]))
    assert {"SUMMARY:Neu", "STATUS:COMPLETED", "CLASS:PRIVATE"} <= {*written}
    assert not {*lines[:3]} & {*written}
    (again,) = stored(read(write_ics([changed])))
    assert again == changed


def test_a_change_of_another_program_counts_and_what_it_does_not_know_stays() -> None:
    """TK-404"""
    (task,) = stored(read(vtodo("SUMMARY:a", "PRIORITY:1")))
    task = task.model_copy(update={"project": "p", "extra": {"color": "red"}, "version": 3})
    text = write_ics([task]).decode()
    changed = text.replace("SUMMARY:a", "SUMMARY:b").replace("PRIORITY:1", "RRULE:FREQ=DAILY")
    found = only(changed)
    assert (found.title, found.priority, found.project) == ("b", 0, "p")
    assert (found.id, found.version, found.key) == (task.id, 3, "1")
    assert found.extra == {"color": "red", "ical": ["RRULE:FREQ=DAILY"]}


def test_texts() -> None:
    """TK-402"""
    task = a_task(
        r"DESCRIPTION:a\, b\; c\\n\nd\Ne \x\: f", r"CATEGORIES:x\,y, b ,a,,a", "CATEGORIES:c"
    )
    assert task.description == "a, b; c\\n\nd\ne x: f"
    # A category with a comma cannot be a tag.
    assert task.tags == ("a", "b", "c")
    assert kept(task) == [r"CATEGORIES:x\,y, b ,a,,a", "CATEGORIES:c"]
    assert not kept(a_task("CATEGORIES:b,a,b"))


def test_a_category_that_is_too_long_in_the_form_of_tags_is_kept() -> None:
    """TK-402: tags are stored in NFC, which has two characters for U+0958."""
    line = f"CATEGORIES:a,{30 * QA}"
    task = a_task(line)
    assert (task.tags, kept(task)) == (("a",), [line])
    (stored_task,) = stored([task])
    assert line in unfolded(write_ics([stored_task]))
    assert stored(read(write_ics([stored_task]))) == [stored_task]
    # A line that a client put there itself.
    other = stored_task.model_copy(update={"extra": {"ical": [line, f"CATEGORIES:{30 * QA}"]}})
    assert stored(read(write_ics([other]))) == [other]


def test_the_vtodos_of_a_task_that_repeats_are_several_tasks() -> None:
    """TK-401"""
    text = calendar(
        vtodo("SUMMARY:each week", "RRULE:FREQ=WEEKLY"),
        vtodo("SUMMARY:this week", "RECURRENCE-ID;VALUE=DATE:20240101"),
    )
    found = stored(read(text))
    assert [task.key for task in found] == ["1", "1#20240101"]
    written = unfolded(write_ics(found))
    assert written.count("UID:1") == 2
    assert "RECURRENCE-ID;VALUE=DATE:20240101" in written
    assert stored(read(write_ics(found))) == found


def test_a_long_uid_becomes_a_short_key_and_stays() -> None:
    """TK-401"""
    uid = 250 * "u"
    (task,) = stored(read(vtodo("SUMMARY:a", uid=uid)))
    assert task.key is not None
    assert task.key.startswith("sha256-")
    assert f"UID:{uid}" in unfolded(write_ics([task]))


def test_times_in_the_wrong_order_are_put_right() -> None:
    task = a_task("CREATED:20240102T000000Z", "LAST-MODIFIED:20240101T000000Z")
    assert task.created_at == task.updated_at == utc(2024, 1, 2)


def test_lines_are_folded_at_75_octets_between_characters() -> None:
    """TK-404"""
    (task,) = stored(
        [TaskImport(title="木😀é" * 40, key="k", extra={"ical": [f"X-A:{'ü' * 200}"]})]
    )
    file = write_ics([task])
    for line in file.split(b"\r\n"):
        assert len(line) <= 75
        assert line.decode().isprintable()
    assert stored(read(file)) == [task]


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data,
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: b"\xef\xbb\xbf" + data,
        # Folded inside of a character, with a tab, and in the name.
        lambda data: data.replace("ü".encode(), b"\xc3\n\t\xbc"),
        lambda data: data.replace(b"SUMMARY", b"SUM\r\n MARY"),
        lambda data: data.replace(b"\nEND", b"\n\n\nEND"),
        lambda data: data.replace(b"BEGIN:VTODO", b"begin:vtodo"),
        lambda data: data.rstrip(b"\n"),
    ],
)
def test_line_ends_folds_and_byte_order_marks(change: Callable[[bytes], bytes]) -> None:
    (task,) = read(change(calendar(vtodo("SUMMARY:Müll", "X-A;B=c:d")).encode()))
    assert isinstance(task, TaskImport), task
    assert (task.title, task.key, kept(task)) == ("Müll", "1", ["X-A;B=c:d"])


@pytest.mark.parametrize(
    ("text", "bad"),
    [
        ("title\nx\n", [(1, "file must begin with BEGIN:VCALENDAR")]),
        ("\n\n{}\n", [(3, "file must begin with BEGIN:VCALENDAR")]),
        (vtodo("DESCRIPTION:a"), [(1, "SUMMARY is required")]),
        (vtodo("SUMMARY:" + 501 * "x"), [(3, "title must have at most 500 characters")]),
        (
            vtodo("SUMMARY:a", "DUE:tomorrow"),
            [(4, "DUE must be a date or a time, such as 20261130 or 20261130T170000")],
        ),
        (vtodo("SUMMARY:a", "DUE:20240230"), [(4, "DUE must be a valid date and time")]),
        (vtodo("SUMMARY:a", "PRIORITY:10"), [(4, "PRIORITY must be 0 to 9")]),
        (vtodo("SUMMARY:a", "two lines", "X:b"), [(4, "line is not NAME:VALUE")]),
        (vtodo("SUMMARY:a", "END:VALARM"), [(4, "END:VALARM has no BEGIN before it")]),
        (vtodo("SUMMARY:a", "BEGIN:VALARM"), [(1, "VTODO has no END:VTODO")]),
        ("BEGIN:VTODO\nSUMMARY:a\n", [(1, "VTODO has no END:VTODO")]),
        (vtodo("SUMMARY:a", "X-TASKCORE:[]"), [(4, "X-TASKCORE must be a JSON object")]),
        (
            vtodo("SUMMARY:a", f"ATTACH;VALUE=BINARY:{5000 * 'A'}", "X-A:b"),
            [
                (
                    1,
                    (
                        "extra must have at most 4096 bytes as JSON, for everything without a "
                        "field of its own: ATTACH alone has 5020 bytes; unknown "
                        "properties can be ignored"
                    ),
                )
            ],
        ),
        (vtodo("SUMMARY:a", f"X-A:{200_000 * 'A'}"), [(1, "VTODO must have at most 131072 bytes")]),
    ],
)
def test_a_bad_task_is_named_with_its_line_and_the_others_are_read(
    text: str, bad: list[tuple[int, str]]
) -> None:
    """TK-405"""
    found = read(text + vtodo("SUMMARY:good"))
    assert [(one.number, one.reason) for one in found if isinstance(one, BadLine)] == bad
    if text.startswith("BEGIN"):
        assert isinstance(found[-1], TaskImport)


def test_bytes_that_are_not_utf_8_are_named() -> None:
    """TK-405"""
    assert read(b"BEGIN:VTODO\nSUMMARY:M\xfcll\nEND:VTODO\n") == [BadLine(2, "line must be UTF-8")]


def test_other_components_are_skipped_and_named() -> None:
    """TK-405"""
    event = "BEGIN:VEVENT\nUID:1\nwrong\nBEGIN:VALARM\nEND:VALARM\nEND:VEVENT\n"
    assert read(calendar(event, "BEGIN:VJOURNAL\nEND:VJOURNAL\n")) == [
        Skipped(3, "VEVENT is not a task"),
        Skipped(9, "VJOURNAL is not a task"),
    ]


def test_an_empty_task_is_skipped() -> None:
    """lennart-k/rustical#226 (TK-405)"""
    empty = "BEGIN:VTODO\nDTSTAMP:20260531T070527Z\nEND:VTODO\n"
    assert read(empty + vtodo()) == [Skipped(1, "an empty VTODO"), Skipped(4, "an empty VTODO")]


def test_what_has_no_field_can_be_left_out() -> None:
    """TK-405"""
    text = vtodo("SUMMARY;LANGUAGE=de:a", f"ATTACH:{5000 * 'A'}", "STATUS:IN-PROCESS")
    (task,) = read(text, ignore_unknown=True)
    assert isinstance(task, TaskImport)
    assert (task.title, task.extra) == ("a", {})


def test_each_zone_of_the_tasks_is_defined_once_before_its_first_use() -> None:
    """TK-404"""
    due = "DUE;TZID=Europe/Berlin:20240229T170000"
    found = stored(read(calendar(*(vtodo("SUMMARY:a", due, uid=str(n)) for n in range(3)))))
    lines = unfolded(write_ics(found))
    assert lines.count("TZID:Europe/Berlin") == 1
    assert lines.index("TZID:Europe/Berlin") < lines.index("BEGIN:VTODO")


def test_what_extra_has_under_our_name_cannot_add_lines() -> None:
    """TK-404"""
    for lines in (
        ["X:a\r\nEND:VTODO"],
        ["END:VTODO", "BEGIN:VTODO"],
        ["BEGIN:VALARM"],
        ["X-TASKCORE:{}"],
        ["no line"],
        [1],
        "text",
        {"a": 1},
    ):
        (task,) = stored([TaskImport(title="a", key="k", extra={"ical": lines})])
        file = write_ics([task])
        assert file.count(b"\nBEGIN:VTODO") == file.count(b"\nBEGIN:") == 1
        assert stored(read(file)) == [task]


@given(
    st.binary(max_size=300)
    | st.lists(st.sampled_from([*REPORTS.values()]).flatmap(_parts), max_size=40)
    .map("\n".join)
    .map(str.encode)
)
@example(b'BEGIN:VTODO\nX-TASKCORE:{"id":[]}\nEND:VTODO')
@example(b'BEGIN:VTODO\nSUMMARY:a\nX-TASKCORE:{"due":"0001-01-01"\\,"created_at":1}\nEND:VTODO')
@example(b"BEGIN:VTODO\nUID:1\nSUMMARY:a\nDUE;TZID=\xed\xa0\x80:00010101T000000\nEND:VTODO")
def test_a_malformed_file_is_bad_lines_and_never_an_error(data: bytes) -> None:
    """TK-405"""
    for one in read(b"BEGIN:VCALENDAR\n" + data):
        assert isinstance(one, TaskImport | BadLine | Skipped)
        if isinstance(one, TaskImport):
            (task,) = stored([one])
            assert stored(read(write_ics([task]))) == [task]


def test_one_component_is_in_memory() -> None:
    """TK-406"""
    part = (
        REPORTS["tasks.org"]
        .partition("PRODID")[2]
        .partition("\n")[2]
        .replace("END:VCALENDAR\n", "")
    )
    file = io.BytesIO(
        ("BEGIN:VCALENDAR\n" + part * 1_000 + f"BEGIN:VEVENT\nX:{'x' * 10**7}\n").encode()
    )
    # Imports of the first use are not counted.
    assert [*read_ics(io.BytesIO(b"BEGIN:VCALENDAR\nEND:VCALENDAR\n"))] == []
    tracemalloc.start()
    count = sum(isinstance(one, TaskImport) for one in read_ics(file))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 1_000
    assert peak < 2_000_000


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """TK-406"""
    for name in [name for name in sys.modules if name.startswith("taskcore.formats.ical")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "icalendar", None)
    for call in (lambda: read_ics(io.BytesIO()), lambda: write_ics([])):
        with pytest.raises(ConfigurationError, match=re.escape("pip install 'taskcore[ical]'")):
            call()
