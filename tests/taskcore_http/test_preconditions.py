"""Conditional requests, as RFC 9110, section 13, has them."""

import asyncio

import httpx2
import pytest

from taskcore import Settings, TaskStore
from taskcore_http import create_app
from tests.taskcore_http.answers import error_of, task_of, tasks_of
from tests.taskcore_http.client import client_of
from tests.wire import Wire

Client = httpx2.AsyncClient

TASKS = "/users/123/tasks"

# Whether each is true of a task whose version is 2.
IF_MATCH = {
    None: True,
    "*": True,
    '"2"': True,
    '"1", "2"': True,
    '"1" ,, "2",': True,
    '"1"': False,
    'W/"2"': False,
    '"02"': False,
    '""': False,
    '"a,\xe4"': False,
    f'"{2**31}"': False,
    f'"{"2" * 5000}"': False,
}
IF_NONE_MATCH = {
    None: True,
    "*": False,
    '"2"': False,
    'W/"2"': False,
    '"1", W/"2"': False,
    '"1"': True,
    'W/"1", "x"': True,
}
METHODS = ["GET", "HEAD", "PUT", "PATCH", "DELETE"]


async def a_task(store: TaskStore) -> str:
    """Create a task of version 2 and return its path."""
    tasks = store.for_user(123)
    made = await tasks.create("one")
    return f"{TASKS}/{(await tasks.update(made.id, title='two')).id}"


@pytest.fixture
async def task(store: TaskStore) -> str:
    return await a_task(store)


async def send(client: Client, method: str, path: str, **fields: str | None) -> httpx2.Response:
    headers = {
        name.replace("_", "-").encode(): value.encode("latin-1")
        for name, value in fields.items()
        if value is not None
    }
    body = {"title": "new"} if method in ("POST", "PUT", "PATCH") else None
    return await client.request(method, path, json=body, headers=headers)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("match", IF_MATCH)
async def test_a_precondition_decides_as_the_rfc_says(
    client: Client, store: TaskStore, method: str, match: str | None
) -> None:
    """RFC 9110, section 13.2.2: If-Match first, then If-None-Match."""
    reads = method in ("GET", "HEAD")
    for none_match, none_met in IF_NONE_MATCH.items():
        met = IF_MATCH[match], none_met
        expected = 200 if all(met) else 304 if met[0] and reads else 412
        path = await a_task(store)

        response = await send(client, method, path, if_match=match, if_none_match=none_match)

        assert response.status_code == expected, none_match
        if expected == 412 and method != "HEAD":
            assert error_of(response, 412)["details"] == {"version": 2}
        if expected == 304:
            assert response.content == b""
        if expected != 412 and method != "DELETE":
            assert response.headers["etag"] == ('"2"' if reads else '"3"')
        left = [task.title for task in await store.for_user(123).list(limit=1)]
        if reads or expected == 412:
            assert left == ["two"]
        elif method != "DELETE":
            assert left == ["new"]
    kept = len(await store.for_user(123).list())
    assert kept == sum(
        method != "DELETE" or not (IF_MATCH[match] and met) for met in IF_NONE_MATCH.values()
    )


@pytest.mark.parametrize("method", METHODS)
async def test_a_missing_task_is_not_found_whatever_is_demanded(
    client: Client, task: str, method: str
) -> None:
    """Section 13.2.1; and another user's task gets the same answer."""
    for path in (f"{TASKS}/1", task.replace("123", "456", 1)):
        for fields in ({"if_match": "*"}, {"if_match": '"2"'}, {"if_none_match": "*"}):
            assert (await send(client, method, path, **fields)).status_code == 404


@pytest.mark.parametrize("value", ["", "2", '"2', '*, "2"', '"1" "2"', 'w/"2"', '"a"b"', '"\x7f"'])
@pytest.mark.parametrize("name", ["If-Match", "If-None-Match"])
async def test_what_is_not_a_tag_is_refused(
    client: Client, store: TaskStore, task: str, name: str, value: str
) -> None:
    before = await store.for_user(123).list()
    for method, path in (("POST", TASKS), ("GET", TASKS), *((each, task) for each in METHODS)):
        response = await send(client, method, path, **{name: value})
        assert response.status_code == 400
        if method != "HEAD":
            details = {"field": name, "constraint": "entity_tag"}
            assert error_of(response, 400)["details"] == details
    assert await store.for_user(123).list() == before


