"""The page for everybody: keyboards, input methods, scripts, screen readers, colours, paper."""

import re
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import expect

from taskcore import TaskCreate
from tests.taskcore_http.page.conftest import Open
from tests.taskcore_http.page.window import Window

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "${alert(1)} {{constructor.constructor('alert(1)')()}} {title}",
    '" onfocus="alert(1)" autofocus="',
    "javascript:alert(1)",
    "</script><!--",
    "\u202eevil\u202c",
    "שלום עולם",
    "مرحبا (test) 123",
    "&amp;&lt;",
]


@pytest.mark.thorough
async def test_hostile_texts_are_shown_as_text(window: Window) -> None:
    """PG-103: wherever a text is shown. The fixture reports errors and breaches of the policy."""
    dialogs = list[str]()
    window.page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    for text in HOSTILE:
        await window.tasks.create(
            text, description=text, project=text, tags=[text.replace(",", " ")[:50]]
        )
    await window.page.reload()
    await window.shows(*reversed(HOSTILE))
    for text in HOSTILE:
        row = window.rows.filter(has=window.page.get_by_text(text, exact=True)).first
        await row.locator(".project").click()
        await expect(window.page.locator(".chosen")).to_contain_text(text)
        # The list of before is shown until the answer comes.
        await expect(window.rows).to_have_count(1)
        await window.rows.locator(".more").click()
        await expect(window.page.locator("#details [name=title]")).to_have_value(text)
        await window.page.keyboard.press("Escape")
        await window.rows.locator(".destroy").click()
        await expect(window.toast).to_contain_text(text)
        await window.undo()
        await window.page.click(".chosen button")
    assert dialogs == []
    assert await window.page.locator("script").count() == 2


async def test_texts_keep_their_direction(window: Window) -> None:
    """PG-503."""
    await window.tasks.create("שלום", project="עבודה", tags=["בית"])
    await window.tasks.create("hello")
    await window.page.reload()
    direction = "element => getComputedStyle(element).direction"
    isolation = "element => getComputedStyle(element).unicodeBidi"
    assert await window.row("שלום").locator("label").evaluate(direction) == "rtl"
    assert await window.row("hello").locator("label").evaluate(direction) == "ltr"
    for selector in ("label", ".project bdi", ".tag bdi"):
        assert await window.row("שלום").locator(selector).evaluate(isolation) == "isolate"


async def test_the_enter_that_ends_a_composition_does_nothing_else(window: Window) -> None:
    """PG-502: as Safari sends it, after the end of the composition, with the key code 229."""
    session = await window.page.context.new_cdp_session(window.page)

    async def enter(**more: Any) -> None:
        for kind in ("keyDown", "keyUp"):
            await session.send(
                "Input.dispatchKeyEvent",
                {"type": kind, "key": "Enter", "code": "Enter", "text": "\r", **more},
            )

    await window.new.focus()
    await session.send(
        "Input.imeSetComposition", {"text": "にほん", "selectionStart": 3, "selectionEnd": 3}
    )
    await session.send("Input.insertText", {"text": "日本"})
    await enter(windowsVirtualKeyCode=229)
    await expect(window.new).to_have_value("日本")
    await enter(windowsVirtualKeyCode=13)
    await window.shows("日本")
    await window.row("日本").locator("label").dblclick()
    await enter(windowsVirtualKeyCode=229)
    await expect(window.page.locator(".edit")).to_be_visible()


async def test_everything_can_be_done_with_the_keyboard(window: Window) -> None:
    """PG-501."""
    page, press = window.page, window.page.keyboard.press
    for title in ("three", "two", "one"):
        await page.keyboard.type(title)
        await press("Enter")
    await window.stored()
    await press("ArrowDown")
    await expect(window.row("one").locator(".toggle")).to_be_focused()
    await press("j")
    await press("Space")
    await expect(window.row("two")).to_have_class(re.compile("completed"))
    await press("ArrowDown")
    await press("Enter")
    await press("End")
    await page.keyboard.type("!")
    await press("Enter")
    await window.shows("one", "two", "three!")
    await expect(window.row("three!").locator(".toggle")).to_be_focused()
    await press("e")
    await press("Control+a")
    await page.keyboard.type("drei")
    await press("Control+Enter")
    await window.shows("one", "two", "drei")
    await press("k")
    await press("k")
    await press("Delete")
    await window.shows("two", "drei")
    await expect(window.row("two").locator(".toggle")).to_be_focused()
    await press("Control+z")
    await window.shows("one", "two", "drei")
    for key, shown in (("2", ["one", "drei"]), ("3", ["two"]), ("1", ["one", "two", "drei"])):
        await press(key)
        await window.shows(*shown)
    await press("/")
    await page.keyboard.type("dr")
    await window.shows("drei")
    await press("ArrowDown")
    # From the only row that Tab reaches, the next controls follow.
    for name in (".more", ".destroy"):
        await press("Tab")
        await expect(window.row("drei").locator(name)).to_be_focused()
    await press("Tab")
    await expect(page.locator(".filters a").first).to_be_focused()
    await press("n")
    await expect(window.new).to_be_focused()
    await page.keyboard.type("n?/1")
    await expect(window.new).to_have_value("n?/1")


