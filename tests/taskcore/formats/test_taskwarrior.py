"""Taskwarrior's JSON, read and written without a database (TK-411 to TK-413)."""

import io
import json
from datetime import date
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from taskcore import Task, TaskImport, ValidationError
from taskcore.formats import Skipped, read_taskwarrior, write_taskwarrior
from taskcore.tasks.files import BadLine
from tests.taskcore.formats.samples import Read, local, same, stored, tasks, utc

UUID = "33f39ef8-0000-4000-8000-47fe974df130"

KEPT = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["waiting", "recurring", "completed", "x", 1]),
        "tags": st.sampled_from([["a", "b,c"], "a", [1], None]),
        "priority": st.sampled_from(["X", "", "H", 1]),
        "end": st.sampled_from(["20240101T000000Z", "x"]),
        "due": st.just("tomorrow"),
        "annotations": st.just([{"entry": "20170813T120000Z", "description": "first"}]),
        "taskcore": st.just("{}"),
        "id": st.just(1),
    },
)


def read(file: bytes | str | list[dict[str, Any]], **options: Any) -> list[Read]:
    if isinstance(file, list):
        file = "[\n" + ",\n".join(map(json.dumps, file)) + "\n]\n"
    data = file.encode() if isinstance(file, str) else file
    return list(read_taskwarrior(io.BytesIO(data), **options))


def only(**attributes: Any) -> TaskImport:
    (task,) = read([{"description": "a", **attributes}])
    assert isinstance(task, TaskImport), task
    return task


@given(st.lists(tasks() | tasks(KEPT.map(lambda kept: {"taskwarrior": kept, "a": 1})), max_size=3))
def test_tasks_that_are_written_and_read_are_the_same(written: list[Task]) -> None:
    """TK-413"""
    file = write_taskwarrior(written)
    assert len(json.loads(file)) == len(written)
    assert write_taskwarrior(same(read(file), written)) == file


def test_the_attributes_of_a_task() -> None:
    """GothenburgBitFactory/taskwarrior#1602, #2037 and #1938 (TK-411)"""
    attributes = {
        "id": 63,
        "annotations": [
            {"entry": "20170813T120000Z", "description": "first"},
            {"entry": "20170813T120000Z", "description": "second"},
        ],
        "bugzillabugid": 1271677.5,
        "depends": ["718d0879-0000-4000-8000-386e7d2c9608"],
        "description": "http://bugzil.la/1 Schedule tasks",
        "due": "20240830T220000Z",
        "entry": "20150223T170903Z",
        "modified": "20150223T170904Z",
        "priority": "H",
        "project": "Work.Jenkins",
        "status": "waiting",
        "tags": ["next", "bugzilla"],
        "uuid": UUID,
        "wait": "20240101T000000Z",
        "urgency": 7.12055,
    }
    task = only(**attributes)
    assert task.model_dump(exclude_defaults=True) == {
        "title": "http://bugzil.la/1 Schedule tasks",
        "due": local(2024, 8, 30, 22),
        "due_zone": "UTC",
        "priority": 1,
        "project": "Work.Jenkins",
        "tags": ("bugzilla", "next"),
        "key": UUID,
        "created_at": utc(2015, 2, 23, 17, 9, 3),
        "updated_at": utc(2015, 2, 23, 17, 9, 4),
        "extra": {
            "taskwarrior": {
                name: attributes[name]
                for name in ("annotations", "bugzillabugid", "depends", "status", "wait")
            }
        },
    }
    (again,) = json.loads(write_taskwarrior(stored([task])))
    assert json.loads(again.pop("taskcore")) == {
        "id": 100,
        "due": "2024-08-30T22:00:00",
        "due_zone": "UTC",
    }
    expected = {name: value for name, value in attributes.items() if name not in ("id", "urgency")}
    assert again == expected | {"tags": ["bugzilla", "next"]}


