"""The fixtures that others get."""

import pytest

pytest_plugins = "pytester"

TESTS = """
import sys

import pytest
from fastapi.testclient import TestClient

from taskcore import sync
from taskcore_http import create_app


def test_loading_the_plugin_costs_nothing():
    assert not {"taskcore.testing", "taskcore.embedded"} & set(sys.modules)


@pytest.mark.parametrize("number", [1, 2])
def test_each_test_has_an_empty_database(taskcore_url, number):
    with sync.TaskStore(taskcore_url) as store:
        assert len(store.for_user(1).list()) == 0
        store.for_user(1).create("x")


@pytest.mark.asyncio
async def test_a_store(taskcore_store):
    async with taskcore_store as store:
        task = await store.for_user(42).create("Buy groceries")
        assert await store.for_user(42).get(task.id) == task


def test_an_application(taskcore_url):
    with TestClient(create_app(taskcore_url)) as client:
        assert client.post("/users/1/tasks", json={"title": "x"}).status_code == 201
"""


def test_the_fixtures_give_each_test_a_database(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:xdist")
    result.assert_outcomes(passed=5)