async def test_the_focus_goes_to_the_next_row_when_one_goes(window: Window) -> None:
    """PG-501: whatever takes the row away."""
    await window.add("four", "three", "two", "one", "done")
    await window.row("done").locator(".toggle").check()
    await window.stored()
    await window.page.click(".filters >> text=Active")
    await window.shows("one", "two", "three", "four")
    press = window.page.keyboard.press
    await window.row("two").locator(".toggle").focus()
    await press("Space")
    await expect(window.row("three").locator(".toggle")).to_be_focused()
    for key in ("Enter", "Control+a", "Backspace", "Enter"):
        await press(key)
    await expect(window.row("four").locator(".toggle")).to_be_focused()
    await press("Delete")
    await expect(window.row("one").locator(".toggle")).to_be_focused()


async def test_single_keys_can_be_switched_off(window: Window) -> None:
    """PG-501."""
    await window.add("x")
    await window.row("x").locator(".toggle").focus()
    await window.page.keyboard.press("?")
    await expect(window.page.locator("#help")).to_be_visible()
    await window.page.uncheck("#single-keys")
    await window.page.keyboard.press("Escape")
    await window.row("x").locator(".toggle").focus()
    for key in ("n", "?", "e", "1"):
        await window.page.keyboard.press(key)
    await expect(window.row("x").locator(".toggle")).to_be_focused()
    await expect(window.page.locator("dialog[open]")).to_have_count(0)
    await window.page.reload()
    await window.page.click("#help-button")
    await expect(window.page.locator("#single-keys")).not_to_be_checked()


async def filled(window: Window) -> None:
    await window.tasks.create(
        "Buy groceries", due="2020-01-01", priority=1, project="home", tags=["shop", "food"]
    )
    await window.tasks.create("Write the report", due="2099-01-01T17:00", description="soon")
    (done, *_) = await window.tasks.list()
    await window.tasks.update(done.id, completed=True)
    await window.page.reload()
    await expect(window.rows).to_have_count(2)


WIDTHS = (320, 768, 1440, 1920)


@pytest.mark.thorough
@pytest.mark.parametrize(("scheme", "width"), [("light", 320), ("dark", 1440)])
async def test_axe_finds_no_violation_in_any_view(
    open_window: Open, scheme: str, width: int
) -> None:
    """PG-504."""
    window = await open_window(
        color_scheme=scheme,
        viewport={"width": width, "height": 800},
        # axe brings its script as a text.
        bypass_csp=True,
    )
    page = window.page

    async def check(view: str) -> None:
        found = await Axe().run(page)
        assert found.violations_count == 0, f"{view}: {found.generate_report()}"
        for other in (*WIDTHS, width):
            await page.set_viewport_size({"width": other, "height": 800})
            overflow = "document.documentElement.scrollWidth - innerWidth"
            assert await page.evaluate(overflow) <= 0, f"{view} is too wide for {other}"

    await check("no tasks")
    await filled(window)
    await check("tasks")
    await window.row("Buy groceries").locator(".tag").first.click()
    await expect(window.rows).to_have_count(1)
    await check("chosen")
    await window.row("Buy groceries").locator("label").dblclick()
    await check("editing")
    await page.keyboard.press("Escape")
    await window.row("Buy groceries").locator(".more").click()
    await check("details")
    await page.keyboard.press("Escape")
    await page.click("#help-button")
    await check("help")
    await page.keyboard.press("Escape")
    (task, *_) = await window.tasks.list(project="home")
    await window.tasks.update(task.id, title="Buy bread")
    await window.edit("Buy groceries", "Buy milk")
    await expect(window.problems).to_have_count(1)
    await check("conflict")
    for token in await window.tasks.tokens.list():
        await window.tasks.tokens.revoke(token.id)
    await window.add("x")
    await expect(window.status).to_contain_text("not signed in")
    await check("signed out")


async def test_the_list_is_printed_whole(window: Window) -> None:
    """PG-504: the tasks that are loaded, and no buttons."""
    await window.tasks.create_many(TaskCreate(title=f"task {n}") for n in range(50))
    await window.page.reload()
    await expect(window.rows.first).to_be_visible()
    assert await window.rows.count() < 50
    await window.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    await window.page.emulate_media(media="print")
    await expect(window.rows).to_have_count(50)
    for selector in (".new-todo", ".search", ".destroy >> nth=0", ".filters"):
        await expect(window.page.locator(selector)).to_be_hidden()
    heights = await window.rows.evaluate_all("rows => rows.map(row => row.offsetTop)")
    assert heights == sorted(set(heights))
    await window.page.emulate_media(media="screen")
    await window.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert await window.rows.count() < 50


async def test_motion_is_left_out_where_that_is_asked_for(open_window: Open) -> None:
    """PG-504."""
    window = await open_window(reduced_motion="reduce")
    await window.add("x")
    await window.row("x").locator(".toggle").check()
    name = await window.toast.evaluate("element => getComputedStyle(element).animationName")
    assert name == "none"
