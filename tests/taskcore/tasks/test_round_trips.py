"""Every operation is one network round trip, counted on the wire."""

from collections.abc import Awaitable, Callable

import pytest

from taskcore import Settings, TaskStore
from taskcore.tasks.user_tasks import UserTasks
from tests.wire import Wire

OPERATIONS: dict[str, Callable[[UserTasks, int], Awaitable[object]]] = {
    "create": lambda tasks, _id: tasks.create("Buy groceries", "Milk and eggs"),
    "create_many": lambda tasks, _id: tasks.create_many([{"title": f"n. {n}"} for n in range(50)]),
    "get": lambda tasks, task_id: tasks.get(task_id),
    "list": lambda tasks, _id: tasks.list(limit=1000),
    "list_json": lambda tasks, _id: tasks.list_json(limit=1000),
    "list of open tasks": lambda tasks, _id: tasks.list(completed=False),
    "list of a project by due date": lambda tasks, _id: tasks.list(order="due", project="x"),
    "list by priority": lambda tasks, _id: tasks.list(order="priority"),
    "search by due date": lambda tasks, _id: tasks.list(order="due", search="Öl milk"),
    "count of a search": lambda tasks, _id: tasks.count(search="Öl milk"),
    "update of what is folded": lambda tasks, task_id: tasks.update(task_id, title="Ölig"),
    "count": lambda tasks, _id: tasks.count(),
    "count of a project": lambda tasks, _id: tasks.count(project="x"),
    "update": lambda tasks, task_id: tasks.update(task_id, title="Another title"),
    "update without effect": lambda tasks, task_id: tasks.update(task_id, completed=False),
    "update_many": lambda tasks, task_id: tasks.update_many([task_id], title="Another title"),
    "delete": lambda tasks, task_id: tasks.delete(task_id),
    "delete_many": lambda tasks, task_id: tasks.delete_many([task_id]),
}


async def _user(store: TaskStore) -> UserTasks:
    return store.for_user(1)


async def _identity(store: TaskStore) -> UserTasks:
    return store.for_identity("https://issuer.example", "me")


async def _token(store: TaskStore) -> UserTasks:
    token = await store.for_user(1).tokens.create("x", scopes=["tasks:read", "tasks:write"])
    return store.for_token(token.secret)


OWNERS: dict[str, Callable[[TaskStore], Awaitable[UserTasks]]] = {
    "a user": _user,
    "an identity": _identity,
    "an API token": _token,
}


async def one_round_trip(wire: Wire, tasks: UserTasks, operation: str) -> None:
    """Call an operation a second time, which is one round trip."""
    first, second = await tasks.create_many([{"title": "one"}, {"title": "two"}])
    await OPERATIONS[operation](tasks, first.id)
    before = wire.round_trips

    await OPERATIONS[operation](tasks, second.id)

    assert wire.round_trips - before == 1


@pytest.mark.parametrize("owner", OWNERS)
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_an_operation_on_a_warm_connection_is_one_round_trip(
    wire: Wire, operation: str, owner: str
) -> None:
    """SC-001, ID-611, ID-814, TK-302, TK-311: the network costs an operation one latency."""
    async with TaskStore(wire.url, settings=Settings(pool_max_size=1)) as store:
        tasks = await OWNERS[owner](store)
        await one_round_trip(wire, tasks, operation)


@pytest.mark.parametrize("owner", ["a user", "an identity"])
async def test_work_on_tokens_is_one_round_trip(wire: Wire, owner: str) -> None:
    """ID-814."""
    async with TaskStore(wire.url, settings=Settings(pool_max_size=1)) as store:
        tokens = (await OWNERS[owner](store)).tokens
        for _ in range(2):
            before = wire.round_trips
            token = await tokens.create("x")
            listed = await tokens.list()
            new = await tokens.rotate(token.id)
            await tokens.revoke(new.id)
            took = wire.round_trips - before
        assert len(listed) == 2
        assert took == 4


async def test_a_created_task_is_read_back_in_two_round_trips(wire: Wire) -> None:
    """SC-001: create and read back."""
    async with TaskStore(wire.url, settings=Settings(pool_max_size=1)) as store:
        tasks = store.for_user(1)
        await tasks.get((await tasks.create("warm")).id)
        before = wire.round_trips

        created = await tasks.create("Buy groceries")
        read = await tasks.get(created.id)

        assert read == created
        assert wire.round_trips - before == 2


async def test_readiness_after_a_success_costs_no_round_trip(wire: Wire) -> None:
    async with TaskStore(wire.url) as store:
        await store.for_user(1).list()
        before = wire.round_trips

        await store.ready()

        assert wire.round_trips == before
