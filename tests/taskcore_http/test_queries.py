"""Query parameters: none is ignored, and none is taken twice."""

from typing import Annotated, Any

import httpx2
import pytest
from fastapi import Depends, FastAPI, Query
from pydantic import BaseModel

from taskcore import TaskStore, UserTasks
from taskcore_http import create_router
from tests.inputs import details
from tests.taskcore_http.answers import error_of, tasks_of
from tests.taskcore_http.client import client_of

TASKS = "/users/123/tasks"


@pytest.mark.parametrize(
    ("query", "expected", "message"),
    [
        ("complete=true", details("complete", "unknown_field"), "did you mean completed?"),
        ("Limit=1", details("Limit", "unknown_field"), "did you mean limit?"),
        (
            "colour=red",
            details("colour", "unknown_field"),
            "here: known are limit, after, order, completed",
        ),
        ("limit", details("limit", "type"), "limit must be"),
        ("x", details("x", "unknown_field"), ""),
        ("=x", details("", "unknown_field"), ""),
        ("limit=1&limit=1", details("limit", "given_twice"), "limit must be given once"),
        ("completed=true&limit=1&completed=x", details("completed", "given_twice"), ""),
        ("%1B%5B2J=1", details(r"\x1b[2J", "unknown_field"), r"\x1b[2J is not"),
    ],
)
async def test_an_unknown_or_repeated_parameter_is_refused(
    client: httpx2.AsyncClient, query: str, expected: dict[str, Any], message: str
) -> None:
    error = error_of(await client.get(f"{TASKS}?{query}"), 400)
    assert error["details"] == expected
    assert message in error["message"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", TASKS), *((method, f"{TASKS}/1") for method in ("GET", "PUT", "PATCH", "DELETE"))],
)
async def test_a_route_without_parameters_takes_none(
    client: httpx2.AsyncClient, method: str, path: str
) -> None:
    response = await client.request(method, f"{path}?limit=1", json={"title": "x"})
    assert error_of(response, 400)["details"] == details("limit", "unknown_field")
    assert tasks_of(await client.get(f"{TASKS}?")) == []


class Paging(BaseModel):
    """Parameters of a host's dependency."""

    tenant: int = 1


async def test_what_an_identity_and_a_guard_read_is_theirs(store: TaskStore) -> None:
    async def identify(team: Annotated[list[int], Query()]) -> UserTasks:
        return store.for_user(team[0])

    def guard(trace: Annotated[bool, Query(alias="x-trace")] = False) -> None:  # noqa: FBT002
        pass

    def paged(paging: Annotated[Paging, Query()]) -> None:
        pass

    host = FastAPI(dependencies=[Depends(guard)])
    host.include_router(create_router(store, identity=identify), dependencies=[Depends(paged)])
    async with client_of(host) as client:
        tasks_of(await client.get(f"{TASKS}?team=123&team=7&x-trace=true&tenant=2&limit=1"))
        error = error_of(await client.get(f"{TASKS}?team=123&tenat=2"), 400)
        assert error["details"] == details("tenat", "unknown_field")
        error_of(await client.get(f"{TASKS}?team=123&limit=1&limit=2"), 400)
