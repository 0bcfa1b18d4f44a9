"""Errors of the client: one form, the right status, the field and the constraint."""

import asyncio
import contextlib
import gzip
import http.client
import json
import logging
from collections.abc import Mapping
from typing import Any

import httpx2
import pytest
from starlette.types import Message

from taskcore import TaskStore
from taskcore.limits import MAX_DESCRIPTION, MAX_ID, MAX_JSON, MAX_TITLE
from taskcore_http import create_app
from tests.cursors import cursor
from tests.inputs import INVALID, details
from tests.taskcore_http.answers import error_of, task_of, tasks_of
from tests.taskcore_http.server import Server

Client = httpx2.AsyncClient

TASKS = "/users/123/tasks"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def task(store: TaskStore) -> str:
    """The path of a task."""
    return f"{TASKS}/{(await store.for_user(123).create('Buy groceries')).id}"


Cases = dict[str, tuple[dict[str, Any], dict[str, Any]]]

INVALID_FIELDS: Cases = {
    case: ({field: value}, details(field, constraint, **limits))
    for case, (field, value, constraint, limits) in INVALID.items()
}
UNKNOWN_FIELDS: Cases = {
    "unknown field": ({"colour": "red"}, details("colour", "unknown_field")),
    "field of the answer": ({"user_id": 456}, details("user_id", "unknown_field")),
    "id": ({"id": 1}, details("id", "unknown_field")),
    "version": ({"version": 1}, details("version", "unknown_field")),
    "wrong case": ({"Description": "x"}, details("Description", "unknown_field")),
    "strange name": ({"\x1b[2J\u20ac": 1}, details(r"\x1b[2J\u20ac", "unknown_field")),
}
# The title is added to these: they are invalid as a new task.
NEW: Cases = {
    **{case: one for case, one in INVALID_FIELDS.items() if "completed" not in one[0]},
    **UNKNOWN_FIELDS,
    "completed at creation": ({"completed": True}, details("completed", "unknown_field")),
}
CHANGE: Cases = {
    **{case: one for case, one in INVALID_FIELDS.items() if "key" not in one[0]},
    "key": ({"key": "x"}, details("key", "unknown_field")),
    **UNKNOWN_FIELDS,
    "nothing": ({}, details("body", "empty_update")),
}

# Bodies that every route refuses.
BODIES: dict[str, tuple[bytes, dict[str, Any]]] = {
    "empty": (b"", details("body", "json")),
    "not JSON": (b"title=x", details("body", "json")),
    "half an object": (b'{"title": "x"', details("body", "json")),
    "more than an object": (b'{"title": "x"} x', details("body", "json")),
    "single quotes": (b"{'title': 'x'}", details("body", "json")),
    "trailing comma": (b'{"title": "x",}', details("body", "json")),
    "raw control character": (b'{"title": "a\nb"}', details("body", "json")),
    # Python's parser accepts these; JSON has none of them.
    "NaN": (b"NaN", details("body", "json")),
    "NaN for a title": (b'{"title": NaN}', details("body", "json")),
    "Infinity in an unknown field": (
        b'{"title": "x", "y": [{"z": Infinity}]}',
        details("body", "json"),
    ),
    "minus Infinity": (b'{"title": "x", "description": -Infinity}', details("body", "json")),
    "deep nesting": (b"[" * 100_000, details("body", "json")),
    "deep nesting of objects": (b'{"a":' * 20_000, details("body", "json")),
    "deep nesting within a field": (
        b'{"title": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        details("body", "json"),
    ),
    "integer of 5,000 digits": (b"9" * 5_000, details("body", "json")),
    "integer of 5,000 digits in a field": (
        b'{"title": ' + b"9" * 5_000 + b"}",
        details("body", "json"),
    ),
    "array": (b'[{"title": "x"}]', details("body", "type")),
    "empty array": (b"[]", details("body", "type")),
    "string": (b'"title"', details("body", "type")),
    "number": (b"1", details("body", "type")),
    "true": (b"true", details("body", "type")),
    "null": (b"null", details("body", "not_null")),
    "lone surrogate as a key": (b'{"title": "x", "\\ud800": 1}', details("body", "unicode")),
}


def content(body: Mapping[str, Any]) -> bytes:
    # Escapes, so that surrogates and control characters get through.
    return json.dumps(body).encode()


@pytest.mark.parametrize("case", NEW)
async def test_a_wrong_new_task_is_told_its_field_and_constraint(client: Client, case: str) -> None:
    """US1 scenario 3; FR-004, FR-005, FR-015, FR-016, SC-005, SC-006."""
    body, expected = NEW[case]

    response = await client.post(TASKS, content=content({"title": "x"} | body), headers=JSON)

    assert error_of(response, 400)["details"] == expected
    assert tasks_of(await client.get(TASKS)) == []


