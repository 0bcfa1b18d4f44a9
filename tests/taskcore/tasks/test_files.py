"""Files of tasks, read and written without a database."""

import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, BinaryIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taskcore import Task, TaskImport, ValidationError
from taskcore.limits import MAX_ID, MAX_JSON, MAX_VERSION
from taskcore.tasks.files import BadLine, read_csv, read_jsonl, write_csv, write_jsonl
from taskcore.testing.strategies import valid

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=40)
TITLES = TEXTS.map(str.strip).filter(bool)
TAGS = st.text("aß木\"' ;", min_size=1, max_size=4).map(str.strip).filter(bool)
KEYS = TITLES.filter(lambda text: not re.search("[\x00-\x1f\x7f-\x9f]", text))
DUE_TIMES = st.datetimes().map(lambda moment: moment.replace(microsecond=0))
MOMENTS = st.datetimes(timezones=st.just(UTC))


@st.composite
def _tasks(draw: st.DrawFn) -> Task:
    created, updated = sorted((draw(MOMENTS), draw(MOMENTS)))
    fields = {
        "id": draw(st.integers(1, MAX_ID)),
        "title": draw(TITLES),
        "description": draw(st.none() | TEXTS.filter(bool)),
        "due": draw(st.none() | st.dates() | DUE_TIMES),
        "due_zone": None,
        "priority": draw(st.integers(0, 9)),
        "project": draw(st.none() | TITLES),
        "tags": tuple(sorted(draw(st.sets(TAGS, max_size=3)))),
        "extra": draw(valid["extra"]) or {},
        "key": draw(st.none() | KEYS),
        "completed": draw(st.booleans()),
        "user_id": draw(st.integers(1, MAX_ID)),
        "version": draw(st.integers(1, MAX_VERSION)),
        "created_at": created,
        "updated_at": updated,
    }
    return Task.model_validate(dict.fromkeys(Task.model_fields) | fields)


def _as_imported(task: Task) -> dict[str, Any]:
    return task.model_dump(exclude={"user_id"})


def _read(lines: Iterator[TaskImport | BadLine]) -> list[dict[str, Any] | tuple[int, str]]:
    return [
        (line.number, line.reason) if isinstance(line, BadLine) else line.model_dump()
        for line in lines
    ]


def jsonl(*lines: str | bytes | dict[str, Any]) -> list[dict[str, Any] | tuple[int, str]]:
    """Read lines, each ended by a line feed."""
    data = b"".join(_bytes(line) + b"\n" for line in lines)
    return _read(read_jsonl(io.BytesIO(data)))


def csv(*lines: str | bytes, **options: Any) -> list[dict[str, Any] | tuple[int, str]]:
    data = b"".join(_bytes(line) + b"\r\n" for line in lines)
    return _read(read_csv(io.BytesIO(data), **options))


def _bytes(line: str | bytes | dict[str, Any]) -> bytes:
    if isinstance(line, dict):
        return json.dumps(line).encode()
    return line.encode() if isinstance(line, str) else line


def titles(found: list[dict[str, Any] | tuple[int, str]]) -> list[object]:
    """Return the titles of good lines, and the numbers of bad ones."""
    return [line["title"] if isinstance(line, dict) else line[0] for line in found]


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_tasks(), max_size=5))
def test_json_lines_that_were_written_are_read_as_they_were(tasks: list[Task]) -> None:
    data = write_jsonl(tasks)
    assert data.count(b"\n") == len(tasks)
    assert _read(read_jsonl(io.BytesIO(data))) == [_as_imported(task) for task in tasks]


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_tasks(), max_size=5))
def test_csv_that_was_written_is_read_as_it_was(tasks: list[Task]) -> None:
    data = write_csv(tasks[:2], header=True) + write_csv(tasks[2:])
    assert _read(read_csv(io.BytesIO(data))) == [_as_imported(task) for task in tasks]


@given(st.binary(max_size=300), st.sampled_from([read_jsonl, read_csv]))
def test_no_file_is_an_error_of_ours(data: bytes, read: Any) -> None:
    for line in read(io.BytesIO(b"title\r\n" + data if read is read_csv else data)):
        assert isinstance(line, TaskImport) or line.reason


def test_a_title_alone_is_a_task() -> None:
    (task,) = jsonl({"title": " x "})
    assert isinstance(task, dict)
    fields = {"title": "x", "priority": 0, "tags": (), "extra": {}, "completed": False}
    assert task == dict.fromkeys(task) | fields | {"version": 1}
    assert csv("title", " x ") == [task]


