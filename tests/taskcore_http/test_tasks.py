"""The REST contract's answers of success."""

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import httpx2
import pytest
from fastapi import FastAPI, Request

from taskcore import TaskStore
from taskcore.database.url import connect_arguments
from taskcore.limits import MAX_DESCRIPTION, MAX_ID, MAX_TITLE
from taskcore.tasks.fields import TaskFields
from taskcore_http import create_app, create_router
from taskcore_http.tasks.endpoints import _query_after
from tests.cursors import cursor
from tests.databases import Database
from tests.sessions import terminate
from tests.taskcore_http.answers import TASK_FIELDS, TIMESTAMP, error_of, task_of, tasks_of
from tests.taskcore_http.client import client_of

Client = httpx2.AsyncClient


async def created(client: Client, title: str = "Buy groceries", user: int = 123) -> dict[str, Any]:
    return task_of(await client.post(f"/users/{user}/tasks", json={"title": title}), 201)


async def test_a_created_task_has_an_id_is_open_and_stored(client: Client) -> None:
    """US1 scenario 1; FR-001, FR-002, FR-003, SC-007."""
    response = await client.post(
        "/users/123/tasks", json={"title": "Buy groceries", "description": "Milk and eggs"}
    )

    task = task_of(response, 201)
    assert 1 <= task["id"] <= MAX_ID
    assert task["title"] == "Buy groceries"
    assert task["description"] == "Milk and eggs"
    assert task["completed"] is False
    assert task["user_id"] == 123
    assert task["version"] == 1
    assert task_of(await client.get(f"/users/123/tasks/{task['id']}")) == task


async def test_a_title_alone_is_enough(client: Client) -> None:
    """US1 scenario 2; FR-001."""
    response = await client.post("/users/123/tasks", json={"title": "Buy groceries"})

    assert task_of(response, 201)["description"] is None


async def test_a_task_has_the_fields_of_the_contract_in_their_types(client: Client) -> None:
    task = await created(client)

    types = {name: type(value) for name, value in task.items()}
    assert types == types | {
        "id": int,
        "title": str,
        "description": type(None),
        "completed": bool,
        "user_id": int,
        "version": int,
        "created_at": str,
        "updated_at": str,
    }
    assert task.keys() == TASK_FIELDS


async def test_times_are_utc_and_written_with_a_z(client: Client) -> None:
    task = await created(client)

    assert TIMESTAMP.fullmatch(task["created_at"])
    assert TIMESTAMP.fullmatch(task["updated_at"])
    assert task["created_at"] == task["updated_at"]


async def test_a_new_tasks_location_leads_to_it(client: Client) -> None:
    response = await client.post("/users/123/tasks", json={"title": "Buy groceries"})

    task = task_of(response, 201)
    assert response.headers["location"] == f"/users/123/tasks/{task['id']}"
    assert task_of(await client.get(response.headers["location"])) == task


async def test_a_task_is_a_row_in_postgresql(client: Client, owner: asyncpg.Connection) -> None:
    """FR-013."""
    task = await created(client)

    rows = await owner.fetch("SELECT user_id, id, title, completed FROM taskcore.tasks")
    assert [tuple(row) for row in rows] == [(123, task["id"], "Buy groceries", False)]


async def test_equal_tasks_get_ids_of_their_own(client: Client) -> None:
    """FR-002."""
    tasks = [await created(client) for _ in range(5)]

    assert len({task["id"] for task in tasks}) == 5


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ({"title": "  Buy groceries\n"}, {"title": "Buy groceries"}),
        ({"title": f" {'x' * (MAX_TITLE - 2)} "}, {"title": "x" * (MAX_TITLE - 2)}),
        ({"title": "\N{GRINNING FACE}" * MAX_TITLE}, {"title": "\N{GRINNING FACE}" * MAX_TITLE}),
        ({"title": "x", "description": ""}, {"description": None}),
        ({"title": "x", "description": None}, {"description": None}),
        ({"title": "x", "description": "  "}, {"description": "  "}),
        (
            {"title": "x", "description": "\N{GRINNING FACE}" * MAX_DESCRIPTION},
            {"description": "\N{GRINNING FACE}" * MAX_DESCRIPTION},
        ),
        (
            {"title": "'; DROP TABLE taskcore.tasks; --"},
            {"title": "'; DROP TABLE taskcore.tasks; --"},
        ),
        ({"title": '<b>\\ " \u2028 \x7f</b>'}, {"title": '<b>\\ " \u2028 \x7f</b>'}),
    ],
    ids=[
        "a title is stripped",
        "a title is stripped before it is measured",
        "a title is measured in characters",
        "an empty description is none",
        "a null description is none",
        "a description is not stripped",
        "a description is measured in characters",
        "a title is never SQL",
        "a title is never markup",
    ],
)
async def test_text_is_stored_as_the_rules_say(
    client: Client, sent: dict[str, Any], stored: dict[str, Any]
) -> None:
    """FR-004, FR-005."""
    task = task_of(await client.post("/users/123/tasks", json=sent), 201)

    read = task_of(await client.get(f"/users/123/tasks/{task['id']}"))
    assert {name: read[name] for name in stored} == stored