@pytest.mark.parametrize("body", [{}, {"description": "x"}])
async def test_a_new_task_needs_a_title(client: Client, body: dict[str, Any]) -> None:
    """FR-004."""
    response = await client.post(TASKS, content=content(body), headers=JSON)
    assert error_of(response, 400)["details"] == details("title", "required")


@pytest.mark.parametrize("case", CHANGE)
async def test_a_wrong_change_is_told_its_field_and_constraint(
    client: Client, task: str, case: str
) -> None:
    """US3 scenario 3; FR-004, FR-005, FR-015, FR-016, SC-005, SC-006."""
    body, expected = CHANGE[case]
    before = task_of(await client.get(task))

    for method in ("PUT", "PATCH"):
        response = await client.request(method, task, content=content(body), headers=JSON)
        assert error_of(response, 400)["details"] == expected, method
    assert task_of(await client.get(task)) == before


@pytest.mark.parametrize("case", BODIES)
async def test_a_body_that_is_no_json_object_is_refused(
    client: Client, task: str, case: str
) -> None:
    """FR-015, FR-016, SC-006."""
    body, expected = BODIES[case]

    for method, path in (("POST", TASKS), ("PUT", task), ("PATCH", task)):
        response = await client.request(method, path, content=body, headers=JSON)
        assert error_of(response, 400)["details"] == expected


@pytest.mark.parametrize(
    "body",
    [
        b"\xff",
        b'{"title": "\xff"}',
        b'{"title": "\xc3("}',
        b'{"title": "\xc0\xaf"}',
        b'{"title": "\xed\xa0\x80"}',
        b'{"\xff": "x"}',
        '{"title": "x"}'.encode("utf-16"),
        '{"title": "x"}'.encode("utf-32-le"),
    ],
    ids=[
        "byte alone",
        "byte in a text",
        "broken sequence",
        "overlong form",
        "encoded surrogate",
        "byte in a key",
        "UTF-16",
        "UTF-32",
    ],
)
async def test_a_body_that_is_not_utf_8_is_refused(client: Client, body: bytes) -> None:
    """SC-006; RFC 8259, section 8.1: JSON between systems is UTF-8."""
    response = await client.post(TASKS, content=body, headers=JSON)

    assert error_of(response, 400)["details"] == details("body", "json")


async def test_a_message_says_what_is_wrong(client: Client) -> None:
    """FR-016: an error is clear without its details."""
    response = await client.post(TASKS, json={"title": "x" * 501})

    assert response.json() == {
        "error": {
            "code": "VALIDATION_ERROR",
            "message": "title must have at most 500 characters",
            "details": {"field": "title", "constraint": "max_length", "max": 500},
        }
    }


IDS = {
    "0": ("0", "min", {"min": 1}),
    "-1": ("-1", "min", {"min": 1}),
    "2**53": (str(2**53), "max", {"max": MAX_ID}),
    "2**63": (str(2**63), "max", {"max": MAX_ID}),
    "30 digits": ("9" * 30, "max", {"max": MAX_ID}),
    "5,000 digits": ("9" * 5_000, "max", {"max": MAX_ID}),
    "-30 digits": (f"-{'9' * 30}", "min", {"min": 1}),
    "word": ("abc", "type", {}),
    "fraction": ("1.0", "type", {}),
    "exponent": ("1e3", "type", {}),
    "underscore": ("1_0", "type", {}),
    "plus": ("%2B1", "type", {}),
    "space before": ("%201", "type", {}),
    "space after": ("1%20", "type", {}),
    "newline after": ("1%0A", "type", {}),
    "leading zeros": ("007", "type", {}),
    "minus zero": ("-00", "type", {}),
    "hexadecimal": ("0x1", "type", {}),
    "Arabic digits": ("%D9%A1%D9%A2", "type", {}),
    "fullwidth digits": ("%EF%BC%91", "type", {}),
    "NUL": ("1%00", "type", {}),
    "invalid UTF-8": ("%FF", "type", {}),
    "true": ("true", "type", {}),
    "null": ("null", "type", {}),
}


