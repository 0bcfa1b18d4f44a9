"""Nothing that was done on the page is lost or done twice."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from playwright.async_api import Error, Route, expect

from taskcore import Task, TaskCreate
from taskcore_http import Bearer, create_app
from tests.taskcore_http.page.conftest import Open, Site
from tests.taskcore_http.page.window import Window
from tests.taskcore_http.server import serving

API = re.compile(r":\d+/(me|users|session)")

Fault = Callable[[Route], Awaitable[None]]


async def unreachable(route: Route) -> None:
    await route.abort()


async def unavailable(route: Route) -> None:
    error = {"code": "UNAVAILABLE", "message": "the database cannot be used now"}
    await route.fulfill(status=503, json={"error": error}, headers={"Retry-After": "1"})


async def of_a_proxy(route: Route) -> None:
    await route.fulfill(status=502, body="<h1>Bad gateway</h1>", content_type="text/html")


async def answer_lost(route: Route) -> None:
    await route.fetch()
    # The window may have been closed meanwhile, or the fault may have ended.
    with suppress(Error):
        await route.abort()


FAULTS = [unreachable, unavailable, of_a_proxy, answer_lost]


@asynccontextmanager
async def fault(window: Window, fault: Fault) -> AsyncIterator[None]:
    await window.page.route(API, fault)
    yield
    await window.page.unroute(API)


def titles(tasks: list[Task]) -> list[str]:
    return [task.title for task in tasks]


async def hold_counts(window: Window) -> tuple[asyncio.Event, asyncio.Event]:
    """Hold the requests that count tasks; return that one is held, and what releases them."""
    held, released = asyncio.Event(), asyncio.Event()

    async def hold(route: Route) -> None:
        held.set()
        await released.wait()
        await route.continue_()

    await window.page.route("**/count*", hold)
    return held, released


async def test_what_is_done_during_the_last_request_is_sent_too(window: Window) -> None:
    """PG-301: the last request counts the tasks, if a filter is on."""
    await window.add("zero")
    await window.page.click(".filters >> text=Active")
    await window.stored()
    await window.focus()
    await expect(window.page.locator(".todo-count")).to_have_text("1 item left")
    held, released = await hold_counts(window)
    await window.add("one")
    await window.stored()  # It is confirmed. The request that counts goes on.
    await held.wait()
    await window.add("two")
    released.set()
    assert titles(await window.stored()) == ["two", "one", "zero"]


async def test_what_is_undone_while_the_list_is_read_is_shown(window: Window) -> None:
    """PG-204: the list that was read is from before it."""
    await window.add("one")
    await window.stored()
    await window.page.click(".filters >> text=Active")
    await window.row("one").locator(".toggle").click()
    await window.shows()
    await window.stored()
    held, released = await hold_counts(window)
    await window.focus()
    await held.wait()
    await window.undo()
    assert [task.completed for task in await window.stored()] == [False]
    released.set()
    await window.shows("one")


@pytest.mark.parametrize("cause", FAULTS, ids=lambda cause: cause.__name__)
async def test_everything_is_kept_and_done_once(window: Window, cause: Fault) -> None:
    """PG-301, PG-302: whatever happens to the requests or to their answers."""
    await window.add("edit", "complete", "delete", "stay")
    await window.stored()
    async with fault(window, cause):
        await window.add("new")
        await window.edit("edit", "edited")
        await window.row("complete").locator(".toggle").check()
        await window.row("delete").locator(".destroy").click()
        await window.add("newer")
        await window.row("newer").locator(".toggle").check()
        await window.edit("newer", "newest")
        await expect(window.status).to_contain_text("cannot be reached")
        await expect(window.status).to_contain_text("changes are kept in this browser")
        await window.shows("newest", "new", "stay", "complete", "edited")
        assert len(await window.waiting()) == 7
    await window.focus()
    await window.row("stay").locator(".toggle").check()
    stored = await window.stored()
    assert [(task.title, task.completed) for task in stored] == [
        ("newest", True),
        ("new", False),
        ("stay", True),
        ("complete", True),
        ("edited", False),
    ]
    await expect(window.status).to_have_text("")
    await window.shows("newest", "new", "stay", "complete", "edited")


async def test_a_reload_without_a_connection_loses_nothing(
    window: Window, open_window: Open
) -> None:
    """PG-301: the page itself may come from a cache, or back with the server."""
    async with fault(window, unreachable):
        await window.add("typed offline")
        await window.page.reload()
        await expect(window.status).to_contain_text("cannot be reached")
    await window.focus()
    await window.shows("typed offline")
    assert titles(await window.stored()) == ["typed offline"]
    assert (await open_window(window.tasks.user_id)).tasks.user_id == window.tasks.user_id


async def test_the_page_tries_again_by_itself(window: Window) -> None:
    """PG-301."""
    async with fault(window, unreachable):
        await window.add("x")
        await expect(window.status).to_contain_text("One change is kept")
    assert titles(await window.stored()) == ["x"]
    await expect(window.status).to_have_text("")


async def test_a_slow_server_is_waited_for(window: Window) -> None:
    async def slow(route: Route) -> None:
        await asyncio.sleep(0.5)
        await route.continue_()

    async with fault(window, slow):
        await window.add("x")
        # It is there at once.
        await expect(window.row("x")).to_be_visible()
        await expect(window.row("x")).to_contain_text("not saved yet")
        await expect(window.row("x")).not_to_contain_text("not saved yet")
    assert titles(await window.stored()) == ["x"]


async def test_the_server_is_killed_and_comes_back(site: Site, open_window: Open) -> None:
    """PG-301, with a real server on one port."""
    app = create_app(store=site.store, identity=Bearer(sessions=True))
    async with serving(app) as first:
        window = await open_window(site=Site(first, site.store))
        await window.add("before")
        await window.stored()
    await window.add("meanwhile")
    await window.edit("before", "changed meanwhile")
    await expect(window.status).to_contain_text("cannot be reached")
    async with serving(app, port=first.port):
        stored = await window.stored()
        await expect(window.status).to_have_text("")
    assert titles(stored) == ["meanwhile", "changed meanwhile"]


async def test_edits_of_different_fields_are_both_kept(window: Window) -> None:
    """PG-303."""
    await window.add("x")
    (task,) = await window.stored()
    await window.tasks.update(task.id, description="by a program", completed=True)
    await window.edit("x", "y")
    (stored,) = await window.stored()
    assert (stored.title, stored.description, stored.completed) == ("y", "by a program", True)
    await expect(window.problems).to_have_count(0)


@pytest.mark.parametrize(("answer", "title"), [("Save mine", "mine"), ("Keep what is", "theirs")])
async def test_edits_of_one_field_are_shown_side_by_side(
    window: Window, answer: str, title: str
) -> None:
    """PG-303: until the user has decided, also after a reload."""
    await window.add("x")
    (task,) = await window.stored()
    await window.tasks.update(task.id, title="theirs")
    await window.edit("x", "mine")
    await expect(window.problems).to_contain_text("Somebody else changed “x” too")
    await expect(window.problems.locator("td")).to_have_text(["Title", "mine", "theirs"])
    await window.page.reload()
    await window.problems.locator("button", has_text=answer).click()
    assert titles(await window.stored()) == [title]
    await window.shows(title)
    await expect(window.problems).to_have_count(0)


@pytest.mark.parametrize(("answer", "left"), [("Add it again", ["mine"]), ("Discard", [])])
async def test_an_edit_of_a_deleted_task_is_not_lost(
    window: Window, answer: str, left: list[str]
) -> None:
    """PG-304."""
    await window.add("x")
    (task,) = await window.stored()
    await window.enter("x", description="old", tags="a, b")
    await window.stored()
    await window.tasks.delete(task.id)
    await window.edit("x", "mine")
    await expect(window.problems).to_contain_text("Somebody else deleted “x”")
    await window.problems.locator("button", has_text=answer).click()
    stored = await window.stored()
    assert titles(stored) == left
    assert [(task.description, task.tags) for task in stored] == [("old", ("a", "b"))] * len(left)
    await window.shows(*left)


async def test_what_others_have_deleted_cannot_be_deleted_again(window: Window) -> None:
    """PG-302: the others of the same action are."""
    await window.add("a", "b", "c")
    tasks = await window.stored()
    await window.page.check(".toggle-all")
    await window.stored()
    await window.tasks.delete(tasks[1].id)
    await window.page.click(".clear-completed")
    await window.add("d")
    await window.row("d").locator(".toggle").check()
    assert titles(await window.stored()) == ["d"]


async def test_a_refused_change_can_be_corrected(window: Window) -> None:
    """PG-304: the message is the API's."""
    await window.add("x")
    await window.enter("x", tags=",".join(f"tag{n}" for n in range(21)))
    await expect(window.problems).to_contain_text("“x” was not saved")
    await expect(window.problems).to_contain_text("20")
    await window.problems.locator("button", has_text="Try again").click()
    await window.page.fill("#details [name=tags]", "few")
    await window.page.click("#details .primary")
    (task,) = await window.stored()
    assert task.tags == ("few",)
    await expect(window.problems).to_have_count(0)


