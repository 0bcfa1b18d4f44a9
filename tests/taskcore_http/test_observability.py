"""Metrics, traces, request ids and compression: off unless asked for, and without ids of users."""

import gzip
import sys
import uuid
from collections.abc import AsyncIterator, Callable

import httpx2
import pytest
from fastapi import FastAPI
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from taskcore import ConfigurationError, TaskStore
from taskcore_http import create_app
from taskcore_http.app import app_from_environment
from taskcore_http.observability import add_metrics, add_request_ids, add_tracing
from taskcore_http.server.compression import Compression
from tests.databases import Database
from tests.taskcore_http.answers import error_of

USER = 424_242
TASKS = f"/users/{USER}/tasks"


@pytest.fixture
def app(store: TaskStore) -> FastAPI:
    return create_app(store=store)


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def use(client: httpx2.AsyncClient) -> None:
    """Send requests of several kinds, with a user, a task and a title."""
    created = await client.post(TASKS, json={"title": "a secret title"})
    assert created.status_code == 201
    path = f"{TASKS}/{created.json()['id']}"
    assert (await client.get(path)).status_code == 200
    error_of(await client.get(f"{path}?titel=a+secret+title"), 400)
    error_of(await client.get(f"/users/{USER}/nothing"), 404)
    await client.get("/health/live")


async def test_metrics_count_by_route_and_hold_no_ids(
    app: FastAPI, client: httpx2.AsyncClient
) -> None:
    """FR-021."""
    add_metrics(app)
    await use(client)
    text = (await client.get("/metrics")).text
    assert 'handler="/users/{user_id}/tasks",method="POST",status="2xx"} 1.0' in text
    assert 'handler="/users/{user_id}/tasks/{task_id}",method="GET",status="4xx"} 1.0' in text
    assert "/health" not in text
    assert str(USER) not in text
    assert "secret" not in text
    assert "/metrics" not in (await client.get("/openapi.json")).json()["paths"]


async def test_spans_name_the_route_and_hold_no_ids(
    app: FastAPI, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FR-021."""
    spans, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    add_tracing(app)
    await use(client)
    done = spans.get_finished_spans()
    assert [span.name for span in done] == [
        "POST /users/{user_id}/tasks",
        "GET /users/{user_id}/tasks/{task_id}",
        "GET /users/{user_id}/tasks/{task_id}",
        "GET",
    ]
    for span in done:
        said = span.to_json()
        assert str(USER) not in said
        assert "secret" not in said


@pytest.mark.parametrize("given", [str(uuid.UUID(int=7, version=4)), None, "not one"])
async def test_a_request_has_an_id(
    app: FastAPI, client: httpx2.AsyncClient, given: str | None
) -> None:
    """FR-021: the client's, if it is a UUID; also of errors."""
    add_request_ids(app)
    headers = {} if given is None else {"X-Request-ID": given}
    for path in (TASKS, f"{TASKS}/7"):
        answered = (await client.get(path, headers=headers)).headers["X-Request-ID"]
        if given and len(given) == 36:
            assert uuid.UUID(answered) == uuid.UUID(given)
        else:
            assert uuid.UUID(answered).version == 4


async def test_lists_are_compressed_and_tasks_are_not(
    app: FastAPI, client: httpx2.AsyncClient
) -> None:
    """FR-021: a task has a strong ETag, which is of its bytes (RFC 9110, section 8.8.3)."""
    app.add_middleware(Compression)
    created = await client.post(TASKS, json={"title": "x", "description": "y" * 5000})
    changed = await client.patch(created.headers["Location"], json={"completed": True})
    task = await client.get(created.headers["Location"])
    for one in (created, changed, task):
        assert not one.headers["ETag"].startswith("W/")
        assert "content-encoding" not in one.headers
    for path in (TASKS, f"{TASKS}?limit=10"):
        async with client.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as answer:
            raw = b"".join([part async for part in answer.aiter_raw()])
        assert answer.headers["Content-Encoding"] == "gzip"
        assert "Accept-Encoding" in answer.headers["Vary"]
        assert len(raw) < 1000
        assert b"yyyy" in gzip.decompress(raw)
    plain = await client.get(TASKS, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers


async def test_all_of_it_is_off_unless_a_setting_asks_for_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FR-021."""
    monkeypatch.setenv("TASKCORE_DATABASE_URL", database.url)
    monkeypatch.setenv("TASKCORE_TRUST_CALLERS", "true")
    assert app_from_environment().user_middleware == []
    for name in ("COMPRESSION", "METRICS", "REQUEST_IDS"):
        monkeypatch.setenv(f"TASKCORE_{name}", "true")
    app = app_from_environment()
    assert len(app.user_middleware) == 3
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            await use(client)
            assert "X-Request-ID" in (await client.get("/metrics")).headers


@pytest.mark.parametrize("add", [add_metrics, add_tracing, add_request_ids])
def test_without_the_extra_the_error_says_what_to_install(
    add: Callable[[FastAPI], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (
        "prometheus_fastapi_instrumentator",
        "asgi_correlation_id",
        "opentelemetry.instrumentation.fastapi",
    ):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigurationError, match=r"pip install 'taskcore\[observability\]'"):
        add(FastAPI())