@pytest.mark.parametrize("case", IDS)
async def test_a_wrong_user_id_is_refused(client: Client, case: str) -> None:
    """FR-015, SC-006; edge case: non-integer or non-positive ids."""
    text, constraint, limits = IDS[case]
    expected = details("user_id", constraint, **limits)

    for method, path, body in (
        ("GET", f"/users/{text}/tasks", None),
        ("POST", f"/users/{text}/tasks", {"title": "x"}),
        ("GET", f"/users/{text}/tasks/1", None),
        ("PUT", f"/users/{text}/tasks/1", {"title": "x"}),
        ("PATCH", f"/users/{text}/tasks/1", {"title": "x"}),
        ("DELETE", f"/users/{text}/tasks/1", None),
    ):
        response = await client.request(method, path, json=body)
        assert error_of(response, 400)["details"] == expected, method


@pytest.mark.parametrize("case", IDS)
async def test_a_wrong_task_id_is_refused(client: Client, case: str) -> None:
    """FR-015, SC-006; edge case: non-integer or non-positive ids."""
    text, constraint, limits = IDS[case]
    expected = details("task_id", constraint, **limits)

    for method, body in (
        ("GET", None),
        ("PUT", {"title": "x"}),
        ("PATCH", {"title": "x"}),
        ("DELETE", None),
    ):
        response = await client.request(method, f"{TASKS}/{text}", json=body)
        assert error_of(response, 400)["details"] == expected, method


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("limit=0", details("limit", "min", min=1)),
        ("limit=-1", details("limit", "min", min=1)),
        ("limit=1001", details("limit", "max", max=1000)),
        (f"limit={'9' * 30}", details("limit", "max", max=1000)),
        ("limit=", details("limit", "type")),
        ("limit=ten", details("limit", "type")),
        ("limit=1.0", details("limit", "type")),
        ("limit=%2B1", details("limit", "type")),
        ("limit=+1", details("limit", "type")),
        ("limit=01", details("limit", "type")),
        ("limit=null", details("limit", "type")),
        ("after=7", details("after", "cursor")),
        ("after=", details("after", "cursor")),
        ("after=abc", details("after", "cursor")),
        (f"after={cursor(5)}=", details("after", "cursor")),
        (f"after={cursor(MAX_ID + 1)}", details("after", "cursor")),
        ("completed=", details("completed", "type")),
        ("completed=1", details("completed", "type")),
        ("completed=0", details("completed", "type")),
        ("completed=yes", details("completed", "type")),
        ("completed=True", details("completed", "type")),
        ("completed=null", details("completed", "type")),
    ],
)
async def test_a_wrong_query_parameter_is_refused(
    client: Client, query: str, expected: dict[str, Any]
) -> None:
    """FR-015, SC-006."""
    response = await client.get(f"{TASKS}?{query}")

    assert error_of(response, 400)["details"] == expected


@pytest.mark.parametrize(
    "media_type",
    [
        None,
        "",
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "application/problem+json",
        "application/xml",
        "*/*",
    ],
)
async def test_a_body_of_another_type_is_refused(
    client: Client, task: str, media_type: str | None
) -> None:
    """FR-015."""
    headers = {} if media_type is None else {"Content-Type": media_type}

    for method, path in (("POST", TASKS), ("PUT", task), ("PATCH", task)):
        response = await client.request(method, path, content=b'{"title": "x"}', headers=headers)
        error_of(response, 415)


@pytest.mark.parametrize(
    ("method", "body"),
    [("GET", None), ("PUT", {"title": "x"}), ("PATCH", {"title": "x"}), ("DELETE", None)],
)
async def test_a_foreign_task_answers_byte_for_byte_as_a_missing_one(
    served: Server, task: str, method: str, body: dict[str, Any] | None
) -> None:
    """US2 scenario 3, US3 scenario 2, US4 scenarios 2 and 3; FR-008, SC-002."""
    task_id = int(task.rpartition("/")[2])
    content = b"" if body is None else json.dumps(body).encode()

    async def answer(path: str) -> bytes:
        reader, writer = await served.connect()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        writer.write(head.encode() + content)
        received = await reader.read()
        writer.close()
        lines = received.split(b"\r\n")
        return b"\r\n".join(line for line in lines if not line.startswith(b"date:"))

    foreign = await answer(f"/users/456/tasks/{task_id}")
    missing = await answer(f"/users/456/tasks/{task_id - 1}")

    assert foreign.startswith(b"HTTP/1.1 404 ")
    assert foreign == missing


