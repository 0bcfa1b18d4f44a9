"""Tasks on the page: details, filters, orders, undo, many of them."""

import re
from datetime import date, datetime, timedelta

import pytest
from playwright.async_api import expect

from taskcore import TaskCreate
from tests.taskcore_http.page.conftest import Open
from tests.taskcore_http.page.window import Window


def today() -> date:
    """Today where this machine is, as the browser's clock shows it."""
    return datetime.now().astimezone().date()


async def test_details_are_entered_shown_and_stored(window: Window) -> None:
    """PG-202."""
    day = today() + timedelta(days=1)
    await window.add("Buy groceries")
    await window.enter(
        "Buy groceries",
        description="milk\nbread",
        date=day.isoformat(),
        time="17:30",
        due_zone="Europe/Berlin",
        priority="1",
        project="home",
        tags="shop, food, shop",
    )
    row = window.row("Buy groceries")
    await expect(row.locator(".due")).to_contain_text("tomorrow")
    await expect(row.locator(".due")).to_contain_text("Europe/Berlin")
    await expect(row.locator(".priority")).to_have_text("Priority high")
    await expect(row.locator(".project")).to_have_text("home")
    await expect(row.locator(".tag")).to_have_text(["food", "shop"])
    (task,) = await window.stored()
    assert (task.description, str(task.due), task.due_zone) == (
        "milk\nbread",
        f"{day} 17:30:00",
        "Europe/Berlin",
    )
    assert (task.priority, task.project, task.tags) == (1, "home", ("food", "shop"))

    # A time goes with its date, and a zone with its time.
    await window.enter("Buy groceries", date="")
    await expect(row.locator(".due")).to_have_count(0)
    (task,) = await window.stored()
    assert (task.due, task.due_zone, task.project) == (None, None, "home")


async def test_a_dialog_that_changes_nothing_sends_nothing(window: Window) -> None:
    """Also for values that the form shows in another way: seconds, and a priority of 3."""
    task = await window.tasks.create(
        "x", due="2026-11-30T17:00:30", due_zone="UTC", priority=3, tags=["b", "a"]
    )
    await window.page.reload()
    await window.enter("x")
    assert await window.waiting() == []
    assert await window.tasks.get(task.id) == task


@pytest.mark.parametrize(
    ("due", "zone", "is_late"),
    [
        (timedelta(days=-1), None, True),
        (timedelta(days=0), None, False),
        # Kiritimati is the first to see a day, and the last places see it 26 hours later.
        (timedelta(days=-2), "Pacific/Kiritimati", True),
        (timedelta(days=2), "Etc/GMT+12", False),
    ],
)
async def test_what_is_late_says_so(
    window: Window, due: timedelta, zone: str | None, *, is_late: bool
) -> None:
    """PG-202, TK-204."""
    day = today() + due
    await window.tasks.create("x", due=f"{day}T12:00" if zone else str(day), due_zone=zone)
    await window.page.reload()
    await expect(window.rows.locator(".due")).to_have_text(
        re.compile("^Late:") if is_late else re.compile("^(?!Late)")
    )
    # Nothing that is done is late.
    await window.rows.locator(".toggle").check()
    await expect(window.rows.locator(".late")).to_have_count(0)