async def test_of_two_equal_keys_the_last_counts(client: Client) -> None:
    response = await client.post(
        "/users/123/tasks",
        content=b'{"title": "first", "title": "last"}',
        headers={"Content-Type": "application/json"},
    )

    assert task_of(response, 201)["title"] == "last"


async def test_a_merge_patch_is_a_patch(client: Client) -> None:
    """RFC 7396: null removes."""
    task = task_of(
        await client.post("/users/123/tasks", json={"title": "x", "description": "y"}), 201
    )
    path = f"/users/123/tasks/{task['id']}"
    headers = {"Content-Type": "application/merge-patch+json"}
    patch = b'{"description": null}'

    assert task_of(await client.patch(path, content=patch, headers=headers))["description"] is None
    refused = await client.put(path, content=patch, headers=headers)
    error_of(refused, 415)
    assert refused.headers["accept"] == "application/json"
    refused = await client.patch(path, content=patch, headers={"Content-Type": "text/plain"})
    assert refused.headers["accept-patch"] == "application/json, application/merge-patch+json"


@pytest.mark.parametrize(
    "media_type", ["application/json; charset=utf-8", "Application/JSON", "application/json ;x=y"]
)
async def test_json_may_come_with_parameters(client: Client, media_type: str) -> None:
    response = await client.post(
        "/users/123/tasks", content=b'{"title": "x"}', headers={"Content-Type": media_type}
    )

    task_of(response, 201)


async def test_a_list_holds_exactly_the_users_tasks(client: Client) -> None:
    """US2 scenario 1; FR-006, SC-002."""
    own = [await created(client, f"{number}", user=123) for number in range(3)]
    other = [await created(client, f"{number}", user=456) for number in range(2)]

    assert tasks_of(await client.get("/users/123/tasks")) == own[::-1]
    assert tasks_of(await client.get("/users/456/tasks")) == other[::-1]


async def test_the_owner_reads_every_field(client: Client) -> None:
    """US2 scenario 2; FR-007."""
    task = await created(client)

    assert task_of(await client.get(f"/users/123/tasks/{task['id']}")) == task


async def test_a_user_without_tasks_has_an_empty_list(client: Client) -> None:
    """US2 scenario 4; edge case: an unknown user is accepted."""
    assert tasks_of(await client.get("/users/99999/tasks")) == []
    assert tasks_of(await client.get(f"/users/{MAX_ID}/tasks")) == []


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize(
    "change",
    [
        {"title": "Buy bread"},
        {"description": "Rye"},
        {"description": None},
        {"description": ""},
        {"completed": True},
        {"title": " Buy bread ", "description": "Rye", "completed": True},
    ],
    ids=str,
)
async def test_only_the_fields_sent_change(
    client: Client, method: str, change: dict[str, Any]
) -> None:
    """US3 scenarios 1 and 4; FR-009."""
    task = task_of(
        await client.post("/users/123/tasks", json={"title": "Buy milk", "description": "Two"}), 201
    )
    path = f"/users/123/tasks/{task['id']}"

    changed = task_of(await client.request(method, path, json=change))

    expected = dict(change)
    if "title" in expected:
        expected["title"] = expected["title"].strip()
    if "description" in expected:
        expected["description"] = expected["description"] or None
    for name in ("id", "created_at", *TaskFields.model_fields):
        assert changed[name] == (task | expected)[name]
    assert changed["version"] == 2
    assert changed["updated_at"] > task["updated_at"]
    assert TIMESTAMP.fullmatch(changed["updated_at"])
    assert task_of(await client.get(path)) == changed


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_a_completed_task_can_be_opened_again(client: Client, method: str) -> None:
    """US3 scenario 1; FR-009."""
    task = await created(client)
    path = f"/users/123/tasks/{task['id']}"

    assert task_of(await client.request(method, path, json={"completed": True}))["completed"]
    assert not task_of(await client.request(method, path, json={"completed": False}))["completed"]


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_a_change_that_changes_nothing_leaves_the_task_as_it_is(
    client: Client, method: str
) -> None:
    task = await created(client)

    response = await client.request(
        method, f"/users/123/tasks/{task['id']}", json={"title": task["title"], "completed": False}
    )

    assert task_of(response) == task