async def test_an_ended_session_loses_nothing(site: Site, window: Window) -> None:
    """PG-306: a new link in another window goes on where this one stopped."""
    await window.add("before")
    await window.stored()
    for token in await window.tasks.tokens.list():
        await window.tasks.tokens.revoke(token.id)
    await window.new.fill("half a thou")
    await window.page.evaluate("document.activeElement.blur()")
    await window.edit("before", "changed")
    await expect(window.status).to_contain_text("You are not signed in.")
    await expect(window.status).to_contain_text("One change is kept")
    await window.add("typed after it ended")
    await window.new.fill("half a thought")

    twin = await window.page.context.new_page()
    user = window.tasks.user_id
    assert user is not None
    await twin.goto(await site.link(user))
    await twin.wait_for_selector("#user:not(:empty)")
    await window.focus()
    assert titles(await window.stored()) == ["typed after it ended", "changed"]
    await expect(window.status).to_have_text("")
    await expect(window.new).to_have_value("half a thought")


async def test_nothing_of_one_user_is_sent_for_another(site: Site, window: Window) -> None:
    """PG-305: another user signs in in another window of the same browser."""
    await window.add("of the first")
    await window.stored()
    twin = await window.page.context.new_page()
    second = (window.tasks.user_id or 0) + 1_000_000
    await twin.goto(await site.link(second))
    await twin.click("#question button[value=yes]")
    await expect(twin.locator("#user")).to_have_text(f"User {second}")

    # The first window still thinks that its user is signed in, as nobody has looked at it.
    await window.page.evaluate("""() => {
        document.querySelector('.new-todo').value = 'typed just now';
        document.querySelector('#add').requestSubmit();
    }""")
    await expect(window.page.locator("#user")).to_have_text(f"User {second}")
    await window.shows()
    assert titles(list(await site.store.for_user(second).list())) == []
    # It is there when the first user is back.
    await window.page.goto("about:blank")
    await window.page.goto(await site.link(window.tasks.user_id or 0))
    await window.page.click("#question button[value=yes]")
    assert titles(await window.stored()) == ["typed just now", "of the first"]


