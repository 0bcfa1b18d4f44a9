"""Files of other programs, from the command line to the database and back (TK-431 to TK-433)."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.taskcore.formats.ics_reports import REPORTS, calendar, vtodo
from tests.taskcore_cli.conftest import Run

FORMS = pytest.mark.parametrize("form", ["ics", "taskwarrior"])


def listed(taskctl: Run) -> list[dict[str, Any]]:
    tasks: list[dict[str, Any]] = json.loads(taskctl("tasks", "list", "--all", "--json").stdout)
    return tasks


def wipe(taskctl: Run) -> None:
    ids = [str(task["id"]) for task in listed(taskctl)]
    assert taskctl("tasks", "delete", "--yes", *ids).exit_code == 0
    assert listed(taskctl) == []


def add_some(taskctl: Run) -> None:
    words = ("--description", "one\r\ntwo; \\n\x1b[2J", "--project", "p q", "--tag", "a b")
    taskctl("tasks", "add", "ä, b; c", *words, "--due", "2026-11-30", "--priority", "2")
    words = ("--due", "2026-03-29T02:30", "--zone", "Europe/Berlin", "--key", "k")
    taskctl("tasks", "add", "x" * 300, *words, "--extra", '{"ical": ["RRULE:FREQ=DAILY"], "n": 1}')
    taskctl("tasks", "add", "lunch", "--due", "2026-11-30T12:00")
    done = json.loads(taskctl("tasks", "add", "done", "--json").stdout)
    taskctl("tasks", "done", str(done["id"]))


@FORMS
def test_export_wipe_import_and_export_give_the_same_file(
    taskctl: Run, tmp_path: Path, form: str
) -> None:
    """alainm23/planify#781, nextcloud/tasks#497 (TK-431)"""
    first, second = tmp_path / "first", tmp_path / "second"
    add_some(taskctl)
    before = listed(taskctl)
    assert taskctl("tasks", "export", str(first), "--format", form).exit_code == 0
    wipe(taskctl)
    result = taskctl("tasks", "import", str(first), "--format", form)
    assert (result.exit_code, result.output) == (0, "Imported 4 tasks.\n")
    assert listed(taskctl) == before
    taskctl("tasks", "export", str(second), "--format", form)
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("report", REPORTS)
def test_a_file_of_another_program_goes_in_and_comes_out(
    taskctl: Run, tmp_path: Path, report: str
) -> None:
    """TK-431"""
    file, first, second = (tmp_path / f"{name}.ics" for name in ("file", "first", "second"))
    file.write_bytes(REPORTS[report].encode())
    count = REPORTS[report].count("BEGIN:VTODO")
    noun = "task" if count == 1 else "tasks"
    assert taskctl("tasks", "import", str(file)).output == f"Imported {count} {noun}.\n"
    taskctl("tasks", "export", str(first))
    wipe(taskctl)
    taskctl("tasks", "import", str(first))
    taskctl("tasks", "export", str(second))
    assert first.read_bytes() == second.read_bytes()
    again = taskctl("tasks", "import", str(first)).stdout
    assert again.startswith("Imported 0 tasks;")


def test_a_repeated_import_of_keyed_tasks_adds_nothing(taskctl: Run, tmp_path: Path) -> None:
    """TK-401"""
    file = tmp_path / "a.ics"
    file.write_text(calendar(vtodo("SUMMARY:a"), vtodo("SUMMARY:b", uid="2")))
    taskctl("tasks", "import", str(file))
    for words in ((), ("--new-ids",)):
        result = taskctl("tasks", "import", str(file), *words)
        assert result.output == "Imported 0 tasks; 2 were there already.\n"


def test_bad_tasks_and_skipped_parts_are_reported(taskctl: Run, tmp_path: Path) -> None:
    """TK-432"""
    file = tmp_path / "a.ics"
    event = "BEGIN:VEVENT\nUID:e\nEND:VEVENT"
    file.write_text(calendar(event, event, vtodo("SUMMARY:a"), vtodo("DUE:soon", uid="2")))
    result = taskctl("tasks", "import", str(file), "--dry-run")
    assert result.exit_code == 1
    assert result.stdout == (
        "1 task is good; 1 task is bad; 2 were skipped; nothing was imported.\n"
    )
    assert result.stderr == (
        "line 15: DUE must be a date or a time, such as 20261130 or 20261130T170000\n"
        "skipped: VEVENT is not a task (2)\n"
    )
    result = taskctl("tasks", "import", str(file), "--dry-run", "--json")
    assert json.loads(result.stdout) == {"good": 1, "bad": 1, "skipped": 2}
    result = taskctl("tasks", "import", str(file), "--strict")
    assert "error: 1 task is bad: nothing was imported" in result.stderr
    result = taskctl("tasks", "import", str(file), "--json")
    assert json.loads(result.stdout) == {"imported": 1, "present": 0, "bad": 1, "skipped": 2}
    result = taskctl("tasks", "import", str(file))
    assert result.stdout == (
        "Imported 0 tasks; 1 was there already; 1 task is bad; 2 were skipped.\n"
    )