def test_the_longest_task_is_read_however_it_is_escaped() -> None:
    task = {"title": "😀" * 500, "description": "😀" * 5000}
    assert titles(jsonl(task, json.dumps(task, ensure_ascii=False))) == ["😀" * 500] * 2
    row = f'{task["title"]},"{2 * 5000 * chr(34)}"'
    assert titles(csv("title,description", row)) == ["😀" * 500]


def test_a_byte_order_mark_blank_lines_and_carriage_returns_are_passed_over() -> None:
    data = b'\xef\xbb\xbf{"title": "a"}\r\n\r\n  \n{"title": "b"}\n\n{"title": "c"}'
    assert titles(_read(read_jsonl(io.BytesIO(data)))) == ["a", "b", "c"]
    data = b"\xef\xbb\xbftitle,id\r\na,1\r\n\r\nb,\nc,3"
    assert titles(_read(read_csv(io.BytesIO(data)))) == ["a", "b", "c"]


@pytest.mark.parametrize("data", [b"", b"\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\r\n", b" \n \n"])
def test_an_empty_file_holds_no_tasks(data: bytes) -> None:
    assert list(read_jsonl(io.BytesIO(data))) == []


BAD_FIELDS: list[tuple[dict[str, Any], str]] = [
    ({}, "title is required"),
    ({"title": "  "}, "title must not be empty or blank"),
    ({"title": None}, "title must not be null"),
    ({"title": 7}, "title must be a string"),
    ({"title": "x" * 501}, "title must have at most 500 characters"),
    ({"title": "a\x00"}, "title must not contain the NUL character"),
    ({"title": "x", "description": "x" * 5001}, "description must have at most 5000 characters"),
    ({"title": "x", "description": 7}, "description must be a string"),
    ({"title": "x", "completed": 1}, "completed must be true or false"),
    ({"title": "x", "completed": None}, "completed must not be null"),
    ({"title": "x", "id": 0}, "id must be at least 1"),
    ({"title": "x", "id": MAX_ID + 1}, f"id must be at most {MAX_ID}"),
    ({"title": "x", "id": 10**30}, f"id must be at most {MAX_ID}"),
    ({"title": "x", "id": "1"}, "id must be an integer"),
    ({"title": "x", "id": True}, "id must be an integer"),
    ({"title": "x", "id": 1.0}, "id must be an integer"),
    ({"title": "x", "version": 0}, "version must be at least 1"),
    ({"title": "x", "version": 2**31}, f"version must be at most {MAX_VERSION}"),
    ({"title": "x", "version": None}, "version must not be null"),
    ({"title": "x", "owner": 1}, "owner is not a known field"),
    ({"title": "x", "\x1b[2J\u202e": 1}, "\\x1b[2J\\u202e is not a known field"),
    (
        {"title": "x", "created_at": 1},
        "created_at must be a date-time of RFC 3339 with an offset, such as 2026-01-31T12:00:00Z",
    ),
]
BAD_TIMES = ["2026-01-01", "2026-01-01T00:00:00", "2026-13-01T00:00:00Z", "yesterday"]


@pytest.mark.parametrize(("fields", "reason"), BAD_FIELDS, ids=lambda value: str(value)[:40])
def test_a_bad_line_is_named_with_its_reason_and_the_others_are_read(
    fields: dict[str, Any], reason: str
) -> None:
    found = jsonl({"title": "before"}, fields, {"title": "after"})
    assert titles(found) == ["before", 2, "after"]
    assert found[1] == (2, reason)


@pytest.mark.parametrize(
    "line",
    [
        "{",
        '{"title": "x"} {"title": "y"}',
        "title",
        '{"title": "\\ud800"}',
        '{"title": "a\x00"}',
        '{"title": "x", "id": ' + "9" * 5000 + "}",
        '{"title": "x", "user_id": NaN}',
        '{"title": "x", "user_id": Infinity}',
        '{"title": "x", "user_id": {"a": [1, -Infinity]}}',
        '{"title": "x", "priority": NaN}',
        '{"title": NaN}',
        '{"title": "x", "created_at": Infinity}',
        "NaN",
    ],
    ids=lambda line: str(line)[:30],
)
def test_a_line_that_is_no_json_is_bad(line: str | bytes) -> None:
    assert jsonl(line, {"title": "after"})[0] == (1, "line is not well-formed JSON")