@pytest.mark.parametrize(
    ("due", "zone", "expected"),
    [
        ("20240830T220000Z", "Europe/Berlin", (date(2024, 8, 31), None)),
        ("20240830T220000Z", None, (local(2024, 8, 30, 22), "UTC")),
        ("20240830T150000Z", "Europe/Berlin", (local(2024, 8, 30, 17), "Europe/Berlin")),
        ("2024-08-31", None, (date(2024, 8, 31), None)),
        ("20240831T170000", None, (local(2024, 8, 31, 17), None)),
        ("1725055200", "Europe/Berlin", (date(2024, 8, 31), None)),
    ],
)
def test_due_dates(due: str, zone: str | None, expected: tuple[date, str | None]) -> None:
    """TK-412"""
    (task,) = read([{"description": "a", "due": due}], zone=zone)
    assert isinstance(task, TaskImport), task
    assert (task.due, task.due_zone) == expected


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(ValidationError, match="zone must be a time zone of the IANA database"):
        read([], zone="Mars/Base")


def test_states() -> None:
    """TK-411"""
    done = only(status="completed", end="20240101T000000Z")
    assert (done.completed, done.completed_at, done.extra) == (True, utc(2024, 1, 1), {})
    for status in ("waiting", "recurring"):
        task = only(status=status)
        assert (task.completed, task.extra) == (False, {"taskwarrior": {"status": status}})
    assert not only(status="pending").extra
    assert read([{"description": "a", "status": "deleted"}]) == [Skipped(2, "a deleted task")]


def test_tags_and_priorities_that_do_not_fit_are_kept() -> None:
    task = only(tags=["a", "b,c"], priority="U")
    assert (task.tags, task.priority) == (("a",), 0)
    assert task.extra == {"taskwarrior": {"tags": ["a", "b,c"], "priority": "U"}}
    (again,) = json.loads(write_taskwarrior(stored([task])))
    assert (again["tags"], again["priority"]) == (["a", "b,c"], "U")


def test_a_change_of_taskwarrior_counts() -> None:
    """TK-413"""
    (task,) = stored([only(uuid=UUID, recur="weekly")])
    task = task.model_copy(update={"description": "note", "extra": {"color": "red"}})
    (attributes,) = json.loads(write_taskwarrior([task]))
    attributes |= {"description": "b", "priority": "L", "id": 4, "urgency": 3, "wait": "x"}
    found = only(**attributes)
    assert (found.title, found.description, found.priority) == ("b", "note", 9)
    assert (found.id, found.key) == (task.id, UUID)
    assert found.extra == {"color": "red", "taskwarrior": {"wait": "x"}}


def test_a_day_that_taskwarrior_stores_as_a_moment_stays_a_day_in_its_zone() -> None:
    """TK-412"""
    (task,) = stored([only(uuid=UUID, due="2026-11-30")])
    (attributes,) = json.loads(write_taskwarrior([task]))
    assert attributes["due"] == "2026-11-30"
    # What `task import` and `task export` make of it in Berlin.
    attributes |= {"due": "20261129T230000Z", "id": 4, "urgency": 3}
    (found,) = read([attributes], zone="Europe/Berlin")
    assert isinstance(found, TaskImport)
    assert (found.id, found.due, found.due_zone) == (task.id, date(2026, 11, 30), None)
    (found,) = read([attributes])
    assert isinstance(found, TaskImport)
    assert (found.due, found.due_zone) == (local(2026, 11, 29, 23), "UTC")


def test_a_due_date_that_taskwarrior_has_not_changed_keeps_its_zone() -> None:
    """TK-412"""
    (task,) = stored([only(uuid=UUID, due="20261129T230000Z")])
    (attributes,) = json.loads(write_taskwarrior([task]))
    for change in ({}, {"description": "b"}):
        (found,) = read([attributes | change], zone="Europe/Berlin")
        assert isinstance(found, TaskImport)
        assert (found.due, found.due_zone) == (local(2026, 11, 29, 23), "UTC")


BROKEN = """\
  {
    "x": "
",
    "annotations": [
      {
        "description": "no task"
      }
    ]
  }"""
GOOD = '{"description":"good { \\" \\\\"}'


