"""The page of the OpenAPI document, in a browser without the internet."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI
from playwright.async_api import Page, async_playwright

from taskcore import TaskStore
from taskcore_http import Bearer, create_app
from tests.taskcore_http.chromium import ARGUMENTS, CHROMIUM
from tests.taskcore_http.client import client_of
from tests.taskcore_http.server import Server, serving


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """A page of a browser that finds no other host, and reports what a policy forbids."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = await browser.new_page()
        await page.add_init_script(
            "addEventListener('securitypolicyviolation', e => console.error(e.violatedDirective))"
        )
        yield page
        await browser.close()


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
@pytest.mark.parametrize("path", ["/docs", "/"])
async def test_the_page_needs_no_other_host(
    served: Server, store: TaskStore, page: Page, path: str
) -> None:
    """SC-007; and a request that is tried out from it is answered."""
    asked, complaints = list[str](), list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))

    await page.goto(f"{served.url}{path}")
    await page.click("#operations-tasks-create_task")
    await page.click("text=Try it out")
    await page.fill("input[placeholder=user_id]", "42")
    await page.click("text=Execute")
    await page.wait_for_selector(".live-responses-table")

    assert [task.title for task in await store.for_user(42).list()] == ["Buy groceries"]
    assert {url.split("/")[2] for url in asked if not url.startswith("data:")} == {
        f"127.0.0.1:{served.port}"
    }
    assert complaints == []


async def test_the_page_and_what_it_loads_are_served(client: httpx2.AsyncClient) -> None:
    for path in ("/", "/docs"):
        page = await client.get(path)
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "start.js", "favicon.png"):
        assert (await client.get(f"/docs/assets/{name}")).status_code == 200
    for path in ("/redoc", "/docs/", "/docs/assets/missing.js", "/docs/assets/..%2froutes.py"):
        assert (await client.get(path)).json()["error"]["message"] == "no such path"


async def test_a_mounted_application_shows_its_page_too(store: TaskStore) -> None:
    host = FastAPI(docs_url=None)
    host.mount("/api", create_app(store=store))
    async with client_of(host) as client:
        page = await client.get("/api/docs")
        assert 'src="docs/assets/start.js"' in page.text
        assert (await client.get("/api/docs/assets/start.js")).status_code == 200
        assert (await client.get("/api/openapi.json")).status_code == 200


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
async def test_the_page_shows_who_is_signed_in(store: TaskStore, page: Page) -> None:
    """ID-910: and leads to the page that signs in and out."""
    link = (await store.sessions.create_link(42)).get_secret_value()
    app = create_app(store=store, identity=Bearer(api_tokens=True, sessions=True))
    async with serving(app) as server:
        await page.goto(f"{server.url}/docs")
        await page.wait_for_selector("text=You are not signed in.")
        await page.goto(f"{server.url}/#sign-in={link}")
        await page.wait_for_selector("text=User 42")
        await page.goto(f"{server.url}/docs")
        await page.wait_for_selector("text=You are signed in as user 42.")
        await page.click("#operations-me-create_my_task")
        await page.click("text=Try it out")
        await page.click("text=Execute")
        await page.wait_for_selector(".live-responses-table")
        assert [task.title for task in await store.for_user(42).list()] == ["Buy groceries"]
        await page.click("text=Your tasks")
        await page.wait_for_selector(".todo-list label:text('Buy groceries')")
