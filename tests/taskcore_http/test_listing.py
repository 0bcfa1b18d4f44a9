"""The complete list: every task, a page in memory at a time, never cut short unnoticed."""

from typing import Any

import httpx2
import pytest
from starlette.types import Message

from taskcore import JsonPage, TaskStore, Unavailable, UserTasks
from taskcore.limits import MAX_PAGE
from taskcore_http import create_app
from tests.cursors import cursor
from tests.taskcore_http.answers import TASK_FIELDS, error_of, tasks_of
from tests.taskcore_http.server import Server

TASKS = "/users/123/tasks"


async def fill(store: TaskStore, count: int) -> list[int]:
    """Store tasks; return their ids, newest first."""
    tasks = await store.for_user(123).create_many(
        [{"title": f"n. {number}"} for number in range(count)]
    )
    return [task.id for task in tasks][::-1]


class Pages:
    """Stands in front of ``UserTasks.list_json``: counts pages, and fails from one on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.read = 0
        self.fails_at: int | None = None
        self.failure: Exception = RuntimeError("a fault of ours")
        listed = UserTasks.list_json

        async def listing(tasks: UserTasks, **options: Any) -> JsonPage:
            self.read += 1
            if self.read == self.fails_at:
                raise self.failure
            return await listed(tasks, **options)

        monkeypatch.setattr(UserTasks, "list_json", listing)


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> Pages:
    return Pages(monkeypatch)


@pytest.mark.parametrize("count", [0, 3, MAX_PAGE, MAX_PAGE + 1, 5_000])
async def test_the_list_holds_every_task_newest_first(
    served: Server, store: TaskStore, count: int
) -> None:
    """US2 scenarios 1 and 4; FR-006."""
    ids = await fill(store, count)

    async with served.client() as client:
        tasks = tasks_of(await client.get(TASKS))

    assert [task["id"] for task in tasks] == ids
    assert all(task.keys() == TASK_FIELDS for task in tasks)


async def test_the_complete_list_can_be_filtered(served: Server, store: TaskStore) -> None:
    """FR-006."""
    ids = await fill(store, 2_500)
    await store.for_user(123).update(ids[1_200], completed=True)

    async with served.client() as client:
        opened = tasks_of(await client.get(f"{TASKS}?completed=false"))
        done = tasks_of(await client.get(f"{TASKS}?completed=true"))
        older = tasks_of(await client.get(f"{TASKS}?after={cursor(ids[99])}"))

    assert [task["id"] for task in opened] == ids[:1_200] + ids[1_201:]
    assert [task["id"] for task in done] == [ids[1_200]]
    assert [task["id"] for task in older] == ids[100:]


@pytest.mark.parametrize(
    ("failure", "status"), [(RuntimeError("a fault of ours"), 500), (Unavailable("away"), 503)]
)
async def test_a_failure_on_the_first_page_is_an_error(
    served: Server, store: TaskStore, pages: Pages, failure: Exception, status: int
) -> None:
    """FR-015."""
    await fill(store, MAX_PAGE + 1)
    pages.fails_at, pages.failure = 1, failure

    async with served.client() as client:
        error_of(await client.get(TASKS), status)


@pytest.mark.parametrize("failure", [RuntimeError("a fault of ours"), Unavailable("away")])
@pytest.mark.parametrize("page", [2, 3])
async def test_a_failure_on_a_later_page_breaks_the_connection(
    served: Server, store: TaskStore, pages: Pages, failure: Exception, page: int
) -> None:
    """FR-006, SC-005: a part of the list must not look like all of it."""
    await fill(store, 3 * MAX_PAGE)
    pages.fails_at, pages.failure = page, failure

    async with served.client() as client:
        with pytest.raises(httpx2.RemoteProtocolError):
            await client.get(TASKS)
        assert len(tasks_of(await client.get(TASKS))) == 3 * MAX_PAGE


async def test_a_page_is_read_only_when_the_one_before_is_sent(
    store: TaskStore, pages: Pages
) -> None:
    """FR-006: memory does not grow with the list."""
    await fill(store, 4 * MAX_PAGE)
    app = create_app(store=store)
    read_before_sending: list[int] = []
    never: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        return never.pop()

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body" and len(message["body"]) > 1:
            read_before_sending.append(pages.read)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "method": "GET",
        "path": TASKS,
        "raw_path": TASKS.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [],
    }
    await app(scope, receive, send)

    assert read_before_sending == [1, 2, 3, 4]


async def test_a_page_with_a_limit_is_one_read(
    served: Server, store: TaskStore, pages: Pages
) -> None:
    await fill(store, 2 * MAX_PAGE)

    async with served.client() as client:
        assert len(tasks_of(await client.get(f"{TASKS}?limit={MAX_PAGE}"))) == MAX_PAGE

    assert pages.read == 1


async def test_tasks_deleted_while_the_list_is_sent_leave_it_well_formed(
    served: Server, store: TaskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FR-017: the last page may turn out empty."""
    ids = await fill(store, MAX_PAGE + 1)
    listed = UserTasks.list_json
    pages = 0

    async def listing(tasks: UserTasks, **options: Any) -> JsonPage:
        nonlocal pages
        pages += 1
        if pages == 2:
            await tasks.delete(ids[-1])
        return await listed(tasks, **options)

    monkeypatch.setattr(UserTasks, "list_json", listing)

    async with served.client() as client:
        tasks = tasks_of(await client.get(TASKS))

    assert [task["id"] for task in tasks] == ids[:-1]
    assert pages == 2