@pytest.mark.parametrize(
    "path",
    [
        "/redoc",
        "/users",
        "/users/123",
        "/users//tasks",
        "/users/123/tasks/",
        "/users/123/tasks/1/",
        "/users/123/tasks/1/more",
        "/users/123/tasks//1",
        "/users/1%2F2/tasks",
        "/users%2F123%2Ftasks",
        "/users/123%2ftasks",
        "/USERS/123/tasks",
        "//users/123/tasks",
        "/health",
        "/health/live/",
        "/api/users/123/tasks",
        "/users/123/tasks%0A",
        "/%FF%00",
    ],
)
async def test_an_unknown_path_is_not_found(served: Server, path: str) -> None:
    """FR-015, FR-016: in the one shape, and a trailing slash is not redirected."""
    async with served.client() as client:
        for method in ("GET", "POST", "DELETE", "OPTIONS", "PROPFIND"):
            error_of(await client.request(method, f"{served.url}{path}"), 404)


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        (TASKS, {"GET", "HEAD", "POST", "PATCH", "DELETE"}),
        (f"{TASKS}/count", {"GET", "HEAD"}),
        (f"{TASKS}/1", {"GET", "HEAD", "PUT", "PATCH", "DELETE"}),
        ("/users/abc/tasks", {"GET", "HEAD", "POST", "PATCH", "DELETE"}),
        ("/health/live", {"GET", "HEAD"}),
        ("/health/ready", {"GET", "HEAD"}),
        ("/docs", {"GET", "HEAD"}),
        ("/openapi.json", {"GET", "HEAD"}),
    ],
)
async def test_a_wrong_method_is_told_all_that_the_path_serves(
    client: Client, path: str, allowed: set[str]
) -> None:
    """FR-015; RFC 9110, section 15.5.6."""
    every = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"}

    for method in every - allowed:
        response = await client.request(method, path)
        assert response.status_code == 405, method
        assert set(response.headers["allow"].split(", ")) == allowed, method
        if method != "HEAD":
            error_of(response, 405)


async def test_head_answers_as_get_does_without_a_body(served: Server, task: str) -> None:
    """RFC 9110, section 9.3.2."""
    async with served.client() as client:
        for path in (TASKS, f"{TASKS}?limit=1", task, f"{TASKS}/1", "/health/live"):
            head, get = await client.head(path), await client.get(path)
            assert head.status_code == get.status_code
            assert head.content == b""
            assert dict(head.headers) | {"date": ""} == dict(get.headers) | {"date": ""}


async def test_a_body_of_128_kib_is_read_and_no_more(client: Client, task: str) -> None:
    """FR-015: 413 is for what is over 128 KiB."""
    assert MAX_JSON == 128 * 1024
    fitting = b'{"title": "x"}'.ljust(MAX_JSON)

    task_of(await client.post(TASKS, content=fitting, headers=JSON), 201)
    task_of(await client.put(task, content=fitting, headers=JSON))
    task_of(await client.patch(task, content=fitting, headers=JSON))
    error_of(await client.post(TASKS, content=fitting + b" ", headers=JSON), 413)
    error_of(await client.put(task, content=fitting + b" ", headers=JSON), 413)
    error_of(await client.patch(task, content=fitting + b" ", headers=JSON), 413)


async def test_the_longest_task_fits_even_if_every_character_is_escaped(client: Client) -> None:
    body = {"title": "\U0001f600" * MAX_TITLE, "description": "\U0001f600" * MAX_DESCRIPTION}

    task = task_of(await client.post(TASKS, content=content(body), headers=JSON), 201)

    assert task["title"] == body["title"]
    assert task["description"] == body["description"]