@pytest.mark.parametrize("line", [b'{"title": "\xff"}', "x".encode("utf-16")])
def test_a_line_in_another_encoding_is_bad(line: bytes) -> None:
    assert jsonl(line, {"title": "after"})[0] == (1, "line must be UTF-8")


@pytest.mark.parametrize("line", ["[]", "[", ' [{"title": "x"},', "[" * 100_000])
def test_of_a_json_array_nothing_is_read(line: str) -> None:
    """Its last element would be a line as any other."""
    reason = "a JSON array is not JSON Lines: an object on each line"
    assert jsonl("", line, {"title": "after"}) == [(2, reason)]


def test_of_an_array_whose_first_line_is_too_long_nothing_is_read() -> None:
    found = jsonl(b"[" + b" " * 200_000, {"title": "after"})
    assert [number for number, _ in found] == [1]


def test_an_array_among_the_lines_is_a_bad_line() -> None:
    found = jsonl({"title": "before"}, "[]", {"title": "after"})
    assert found[1] == (2, "line must be an object")
    assert titles(found) == ["before", 2, "after"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_with_a_byte_order_mark_is_read_as_excel_s_unicode_text(encoding: str) -> None:
    text = "\ufefftitle\tdescription\r\nKäse 😀\tone\r\n"
    for file in (io.BytesIO(text.encode(encoding)), _unseekable(text.encode(encoding))):
        (task,) = _read(read_csv(file))
        assert isinstance(task, dict)
        assert (task["title"], task["description"]) == ("Käse 😀", "one")


def test_broken_utf_16_is_a_bad_line() -> None:
    file = io.BytesIO("\ufefftitle\r\na".encode("utf-16-le") + b"\x00")
    assert _read(read_csv(file)) == [(2, "line must be UTF-8, or UTF-16 with a byte order mark")]


def test_columns_in_another_encoding_are_bad() -> None:
    assert csv("title,größe".encode("latin-1")) == [(1, "line must be UTF-8")]


def _unseekable(data: bytes) -> BinaryIO:
    return io.BufferedReader(_Endless(data, 0))


@pytest.mark.parametrize(
    ("line", "reason"), [("1", "line must be an object"), ("null", "line must not be null")]
)
def test_a_line_that_is_no_object_is_bad(line: str, reason: str) -> None:
    assert jsonl(line) == [(1, reason)]


@pytest.mark.parametrize("moment", BAD_TIMES)
@pytest.mark.parametrize("field", ["created_at", "updated_at"])
def test_a_time_without_an_offset_or_that_is_none_is_bad(field: str, moment: str) -> None:
    reason = f"{field} must be a date-time of RFC 3339 with an offset, such as 2026-01-31T12:00:00Z"
    assert jsonl({"title": "x", field: moment}) == [(1, reason)]
    assert csv(f"title,{field}", f"x,{moment}") == [(2, reason)]


def test_times_of_any_offset_are_read_as_utc() -> None:
    at = "2026-01-01T01:30:00+01:30"
    for (task,) in (
        jsonl({"title": "x", "created_at": at}),
        csv("title,created_at", f"x,{at}"),
    ):
        assert isinstance(task, dict)
        assert task["created_at"] == datetime(2026, 1, 1, tzinfo=UTC)
        assert task["created_at"].tzinfo is UTC


def test_a_time_outside_the_years_1_to_9999_in_utc_is_bad() -> None:
    for moment in ("0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01"):
        reason = "created_at must be in the years 1 to 9999 in UTC"
        assert jsonl({"title": "x", "created_at": moment}) == [(1, reason)]
        assert csv("title,created_at", f"x,{moment}") == [(2, reason)]


def test_a_change_before_the_creation_is_bad() -> None:
    at = {"created_at": "2026-01-02T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"}
    reason = "updated_at must not be before created_at"
    assert jsonl({"title": "x", **at}) == [(1, reason)]
    assert csv("title,updated_at,created_at", f"x,{at['updated_at']},{at['created_at']}") == [
        (2, reason)
    ]


class _Endless(io.RawIOBase):
    """A line without an end: so many bytes, of which few are held at once."""

    def __init__(self, start: bytes, size: int, body: bytes = b"x") -> None:
        self._start, self._left, self._body = start, size, body * 65536
        self.largest = self.given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.largest = max(self.largest, len(buffer))
        part = (self._start or self._body[: self._left])[: len(buffer)]
        self._left -= 0 if self._start else len(part)
        self._start = b""
        self.given += len(part)
        buffer[: len(part)] = part
        return len(part)


@pytest.mark.parametrize("read", [read_jsonl, read_csv])
def test_a_line_that_is_too_long_is_bad_and_not_held(read: Any) -> None:
    raw = _Endless(b"title\n", 50_000_000)
    file: BinaryIO = io.BufferedReader(raw)
    *_, last = read(file)
    assert isinstance(last, BadLine)
    assert last.number == 2
    assert str(MAX_JSON) in last.reason
    assert raw.largest < 1_000_000


@pytest.mark.parametrize(
    ("start", "number"),
    [(b'title\n"', 2), (b'title\na\n"b\n"\nc,"d', 5), (b'"', 1)],
)
@pytest.mark.parametrize("body", [b"x", b"x\n", b'""', b'\n","', b"\n"])
def test_a_quote_that_never_ends_is_not_held(start: bytes, number: int, body: bytes) -> None:
    """Nothing is read after the limit of a line, however long the file is."""
    raw = _Endless(start, 1_000_000_000, body)
    *_, last = read_csv(io.BufferedReader(raw))
    assert isinstance(last, BadLine)
    assert "nothing from here on was read" in last.reason
    assert last.number >= number
    assert raw.given < 2_000_000


def test_the_lines_after_one_that_is_too_long_are_read_and_counted() -> None:
    long = b"x" * (3 * MAX_JSON)
    found = jsonl({"title": "a"}, long, {"title": "b"}, "{")
    assert titles(found) == ["a", 2, "b", 4]
    found = csv("title", "a", long, "b", "c,d")
    assert titles(found) == ["a", 3, "b", 5]


def test_a_line_of_exactly_the_limit_is_read() -> None:
    line = b'{"title": "x"}'
    padded = line + b" " * (MAX_JSON - len(line))
    assert titles(jsonl(padded, padded + b" ", padded)) == ["x", 2, "x"]


BAD_CELLS = [
    ("x,1,2", "line has 3 cells for 2 columns"),
    ('x"y,1', None),
    (",1", "title must not be empty or blank"),
    ("x,0", "id must be at least 1"),
    ("x,-1", "id must be an integer"),
    ("x,1.5", "id must be an integer"),
    ("x,1.", "id must be an integer"),
    # R and Excel drop the digits that an exponent has no room for.
    ("x,7.20575940379279e+15", "id must be an integer"),
    ("x,7.20576E+15", "id must be an integer"),
    ("x,٣", "id must be an integer"),  # a digit, but no number here
    ("x," + "9" * 5000, "id must be an integer"),
    ("a\x00,1", "title must not contain the NUL character"),
    (b"\xff\xfe,1", "title must be UTF-8"),
    (b"x,\xff", "id must be an integer"),
]


@pytest.mark.parametrize(("line", "reason"), BAD_CELLS, ids=lambda value: str(value)[:30])
def test_a_bad_row_is_named_with_its_reason_and_the_others_are_read(
    line: str | bytes, reason: str | None
) -> None:
    found = csv("title,id", "before,8", line, "after,9")
    if reason is None:
        assert titles(found) == ["before", 'x"y', "after"]
    else:
        assert titles(found) == ["before", 3, "after"]
        assert found[1] == (3, reason)


@pytest.mark.parametrize("true", ["true", "TRUE", "True", "tRuE"])
def test_completed_is_true_or_false_in_csv_in_any_capitals(true: str) -> None:
    """As spreadsheets, R and pandas write it."""
    false = {"true": "false", "TRUE": "FALSE", "True": "False", "tRuE": "fAlSe"}[true]
    good = csv("title,completed", f"a,{true}", f"b,{false}", "c,")
    assert [line["completed"] for line in good if isinstance(line, dict)] == [True, False, False]


@pytest.mark.parametrize("cell", ["yes", "1", "t", "WAHR", " true", "\uff34\uff32\uff35\uff25"])
def test_completed_is_no_other_text_in_csv(cell: str) -> None:
    assert csv("title,completed", f"a,{cell}") == [(2, "completed must be true or false")]


def test_a_row_is_numbered_by_its_first_line() -> None:
    found = csv("title,description", '"a\nb","c\r\nd"', ",x", '"e', 'f",')
    assert titles(found) == ["a\nb", 5, "e\r\nf"]


BROKEN = "line is not well-formed CSV: a quote begins here that {}; nothing from here on was read"
ENDS = BROKEN.format("ends inside its cell, where it must be doubled")
OPEN = BROKEN.format("is never closed")


@pytest.mark.parametrize(
    ("lines", "number", "reason"),
    [
        # wireservice/csvkit#252: the lines after it are inside a cell.
        (['"Buy 3" nails', 'Call mum,"tonight"', "Sleep,x"], 3, ENDS),
        (['"a "quoted" word",x', "b,y"], 3, ENDS),
        (['"one', 'two","three', 'four "five" six",x', "b,y"], 4, ENDS),
        (['"one', 'two",three,"four', 'five" six', "b,y"], 4, ENDS),
        (['x,"a\\" b",', "b,y"], 3, ENDS),
        (['"b', "c", "d"], 3, OPEN),
        (['x,"one', 'two",', 'y,"', "c,d"], 5, OPEN),
        (['x,"', "c,d"], 3, OPEN),
    ],
)
def test_a_broken_quote_ends_the_file_and_is_named_by_its_line(
    lines: list[str], number: int, reason: str
) -> None:
    """No line that may be inside a cell becomes a task."""
    found = csv("title,description,id", "before,,", *lines, "after,,")
    assert [line for line in titles(found) if line != "x"] == ["before", number]
    assert found[-1] == (number, reason)


@given(
    rows=st.lists(st.lists(st.text('a",;\n', max_size=4), min_size=2, max_size=2), max_size=6),
    broken=st.text('a"\n,', max_size=12),
)
def test_no_line_of_a_cell_becomes_a_task_whatever_is_broken(
    rows: list[list[str]], broken: str
) -> None:
    """All rows before the broken one are read, none of those after it."""
    whole = "".join(f'"t{a.replace(chr(34), chr(34) * 2)}","{b.replace(chr(34), chr(34) * 2)}"\n'
                    for a, b in rows)  # fmt: skip
    text = f'title,description\n{whole}"{broken}" ,x\ninside,y\n'
    found = _read(read_csv(io.BytesIO(text.encode())))
    good = [line["title"] for line in found if isinstance(line, dict)]
    assert good[: len(rows)] == [f"t{a}".strip() for a, _ in rows]
    if any("well-formed" in str(line) for line in found):
        assert "well-formed" in str(found[-1])
        assert "inside" not in good


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("id", "title is required as a column"),
        (
            "titel",
            "'titel' is not a known column: map it to a field, or ignore unknown columns",
        ),
        (
            "title,\x1b[2J",
            "'\\x1b[2J' is not a known column: map it to a field, or ignore unknown columns",
        ),
        (b"title,\xff", "line must be UTF-8"),
        ("title,title", "title is named twice as a column"),
        ('"title"x', ENDS),
        ('"title', OPEN),
        ("", "title is required as a column"),
    ],
)
def test_a_first_line_that_names_no_columns_ends_the_file(header: str | bytes, reason: str) -> None:
    assert csv(header, "title", "x") == [(1, reason)]