async def test_the_complete_list_has_an_order(served: Server, store: TaskStore) -> None:
    """TK-305: over several pages."""
    tasks = [{"title": "x", "due": f"20{n % 50 + 10}-01-01"} for n in range(2_500)]
    made = await store.for_user(123).create_many(tasks)

    async with served.client() as client:
        listed = tasks_of(await client.get(f"{TASKS}?order=due"))

    expected = sorted(made, key=lambda task: (str(task.due), -task.id))
    assert [task["id"] for task in listed] == [task.id for task in expected]


async def test_a_query_chooses_tasks(client: httpx2.AsyncClient, store: TaskStore) -> None:
    """TK-303, TK-305, TK-310: in pages, too, whose links keep the query."""
    tasks = store.for_user(42)
    for number in range(3):
        await tasks.create(f"n. {number}", project="a", tags=["x", "y"], due="2026-11-30")
    await tasks.create("other", project="b", tags=["x"], priority=5)
    await tasks.create("bare", "50 % größer + café")

    async def found(query: str) -> list[str]:
        return [task["title"] for task in tasks_of(await client.get(f"/users/42/tasks?{query}"))]

    assert await found("project=b") == ["other"]
    assert await found("project=") == ["bare"]
    assert await found("tags=x") == ["other", "n. 2", "n. 1", "n. 0"]
    assert await found("tags=y,x&completed=false") == ["n. 2", "n. 1", "n. 0"]
    assert await found("due_before=2026-12-01&due_after=2026-11-29") == ["n. 2", "n. 1", "n. 0"]
    assert await found("due_before=2026-11-30") == []
    assert await found("priority_at_least=5") == ["other"]
    assert await found("order=priority") == ["other", "bare", "n. 2", "n. 1", "n. 0"]
    assert await found("order=due") == ["n. 2", "n. 1", "n. 0", "bare", "other"]
    assert await found("order=newest") == await found("")
    for query in ("search=BAR", "search=gr%C3%96SSER+50", "search=%25", "search=cafe%CC%81%20%2B"):
        assert await found(query) == ["bare"]
    assert await found("search=OTHER&project=b&order=due") == ["other"]
    assert await found("search=bare+other") == []
    page = await client.get("/users/42/tasks?project=a&search=n.%20y&limit=2")
    following = page.links["next"]["url"]
    assert "project=a" in following
    assert "search=n.%20y" in following
    assert [task["title"] for task in tasks_of(await client.get(following))] == ["n. 0"]

    for query, field in (
        ("tags=a&tags=b", "tags"),
        ("tags=", "tags"),
        ("order=oldest", "order"),
        (f"order=due&after={cursor(7)}", "after"),
        ("due_before=tomorrow", "due_before"),
        ("due_after=2026-11-30T17:00", "due_after"),
        ("priority_at_least=high", "priority_at_least"),
        ("priority_at_least=10", "priority_at_least"),
        ("search=", "search"),
        ("search=%20%E3%80%80", "search"),
        ("search=%00", "search"),
        (f"search={'x' * 201}", "search"),
        ("search=a&search=b", "search"),
        ("projekt=a", "projekt"),
    ):
        error = error_of(await client.get(f"/users/42/tasks?{query}"), 400)
        assert error["details"]["field"] == field


async def test_a_list_has_the_bytes_of_its_tasks(served: Server, store: TaskStore) -> None:
    """TK-307."""
    ids = await fill(store, MAX_PAGE + 1)

    async with served.client() as client:
        listed = await client.get(TASKS)
        page = await client.get(f"{TASKS}?limit=2")
        tasks = [await client.get(f"{TASKS}/{task_id}") for task_id in ids[:2]]

    assert page.content == b"[" + b",".join(task.content for task in tasks) + b"]"
    assert listed.content.startswith(page.content[:-1] + b",")