async def test_a_deleted_task_is_gone_for_good(client: Client) -> None:
    """US4 scenarios 1 and 4; FR-011."""
    task = await created(client)
    kept = await created(client, "Keep this")
    path = f"/users/123/tasks/{task['id']}"

    response = await client.delete(path)

    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.json().keys() == {"message"}
    assert response.json()["message"]
    error_of(await client.get(path), 404)
    error_of(await client.delete(path), 404)
    assert tasks_of(await client.get("/users/123/tasks")) == [kept]


@pytest.mark.parametrize(
    ("method", "body"),
    [("GET", None), ("PUT", {"title": "x"}), ("PATCH", {"title": "x"}), ("DELETE", None)],
)
async def test_another_users_task_is_neither_seen_nor_touched(
    client: Client, method: str, body: dict[str, Any] | None
) -> None:
    """US2 scenario 3, US3 scenario 2, US4 scenario 2; FR-008, FR-010, FR-012, SC-002."""
    task = await created(client, user=123)

    response = await client.request(method, f"/users/456/tasks/{task['id']}", json=body)

    error_of(response, 404)
    assert task_of(await client.get(f"/users/123/tasks/{task['id']}")) == task


@pytest.mark.inspects
async def test_the_database_itself_keeps_users_apart(fresh_database: Database) -> None:
    """FR-018, SC-002: queries that forget the user find nobody else's tasks even so."""
    connection = await asyncpg.connect(**connect_arguments(fresh_database.owner_url))
    for name in ("task_get_v1", "task_list_v1", "task_update_v1", "task_delete_v1"):
        source: str = await connection.fetchval(
            "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = $1", name
        )
        assert "t.user_id = p_user_id AND " in source
        await connection.execute(source.replace("t.user_id = p_user_id AND ", ""))
    await connection.close()

    async with (
        TaskStore(fresh_database.url) as store,
        client_of(create_app(store=store)) as client,
    ):
        foreign = await created(client, user=123)
        own = await created(client, "own", user=456)
        path = f"/users/456/tasks/{foreign['id']}"

        error_of(await client.get(path), 404)
        error_of(await client.put(path, json={"title": "x"}), 404)
        error_of(await client.patch(path, json={"title": "x"}), 404)
        error_of(await client.delete(path), 404)
        assert tasks_of(await client.get("/users/456/tasks")) == [own]
        assert tasks_of(await client.get("/users/123/tasks")) == [foreign]


@pytest.mark.parametrize("prefix", ["", "/api/v1"])
async def test_link_headers_lead_through_every_page(store: TaskStore, prefix: str) -> None:
    """FR-006."""
    await store.for_user(123).create_many([{"title": str(number)} for number in range(7)])
    app = FastAPI()
    app.include_router(create_router(store), prefix=prefix)
    async with client_of(app) as client:
        complete = tasks_of(await client.get(f"{prefix}/users/123/tasks"))
        pages = []
        following: str | None = f"{prefix}/users/123/tasks?limit=3"
        while following is not None:
            response = await client.get(following)
            pages.append(tasks_of(response))
            following = response.links.get("next", {}).get("url")

    assert [len(page) for page in pages] == [3, 3, 1]
    assert [task for page in pages for task in page] == complete