def test_the_columns_may_come_in_any_order_and_rows_may_end_early() -> None:
    columns = "updated_at,created_at,version,user_id,completed,description,title,id"
    (task,) = csv(columns, ",,3,9,true,d,t,7")
    assert isinstance(task, dict)
    assert (task["id"], task["title"], task["description"]) == (7, "t", "d")
    assert (task["completed"], task["version"]) == (True, 3)
    assert titles(csv("title,description,id", "x")) == ["x"]


def test_the_file_stays_open_and_may_be_closed_early() -> None:
    file = io.BytesIO(b"title\na\nb\n")
    lines = read_csv(file)
    next(lines)
    file.close()
    lines.close()  # type: ignore[attr-defined]
    file = io.BytesIO(b"title\na\n")
    assert len(list(read_csv(file))) == 1
    assert not file.closed


# JSON (RFC 8259), without the extensions that parsers accept.

NO_JSON = [
    *("NaN", "Infinity", "-Infinity", "nan", "inf", "-inf", "+1", "01", "1.", ".5", "0x1", "- 1"),
    *("True", "None", "undefined", "'a'", "[1,]", '{"a": 1,}', "1 // one", '"\t"', '"\\x41"'),
]


@pytest.mark.parametrize("value", NO_JSON)
@pytest.mark.parametrize("where", ["{}", "[{}]", '{{"a": {{"b": [0, {}]}}}}'])
def test_malformed_json_is_refused_in_a_field_that_is_ignored_too(value: str, where: str) -> None:
    for name in ("user_id", "unknown"):
        line = f'{{"title": "x", "{name}": {where.format(value)}}}'.encode()
        for options in ({}, {"ignore_unknown": True}, {"columns": {"unknown": "description"}}):
            (found,) = _read(read_jsonl(io.BytesIO(line), **options))
            assert found == (1, "line is not well-formed JSON")