async def test_two_writers_of_one_task_lose_nothing(window: Window, open_window: Open) -> None:
    """PG-302, PG-303: each edit is stored, or shown as a conflict."""
    twin = await open_window(window.tasks.user_id)
    await window.add("x")
    await window.stored()
    await twin.focus()
    await twin.shows("x")
    await asyncio.gather(window.edit("x", "mine"), twin.edit("x", "theirs"))
    async with asyncio.timeout(10):
        while True:
            seen = await window.problems.count() + await twin.problems.count()
            waiting = len(await window.waiting()) + len(await twin.waiting())
            if seen == waiting == 1:
                break
            await asyncio.sleep(0.05)
    stored = titles(list(await window.tasks.list()))
    assert stored in (["mine"], ["theirs"])


NOT_FOUND = {"error": {"code": "TASK_NOT_FOUND", "message": "gone", "details": {"ids": [1]}}}


@pytest.mark.parametrize(
    ("method", "path", "answer"),
    [
        ("GET", "/me$", {"status": 404, "json": NOT_FOUND}),
        ("GET", "after=", {"status": 500, "body": "<h1>Error</h1>"}),
        (
            "POST",
            "/tasks$",
            {"status": 503, "headers": {"Retry-After": "Wed, 21 Oct 2026 07:28 GMT"}},
        ),
        ("POST", "/tasks$", {"status": 503, "headers": {"Retry-After": "4294967"}}),
        ("PATCH", "ids=", {"status": 404, "json": NOT_FOUND}),
        ("PATCH", "/tasks/", {"status": 412}),
    ],
)
async def test_no_answer_makes_the_page_ask_without_end(
    window: Window, method: str, path: str, answer: dict[str, Any]
) -> None:
    """PG-206, PG-301: neither one that is wrong, nor one that is repeated for ever."""
    await window.tasks.create_many(TaskCreate(title=f"task {n}") for n in range(300))
    await window.page.reload()
    await window.page.wait_for_selector("#user:not(:empty)")
    asked = list[str]()

    async def respond(route: Route) -> None:
        asked.append(route.request.url)
        if route.request.method == method and re.search(path, route.request.url):
            await route.fulfill(**answer)
        else:
            await route.continue_()

    await window.page.route(API, respond)
    await window.focus()
    await window.add("new")
    await window.row("task 298").locator(".toggle").check()
    await window.edit("task 299", "changed")
    await window.page.evaluate("scrollTo(0, 12000)")
    await window.page.wait_for_timeout(700)
    assert len(asked) < 25


