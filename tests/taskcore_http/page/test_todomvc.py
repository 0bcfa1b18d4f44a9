"""PG-201: the suite of TodoMVC, behaviour by behaviour, with new tasks first.

https://github.com/tastejs/todomvc/blob/master/cypress/e2e/spec.cy.js
"""

import re

import pytest
from playwright.async_api import expect

from tests.taskcore_http.page.window import Window

pytestmark = pytest.mark.thorough

ONE, TWO, THREE = "buy some cheese", "feed the cat", "book a doctors appointment"


@pytest.fixture
async def three(window: Window) -> Window:
    await window.add(THREE, TWO, ONE)
    await window.shows(ONE, TWO, THREE)
    return window


class TestWhenThePageIsOpened:
    async def test_the_field_for_a_new_task_has_the_focus(self, window: Window) -> None:
        await expect(window.new).to_be_focused()


class TestNoTasks:
    async def test_main_and_footer_are_hidden(self, window: Window) -> None:
        await expect(window.rows).to_have_count(0)
        await expect(window.page.locator(".main")).to_be_hidden()
        await expect(window.page.locator(".footer")).to_be_hidden()


class TestNewTask:
    async def test_tasks_can_be_added(self, window: Window) -> None:
        await window.add(ONE)
        await window.shows(ONE)
        await window.add(TWO)
        await window.shows(TWO, ONE)

    async def test_the_field_is_cleared(self, window: Window) -> None:
        await window.add(ONE)
        await expect(window.new).to_have_value("")

    async def test_new_tasks_are_added_at_one_end(self, three: Window) -> None:
        await expect(three.page.locator(".todo-count")).to_have_text("3 items left")
        await expect(three.page.locator(".todo-count strong")).to_have_text("3")

    async def test_text_is_trimmed(self, window: Window) -> None:
        await window.add(f"    {ONE}    ")
        await expect(window.rows.locator("label")).to_have_text(re.compile(f"^{ONE}$"))

    async def test_blank_text_adds_nothing(self, window: Window) -> None:
        await window.add("   ")
        await window.add(ONE)
        await window.shows(ONE)

    async def test_main_and_footer_are_shown(self, window: Window) -> None:
        await window.add(ONE)
        await expect(window.page.locator(".main")).to_be_visible()
        await expect(window.page.locator(".footer")).to_be_visible()


class TestMarkAllAsCompleted:
    async def test_all_can_be_marked(self, three: Window) -> None:
        await three.page.check(".toggle-all")
        await expect(three.page.locator(".todo-list li.completed")).to_have_count(3)
        assert all(task.completed for task in await three.stored())

    async def test_all_can_be_unmarked(self, three: Window) -> None:
        await three.page.check(".toggle-all")
        await three.page.uncheck(".toggle-all")
        await expect(three.page.locator(".todo-list li.completed")).to_have_count(0)
        assert not any(task.completed for task in await three.stored())

    async def test_the_box_follows_the_tasks(self, three: Window) -> None:
        box = three.page.locator(".toggle-all")
        await box.check()
        await expect(box).to_be_checked()
        await three.row(ONE).locator(".toggle").uncheck()
        await expect(box).not_to_be_checked()
        await three.row(ONE).locator(".toggle").check()
        await expect(box).to_be_checked()


class TestItem:
    async def test_items_can_be_completed_and_reopened(self, three: Window) -> None:
        await three.row(ONE).locator(".toggle").check()
        await expect(three.row(ONE)).to_have_class(re.compile("completed"))
        await expect(three.row(TWO)).not_to_have_class(re.compile("completed"))
        await three.row(ONE).locator(".toggle").uncheck()
        await expect(three.row(ONE)).not_to_have_class(re.compile("completed"))

    async def test_an_item_can_be_edited(self, three: Window) -> None:
        await three.row(TWO).locator("label").dblclick()
        await expect(three.page.locator(".edit")).to_have_value(TWO)
        await three.page.locator(".edit").fill("buy some sausages")
        await three.page.locator(".edit").press("Enter")
        await three.shows(ONE, "buy some sausages", THREE)


