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
    "list of open tasks": lambda tasks, _id: tasks.list(completed=False),
    "update": lambda tasks, task_id: tasks.update(task_id, title="Another title"),
    "update without effect": lambda tasks, task_id: tasks.update(task_id, completed=False),
    "update_many": lambda tasks, task_id: tasks.update_many([task_id], title="Another title"),
    "delete": lambda tasks, task_id: tasks.delete(task_id),
    "delete_many": lambda tasks, task_id: tasks.delete_many([task_id]),
}


OWNERS: dict[str, Callable[[TaskStore], UserTasks]] = {
    "a user": lambda store: store.for_user(1),
    "an identity": lambda store: store.for_identity("https://issuer.example", "me"),
}


@pytest.mark.parametrize("owner", OWNERS)
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_an_operation_on_a_warm_connection_is_one_round_trip(
    wire: Wire, operation: str, owner: str
) -> None:
    """SC-001, ID-611: the network costs an operation one latency and no more."""
    async with TaskStore(wire.url, settings=Settings(pool_max_size=1)) as store:
        tasks = OWNERS[owner](store)
        first, second = await tasks.create_many([{"title": "one"}, {"title": "two"}])
        await OPERATIONS[operation](tasks, first.id)
        before = wire.round_trips

        await OPERATIONS[operation](tasks, second.id)

        assert wire.round_trips - before == 1


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