async def test_the_page_tries_less_and_less_often(window: Window) -> None:
    """PG-301: also if reading works and only writing does not."""
    asked = list[str]()

    async def refuse(route: Route) -> None:
        if route.request.method == "GET":
            await route.continue_()
        else:
            asked.append(route.request.url)
            await route.fulfill(status=503)

    await window.page.clock.install()
    await window.page.route(API, refuse)
    await window.add("x")
    for _ in range(60):
        await window.page.clock.run_for(1000)
        await window.page.wait_for_timeout(20)
    assert 5 <= len(asked) <= 8


async def test_what_is_undone_in_one_window_is_not_done_by_another(
    window: Window, open_window: Open
) -> None:
    """PG-204, PG-301: the other window has read the outbox."""
    await window.add("x")
    await window.stored()
    await window.row("x").locator(".destroy").click()
    twin = await open_window(window.tasks.user_id, profile=window)
    await twin.shows()
    await window.undo()
    await twin.add("y")
    await twin.page.close(run_before_unload=True)
    await window.focus()  # The twin may have been closed before it has sent anything.
    assert titles(await window.stored()) == ["y", "x"]


async def test_signing_out_sends_a_deletion_that_waits(window: Window) -> None:
    """PG-204."""
    await window.add("x")
    await window.stored()
    await window.row("x").locator(".destroy").click()
    await window.page.click("#sign-out")
    await expect(window.status).to_contain_text("You are not signed in.")
    assert await window.tasks.count() == 0


@pytest.mark.parametrize(
    "script",
    [
        "Object.defineProperty(window, 'localStorage', {get() { throw new Error('forbidden') }})",
        """for (const method of ['getItem', 'setItem', 'removeItem']) {
            Storage.prototype[method] = () => { throw new Error('full') };
        }""",
        """for (const [n, value] of ['{', 'null', '{}', '[]'].entries()) {
            localStorage[`taskcore . USER ${n}`] = value;
        }""",
    ],
    ids=["forbidden", "full", "corrupt"],
)
async def test_the_page_works_with_any_storage(
    window: Window, open_window: Open, script: str
) -> None:
    """PG-301: then what is not sent is kept as long as the page is open."""
    user = window.tasks.user_id
    await window.page.context.add_init_script(script.replace("USER", str(user)))
    window = await open_window(user, profile=window)
    await window.add("x")
    await window.row("x").locator(".toggle").check()
    await expect(window.row("x")).not_to_have_class(re.compile("unsent"))
    assert [task.completed for task in await window.tasks.list()] == [True]
    await window.page.keyboard.press("Escape")
    await window.page.keyboard.press("?")
    await expect(window.page.locator("#help")).to_be_visible()


@pytest.mark.parametrize("body", ["", "null", "{}", "[]"])
async def test_an_answer_without_the_task_confirms_nothing(window: Window, body: str) -> None:
    """PG-301: such as that of a proxy or of a network that asks to sign in."""

    async def respond(route: Route) -> None:
        if route.request.method == "GET":
            await route.continue_()
        else:
            await route.fulfill(status=200, body=body)

    async with fault(window, respond):
        await window.add("x")
        await expect(window.status).to_contain_text("One change is kept")
    await window.focus()
    assert titles(await window.stored()) == ["x"]


