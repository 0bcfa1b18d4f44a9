"""The OpenAPI document says what the application does, and nothing else."""

import json
from pathlib import Path
from typing import Any

import httpx2
import jsonschema_rs
import pytest
import yaml
from fastapi import FastAPI

from taskcore import TaskCreate, TaskStore, TaskUpdate
from taskcore_http import create_app, create_router
from tests.taskcore_http.client import client_of

CONTRACT = Path(__file__).parents[2] / "specs/001-backend-core/contracts/openapi.yaml"

# Statuses that each operation documents; 4XX stands for 405.
_EVERY = {"400", "412", "4XX", "500", "503"}
OPERATIONS: dict[tuple[str, str], tuple[str, set[str]]] = {
    ("GET", "/users/{user_id}/tasks"): ("list_tasks", {"200", "304", *_EVERY}),
    ("POST", "/users/{user_id}/tasks"): ("create_task", {"200", "201", "413", "415", *_EVERY}),
    ("PATCH", "/users/{user_id}/tasks"): ("update_tasks", {"200", "404", "413", "415", *_EVERY}),
    ("DELETE", "/users/{user_id}/tasks"): ("delete_tasks", {"200", "404", *_EVERY}),
    ("GET", "/users/{user_id}/tasks/count"): ("count_tasks", {"200", *_EVERY} - {"412"}),
    ("GET", "/users/{user_id}/tasks/{task_id}"): ("get_task", {"200", "304", "404", *_EVERY}),
    ("PUT", "/users/{user_id}/tasks/{task_id}"): (
        *("replace_task", {"200", "404", "413", "415", *_EVERY}),
    ),
    ("PATCH", "/users/{user_id}/tasks/{task_id}"): (
        *("update_task", {"200", "404", "413", "415", *_EVERY}),
    ),
    ("DELETE", "/users/{user_id}/tasks/{task_id}"): ("delete_task", {"200", "404", *_EVERY}),
    ("GET", "/health/live"): ("live", {"200"}),
    ("GET", "/health/ready"): ("ready", {"200", "4XX", "503"}),
}
BODIES = {"POST": {"title": "x"}, "PUT": {"title": "x"}, "PATCH": {"title": "x"}}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    # Nothing is connected: the document does not depend on a database.
    return create_app("postgresql://localhost/taskcore").openapi()


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def test_the_document_is_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")


def test_the_document_is_the_contract(store: TaskStore) -> None:
    """SC-005: the contract in the specification is what is served; the version may move."""
    contract = yaml.safe_load(CONTRACT.read_text("utf-8"))
    # Through JSON, as it is served.
    document = json.loads(json.dumps(create_app(store=store).openapi()))

    del contract["info"]["version"], document["info"]["version"]
    assert contract == document


def test_every_operation_documents_the_statuses_of_the_contract(document: dict[str, Any]) -> None:
    """FR-015, SC-005: all that requirements allow, and never a 422."""
    documented = {
        place: (operation["operationId"], set(operation["responses"]))
        for place, operation in operations(document).items()
    }

    assert documented == OPERATIONS


def test_an_identity_may_refuse_every_operation(store: TaskStore) -> None:
    app = create_app(store=store, identity=lambda: store.for_user(1))
    for (method, path), operation in operations(app.openapi()).items():
        refused = {"401", "403"} <= set(operation["responses"])
        assert refused is ("{user_id}" in path or path.startswith("/me"))
        names_tasks = path.endswith("/tasks") and method in ("PATCH", "DELETE")
        assert ("404" in operation["responses"]) is ("{" in path or names_tasks)


def test_bodies_have_names_of_their_own_in_a_host_too(store: TaskStore) -> None:
    """Generated clients call their types by these."""
    host = FastAPI()
    host.include_router(create_router(store), prefix="/api")
    for document in (create_app(store=store).openapi(), host.openapi()):
        assert {"Task", "TaskCreate", "TaskUpdate"} <= document["components"]["schemas"].keys()
        for operation in operations(document).values():
            for content in operation.get("requestBody", {"content": {}})["content"].values():
                assert content["schema"].keys() == {"$ref"}


def test_every_integer_has_a_size(document: dict[str, Any]) -> None:
    """Ids need 64 bits; a generator takes 32 unless it is told."""
    found = []

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if node.get("type") == "integer":
                found.append(node["format"])
            node = list(node.values())
        for one in node if isinstance(node, list) else []:
            walk(one)

    walk(document)
    assert set(found) == {"int32", "int64"}