async def test_the_list_is_limited_and_ordered_and_the_address_says_how(window: Window) -> None:
    """PG-203."""
    await window.tasks.create("bread", project="shop", tags=["food"], due="2030-01-02")
    await window.tasks.create("butter", project="shop", tags=["food", "cold"], due="2030-01-01")
    await window.tasks.create("screws", project="shop", priority=1)
    await window.tasks.create("breathe")
    await window.page.reload()
    await window.shows("breathe", "screws", "butter", "bread")
    await window.page.select_option("#order", "due")
    await window.shows("butter", "bread", "breathe", "screws")
    await window.page.select_option("#order", "priority")
    await window.shows("screws", "breathe", "butter", "bread")
    await window.row("bread").first.locator(".project").click()
    await window.shows("screws", "butter", "bread")
    await window.row("butter").locator(".tag", has_text="food").click()
    await window.shows("butter", "bread")
    await expect(window.page.locator(".todo-count")).to_have_text("2 items left")
    assert window.page.url.endswith("#/?project=shop&tags=food&order=priority")
    await window.page.reload()
    await window.shows("butter", "bread")

    # A new task belongs to what is shown.
    await window.add("milk")
    await window.shows("milk", "butter", "bread")
    milk = (await window.stored())[0]
    assert (milk.project, milk.tags) == ("shop", ("food",))

    await window.page.click(".chosen >> text=food")
    await window.shows("screws", "milk", "butter", "bread")
    await window.page.click(".chosen >> text=shop")
    await window.shows("screws", "milk", "breathe", "butter", "bread")
    await window.page.go_back()
    await window.shows("screws", "milk", "butter", "bread")


async def test_the_search_follows_the_typing(window: Window) -> None:
    """PG-203: as the API searches, in any case and script."""
    await window.add("Straße fegen", "準備搬家了", "Buy milk")
    await window.stored()
    search = window.page.locator(".search")
    await search.press_sequentially("STRASSE")
    await window.shows("Straße fegen")
    await search.fill("搬家")
    await window.shows("準備搬家了")
    await search.fill("nothing has this")
    await expect(window.page.locator(".empty")).to_have_text("No task matches.")
    await search.fill("")
    await window.shows("Buy milk", "準備搬家了", "Straße fegen")


async def test_what_concerns_all_concerns_what_is_shown(window: Window) -> None:
    """PG-203: nobody completes tasks that they do not see."""
    await window.tasks.create("theirs")
    await window.tasks.create("mine", project="home")
    await window.page.reload()
    await window.row("mine").locator(".project").click()
    await window.shows("mine")
    await window.page.check(".toggle-all")
    assert {task.title: task.completed for task in await window.stored()} == {
        "mine": True,
        "theirs": False,
    }
    await window.tasks.create("other", project="work")
    await window.tasks.update_many([(await window.tasks.list())[0].id], completed=True)
    await window.page.click(".clear-completed")
    await window.page.reload()
    assert [task.title for task in await window.stored()] == ["other", "theirs"]


async def test_a_deletion_can_be_undone_and_is_sent_later(window: Window) -> None:
    """PG-204."""
    await window.add("keep", "drop")
    await window.stored()
    await window.row("drop").locator(".destroy").click()
    await window.shows("keep")
    await expect(window.toast).to_contain_text("Deleted: drop")
    assert len(await window.tasks.list()) == 2
    await window.undo()
    await window.shows("drop", "keep")
    assert len(await window.stored()) == 2

    await window.row("drop").locator(".destroy").click()
    # The next action ends the time to undo the one before.
    await window.row("keep").locator(".toggle").check()
    assert [task.title for task in await window.stored()] == ["keep"]


async def test_closing_the_page_deletes_what_was_deleted(window: Window) -> None:
    """PG-204."""
    await window.add("drop")
    await window.stored()
    await window.row("drop").locator(".destroy").click()
    await window.page.reload()
    await expect(window.page.locator(".empty")).to_be_visible()
    assert len(await window.tasks.list()) == 0


async def test_changes_can_be_undone(window: Window) -> None:
    """PG-204: also after they were stored."""
    await window.add("one", "two")
    await window.edit("one", "eins")
    await window.stored()
    await window.undo()
    await window.shows("two", "one")
    await window.page.click(".filters >> text=Active")
    await window.row("one").locator(".toggle").click()
    await window.shows("two")
    await window.stored()
    await window.page.keyboard.press("z")
    await window.shows("two", "one")
    await window.page.check(".toggle-all")
    await window.stored()
    await window.undo()
    assert [(task.title, task.completed) for task in await window.stored()] == [
        ("two", False),
        ("one", False),
    ]
    await window.shows("two", "one")