async def test_an_edit_whose_answer_was_lost_is_no_conflict(window: Window) -> None:
    """PG-302: the values are compared as the API tells them."""
    await window.add("x")
    await window.stored()
    async with fault(window, answer_lost):
        await window.enter("x", date="2030-01-02", time="17:30", tags="b, a", priority="1")
        await expect(window.status).to_contain_text("One change is kept")
    await window.focus()
    (task,) = await window.stored()
    assert (str(task.due), task.tags) == ("2030-01-02 17:30:00", ("a", "b"))
    await expect(window.problems).to_have_count(0)


async def test_a_list_that_was_read_for_one_user_is_not_shown_to_another(
    site: Site, window: Window
) -> None:
    """PG-305: somebody else signs in between the first two answers."""
    await window.add("of the first")
    await window.stored()
    twin = await window.page.context.new_page()
    second = (window.tasks.user_id or 0) + 2_000_000
    is_second = asyncio.Event()

    async def late(route: Route) -> None:
        await is_second.wait()
        await route.continue_()

    await window.page.route("**/me", late)
    await window.page.reload()
    await window.shows("of the first")
    await twin.goto(await site.link(second))
    await twin.click("#question button[value=yes]")
    await expect(twin.locator("#user")).to_have_text(f"User {second}")
    is_second.set()
    await expect(window.page.locator("#user")).to_have_text(f"User {second}")
    await window.shows()


async def test_a_task_that_is_added_again_has_all_it_had(window: Window) -> None:
    """PG-304: also after a reload, and if it was deleted here too."""
    task = await window.tasks.create("x", description="old", tags=["a"], extra={"a": 1})
    await window.page.reload()
    async with fault(window, unreachable):
        await window.edit("x", "mine")
        await expect(window.status).to_contain_text("One change is kept")
    await window.tasks.delete(task.id)
    await window.page.reload()
    await expect(window.problems).to_contain_text("Somebody else deleted “x”")
    await window.problems.locator("button", has_text="Add it again").click()
    (stored,) = await window.stored()
    assert (stored.title, stored.description, stored.tags) == ("mine", "old", ("a",))
    assert stored.extra == {"a": 1}


async def test_what_was_changed_and_then_deleted_is_no_problem(window: Window) -> None:
    """PG-304: nobody else has deleted it."""
    await window.add("x")
    await window.stored()
    async with fault(window, answer_lost):
        await window.edit("x", "y")
        await window.row("y").locator(".destroy").click()
        await expect(window.status).to_contain_text("One change is kept")
    (task,) = await window.tasks.list()
    await window.tasks.delete(task.id)
    await window.page.reload()
    assert await window.stored() == []
    await expect(window.problems).to_have_count(0)


async def test_a_new_task_that_is_discarded_takes_its_changes_along(window: Window) -> None:
    """PG-304."""

    async def refuse(route: Route) -> None:
        if route.request.method == "POST":
            await route.fulfill(status=422, json={"error": {"message": "not today"}})
        else:
            await route.continue_()

    async with fault(window, refuse):
        await window.add("x", "y")
        await window.row("x").locator(".toggle").check()
        await expect(window.problems).to_have_count(2)
    await window.problems.locator("button", has_text="Discard").first.click()
    await expect(window.problems).to_have_count(1)
    await window.problems.locator("button", has_text="Try again").click()
    await window.page.click("#details .primary")
    assert titles(await window.stored()) == ["y"]


async def test_a_new_task_can_be_changed_in_another_window(
    window: Window, open_window: Open
) -> None:
    """PG-301: while the first window sends it, and the other does not know its id."""
    twin = await open_window(window.tasks.user_id, profile=window)
    async with fault(window, unreachable), fault(twin, unreachable):
        await window.add("x")
        await twin.focus()
        await twin.add("y")
        await twin.shows("y", "x")
    await window.focus()
    await expect(window.row("x")).not_to_have_class(re.compile("unsent"))
    await twin.row("x").locator(".toggle").check()
    stored = await twin.stored()
    assert {task.title: task.completed for task in stored} == {"x": True, "y": False}
    await expect(twin.problems).to_have_count(0)