@pytest.mark.parametrize("framing", ["Transfer-Encoding: chunked", "Content-Length: 1000000000"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_a_long_body_is_refused_before_its_end(
    served: Server, task: str, method: str, framing: str
) -> None:
    """FR-015: the rest of the body is never sent, and the answer comes even so."""
    reader, writer = await served.connect()
    path = TASKS if method == "POST" else task
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{framing}\r\n"
    writer.write(head.encode() + b"\r\n")

    for part in (b"[" * 1024,) * 128 + (b"[",):
        chunk = b"%x\r\n%s\r\n" % (len(part), part)
        writer.write(chunk if "chunked" in framing else part)
        await writer.drain()
    received = await reader.read()

    writer.close()
    head_received, _, body = received.partition(b"\r\n\r\n")
    assert head_received.startswith(b"HTTP/1.1 413 ")
    assert json.loads(body)["error"]["code"] == "PAYLOAD_TOO_LARGE"


async def test_a_client_that_sends_all_before_it_reads_is_answered_too(served: Server) -> None:
    """As most clients do, which would see the connection broken and no answer."""

    def post() -> tuple[int, int]:
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
        connection.request("POST", TASKS, b"[" * 10_000_000, JSON)
        refused = connection.getresponse()
        refused.read()
        # The rest was read: the next request is one.
        connection.request("GET", TASKS)
        following = connection.getresponse()
        following.read()
        connection.close()
        return refused.status, following.status

    assert await asyncio.to_thread(post) == (413, 200)


@pytest.mark.parametrize(
    ("path", "media_type", "length", "status"),
    [
        (TASKS, "application/json", MAX_JSON + 1, 413),
        (TASKS, "application/json", 50_000_000, 413),
        (TASKS, "text/plain", 500, 415),
        ("/users/abc/tasks", "application/json", 500, 400),
        ("/nowhere", "application/json", 500, 404),
        ("/users/123/tasks%0A", "application/json", 500, 404),
        (f"{TASKS}/1", "application/json", 500, 405),
    ],
)
async def test_whoever_asks_before_sending_is_refused_at_once_and_for_good(
    served: Server, path: str, media_type: str, length: int, status: int
) -> None:
    """RFC 9110, section 10.1.1: the next request must not be taken for the body."""
    reader, writer = await served.connect()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {media_type}\r\n"
        f"Content-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
    )
    writer.write(head.encode())

    received = await reader.read()

    writer.close()
    assert received.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"\r\nconnection: close\r\n" in received.lower()


async def test_a_body_behind_an_upgrade_is_not_run_as_requests(served: Server) -> None:
    """httptools stops parsing at the header that asks for another protocol."""
    body = f"GET {TASKS} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 5000
    for media_type in ("application/json", "text/plain"):
        reader, writer = await served.connect()
        head = (
            f"POST {TASKS} HTTP/1.1\r\nHost: x\r\nContent-Type: {media_type}\r\n"
            f"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode())
        answered = await reader.readuntil(b"\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            writer.write(body)
            await writer.drain()
            answered += await reader.read()
        writer.close()

        assert answered.startswith(b"HTTP/1.1 4")
        assert answered.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("field", ["Upgrade: h2c\r\nConnection: Upgrade", "Expect: 100-continue"])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_body_that_no_route_reads_is_not_run_as_requests_either(
    served: Server, store: TaskStore, task: str, field: str, method: str
) -> None:
    """Behind a success too, on uvicorn's own protocol class."""
    body = f"DELETE {task} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 5
    (other,) = await store.for_user(123).create_many([{"title": "x"}])
    path = TASKS if method == "GET" else f"{TASKS}/{other.id}"
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\n{field}\r\nContent-Length: {len(body)}\r\n\r\n"
    reader, writer = await served.connect()
    writer.write(head.encode())
    answered = await reader.readuntil(b"\r\n\r\n")
    with contextlib.suppress(ConnectionError):
        writer.write(body)
        await writer.drain()
        answered += await asyncio.wait_for(reader.read(), 10)
    writer.close()

    assert answered.startswith(b"HTTP/1.1 200 ")
    assert answered.count(b"HTTP/1.1 ") == 1
    assert len((await store.for_user(123).list()).items) == (2 if method == "GET" else 1)


async def test_a_compressed_body_is_told_that_it_must_not_be(client: Client) -> None:
    """FR-015; RFC 9110, section 15.5.16."""
    body = gzip.compress(b'{"title": "x"}')

    response = await client.post(TASKS, content=body, headers=JSON | {"Content-Encoding": "gzip"})

    assert "Content-Encoding" in error_of(response, 415)["message"]
    assert response.headers["accept-encoding"] == "identity"
    twice = [*JSON.items(), ("Content-Encoding", "identity"), ("Content-Encoding", "gzip")]
    error_of(await client.post(TASKS, content=body, headers=twice), 415)
    plain = JSON | {"Content-Encoding": "identity"}
    task_of(await client.post(TASKS, content=b'{"title": "x"}', headers=plain), 201)


async def test_a_client_that_goes_away_is_not_our_fault(
    store: TaskStore, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(store=store)
    sent: list[Message] = []
    received: list[Message] = [
        {"type": "http.request", "body": b'{"title": ', "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Message:
        return received.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": TASKS,
        "raw_path": TASKS.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
    }
    await app(scope, receive, send)

    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    assert (await store.for_user(123).list()).items == ()


async def test_no_answer_has_a_status_beside_the_contracts(client: Client, task: str) -> None:
    """FR-015, SC-005: whatever is sent, never FastAPI's 422 nor a redirect."""
    statuses = set()
    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        for path in (TASKS, task, f"{TASKS}/", "/users/x/tasks", f"{TASKS}?limit=x", "/docs"):
            bodies: tuple[Any, ...] = (None, [], {}, {"title": 1}, {"title": "x"})
            for body in bodies:
                response = await client.request(method, path, json=body)
                statuses.add(response.status_code)

    assert statuses <= {200, 201, 400, 404, 405, 413, 415}