class TestEditing:
    async def test_other_controls_are_hidden(self, three: Window) -> None:
        await three.row(TWO).locator("label").dblclick()
        editing = three.rows.nth(1)
        await expect(editing.locator(".toggle")).to_be_hidden()
        await expect(editing.locator("label")).to_be_hidden()

    async def test_leaving_the_field_saves(self, three: Window) -> None:
        await three.row(TWO).locator("label").dblclick()
        await three.page.locator(".edit").fill("buy some sausages")
        await three.page.locator(".edit").blur()
        await three.shows(ONE, "buy some sausages", THREE)

    async def test_text_is_trimmed(self, three: Window) -> None:
        await three.edit(TWO, "    buy some sausages    ")
        await three.shows(ONE, "buy some sausages", THREE)
        assert (await three.stored())[1].title == "buy some sausages"

    async def test_an_empty_text_deletes(self, three: Window) -> None:
        await three.edit(TWO, "")
        await three.shows(ONE, THREE)

    async def test_escape_leaves_it_as_it_was(self, three: Window) -> None:
        await three.edit(TWO, "foo", "Escape")
        await three.shows(ONE, TWO, THREE)


class TestCounter:
    async def test_it_shows_how_many_are_left(self, window: Window) -> None:
        await window.add(ONE)
        await expect(window.page.locator(".todo-count")).to_have_text("1 item left")
        await window.add(TWO)
        await expect(window.page.locator(".todo-count")).to_have_text("2 items left")


class TestClearCompleted:
    async def test_the_text(self, three: Window) -> None:
        await three.row(ONE).locator(".toggle").check()
        await expect(three.page.locator(".clear-completed")).to_have_text("Clear completed")

    async def test_completed_tasks_are_removed(self, three: Window) -> None:
        await three.row(TWO).locator(".toggle").check()
        await three.page.click(".clear-completed")
        await three.shows(ONE, THREE)

    async def test_it_is_hidden_if_nothing_is_completed(self, three: Window) -> None:
        await three.row(TWO).locator(".toggle").check()
        await three.page.click(".clear-completed")
        await expect(three.page.locator(".clear-completed")).to_be_hidden()


class TestPersistence:
    async def test_the_data_is_kept(self, window: Window) -> None:
        await window.add(TWO, ONE)
        await window.row(ONE).locator(".toggle").check()
        await window.page.reload()
        await window.shows(ONE, TWO)
        await expect(window.row(ONE)).to_have_class(re.compile("completed"))
        await expect(window.row(TWO)).not_to_have_class(re.compile("completed"))


class TestRouting:
    @pytest.fixture
    async def mixed(self, three: Window) -> Window:
        await three.row(TWO).locator(".toggle").check()
        return three

    async def test_active_items(self, mixed: Window) -> None:
        await mixed.page.click("text=Active")
        await mixed.shows(ONE, THREE)

    async def test_completed_items(self, mixed: Window) -> None:
        await mixed.page.click(".filters >> text=Completed")
        await mixed.shows(TWO)

    async def test_all_items(self, mixed: Window) -> None:
        for name in ("Active", "Completed", "All"):
            await mixed.page.click(f".filters >> text={name}")
        await mixed.shows(ONE, TWO, THREE)

    async def test_the_back_button(self, mixed: Window) -> None:
        await mixed.page.click(".filters >> text=Active")
        await mixed.shows(ONE, THREE)
        await mixed.page.click(".filters >> text=Completed")
        await mixed.shows(TWO)
        await mixed.page.go_back()
        await mixed.shows(ONE, THREE)
        await mixed.page.go_back()
        await mixed.shows(ONE, TWO, THREE)

    async def test_the_chosen_filter_is_marked(self, mixed: Window) -> None:
        for name in ("All", "Active", "Completed"):
            await mixed.page.click(f".filters >> text={name}")
            await expect(mixed.page.locator(".filters .selected")).to_have_text(name)
