"""Checks of the form of the API's answers."""

import re
from typing import Any

import httpx2

from taskcore import Task

TASK_FIELDS = Task.model_fields.keys()

# https://www.rfc-editor.org/rfc/rfc3339#section-5.6, in UTC and written with Z.
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")

CODES = {
    400: "VALIDATION_ERROR",
    401: "UNAUTHENTICATED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    412: "PRECONDITION_FAILED",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    500: "INTERNAL_ERROR",
    503: "UNAVAILABLE",
}


def task_of(response: httpx2.Response, status: int = 200) -> dict[str, Any]:
    """Return the task that an answer holds, once it is seen to be one."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    task: dict[str, Any] = response.json()
    assert task.keys() == TASK_FIELDS
    assert response.headers["etag"] == f'"{task["version"]}"'
    assert response.headers["cache-control"] == "no-store"
    return task


def tasks_of(response: httpx2.Response) -> list[dict[str, Any]]:
    """Return the tasks that an answer lists."""
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    tasks: list[dict[str, Any]] = response.json()
    assert isinstance(tasks, list)
    return tasks


def error_of(response: httpx2.Response, status: int, code: str | None = None) -> dict[str, Any]:
    """Return the error of an answer, once it is seen to have the one shape (FR-016)."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert body.keys() == {"error"}
    error: dict[str, Any] = body["error"]
    assert error.keys() - {"details"} == {"code", "message"}
    assert error["code"] == (code or CODES[status])
    assert response.headers["cache-control"] == "no-store"
    assert error["message"]
    if status == 400:
        assert error["details"].keys() >= {"field", "constraint"}
    return error