@pytest.mark.parametrize(
    ("text", "bad"),
    [
        (f"[\n{GOOD},\n{GOOD}\n]\n", {}),
        (f"[{GOOD},{GOOD}]", {}),
        (f"{GOOD}\n{GOOD}\n", {}),
        (f"\ufeff[\r\n{GOOD},\r\n{GOOD}\r\n]\r\n", {}),
        (json.dumps([json.loads(GOOD)] * 2, indent=2), {}),
        # GothenburgBitFactory/taskwarrior#2689, #2037
        (
            f'[\n{GOOD},\n{{"depends":["["yyy"]"],"description":"b"}},\n{GOOD}\n]\n',
            {3: "line is not well-formed JSON"},
        ),
        (f'[\n{GOOD},\n{{"urgency":H}},\n{GOOD}\n]\n', {3: "line is not well-formed JSON"}),
        (
            f'[\n{GOOD},\n{{"description":"b\n",}},\n{GOOD}\n]\n',
            {3: "line is not well-formed JSON"},
        ),
        (
            f"[\n{BROKEN},\n  {GOOD},\n  {GOOD}\n]\n",
            {2: "line is not well-formed JSON"},
        ),
        (f"[\n{GOOD},\nconfiguration override\n{GOOD}\n", {3: "line is not well-formed JSON"}),
        (f"{GOOD}\n{GOOD}\n{{", {3: "line is not well-formed JSON"}),
        (
            f'{GOOD}\n{{"due":"tomorrow"}}\n{GOOD}',
            {2: "due must be a time, such as 20261130T170000Z"},
        ),
        (f"{GOOD}\n{{}}\n{GOOD}", {2: "description is required"}),
        (
            f'{GOOD}\n{{"description":"{501 * "x"}"}}\n{GOOD}',
            {2: "description must have at most 500 characters"},
        ),
        (
            f'{GOOD}\n{{"description":"a","tags":7}}\n{GOOD}',
            {2: "tags must be an array of strings"},
        ),
        (
            f'{GOOD}\n{{"description":"a","status":"on hold"}}\n{GOOD}',
            {2: "status must be pending, waiting, recurring, completed or deleted"},
        ),
        (
            f'{GOOD}\n{{"description":"a","note":"{5000 * "x"}"}}\n{GOOD}',
            {
                2: (
                    "extra must have at most 4096 bytes as JSON, for everything without a field of "
                    "its own; unknown attributes can be ignored"
                )
            },
        ),
        (
            f'{GOOD}\n{{"a":"{140_000 * "x"}"}}\n{GOOD}',
            {2: "object must have at most 131072 bytes"},
        ),
        (
            f'{GOOD}\n{{"description":"a","taskcore":1}}\n{GOOD}',
            {2: "taskcore must be a JSON object"},
        ),
    ],
)
def test_every_form_of_an_export_is_read_and_bad_objects_are_named(
    text: str, bad: dict[int, str]
) -> None:
    """TK-411"""
    found = read(text)
    assert {one.number: one.reason for one in found if isinstance(one, BadLine)} == bad
    titles = [one.title for one in found if isinstance(one, TaskImport)]
    assert titles == ['good { " \\'] * 2


def test_what_has_no_field_can_be_left_out() -> None:
    (task,) = read([{"description": "a", "recur": "weekly"}], ignore_unknown=True)
    assert isinstance(task, TaskImport)
    assert task.extra == {}


VALUES = st.sampled_from(
    [None, 1, 1.5, "", "x", "\x00", [], ["a"], {}, {"a": 1}, "20240101T000000Z"]
)


@given(
    st.binary(max_size=100)
    | st.lists(
        st.dictionaries(
            st.sampled_from(
                [
                    *("description", "uuid", "status", "due", "entry", "modified", "end", "tags"),
                    *("priority", "project", "taskcore", "id", "annotations"),
                ]
            ),
            VALUES | st.sampled_from(["completed", "waiting", "{}", '{"key": null, "title": 1}']),
        ),
        max_size=3,
    ).map(lambda objects: json.dumps(objects).encode())
)
@example(b'{"a":"\\')
@example(b'{"description":"a","due":"00010101T000000Z"}')
def test_a_malformed_file_is_bad_lines_and_never_an_error(data: bytes) -> None:
    """TK-411"""
    for zone in (None, "Pacific/Kiritimati", "America/New_York"):
        for one in read(data, zone=zone):
            assert isinstance(one, TaskImport | BadLine | Skipped)
            if isinstance(one, TaskImport):
                (task,) = stored([one])
                assert stored(read(write_taskwarrior([task]))) == [task]
