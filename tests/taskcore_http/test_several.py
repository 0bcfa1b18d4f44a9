"""Changes and deletions of several tasks, and the number of tasks."""

import httpx2
import pytest

from taskcore import TaskStore
from tests.taskcore_http.answers import error_of, tasks_of

TASKS = "/users/42/tasks"


@pytest.fixture
async def ids(store: TaskStore) -> list[int]:
    """Three tasks of user 42, oldest first."""
    new = [{"title": title, "project": "p" if title == "b" else None} for title in "abc"]
    return [task.id for task in await store.for_user(42).create_many(new)]


def query(ids: list[int]) -> str:
    return f"{TASKS}?ids={','.join(map(str, ids))}"


async def test_one_change_is_made_to_several_tasks(
    client: httpx2.AsyncClient, ids: list[int]
) -> None:
    """TK-308: the answer is in the order of the ids."""
    response = await client.patch(query([ids[2], ids[0]]), json={"completed": True})
    assert [(task["id"], task["completed"]) for task in tasks_of(response)] == [
        (ids[2], True),
        (ids[0], True),
    ]
    assert "etag" not in response.headers
    open_tasks = tasks_of(await client.get(f"{TASKS}?completed=false"))
    assert [task["id"] for task in open_tasks] == [ids[1]]


async def test_several_tasks_are_deleted(client: httpx2.AsyncClient, ids: list[int]) -> None:
    """TK-308."""
    response = await client.delete(query(ids[:2]))
    assert (response.status_code, response.json()) == (200, {"message": "tasks deleted"})
    assert [task["id"] for task in tasks_of(await client.get(TASKS))] == ids[2:]


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_all_are_changed_or_none(
    client: httpx2.AsyncClient, store: TaskStore, ids: list[int], method: str
) -> None:
    """TK-308: another user's task is reported as missing, like one that never existed."""
    before = tasks_of(await client.get(TASKS))
    foreign = (await store.for_user(43).create("x")).id
    for missing in (foreign, 7):
        response = await client.request(
            method, query([*ids, missing]), json={"title": "y"} if method == "PATCH" else None
        )
        error = error_of(response, 404)
        assert str(missing) in error["message"]
        assert error["details"] == {"ids": [missing]}
    assert tasks_of(await client.get(TASKS)) == before


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize(
    ("query", "refused"),
    [
        ("", ("ids", "required")),
        ("?ids=", ("ids[0]", "type")),
        ("?ids=1,x", ("ids[1]", "type")),
        ("?ids=1,,2", ("ids[1]", "type")),
        ("?ids=1, 2", ("ids[1]", "type")),
        ("?ids=0", ("ids[0]", "min")),
        ("?ids=9007199254740992", ("ids[0]", "max")),
        ("?ids=1&ids=2", ("ids", "given_twice")),
        ("?completed=true", ("completed", "unknown_field")),
        (f"?ids={','.join(['1'] * 1001)}", ("ids", "max_items")),
    ],
)
async def test_without_good_ids_nothing_is_changed(
    client: httpx2.AsyncClient, ids: list[int], method: str, query: str, refused: tuple[str, str]
) -> None:
    """TK-308: in particular, a missing `ids` does not mean every task."""
    before = tasks_of(await client.get(TASKS))
    response = await client.request(
        method, f"{TASKS}{query}", json={"title": "y"} if method == "PATCH" else None
    )
    details = error_of(response, 400)["details"]
    assert (details["field"], details["constraint"]) == refused
    assert tasks_of(await client.get(TASKS)) == before
    assert len(before) == len(ids)


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize("header", ["If-Match", "If-None-Match"])
async def test_a_precondition_is_refused(
    client: httpx2.AsyncClient, ids: list[int], method: str, header: str
) -> None:
    """TK-308: several tasks have no common version to compare."""
    response = await client.request(
        method,
        query(ids),
        headers={header: '"1"'},
        json={"title": "y"} if method == "PATCH" else None,
    )
    error_of(response, 412)
    assert [task["title"] for task in tasks_of(await client.get(TASKS))] == ["c", "b", "a"]


async def test_a_wrong_change_is_refused(client: httpx2.AsyncClient, ids: list[int]) -> None:
    """TK-308."""
    response = await client.patch(query(ids), json={"title": ""})
    assert error_of(response, 400)["details"]["field"] == "title"


async def test_the_tasks_are_counted(client: httpx2.AsyncClient, ids: list[int]) -> None:
    """TK-309: with the parameters of the list."""
    await client.patch(query(ids[:1]), json={"completed": True})
    for parameters, count in (
        ("", 3),
        ("?completed=false", 2),
        ("?project=p", 1),
        ("?completed=true&project=p", 0),
    ):
        response = await client.get(f"{TASKS}/count{parameters}")
        assert (response.status_code, response.json()) == (200, {"count": count})
    assert (await client.get("/users/43/tasks/count")).json() == {"count": 0}
    assert (await client.head(f"{TASKS}/count")).content == b""
    refused = await client.get(f"{TASKS}/count?limit=1")
    assert error_of(refused, 400)["details"]["field"] == "limit"
