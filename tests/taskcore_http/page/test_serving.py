"""The routes and headers of the page, its texts, and applications that mount it."""

import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException, Request
from playwright.async_api import Browser, expect
from starlette.responses import RedirectResponse

from taskcore import ConfigurationError, TaskStore, UserTasks
from taskcore_http import Bearer, UserId, create_app, create_page, create_router
from tests.taskcore_http.client import client_of
from tests.taskcore_http.page.conftest import Site
from tests.taskcore_http.page.window import COMPLAIN
from tests.taskcore_http.server import serving

PAGE = Path(str(resources.files("taskcore_http.page")))
BUDGET = 40 * 1024  # bytes of script and style, before compression


def texts() -> dict[str, Any]:
    return dict(json.loads((PAGE / "texts" / "en.json").read_text("utf-8")))


async def of_path(user_id: UserId) -> UserTasks:
    """An identity that compares the caller with the path, and so has no paths below /me."""
    raise HTTPException(404, str(user_id))


async def test_the_page_is_served_to_callers_with_an_identity(store: TaskStore) -> None:
    """PG-101: without one, nobody is signed in, and the page of the document is there."""
    for app, is_page in (
        (create_app(store=store), False),
        (create_app(store=store, identity=Bearer(sessions=True)), True),
        (create_app(store=store, identity=of_path), False),
    ):
        async with client_of(app) as client:
            assert ("todo-list" in (await client.get("/")).text) is is_page
            assert "swagger" in (await client.get("/docs")).text
            assert (await client.head("/")).status_code == 200


async def test_headers(store: TaskStore) -> None:
    """PG-102, PG-103, PG-104."""
    async with client_of(create_app(store=store, identity=Bearer(sessions=True))) as client:
        page = await client.get("/")
        policy = page.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; ")
        assert "unsafe" not in policy
        assert "require-trusted-types-for 'script'; trusted-types 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert page.headers["cache-control"] == "no-cache"
        files = set(re.findall(r'(?:src|href)="(page/[^"]+)"', page.text))
        names = {path.name for path in (PAGE / "assets").iterdir()}
        # Every file is named, so that none is found late.
        assert {path.split("/")[-1] for path in files} == names
        size = 0
        for path in files:
            answer = await client.get(f"/{path}")
            assert answer.status_code == 200
            assert "immutable" in answer.headers["cache-control"]
            assert (await client.head(f"/{path}")).status_code == 200
            size += 0 if path.endswith(".svg") else len(answer.content)
        assert 0.9 * BUDGET < size <= BUDGET
        assert (await client.get("/page/old/app.js")).status_code == 404


def test_every_text_is_used_and_every_used_text_is_there() -> None:
    """PG-105."""
    scripts = "".join(path.read_text("utf-8") for path in sorted((PAGE / "assets").glob("*.js")))
    page = (PAGE / "index.html").read_text("utf-8")
    built = ("field_", "problem_", "priority_", "unreachable", "signed_out")
    for name in texts():
        used = f"${name}" in page or re.search(rf"\b{name}\b", scripts)
        assert used or name.startswith(built), name


async def test_a_host_mounts_the_page_beside_its_own_api(site: Site, browser: Browser) -> None:
    """PG-101, PG-402: with its own identity, sign-in page and language; PG-105."""
    translated = {
        name: f"«{text}»" if isinstance(text, str) else {form: f"«{t}»" for form, t in text.items()}
        for name, text in texts().items()
    }
    host = FastAPI()

    async def identity(request: Request) -> UserTasks:
        user = request.cookies.get("user")
        if user is None:
            # As a login in front does.
            raise HTTPException(302, headers={"Location": "https://login.example.org/"})
        return site.store.for_identity("https://issuer.example", user)

    host.include_router(create_router(site.store, identity=identity), prefix="/api")
    host.mount(
        "/tasks",
        create_page(
            api="/api",
            sign_in="/login",
            sign_out="/logout",
            texts=translated,
            language="ar",
            direction="rtl",
        ),
    )

    @host.get("/login")
    async def login() -> RedirectResponse:
        response = RedirectResponse("/tasks/")
        response.set_cookie("user", "4711")
        return response

    @host.get("/logout")
    async def logout() -> str:
        return "signed out"

    context = await browser.new_context(viewport={"width": 320, "height": 700})
    await context.add_init_script(COMPLAIN)
    page = await context.new_page()
    complaints = list[str]()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    async with serving(host) as server:
        await page.goto(f"{server.url}/tasks/")
        await expect(page.locator(".status")).to_contain_text("«You are not signed in.»")
        await page.click(".status a")
        # The user gets an id with the first task. From then on, what is done is kept for them.
        await expect(page.locator(".empty")).to_contain_text("«No tasks yet.")
        await expect(page.locator("#user")).to_have_text("")
        await page.fill(".new-todo", "مهمة")
        await page.press(".new-todo", "Enter")
        await expect(page.locator(".todo-list label")).to_have_text(["مهمة"])
        await expect(page.locator("#user")).to_have_text(re.compile(r"«User \d{16}»"))
        await page.route("**/api/users/**", lambda route: route.abort())
        await page.fill(".new-todo", "أخرى")
        await page.press(".new-todo", "Enter")
        await expect(page.locator(".status")).to_contain_text("«One change is kept in this browser")
        await page.reload()
        await expect(page.locator(".todo-list label")).to_have_text(["أخرى", "مهمة"])
        await page.unroute("**/api/users/**")
        assert await page.evaluate("getComputedStyle(document.body).direction") == "rtl"
        await page.check(".toggle")
        await page.click("#help-button")
        # Every text that is shown is a translated one, or what the user has typed.
        shown = await page.evaluate("""() => {
            const texts = [];
            const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
            while (walker.nextNode()) {
                const parent = walker.currentNode.parentElement;
                if (!parent.closest('script, template, kbd, .todo-list label')) {
                    texts.push(walker.currentNode.data.trim());
                }
            }
            for (const element of document.querySelectorAll('*')) {
                for (const name of ['title', 'placeholder', 'aria-label']) {
                    texts.push(element.getAttribute(name) ?? '');
                }
            }
            return texts.filter(text => /[A-Za-z]{2}/.test(text));
        }""")
        assert [text for text in shown if "«" not in text and "»" not in text] == []
        await page.keyboard.press("Escape")
        await page.click("#sign-out")
        await page.wait_for_url("**/logout")
        assert complaints == []
    await context.close()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"api": "https://example.org"}, "api"),
        ({"api": "api"}, "api"),
        ({"api": "//example.org"}, "api"),
        ({"api": "/api", "sign_in": "javascript:alert(1)"}, "sign_in"),
        ({"api": "/api", "sign_out": "logout"}, "sign_out"),
        ({"api": "/api", "texts": {"titel": "x"}}, "titel"),
    ],
)
def test_wrong_arguments_are_named(options: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        create_page(**options)


async def test_texts_cannot_break_the_document() -> None:
    page = create_page(api='/"><script>', texts={"title": "</title><script>", "undo": "</script>"})
    host = FastAPI()
    host.mount("/tasks", page)
    async with client_of(host) as client:
        text = (await client.get("/tasks/")).text
        assert text.count("<script") == text.count("</script>") == 2
