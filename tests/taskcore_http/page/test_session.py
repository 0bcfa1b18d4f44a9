"""ID-910: a link signs a browser in, and the page signs it out."""

from playwright.async_api import Page, Route, expect

from tests.taskcore_http.page.conftest import Open, Site
from tests.taskcore_http.page.window import Window


async def use_link(site: Site, page: Page, user: int) -> None:
    """Open a link in a window, which may show the page already."""
    await page.goto(await site.link(user))


async def test_a_link_signs_in_and_leaves_the_address(site: Site, window: Window) -> None:
    """PG-401: a link that was used, and a profile without one, sign nobody in."""
    assert window.page.url.split("#")[0] == f"{site.server.url}/"
    assert "sign-in" not in window.page.url
    link = await site.link(window.tasks.user_id or 0)
    browser = window.page.context.browser
    assert browser is not None
    other = await browser.new_page()
    status = other.locator(".status")
    await other.goto(site.server.url)
    await expect(status).to_contain_text("You are not signed in. Open a sign-in link.")
    # A task would be nobody's, and lost.
    await expect(other.locator(".new-todo")).to_be_hidden()
    await other.goto(link)
    await expect(other.locator("#user")).to_have_text(f"User {window.tasks.user_id}")
    third = await browser.new_page()
    await third.goto(link)
    await expect(third.locator(".status")).to_contain_text("The link did not sign you in: the link")
    await expect(third.locator("#user")).to_have_text("")
    for page in (other, third):
        await page.context.close()


async def test_signing_out_leaves_nothing(window: Window) -> None:
    await window.add("secret")
    await window.stored()
    await window.page.click("#sign-out")
    await expect(window.status).to_contain_text("You are not signed in.")
    assert "secret" not in await window.page.content()
    await expect(window.page.locator("#sign-out")).to_be_hidden()
    assert await window.tasks.tokens.list() == ()
    await window.page.go_back()
    assert "secret" not in await window.page.content()


async def test_a_page_that_cannot_sign_out_says_so(window: Window) -> None:
    error = {"code": "UNAVAILABLE", "message": "not now"}

    async def refuse(route: Route) -> None:
        await route.fulfill(status=503, json={"error": error})

    async def break_off(route: Route) -> None:
        await route.abort()

    for answer, text in ((refuse, "not now"), (break_off, "the server does not answer")):
        await window.page.route("**/session", answer)
        await window.page.click("#sign-out")
        await expect(window.status).to_have_text(f"You may still be signed in: {text}")
        await window.page.unroute("**/session")
    await window.page.click("#sign-out")
    await expect(window.status).to_contain_text("You are not signed in.")


async def test_a_link_asks_whoever_is_signed_in(
    site: Site, window: Window, open_window: Open
) -> None:
    """The link can be of somebody who wants to see what another one writes."""
    page, user = window.page, window.tasks.user_id or 0
    other = (await open_window()).tasks
    for answer, signed_in in (("no", user), ("yes", other.user_id)):
        await use_link(site, page, other.user_id or 0)
        await expect(page.locator("#question-text")).to_contain_text(f"as user {user}.")
        await page.click(f"#question button[value={answer}]")
        await expect(page.locator("#user")).to_have_text(f"User {signed_in}")
    # The session of before has ended.
    assert await window.tasks.tokens.list() == ()
    # Leaving the question with Escape is a no.
    await use_link(site, page, user)
    await expect(page.locator("#question")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("#question")).to_be_hidden()
    await expect(page.locator("#user")).to_have_text(f"User {other.user_id}")
