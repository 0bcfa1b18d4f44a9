"""todo.txt, read and written without a database (TK-421 to TK-423)."""

import io
import unicodedata
from datetime import date
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from taskcore import Task, TaskImport
from taskcore.formats import read_todotxt, write_todotxt
from taskcore.tasks.files import BadLine
from tests.taskcore.formats.samples import local, stored, tasks, utc

QA = "\u0958"

# The lines of public reports, their texts replaced, and what they mean.
REPORTS: list[tuple[str, dict[str, Any]]] = [
    # GothenburgBitFactory/taskwarrior#628
    ("Vanilla todo", {"title": "Vanilla todo"}),
    ("(A) Prioritized todo", {"title": "Prioritized todo", "priority": 1}),
    (
        "(B) 2011-05-09 Prioritized with entry date",
        {
            "title": "Prioritized with entry date",
            "priority": 2,
            "created_at": utc(2011, 5, 9),
        },
    ),
    (
        "(C) +Project @Context Priority with both t:2011-05-11",
        {
            "title": "+Project @Context Priority with both",
            "priority": 3,
            "project": "Project",
            "tags": ("Context",),
            "extra": {"todotxt": {"keys": {"t": "2011-05-11"}}},
        },
    ),
    (
        "x 2011-05-11 2011-05-09 Done +Project @Context",
        {
            "title": "Done",
            "project": "Project",
            "tags": ("Context",),
            "completed": True,
            "completed_at": utc(2011, 5, 11),
            "created_at": utc(2011, 5, 9),
        },
    ),
    # csauve/todotxt-parser#1
    (
        "x 2014-07-04 (A) 2014-06-19 Document costs +Events due:2014-08-01",
        {
            "title": "Document costs",
            "project": "Events",
            "priority": 1,
            "due": date(2014, 8, 1),
            "completed": True,
            "completed_at": utc(2014, 7, 4),
            "created_at": utc(2014, 6, 19),
            "extra": {
                "todotxt": {
                    "line": "x 2014-07-04 (A) 2014-06-19 Document costs +Events due:2014-08-01"
                }
            },
        },
    ),
    # ransome1/sleek#183
    (
        "Ask Dad how the +Garage project is doing @home",
        {
            "title": "Ask Dad how the +Garage project is doing",
            "project": "Garage",
            "tags": ("home",),
        },
    ),
    # ransome1/sleek#617
    (
        "this+that me@example.com http://todotxt.org/ 12:30 + @",
        {"title": "this+that me@example.com http://todotxt.org/ 12:30 + @"},
    ),
    # EpocDotFr/todotxtio#12, todotxt/todo.txt-cli#430
    (
        "2018-05-19 +read webpage +background +more @at",
        {
            "title": "+read webpage",
            "project": "read",
            "tags": ("+background", "+more", "at"),
            "created_at": utc(2018, 5, 19),
        },
    ),
    # Some programs write the priority of a completed task as a pair.
    (
        "x 2021-01-02 Water the plants rec:1w pri:C",
        {
            "title": "Water the plants",
            "priority": 3,
            "completed": True,
            "completed_at": utc(2021, 1, 2),
            "extra": {
                "todotxt": {
                    "keys": {"rec": "1w"},
                    "line": "x 2021-01-02 Water the plants rec:1w pri:C",
                }
            },
        },
    ),
    ("(J) low", {"title": "low", "priority": 9, "extra": {"todotxt": {"line": "(J) low"}}}),
    ("Pay due:tomorrow", {"title": "Pay due:tomorrow"}),
    ("Pay due:2024-02-29T17:00", {"title": "Pay", "due": local(2024, 2, 29, 17)}),
    ("(a) x marks", {"title": "(a) x marks"}),
    ("xylophone", {"title": "xylophone"}),
    ("X 2021-01-02 capital", {"title": "X 2021-01-02 capital"}),
    ("2021-01-02 2021-01-03 dates", {"title": "2021-01-03 dates", "created_at": utc(2021, 1, 2)}),
    ("+only @words", {"title": "+only @words", "project": "only", "tags": ("words",)}),
    ("a @b,c", {"title": "a @b,c"}),
    ("@a @a b", {"title": "@a @a b", "tags": ("a",)}),
    # In NFC, the form of tags, these have 60 characters.
    (f"a @{30 * QA}", {"title": f"a @{30 * QA}"}),
    (
        f"a +b +{30 * QA}",
        {
            "title": "a",
            "project": "b",
            "extra": {"todotxt": {"line": f"a +b +{30 * QA}"}},
        },
    ),
    # Tags are in NFC, so that the line cannot be made from the fields.
    *(
        (
            word,
            {
                "title": word,
                "tags": (unicodedata.normalize("NFC", word[1:]),),
                "extra": {"todotxt": {"line": word}},
            },
        )
        for word in ("@cafe\u0301", f"@{QA}")
    ),
]


