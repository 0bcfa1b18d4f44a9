"""A create that is sent again with the same key."""

import httpx2
import pytest

from tests.taskcore_http.answers import error_of, task_of

TASKS = "/users/42/tasks"
HEADER = "Idempotency-Key"


async def test_a_key_makes_a_create_repeatable(client: httpx2.AsyncClient) -> None:
    """TK-114: 201, then 200 with the stored task."""
    first = await client.post(TASKS, json={"title": "one", "key": "k"})
    task = task_of(first, 201)
    again = await client.post(TASKS, json={"title": "two", "key": "k", "priority": 1})
    assert task_of(again, 200) == task
    assert again.headers["location"] == first.headers["location"] == f"{TASKS}/{task['id']}"


@pytest.mark.parametrize(
    ("header", "key"),
    [("abc", "abc"), ('"abc"', "abc"), (r'"a\"b\\c"', 'a"b\\c'), ('"abc', '"abc'), ("a b", "a b")],
)
async def test_the_header_is_the_key(client: httpx2.AsyncClient, header: str, key: str) -> None:
    """TK-114: a string of RFC 9651, or plain text."""
    for body in ({"title": "x"}, {"title": "x", "key": None}, {"title": "x", "key": key}):
        response = await client.post(TASKS, json=body, headers={HEADER: header})
        assert response.json()["key"] == key
    assert response.status_code == 200


async def test_the_key_of_the_body_comes_first(client: httpx2.AsyncClient) -> None:
    """TK-114."""
    response = await client.post(TASKS, json={"title": "x", "key": "body"}, headers={HEADER: "h"})
    assert task_of(response, 201)["key"] == "body"


@pytest.mark.parametrize(
    ("headers", "field", "constraint"),
    [
        ([(HEADER, "a"), (HEADER, "b")], HEADER, "given_twice"),
        ([(HEADER, "\xe9")], HEADER, "type"),
        ([(HEADER, "")], "key", "non_empty"),
        ([(HEADER, '""')], "key", "non_empty"),
        ([(HEADER, "x" * 201)], "key", "max_length"),
    ],
)
async def test_a_header_that_is_no_key_is_refused(
    client: httpx2.AsyncClient, headers: list[tuple[str, str]], field: str, constraint: str
) -> None:
    """TK-114."""
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    response = await client.post(TASKS, json={"title": "x"}, headers=encoded)
    details = error_of(response, 400)["details"]
    assert (details["field"], details["constraint"]) == (field, constraint)


async def test_a_body_that_is_not_an_object_is_refused_with_the_header_too(
    client: httpx2.AsyncClient,
) -> None:
    """TK-114."""
    response = await client.post(TASKS, json=["x"], headers={HEADER: "k"})
    assert error_of(response, 400)["details"]["field"] == "body"