async def test_a_dialog_left_without_saving_opens_again_with_what_was_typed(
    window: Window,
) -> None:
    """PG-204."""
    await window.add("x")
    await window.row("x").locator(".more").click()
    await window.page.fill("#details [name=description]", "a long thought")
    await window.page.keyboard.press("Escape")
    await expect(window.page.locator("#details")).to_be_hidden()
    await window.undo()
    await expect(window.page.locator("#details [name=description]")).to_have_value("a long thought")
    await window.page.click("#details .primary")
    assert [task.description for task in await window.stored()] == ["a long thought"]


async def test_other_people_and_programs_change_tasks_too(
    window: Window, open_window: Open
) -> None:
    """PG-206: two windows of one user, another program, and another user."""
    other = await open_window()
    twin = await open_window(window.tasks.user_id, profile=window)
    await window.add("from the first")
    await window.stored()
    await window.tasks.create("from a program")
    await twin.focus()
    await twin.shows("from a program", "from the first")
    await twin.row("from the first").locator(".toggle").check()
    await twin.stored()
    await window.focus()
    await window.shows("from a program", "from the first")
    await expect(window.row("from the first")).to_have_class(re.compile("completed"))
    await other.focus()
    await other.shows()


async def test_an_idle_or_hidden_page_asks_nothing(window: Window) -> None:
    """PG-206."""
    await window.add("x")
    await window.stored()
    asked = list[str]()
    window.page.on("request", lambda request: asked.append(request.url))
    drawn = """new Promise(resolve => {
        let times = 0;
        addEventListener('draw', () => times++);
        setTimeout(() => resolve(times), 300);
    })"""
    assert await window.page.evaluate(drawn) < 3
    await window.page.clock.install()
    await window.page.clock.fast_forward("10:00:00")
    assert asked == []
    await window.page.evaluate(
        "Object.defineProperty(document, 'hidden', {value: true, configurable: true})"
    )
    await window.focus()
    assert asked == []
    await window.page.evaluate("delete document.hidden")

    answers = list[int]()
    window.page.on("response", lambda response: answers.append(response.status))
    for _ in range(2):
        # As a browser does when its window is shown again.
        await window.page.evaluate("""
            document.dispatchEvent(new Event('visibilitychange'));
            dispatchEvent(new Event('focus'));
        """)
        await window.page.wait_for_timeout(300)
    assert answers == [200, 200, 200, 304]
    assert all("limit=" in url or url.endswith("/me") for url in asked)


@pytest.mark.thorough
async def test_many_tasks_are_loaded_as_they_are_looked_at(window: Window) -> None:
    """PG-205: few rows are in the document, wherever the list is scrolled to."""
    for start in range(0, 12_000, 3000):
        await window.tasks.create_many(
            TaskCreate(title=f"task {n}") for n in range(start, start + 3000)
        )
    asked = list[str]()
    window.page.on("request", lambda request: asked.append(request.url))
    await window.page.reload()
    await expect(window.rows.first).to_contain_text("task 11999")
    await expect(window.page.locator(".todo-count")).to_have_text("12000 items left")
    await window.page.wait_for_timeout(300)
    assert len([url for url in asked if "limit=" in url]) <= 2
    # The bar of the browser shows the whole list.
    assert await window.page.evaluate("document.documentElement.scrollHeight") > 12_000 * 40
    assert await window.rows.count() < 50
    await window.page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    await expect(window.rows.last).to_have_text(re.compile("^task 0$|task 0"))
    assert await window.rows.count() < 50
    await expect(window.rows.last).to_have_attribute("aria-posinset", "12000")
    # A change far down stays, and can be undone there.
    await window.rows.last.locator(".toggle").check()
    await expect(window.page.locator(".todo-count")).to_have_text("11999 items left")
    await window.page.check(".toggle-all")
    await expect(window.page.locator(".todo-count")).to_have_text("0 items left")
    await expect(window.toast).to_contain_text("Completed 11999 tasks")
    await window.stored(limit=1)
    assert await window.tasks.count(completed=False) == 0