def read(text: str | bytes, **options: Any) -> list[TaskImport | BadLine]:
    data = text.encode() if isinstance(text, str) else text
    return list(read_todotxt(io.BytesIO(data), **options))


@pytest.mark.parametrize(("line", "fields"), REPORTS)
def test_a_line_is_a_task_and_is_written_again_as_it_was(line: str, fields: dict[str, Any]) -> None:
    """TK-421, TK-422"""
    (task,) = read(line + "\n")
    assert isinstance(task, TaskImport), task
    assert task.model_dump(exclude_defaults=True) == fields
    # A task that was read without a creation date is written with one.
    undated = "" if task.created_at or "line" in str(task.extra) else "2026-11-27 "
    (written,) = write_todotxt(stored([task])).decode().splitlines()
    assert written.replace(undated, "", 1) == line


def test_a_file_loses_nothing() -> None:
    """TK-422"""
    text = "".join(f"{line}\n" for line, fields in REPORTS if "created_at" in fields)
    found = stored(read(text))
    assert write_todotxt(found).decode() == text
    assert stored(read(write_todotxt(found))) == found


def test_a_change_of_the_task_is_written_and_other_words_stay() -> None:
    """TK-422"""
    (task,) = stored(read("x 2021-01-02 2021-01-01 Water +a @b rec:1w pri:C"))
    changed = task.model_copy(update={"title": "Buy\nwater", "project": "c d", "completed": False})
    assert write_todotxt([changed]) == b"(C) 2021-01-01 Buy water +c_d @b rec:1w\n"


def test_a_text_that_begins_like_a_byte_order_mark_stays() -> None:
    """TK-431: also as the first line of a file."""
    _, task = stored(read("a\n\ufeffb pri:C +p due:2026-11-30 pri:C\n"))
    file = write_todotxt([task])
    (again,) = stored(read(file))
    assert again.title == task.title == "\ufeffb"
    assert write_todotxt([again]) == file


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\xef\xbb\xbfa\r\n\r\n  \n b \n", ["a", "b"]),
        (b"a", ["a"]),
        (b"", []),
        (b"a\nM\xfcll\nb\n", ["a", (2, "line must be UTF-8"), "b"]),
        (b"(A) 2024-02-30 a\n", [(1, "2024-02-30 must be a valid date")]),
        (501 * b"x", [(1, "title must have at most 500 characters")]),
        (
            b"a\n" + 140_000 * b"x" + b"\nb\n",
            ["a", (2, "line must have at most 131072 bytes"), "b"],
        ),
        (b"a k:" + 5000 * b"x", [(1, "extra must have at most 4096 bytes as JSON")]),
    ],
)
def test_lines(data: bytes, expected: list[str | tuple[int, str]]) -> None:
    """TK-423"""
    assert [
        (one.number, one.reason) if isinstance(one, BadLine) else one.title for one in read(data)
    ] == expected


def test_the_line_can_be_left_out() -> None:
    (task,) = read("(J) low rec:1w", ignore_unknown=True)
    assert isinstance(task, TaskImport)
    assert (task.title, task.extra) == ("low", {})


@given(st.lists(tasks(), max_size=3))
def test_any_task_can_be_written(written: list[Task]) -> None:
    """TK-422"""
    file = write_todotxt(written)
    assert file.count(b"\n") == len(written)
    # After one round trip nothing changes any more.
    found = [one for one in read(file) if isinstance(one, TaskImport)]
    again = write_todotxt(stored(found))
    assert stored(one for one in read(again)) == stored(found)


WORDS = st.sampled_from(
    [
        *("x", "(A)", "(Z)", "2024-01-02", "2024-02-30", "+a", "@b", "due:2024-01-02", "due:x"),
        *(
            "pri:A",
            "k:v",
            "k:w",
            "a",
            "é",
            "+",
            "@a,b",
            "\x00",
            "\x85",
            "\t",
            "k:v:w",
            "+" + 200 * "a",
        ),
    ]
)


@given(st.binary(max_size=100) | st.lists(WORDS, max_size=8).map(" ".join).map(str.encode))
@example(b"x ")
@example(b"(A) ")
@example("x \u2028".encode())
@example(b"\x01\r\x01")
def test_a_malformed_file_is_bad_lines_and_never_an_error(data: bytes) -> None:
    """TK-423"""
    for one in read(data):
        assert isinstance(one, TaskImport | BadLine)
        if isinstance(one, TaskImport):
            file = write_todotxt(stored([one]))
            (again,) = read(file)
            assert isinstance(again, TaskImport), again
            assert (again.title, again.tags, again.due) == (one.title, one.tags, one.due)
            assert write_todotxt(stored([again])) == file
