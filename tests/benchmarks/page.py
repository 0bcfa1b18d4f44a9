"""The page in Chromium, beside TodoMVC's reference implementation without a framework.

The peer keeps its tasks in the browser's storage and asks no server, so it has no way to be slower
at loading. It is taken from npm: https://www.npmjs.com/package/todomvc
"""

import asyncio
import json
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext, CDPSession, Page, async_playwright
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from taskcore import TaskCreate, TaskStore
from taskcore_http import Bearer, create_app
from tests.benchmarks.figures import Bar, Results
from tests.benchmarks.plan import Plan
from tests.benchmarks.server import APPLICATION, Server
from tests.taskcore_http.chromium import ARGUMENTS, CHROMIUM
from tests.taskcore_http.server import serving

_PACKAGE = "todomvc@0.1.1"
_OURS, _PEER = "ours", "TodoMVC"
_FEW, _MANY = 50, 10_000
_MANY_WHEN_QUICK = 500
_PAINT = "from opening the page to its tasks on the screen, ms"
_SCRIPT = "script until all tasks are loaded, ms"
_ENTER = "from Enter to the task on the screen, ms"

_WATCH = """
// Note when the first task is on the screen, and when the one that is added is.
const onScreen = name =>
    requestAnimationFrame(() => setTimeout(() => window[name] ??= performance.now()));
addEventListener('keydown', () => window.pressed = performance.now(), true);
document.addEventListener('DOMContentLoaded', () => {
    new MutationObserver(changes => {
        const nodes = changes.flatMap(({ addedNodes }) => [...addedNodes]);
        const texts = nodes.map(node => node.textContent);
        if (texts.some(text => text.includes('task '))) {
            onScreen('first');
        }
        if (texts.some(text => text.includes('one more'))) {
            onScreen('added');
        }
    }).observe(document.body, { childList: true, subtree: true });
});
"""


async def measure(server: Server, plan: Plan) -> Results:
    """Load few and many tasks, and add one, in turns."""
    results = Results()
    many = _MANY_WHEN_QUICK if plan.quick else _MANY
    with tempfile.TemporaryDirectory() as folder:
        peer = _peer(Path(folder))
        async with (
            TaskStore(server.url(APPLICATION)) as store,
            serving(create_app(store=store, identity=Bearer(sessions=True))) as ours,
            serving(
                Starlette(routes=[Mount("/", StaticFiles(directory=peer, html=True))])
            ) as other,
            async_playwright() as playwright,
        ):
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            addresses = {_OURS: ours.url, _PEER: other.url}
            for count in (_FEW, many):
                user = 700_000 + count
                await store.for_user(user).create_many(
                    TaskCreate(title=f"task {n}") for n in range(count)
                )
                state = {
                    _OURS: await _signed_in(browser, store, ours.url, user),
                    _PEER: await _stored(browser, other.url, count),
                }
                for turn in range(-1, plan.rounds):
                    for name, address in addresses.items():
                        figures = await _visit(browser, state[name], address, name, count)
                        # The peer's storage is fresh in each visit.
                        added = await store.for_user(user).list(search="one more")
                        await store.for_user(user).delete_many([task.id for task in added])
                        if turn >= 0:
                            for panel, value in figures.items():
                                results.add(panel, f"{count:,} tasks", name, value)
            await browser.close()
    for panel in (_PAINT, _ENTER, _SCRIPT):
        for count in (_FEW, many):
            case = f"{count:,} tasks"
            ratio = results.ratio(panel, case, _OURS, _PEER)
            results.bars.append(Bar(f"{panel}, {case}: ours / TodoMVC", ratio))
    return results


def _peer(folder: Path) -> Path:
    """Fetch the peer from npm."""
    subprocess.run(
        ["npm", "pack", "--silent", _PACKAGE], cwd=folder, check=True, stdout=subprocess.DEVNULL
    )
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        archive.extractall(folder, filter="data")
    return folder / "package" / "examples" / "vanillajs"


async def _signed_in(browser: Browser, store: TaskStore, url: str, user: int) -> Any:
    """Sign in, and return the browser's state."""
    context = await browser.new_context()
    page = await context.new_page()
    link = await store.sessions.create_link(user)
    await page.goto(f"{url}/#sign-in={link.get_secret_value()}")
    await page.wait_for_selector("#user:not(:empty)")
    return await _state_of(context)


async def _stored(browser: Browser, url: str, count: int) -> Any:
    """Put the tasks into the peer's storage, and return the browser's state."""
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(url)
    todos = [{"id": n, "title": f"task {n}", "completed": False} for n in range(count)]
    await page.evaluate(
        "data => localStorage.setItem('todos-vanillajs', data)", json.dumps({"todos": todos})
    )
    return await _state_of(context)


async def _state_of(context: BrowserContext) -> Any:
    state = await context.storage_state()
    await context.close()
    return state


async def _visit(browser: Browser, state: Any, url: str, name: str, count: int) -> dict[str, float]:
    """Open the page in a new profile with nothing cached, look at all tasks, and add one."""
    context = await browser.new_context(storage_state=state)
    await context.add_init_script(_WATCH)
    page = await context.new_page()
    session = await context.new_cdp_session(page)
    await session.send("Performance.enable")
    await page.goto(url)
    painted = await _noted(page, "first")
    if name == _OURS:
        # The tasks are loaded as they are looked at. The page knows by now how many there are.
        await page.locator(".todo-count", has_text=str(count)).wait_for()
        await page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
        await page.locator(f".todo-list li[aria-posinset='{count}']").wait_for()
        await page.evaluate("scrollTo(0, 0)")
        await page.locator(".todo-list li[aria-posinset='1']").wait_for()
        await page.wait_for_timeout(100)
    script = await _script(session)
    nodes = await page.evaluate("document.querySelectorAll('*').length")
    field = page.locator(".new-todo, #new-todo")
    await field.fill("one more")
    await field.press("Enter")
    added = await _noted(page, "added")
    pressed = await _noted(page, "pressed")
    await context.close()
    return {
        _PAINT: painted,
        _SCRIPT: script,
        _ENTER: added - pressed,
        "elements in the document": nodes,
    }


async def _noted(page: Page, name: str) -> float:
    """Return a time that the page has noted, in ms since it was opened."""
    async with asyncio.timeout(60):
        while (value := await page.evaluate(f"window.{name}")) is None:
            await page.wait_for_timeout(5)
    return float(value)


async def _script(session: CDPSession) -> float:
    metrics = (await session.send("Performance.getMetrics"))["metrics"]
    return 1000 * next(float(m["value"]) for m in metrics if m["name"] == "ScriptDuration")