def test_text_may_say_nan_and_infinity() -> None:
    assert titles(jsonl({"title": "NaN"}, {"title": "Infinity", "user_id": 1})) == [
        "NaN",
        "Infinity",
    ]


# Files that other programs write.

PANDAS = (
    ",title,completed,id,description,created_at\n"
    '0,"a, b",True,1.0,NA,2024-01-02 03:04:05.000000+00:00\n'
    '1,"say ""hi""",False,,,2024-01-02 03:04:05.123456+00:00\n'
    "2,x,,9007199254740991.0,,\n"
)
R = (
    '"","title","completed","id","description","created_at"\n'
    '"1","a, b",TRUE,1,NA,"2024-01-02T03:04:05Z"\n'
    '"2","say ""hi""",FALSE,NA,"NA",NA\n'
    '"3","x",NA,9007199254740991,"a,NA,b",NA\n'
)
EXCEL = (
    "\ufefftitle;description;completed;id;\r\n"
    '"a; b";one;TRUE;1;\r\n'
    '"say ""hi""";"two\nlines";FALSE;;\r\n'
    ";;;;\r\n"
)
LIBREOFFICE = '"title","completed","description"\n"a, b",TRUE,"one"\n"c",FALSE,\n,,\n'


def _columns(data: str, *names: str) -> list[tuple[object, ...]]:
    found = _read(read_csv(io.BytesIO(data.encode())))
    return [
        tuple(line[name] for name in names) if isinstance(line, dict) else line for line in found
    ]


