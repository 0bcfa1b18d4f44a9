"""The programs in ``examples`` do what they say."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx2
import pytest

from taskcore import sync
from tests.databases import Database
from tests.taskcore_http.client import client_of
from tests.taskcore_http.identity.http_issuer import answer, http_issuer

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def example(
    request: pytest.FixtureRequest, database: Database, monkeypatch: pytest.MonkeyPatch
) -> ModuleType:
    """The module that the test names, with the test's database in its environment."""
    monkeypatch.setenv("TASKCORE_DATABASE_URL", database.url)
    spec = importlib.util.spec_from_file_location(request.param, EXAMPLES / f"{request.param}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, request.param, module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def store(database: Database) -> Iterator[sync.TaskStore]:
    with sync.TaskStore(database.url) as store:
        yield store


@pytest.mark.parametrize("example", ["flask_app"], indirect=True)
def test_the_flask_application(example: ModuleType, store: sync.TaskStore) -> None:
    app = example.create_app(store)
    mine, other = app.test_client(), app.test_client()
    assert mine.get("/tasks").status_code == 401
    mine.post("/sign-in/42")
    other.post("/sign-in/43")

    task = mine.post("/tasks", data={"title": "Buy groceries"}).get_json()
    assert mine.get("/tasks").get_json() == [task]
    assert other.get("/tasks").get_json() == []
    assert mine.post(f"/tasks/{task['id']}/done").get_json()["completed"]
    assert other.post(f"/tasks/{task['id']}/done").status_code == 404
    assert mine.post("/tasks", data={"title": " "}).status_code == 400


@pytest.mark.parametrize("example", ["django_app"], indirect=True)
def test_the_django_project(example: ModuleType) -> None:
    from django.test import Client  # noqa: PLC0415  (needs the example's settings)

    mine, other = Client(), Client()
    with example.store:
        assert mine.get("/tasks").status_code == 403
        mine.get("/sign-in/42")
        other.get("/sign-in/43")

        task = mine.post("/tasks", {"title": "Buy groceries"}).json()
        assert mine.get("/tasks").json() == [task]
        assert other.get("/tasks").json() == []
        assert mine.get(f"/tasks/{task['id']}").json() == task
        assert other.get(f"/tasks/{task['id']}").status_code == 404
        assert mine.post("/tasks", {"title": " "}).status_code == 400


@pytest.mark.parametrize("example", ["fastapi_app"], indirect=True)
async def test_the_fastapi_application(example: ModuleType) -> None:
    app = example.app
    async with app.router.lifespan_context(app), client_of(app) as client:
        assert (await client.get("/api/users/42/tasks")).status_code == 401

        async def signed_in(user_id: int) -> dict[str, str]:
            token = (await client.post(f"/tokens/{user_id}")).json()["token"]
            return {"Authorization": f"Bearer {token}"}

        mine, other = await signed_in(42), await signed_in(43)
        created: httpx2.Response = await client.post(
            "/api/users/42/tasks", json={"title": "Buy groceries"}, headers=mine
        )
        listed = await client.get("/api/users/42/tasks", headers=mine)
        assert listed.json() == [created.json()]
        foreign = await client.get(f"/api/users/43/tasks/{created.json()['id']}", headers=other)
        assert foreign.status_code == 404


@pytest.mark.parametrize("example", ["introspection"], indirect=True)
async def test_the_application_for_opaque_tokens(example: ModuleType) -> None:
    with http_issuer() as issuer:
        app = example.create_app(
            {
                "INTROSPECTION_URL": f"{issuer.url}/introspect",
                "AUDIENCE": "tasks",
                "CLIENT_ID": "api",
                "CLIENT_SECRET": "generated",
            }
        )

        async def ask(said: bytes | dict[str, Any] | list[Any], status: str = "200 OK") -> int:
            issuer.answers["/introspect"] = answer(said, status, ("Connection: close",))
            response: httpx2.Response = await client.get(
                "/me/tasks", headers={"Authorization": "Bearer opaque&token=other"}
            )
            return response.status_code

        active = {"active": True, "aud": ["tasks"], "sub": "ann", "iss": "https://issuer.example"}
        async with app.router.lifespan_context(app), client_of(app) as client:
            assert await ask(active) == 200
            sent = issuer.requests[-1]
            assert "Basic " in sent
            assert sent.endswith("token=opaque%26token%3Dother")
            refused: list[dict[str, Any] | list[Any]] = [{"active": False}, {}, []]
            for said in [*refused, active | {"active": "true"}, active | {"active": 1}]:
                assert await ask(said) == 401
            assert await ask(active | {"aud": "another"}) == 401
            for wrong in (
                {"sub": None},
                {"sub": ""},
                {"sub": "x" * 300},
                {"iss": 5},
                {"scope": ["tasks:read"]},
                {"cnf": {"jkt": "x"}},
                {"token_type": "refresh_token"},
            ):
                assert await ask(active | wrong) == 401
            assert await ask({}, "500 Internal Server Error") == 503
            assert await ask(b"<html>") == 503
            assert (await client.get("/me/tasks")).headers["WWW-Authenticate"] == "Bearer"


def test_the_script(store: sync.TaskStore, database: Database) -> None:
    for title in ("Buy groceries", "Call mum", "Buy paint"):
        store.for_user(42).create(title)
    result = subprocess.run(
        [sys.executable, EXAMPLES / "script.py", "42", "Buy"],
        env=os.environ | {"TASKCORE_DATABASE_URL": database.url},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == "Buy paint\nBuy groceries\n"
    assert [task.title for task in store.for_user(42).iterate(completed=False)] == ["Call mum"]