async def test_a_field_may_come_in_several_lines(client: Client, task: str) -> None:
    """Section 5.3."""
    lines = [("If-Match", '"1"'), ("If-Match", '"2"')]
    assert task_of(await client.patch(task, json={"title": "x"}, headers=lines))["version"] == 3
    error_of(await client.patch(task, json={"title": "y"}, headers=lines), 412)


async def test_a_list_has_a_weak_tag_of_what_it_shows(client: Client, task: str) -> None:
    first = await client.get(TASKS)
    tag = first.headers["etag"]
    assert tag.startswith('W/"')

    for value in (tag, f'"x", {tag}', tag.removeprefix("W/"), "*"):
        for method in ("GET", "HEAD"):
            unchanged = await send(client, method, TASKS, if_none_match=value)
            assert (unchanged.status_code, unchanged.content) == (304, b"")
    tasks_of(await send(client, "GET", TASKS, if_match="*"))
    for value in (tag, tag.removeprefix("W/")):
        # The strong comparison: a weak tag matches nothing.
        error_of(await send(client, "GET", TASKS, if_match=value), 412)
    await client.patch(task, json={"completed": True})
    changed = await send(client, "GET", TASKS, if_none_match=tag)
    assert tasks_of(changed) != tasks_of(first)
    assert changed.headers["etag"] != tag


async def test_a_long_list_has_no_tag(client: Client, store: TaskStore) -> None:
    await store.for_user(123).create_many([{"title": "x"}] * 1001)
    answer = await client.get(TASKS)
    assert len(tasks_of(answer)) == 1001
    assert "etag" not in answer.headers
    assert len(tasks_of(await send(client, "GET", TASKS, if_none_match='"x"'))) == 1001
    assert (await send(client, "GET", TASKS, if_none_match="*")).status_code == 304
    error_of(await send(client, "GET", TASKS, if_match='"x"'), 412)
    head = await client.head(TASKS)
    assert (head.status_code, head.content) == (200, b"")


async def test_a_creation_demands_nothing_of_the_list(client: Client, store: TaskStore) -> None:
    """The list exists, and has no strong tag."""
    tag = (await client.get(TASKS)).headers["etag"]
    for fields in ({"if_match": tag}, {"if_none_match": "*"}, {"if_none_match": '"x"'}):
        error_of(await send(client, "POST", TASKS, **fields), 412)
    assert len(await store.for_user(123).list()) == 0
    task_of(await send(client, "POST", TASKS, if_match="*"), 201)


async def test_of_two_writers_with_one_tag_one_is_refused(client: Client, store: TaskStore) -> None:
    """1,000 times at once: nothing is lost."""
    tasks = await store.for_user(123).create_many([{"title": "x"}] * 1000)

    async def write(path: str, title: str) -> httpx2.Response:
        return await client.patch(path, json={"title": title}, headers={"If-Match": '"1"'})

    async def race(path: str) -> None:
        titles = ("one", "two")
        answers = await asyncio.gather(*(write(path, title) for title in titles))
        assert sorted(answer.status_code for answer in answers) == [200, 412]
        (won,) = (title for title, answer in zip(titles, answers, strict=True) if answer.is_success)
        after = task_of(await client.get(path))
        assert (after["title"], after["version"]) == (won, 2)

    for start in range(0, 1000, 50):
        paths = [f"{TASKS}/{task.id}" for task in tasks[start : start + 50]]
        await asyncio.gather(*map(race, paths))


@pytest.mark.parametrize("method", METHODS)
async def test_a_conditional_request_is_one_round_trip(wire: Wire, task: str, method: str) -> None:
    async with (
        TaskStore(wire.url, settings=Settings(pool_max_size=1)) as store,
        client_of(create_app(store=store)) as client,
    ):
        await send(client, method, task, if_match='"1", "7"', if_none_match='"9"')
        before = wire.round_trips
        await send(client, method, task, if_match='"1", "8"', if_none_match='"9"')
        await send(client, method, task, if_match='"1", "2"', if_none_match='"9"')
        assert wire.round_trips == before + 2
