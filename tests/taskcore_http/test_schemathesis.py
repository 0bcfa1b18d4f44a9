"""Schemathesis generates requests from the document, and holds the answers against it."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError
from schemathesis.specs.openapi.checks import positive_data_acceptance

from taskcore.limits import MAX_ID
from taskcore.tasks.extra import validate_extra
from taskcore_http import create_app
from tests.cursors import cursor
from tests.databases import Database
from tests.taskcore_http.server import listener

schemathesis.openapi.format("cursor", st.integers(1, MAX_ID).map(cursor))
schemathesis.openapi.format(
    "entity-tags",
    st.just("*") | st.lists(st.sampled_from(['"1"', 'W/"2"', '""']), min_size=1).map(", ".join),
)

schemathesis.openapi.format("local-date-time", st.sampled_from(["2026-11-30T17:00", "2024-02-29"]))
schemathesis.openapi.format("idempotency-key", st.sampled_from(["a", '"b"', "ABC-123"]))
schemathesis.openapi.format("time-zone", st.sampled_from(["UTC", "Europe/Berlin"]))


@schemathesis.hook
def filter_body(_context: Any, body: Any) -> bool:
    """Leave out what JSON Schema cannot say of an object: its size, and texts within it."""
    extra = body.get("extra") if isinstance(body, dict) else None
    if isinstance(extra, dict):
        try:
            validate_extra(extra)
        except PydanticCustomError:
            return False
    return True


# Nothing is connected: the document does not depend on a database.
document = schemathesis.openapi.from_dict(
    create_app("postgresql://localhost/taskcore").openapi(),
    config=schemathesis.Config.from_dict(
        # A precondition may be false however well it is written.
        {"checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", 304, 404, 412]}}}
    ),
)


@pytest.fixture(scope="module")
def url(shared_database: Database) -> Iterator[str]:
    """The application, served from a thread of its own."""
    server = uvicorn.Server(uvicorn.Config(create_app(shared_database.url), log_config=None))
    with listener() as socket:
        thread = threading.Thread(target=server.run, args=([socket],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{socket.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@document.parametrize()
@settings(
    # 50 in CI
    max_examples=settings().max_examples // 2,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def test_the_answers_keep_the_documents_promises(case: schemathesis.Case[Any], url: str) -> None:
    """FR-015, FR-016, SC-005, SC-006."""
    response = case.call(base_url=url)
    # A schema does not say that a zone needs a time, and that a cursor is for one order.
    refused = '"zone_without_time"' in response.text
    if "order" in (case.query or {}):
        refused = refused or '"cursor"' in response.text
    case.validate_response(response, excluded_checks=[positive_data_acceptance] if refused else [])
