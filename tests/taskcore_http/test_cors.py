"""Web pages of other origins: none may call the API unless it is named."""

import httpx2
import pytest

from taskcore import ConfigurationError, TaskStore
from taskcore.settings import load_settings
from taskcore_http import create_app
from taskcore_http.app import app_from_environment
from tests.databases import Database
from tests.taskcore_http.answers import task_of, tasks_of
from tests.taskcore_http.client import client_of

TASKS = "/users/123/tasks"
PREFLIGHT = {
    "Access-Control-Request-Method": "PATCH",
    "Access-Control-Request-Headers": "authorization, content-type, if-match",
}


async def test_no_page_may_call_by_default(client: httpx2.AsyncClient) -> None:
    response = await client.get(TASKS, headers={"Origin": "https://a.example"})
    assert not [name for name in response.headers if name.startswith("access-control")]


async def test_a_page_that_is_named_may_call_and_read_the_headers(store: TaskStore) -> None:
    app = create_app(store=store, cors_origins=["https://a.example"])
    async with client_of(app) as client:
        named, other = {"Origin": "https://a.example"}, {"Origin": "https://b.example"}
        preflight = await client.options(f"{TASKS}/1", headers=named | PREFLIGHT)
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == "https://a.example"
        refused = await client.options(f"{TASKS}/1", headers=other | PREFLIGHT)
        assert "access-control-allow-origin" not in refused.headers

        created = await client.post(TASKS, json={"title": "x"}, headers=named)
        task_of(created, 201)
        assert created.headers["access-control-allow-origin"] == "https://a.example"
        assert "ETag" in created.headers["access-control-expose-headers"]
        answered = await client.get(TASKS, headers=other)
        assert len(tasks_of(answered)) == 1
        assert "access-control-allow-origin" not in answered.headers
        error = await client.get("/users/0/tasks", headers=named)
        assert error.headers["access-control-allow-origin"] == "https://a.example"


async def test_the_origins_are_a_setting(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TASKCORE_DATABASE_URL", database.url)
    monkeypatch.setenv("TASKCORE_TRUST_CALLERS", "true")
    monkeypatch.setenv("TASKCORE_CORS_ORIGINS", "https://a.example, http://localhost:3000,")
    assert load_settings().cors_origins == ("https://a.example", "http://localhost:3000")
    async with client_of(app_from_environment()) as client:
        headers = {"Origin": "http://localhost:3000"} | PREFLIGHT
        preflight = await client.options(TASKS, headers=headers)
        assert preflight.headers["access-control-allow-origin"] == "http://localhost:3000"


@pytest.mark.parametrize("origin", ["a.example", "https://a.example/", "ftp://a.example", "null"])
def test_what_is_not_an_origin_is_refused(monkeypatch: pytest.MonkeyPatch, origin: str) -> None:
    monkeypatch.setenv("TASKCORE_CORS_ORIGINS", f"https://b.example,{origin}")
    with pytest.raises(ConfigurationError, match="TASKCORE_CORS_ORIGINS: must be origins such as"):
        load_settings()