def test_every_error_has_the_one_shape(document: dict[str, Any]) -> None:
    """FR-016."""
    for operation in operations(document).values():
        for status, response in operation["responses"].items():
            if status[0] in "45":
                schema = response["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/ErrorBody"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        (*place, status)
        for place, (_, statuses) in OPERATIONS.items()
        for status in sorted(statuses)
    ],
)
async def test_every_documented_status_can_be_produced(
    store: TaskStore,
    away: TaskStore,
    document: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    *,
    method: str,
    path: str,
    status: str,
) -> None:
    """FR-015, SC-005; and the answer has the schema that is documented."""
    task = await store.for_user(123).create("x")
    user_id: object = 0 if status == "400" else 123
    task_id: object = 1 if status == "404" else task.id
    request: dict[str, Any] = {"json": BODIES.get(method)}
    if status == "413":
        request = {"content": b" " * 200_000, "headers": {"Content-Type": "application/json"}}
    if status == "415":
        request = {"content": b"{}", "headers": {"Content-Type": "text/plain"}}
    if (method, status) == ("POST", "200"):
        await store.for_user(123).create("there", key="k")
        request["headers"] = {"Idempotency-Key": "k"}
    if status == "412":
        request["headers"] = {"If-Match": '"none"'}
    if path.endswith("/tasks") and method in ("PATCH", "DELETE"):
        request["params"] = {"ids": task_id}
    if status == "304":
        request["headers"] = {"If-None-Match": "*"}
    if status == "500":

        async def broken(*_args: object, **_options: object) -> list[Any]:
            raise RuntimeError

        monkeypatch.setattr(store._database, "_run", broken)
    app = create_app(store=away if status == "503" else store)
    async with client_of(app) as client:
        response = await client.request(
            "TRACE" if status == "4XX" else method,
            path.format(user_id=user_id, task_id=task_id),
            **request,
        )

    assert response.status_code == (405 if status == "4XX" else int(status))
    described = document["paths"][path][method.lower()]["responses"][status]
    headers = {name.lower() for name in described.get("headers", {})} - {"link"}
    assert headers <= response.headers.keys()
    if status == "304":
        assert response.content == b""
        return
    validator(document, described["content"]["application/json"]["schema"]).validate(
        response.json()
    )


def validator(
    document: dict[str, Any], schema: dict[str, Any]
) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(
        schema | {"components": document["components"]}, validate_formats=True
    )


def test_every_operation_has_examples_and_they_are_valid(document: dict[str, Any]) -> None:
    for place, operation in operations(document).items():
        described = [
            response for status, response in operation["responses"].items() if status != "304"
        ]
        if place[0] in BODIES:
            described.append(operation["requestBody"])
        for content in described:
            json_content = content["content"]["application/json"]
            validator(document, json_content["schema"]).validate(json_content["example"])
        for parameter in operation.get("parameters", []):
            for example in parameter["schema"].get("examples", []):
                validator(document, parameter["schema"]).validate(example)


def test_parameters_document_their_limits(document: dict[str, Any]) -> None:
    found = {
        parameter["name"]: parameter["schema"]
        for operation in operations(document).values()
        for parameter in operation.get("parameters", [])
    }

    limits = {name: (s.get("minimum"), s.get("maximum")) for name, s in found.items()}
    assert limits == {
        "user_id": (1, 2**53 - 1),
        "task_id": (1, 2**53 - 1),
        "limit": (1, 1000),
        "after": (None, None),
        "order": (None, None),
        "ids": (None, None),
        "completed": (None, None),
        "project": (None, None),
        "tags": (None, None),
        "due_before": (None, None),
        "due_after": (None, None),
        "priority_at_least": (1, 9),
        "search": (None, None),
        "Idempotency-Key": (None, None),
        "If-Match": (None, None),
        "If-None-Match": (None, None),
    }


async def test_the_document_is_served(client: httpx2.AsyncClient, document: dict[str, Any]) -> None:
    """SC-007."""
    served = await client.get("/openapi.json")
    assert served.json() == json.loads(json.dumps(document))


def test_the_document_says_that_the_caller_is_trusted(document: dict[str, Any]) -> None:
    assert "trusted" in document["info"]["description"]


@pytest.mark.parametrize("method", ["post", "put", "patch"])
def test_the_document_and_the_server_take_the_same_titles(
    document: dict[str, Any], method: str
) -> None:
    """FR-004: but for two characters, a client that checks its input is as strict."""
    path = "/users/{user_id}/tasks" + ("" if method == "post" else "/{task_id}")
    body = document["paths"][path][method]["requestBody"]["content"]["application/json"]
    model = TaskCreate if method == "post" else TaskUpdate
    contract = validator(document, body["schema"])
    # Every character but the surrogates, which JSON cannot carry alone.
    characters = [chr(code) for code in range(0x10000) if not 0xD800 <= code < 0xE000]
    titles = [*characters, "\N{GRINNING FACE}" * 500, "\N{GRINNING FACE}" * 501]
    titles += [" " * room + "x" * 499 + "\n" * (1 - room) for room in (0, 1)]
    titles += [" " + "x" * 500, "x" * 500 + "\n", "", " " * 500, " " * 501, "a\0b", "\n\nx\n\n"]

    def is_taken(title: str) -> bool:
        try:
            model.model_validate({"title": title})
        except ValueError:
            return False
        return True

    differing = [
        title for title in titles if contract.is_valid({"title": title}) is not is_taken(title)
    ]
    # White space for us alone, and for JavaScript alone.
    assert differing == ["\x85", "\ufeff"]
