"""One browser and one server for all tests of the page. Each test has a user of its own."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, async_playwright

from taskcore import Settings, TaskStore
from taskcore_http import Bearer, create_app
from tests.databases import Database
from tests.taskcore_http.chromium import ARGUMENTS, CHROMIUM
from tests.taskcore_http.page.window import COMPLAIN, Window
from tests.taskcore_http.server import Server, serving

_users = itertools.count(1)


@dataclass(frozen=True)
class Site:
    """The page, and the store behind it."""

    server: Server
    store: TaskStore

    async def link(self, user: int) -> str:
        """The address that signs a browser in."""
        link = await self.store.sessions.create_link(user)
        return f"{self.server.url}/#sign-in={link.get_secret_value()}"


@pytest.fixture(scope="package")
async def browser() -> AsyncIterator[Browser]:
    """A browser that finds no other host."""
    if CHROMIUM is None:
        pytest.skip("needs chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest.fixture(scope="package")
async def site(shared_database: Database) -> AsyncIterator[Site]:
    async with TaskStore(shared_database.url, settings=Settings()) as store:
        app = create_app(store=store, identity=Bearer(api_tokens=True, sessions=True))
        async with serving(app) as server:
            yield Site(server, store)


Open = Callable[..., Awaitable[Window]]


@pytest.fixture
async def open_window(browser: Browser, site: Site) -> AsyncIterator[Open]:
    """Open a window of a user in a browser profile of its own.

    PG-102, PG-103: at the end of the test, no window may have broken the policy, met an error in a
    script, or asked another host.
    """
    complaints = list[str]()
    contexts = list[BrowserContext]()

    async def open_window(
        user: int | None = None, *, site: Site = site, profile: Window | None = None, **options: Any
    ) -> Window:
        user = user or next(_users)
        if profile is None:
            context = await browser.new_context(**options)
            contexts.append(context)
            context.set_default_timeout(10_000)
            await context.add_init_script(COMPLAIN)
        else:
            context = profile.page.context
        page = await context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda message: (
                complaints.append(message.text) if message.text.startswith("policy") else None
            ),
        )
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith(site.server.url)
                else complaints.append(f"asked {request.url}")
            ),
        )
        await page.goto(await site.link(user) if profile is None else site.server.url)
        await page.wait_for_selector("#user:not(:empty)")
        return Window(page, site.store.for_user(user))

    yield open_window
    for context in contexts:
        await context.close()
    assert complaints == []


@pytest.fixture
async def window(open_window: Open) -> Window:
    """A window of a user without tasks."""
    return await open_window()