async def test_the_last_page_names_no_next_one(client: Client, store: TaskStore) -> None:
    await store.for_user(123).create_many([{"title": "x"}] * 3)

    assert "link" in (await client.get("/users/123/tasks?limit=2")).headers
    assert "link" not in (await client.get("/users/123/tasks?limit=3")).headers
    assert "link" not in (await client.get("/users/123/tasks?limit=1000")).headers
    assert "link" not in (await client.get("/users/123/tasks")).headers


async def test_the_link_keeps_the_filter_and_moves_the_cursor(
    client: Client, store: TaskStore
) -> None:
    tasks = await store.for_user(123).create_many([{"title": "x"}] * 4)

    response = await client.get(
        f"/users/123/tasks?limit=2&completed=false&after={cursor(tasks[3].id)}"
    )

    link = urlsplit(response.links["next"]["url"])
    assert response.headers["link"].endswith('>; rel="next"')
    assert link.path == "/users/123/tasks"
    assert parse_qs(link.query) == {
        "limit": ["2"],
        "completed": ["false"],
        "after": [cursor(tasks[1].id)],
    }


@pytest.mark.parametrize(
    ("query", "following"),
    [
        (b"limit=1", "limit=1&after=c"),
        (b"%61fter=b&limit=1&project=a+b%26c", "limit=1&project=a+b%26c&after=c"),
        (
            b'project=>"%3E\r\n\xc3\xa9\xff&limit=1',
            "project=%3E%22%3E%0D%0A%C3%A9%FF&limit=1&after=c",
        ),
    ],
)
def test_the_link_has_the_query_as_the_client_wrote_it(query: bytes, following: str) -> None:
    """RFC 8288, section 3: a URI reference in the header of an answer."""
    request = Request({"type": "http", "query_string": query})
    assert _query_after(request, "c") == following


async def test_after_shows_only_older_tasks(client: Client, store: TaskStore) -> None:
    tasks = await store.for_user(123).create_many([{"title": "x"}] * 4)

    everything = tasks_of(await client.get(f"/users/123/tasks?after={cursor(tasks[2].id)}"))
    page = tasks_of(await client.get(f"/users/123/tasks?after={cursor(tasks[2].id)}&limit=1"))

    assert [task["id"] for task in everything] == [tasks[1].id, tasks[0].id]
    assert [task["id"] for task in page] == [tasks[1].id]


async def test_after_need_not_name_a_task(client: Client, store: TaskStore) -> None:
    task = await store.for_user(123).create("x")

    assert len(tasks_of(await client.get(f"/users/123/tasks?after={cursor(task.id + 1)}"))) == 1
    assert tasks_of(await client.get(f"/users/123/tasks?after={cursor(1)}")) == []
    assert len(tasks_of(await client.get(f"/users/123/tasks?after={cursor(MAX_ID)}"))) == 1


async def test_completed_filters(client: Client) -> None:
    opened = await created(client, "open")
    done = await created(client, "done")
    done = task_of(await client.patch(f"/users/123/tasks/{done['id']}", json={"completed": True}))

    assert tasks_of(await client.get("/users/123/tasks?completed=true")) == [done]
    assert tasks_of(await client.get("/users/123/tasks?completed=false")) == [opened]
    assert tasks_of(await client.get("/users/123/tasks")) == [done, opened]


async def test_a_read_during_updates_never_sees_a_mixture(client: Client) -> None:
    """FR-017; edge case: the old row or the new one."""
    task = await created(client, "0")
    path = f"/users/123/tasks/{task['id']}"

    async def update(number: int) -> httpx2.Response:
        text = str(number)
        return await client.patch(path, json={"title": text, "description": text})

    task_of(await update(0))
    answers = await asyncio.gather(
        *(update(number) for number in range(1, 21)), *(client.get(path) for _ in range(20))
    )

    seen = [task_of(answer) for answer in answers]
    assert all(task["title"] == task["description"] for task in seen)
    assert sorted(task["version"] for task in seen[:20]) == list(range(3, 23))


async def test_tasks_outlive_the_store(
    client: Client, database: Database, owner: asyncpg.Connection
) -> None:
    """FR-014, SC-003: another store, as after a restart, has the same tasks."""
    task = await created(client)
    await terminate(owner)

    async with TaskStore(database.url) as store:
        assert (await store.for_user(123).get(task["id"])).title == task["title"]