def test_what_is_too_large_is_imported_without_it_at_second_attempt(
    taskctl: Run, tmp_path: Path
) -> None:
    """TK-432"""
    file = tmp_path / "a.ics"
    large = vtodo("SUMMARY:large", f"ATTACH:{5000 * 'x'}", uid="2")
    file.write_text(calendar(vtodo("SUMMARY:a", "RRULE:FREQ=DAILY"), large))
    result = taskctl("tasks", "import", str(file))
    assert (result.exit_code, result.stdout) == (1, "Imported 1 task; 1 task is bad.\n")
    assert "ATTACH alone has 5007 bytes; unknown properties can be ignored" in result.stderr
    result = taskctl("tasks", "import", str(file), "--ignore-unknown")
    assert (result.exit_code, result.stdout) == (0, "Imported 1 task; 1 was there already.\n")
    assert [(task["title"], task["extra"]) for task in listed(taskctl)] == [
        ("large", {}),
        ("a", {"ical": ["RRULE:FREQ=DAILY"]}),
    ]


def test_the_zone_of_taskwarrior_makes_midnight_a_date(taskctl: Run, tmp_path: Path) -> None:
    """TK-412"""
    file = tmp_path / "tasks.json"
    file.write_text(
        '[\n{"description":"a","due":"20240830T220000Z","uuid":"u","status":"pending"},\n'
        '{"description":"b","status":"deleted"}\n]\n'
    )
    words = ("--format", "taskwarrior", "--zone", "Europe/Berlin")
    result = taskctl("tasks", "import", str(file), *words)
    assert result.stdout == "Imported 1 task; 1 was skipped.\n"
    assert result.stderr == "skipped: a deleted task (1)\n"
    assert listed(taskctl)[0]["due"] == "2024-08-31"


def test_a_name_tells_todotxt_and_what_does_not_fit_is_told(taskctl: Run, tmp_path: Path) -> None:
    """TK-433"""
    file, out = tmp_path / "todo.txt", tmp_path / "done.txt"
    text = "(A) 2024-01-01 Call Mom +Family @phone t:2024-01-02\nx 2024-01-03 2024-01-02 done\n"
    file.write_text(text)
    assert taskctl("tasks", "import", str(file)).output == "Imported 2 tasks.\n"
    result = taskctl("tasks", "export", str(out))
    assert (result.stdout, result.stderr) == ("Exported 2 tasks.\n", "")
    assert sorted(out.read_text().splitlines()) == sorted(text.splitlines())
    taskctl("tasks", "add", "note", "--description", "d")
    result = taskctl("tasks", "export", str(out))
    assert result.stdout == "Exported 3 tasks.\n"
    assert result.stderr == (
        "1 task has a description, a time of day, a key or fields of your own, which todo.txt has "
        "no place for\n"
    )


def test_a_missing_package_is_one_line(
    taskctl: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TK-406"""
    for name in [name for name in sys.modules if name.startswith("taskcore.formats.ical")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "icalendar", None)
    file = tmp_path / "a.ics"
    file.write_text(calendar(vtodo("SUMMARY:a")))
    for word in ("import", "export"):
        result = taskctl("tasks", word, str(file))
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr == (
            "error: iCalendar needs the extra ical: pip install 'taskcore[ical]'\n"
        )
    assert "VTODO" in file.read_text()


def test_an_empty_export_is_a_file_of_its_format(taskctl: Run) -> None:
    for form, text in (
        (
            "ics",
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//taskcore//taskcore//EN\r\nEND:VCALENDAR\r\n",
        ),
        ("taskwarrior", "[\n]\n"),
        ("todotxt", ""),
    ):
        assert taskctl("tasks", "export", "-", "--format", form).stdout_bytes.decode() == text