def test_what_pandas_writes_is_read() -> None:
    """pandas writes its index, capitals, and integers as floats if one is missing."""
    at = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
    names = ("title", "completed", "id", "description", "created_at")
    assert _columns(PANDAS, *names) == [
        ("a, b", True, 1, "NA", at),
        ('say "hi"', False, None, None, at.replace(microsecond=123456)),
        ("x", False, MAX_ID, None, None),
    ]


def test_what_r_writes_is_read() -> None:
    """``write.csv``: names of rows, and NA, which is text only in quotes."""
    at = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
    names = ("title", "completed", "id", "description", "created_at")
    assert _columns(R, *names) == [
        ("a, b", True, 1, None, at),
        ('say "hi"', False, None, "NA", None),
        ("x", False, MAX_ID, "a,NA,b", None),
    ]


def test_what_excel_writes_is_read() -> None:
    """A byte order mark, semicolons of European locales, columns and rows that are empty."""
    expected = [("a; b", "one", True, 1), ('say "hi"', "two\nlines", False, None)]
    names = ("title", "description", "completed", "id")
    assert _columns(EXCEL, *names) == expected
    assert _columns("sep=;\r\n" + EXCEL[1:], *names) == expected
    assert _columns("\ufeff" + '"sep=;"\r\n' + EXCEL[1:], *names) == expected
    tabs = EXCEL.replace(";", "\t").replace("a\t b", "a; b")
    assert _columns(tabs, *names) == expected


def test_what_libreoffice_writes_is_read() -> None:
    assert _columns(LIBREOFFICE, "title", "completed", "description") == [
        ("a, b", True, "one"),
        ("c", False, None),
    ]


def test_a_cell_below_no_name_must_be_empty() -> None:
    reason = "a column without a name must be empty"
    assert csv("title,", "a,", "b,c")[1] == (3, reason)
    assert titles(csv("title,", "a,c", ignore_unknown=True)) == ["a"]


@pytest.mark.parametrize(
    ("header", "row", "expected"),
    [
        ("title;description", "a,b;c", ("a,b", "c")),
        ("title\tdescription", "a,b\tc;d", ("a,b", "c;d")),
        ("title,description", "a;b,c", ("a;b", "c")),
        ('"title";"description"', '"a;b";c', ("a;b", "c")),
        ("description;title", "c;a", ("a", "c")),
        ("title", "a;b\tc", ("a;b\tc", None)),
        ("sep=|\r\ntitle|description", "a|b", ("a", "b")),
    ],
)
def test_the_separator_is_recognised_by_the_names_of_columns(
    header: str, row: str, expected: tuple[str, str | None]
) -> None:
    (task,) = csv(header, row)
    assert isinstance(task, dict)
    assert (task["title"], task["description"]) == expected


