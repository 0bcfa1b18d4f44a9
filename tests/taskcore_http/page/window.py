"""A browser window in which somebody is signed in, and what people do in it."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from playwright.async_api import Locator, Page, expect

from taskcore import Task, UserTasks

COMPLAIN = """
addEventListener('securitypolicyviolation',
                 event => console.error('policy', event.violatedDirective, event.sourceFile));
"""


@dataclass
class Window:
    """A window with the page.

    Attributes:
        page: The browser's page.
        tasks: The tasks of the user who is signed in, in the library.
    """

    page: Page
    tasks: UserTasks

    @property
    def rows(self) -> Locator:
        return self.page.locator(".todo-list li")

    @property
    def new(self) -> Locator:
        return self.page.locator(".new-todo")

    @property
    def toast(self) -> Locator:
        return self.page.locator(".toast")

    @property
    def status(self) -> Locator:
        return self.page.locator(".status")

    @property
    def problems(self) -> Locator:
        return self.page.locator(".problems article")

    def row(self, title: str) -> Locator:
        return self.rows.filter(has=self.page.locator("label", has_text=title))

    async def add(self, *titles: str) -> None:
        for title in titles:
            await self.new.fill(title)
            await self.new.press("Enter")

    async def shows(self, *titles: str) -> None:
        """Wait until these are the titles, from the first row on."""
        await expect(self.rows.locator("label")).to_have_text(list(titles))

    async def edit(self, title: str, new: str, key: str = "Enter") -> None:
        await self.row(title).locator("label").dblclick()
        await self.page.locator(".edit").fill(new)
        await self.page.locator(".edit").press(key)

    async def enter(self, title: str, **fields: str) -> None:
        """Fill fields of a task's details, and save."""
        await self.row(title).locator(".more").click()
        for name, value in fields.items():
            field = self.page.locator(f"#details [name={name}]")
            if name == "priority":
                await field.select_option(value)
            else:
                await field.fill(value)
        await self.page.click("#details .primary")

    async def undo(self) -> None:
        await self.toast.locator("button").click()

    async def focus(self) -> None:
        """Look at the window again."""
        await self.page.evaluate("dispatchEvent(new Event('focus'))")

    async def waiting(self) -> list[dict[str, Any]]:
        """The entries of the outbox in the browser's storage."""
        # The effects of the last click come before a new task of the event loop.
        await self.page.evaluate("new Promise(resolve => setTimeout(resolve))")
        names = await self.page.evaluate("Object.entries(localStorage)")
        return [json.loads(value) for name, value in names if name.startswith("taskcore . ")]

    async def stored(self, **options: Any) -> list[Task]:
        """Return the tasks in the database, once the outbox is empty."""
        # Not `wait_for_function`, which the policy forbids: it evaluates a text.
        async with asyncio.timeout(10):
            while await self.waiting():
                await self.page.wait_for_timeout(20)
        return list((await self.tasks.list(**options)).items)