def test_the_separator_is_recognised_by_other_names_too() -> None:
    options = {"columns": {"Name, or so": "title"}, "ignore_unknown": True}
    assert titles(csv("Name, or so;a,b,c;d", "x,y;1;2", **options)) == ["x,y"]
    # Without a known name the most columns decide.
    assert csv("Task;Done;Owner", "x")[0] == (
        1,
        "'Task' is not a known column: map it to a field, or ignore unknown columns",
    )


def test_a_separator_that_is_given_is_taken() -> None:
    assert titles(csv("title|id", "a,b;c\td|1", separator="|")) == ["a,b;c\td"]
    assert csv("title;id", "x", separator=",")[0] == (
        1,
        "'title;id' is not a known column: map it to a field, or ignore unknown columns",
    )


@pytest.mark.parametrize("separator", ["", ",,", '"', "\n", "\r", "\0"])
def test_a_separator_that_cannot_be_used_is_refused_at_once(separator: str) -> None:
    with pytest.raises(ValidationError) as error:
        read_csv(io.BytesIO(b"title"), separator=separator)
    assert error.value.field == "separator"


BOTH = pytest.mark.parametrize("read", [read_csv, read_jsonl])


def test_columns_of_other_names_are_named() -> None:
    columns = {"Name": "title", "Done?": "completed", "=": "description"}
    expected = [("x", True, "y")]
    data = b"Name,Done?,=\nx,TRUE,y\n"
    found = _read(read_csv(io.BytesIO(data), columns=columns))
    data = json.dumps({"Name": "x", "Done?": True, "=": "y"}).encode()
    found += _read(read_jsonl(io.BytesIO(data), columns=columns))
    assert [
        (line["title"], line["completed"], line["description"])
        for line in found
        if isinstance(line, dict)
    ] == expected * 2


@BOTH
@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"Name": "titel"}, "'titel' is not a field of a task"),
        ({"Name": "write_id"}, "'write_id' is not a field of a task"),
        ({"a": "title", "b": "title"}, "two columns cannot be one field"),
    ],
)
def test_other_names_that_cannot_be_are_refused_at_once(
    read: Any, columns: dict[str, str], reason: str
) -> None:
    with pytest.raises(ValidationError) as error:
        read(io.BytesIO(b""), columns=columns)
    assert (error.value.field, str(error.value)) == ("columns", reason)


def test_a_name_that_the_file_does_not_have_or_has_twice_is_named() -> None:
    columns = {"Name": "title"}
    assert csv("title,id", "x,1", columns=columns) == [(1, "'Name' is not a column of this file")]
    assert csv("title,Name", "x,y", columns=columns) == [(1, "title is named twice as a column")]
    line = json.dumps({"title": "x", "Name": "y"}).encode()
    assert _read(read_jsonl(io.BytesIO(line), columns=columns)) == [(1, "title is named twice")]


def test_unknown_columns_and_fields_are_refused_unless_they_are_ignored() -> None:
    assert csv("Name,title,Notes", "1,x,2")[0] == (
        1,
        "'Name' is not a known column: map it to a field, or ignore unknown columns",
    )
    assert titles(csv("Name,title,Notes", "1,x,2", ignore_unknown=True)) == ["x"]
    line = json.dumps({"title": "x", "Notes": {"a": 1}, "write_id": 1}).encode()
    assert _read(read_jsonl(io.BytesIO(line))) == [(1, "Notes is not a known field")]
    assert titles(_read(read_jsonl(io.BytesIO(line), ignore_unknown=True))) == ["x"]


@BOTH
@given(data=st.binary(max_size=200), ignore=st.booleans())
def test_no_file_is_an_error_of_ours_with_options_either(
    read: Any,
    data: bytes,
    ignore: bool,  # noqa: FBT001
) -> None:
    for start in (b"", b"Name,title\n", b"sep=;\nName;id\n", b'{"Name": '):
        file = io.BytesIO(start + data)
        for line in read(file, columns={"Name": "title"}, ignore_unknown=ignore):
            assert isinstance(line, TaskImport) or line.reason
