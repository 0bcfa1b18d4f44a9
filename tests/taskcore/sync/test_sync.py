"""The store for synchronous code, on the real database."""

import asyncio
import inspect
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import taskcore
from taskcore import (
    ConfigurationError,
    ImportResult,
    PermissionDenied,
    StoreNotOpen,
    TaskCreate,
    TaskNotFound,
    ValidationError,
    VersionConflict,
    sync,
)
from taskcore.sync import TaskStore, UserTasks, identities, sessions, tokens
from tests.databases import Database

PAIRS = [
    (taskcore.TaskStore, sync.TaskStore),
    (taskcore.UserTasks, sync.UserTasks),
    (taskcore.Users, sync.Users),
    (taskcore.Identities, identities.Identities),
    (taskcore.Tokens, tokens.Tokens),
    (taskcore.Sessions, sessions.Sessions),
]


@pytest.fixture
def store(database: Database) -> Iterator[TaskStore]:
    with TaskStore(database.url) as store:
        yield store


@pytest.fixture
def tasks(store: TaskStore) -> UserTasks:
    return store.for_user(1)


@pytest.mark.parametrize(("one", "other"), PAIRS, ids=lambda kind: kind.__module__)
def test_both_stores_have_the_same_methods(one: type, other: type) -> None:
    """FR-019: names, parameters and defaults; none can be missing."""

    def methods(kind: type) -> dict[str, list[tuple[Any, ...]]]:
        return {
            name: [
                (parameter.name, parameter.kind, parameter.default)
                for parameter in inspect.signature(member).parameters.values()
            ]
            for name, member in vars(kind).items()
            if callable(member) and not name.startswith("_")
        }

    assert methods(one) == methods(other)


def test_every_operation_does_what_its_namesake_does(tasks: UserTasks) -> None:
    task = tasks.create("one", "description")
    assert tasks.get(task.id) == task
    changed = tasks.update(task.id, title="two", if_version=1)
    assert (changed.title, changed.version) == ("two", 2)
    with pytest.raises(VersionConflict):
        tasks.update(task.id, completed=True, unless_version=2)
    many = tasks.create_many(TaskCreate(title=f"n. {number}") for number in range(5))
    assert [one.title for one in many] == [f"n. {number}" for number in range(5)]
    page = tasks.list(limit=2)
    assert page.items == many[:-3:-1]
    assert tasks.list(limit=10, after=page.next).items == (*many[2::-1], changed)
    assert list(tasks.iterate(completed=False)) == [*many[::-1], changed]
    tasks.delete(task.id)
    with pytest.raises(TaskNotFound):
        tasks.get(task.id)
    assert repr(tasks) == "UserTasks(user_id=1)"


def test_the_store_tells_whether_it_is_ready_and_keeps_administrators_apart(
    store: TaskStore, database: Database
) -> None:
    store.ready()
    with pytest.raises(PermissionDenied):
        store.users.list()
    store.for_user(7).create("x")
    with TaskStore(database.administrator_url) as owner:
        assert [user.id for user in owner.users.iterate()] == [7]
        assert owner.users.list(limit=1).items[0].id == 7
        assert owner.users.get(7).task_count == 1
        owner.users.delete(7)


def test_many_threads_use_one_store(store: TaskStore) -> None:
    """FR-017, FR-019."""

    def work(number: int) -> list[int]:
        tasks = store.for_user(number % 3 + 1)
        return [tasks.create(f"task {number}").id for _ in range(20)]

    with ThreadPoolExecutor(20) as pool:
        made = list(pool.map(work, range(20)))

    stored = [(user, task.id) for user in (1, 2, 3) for task in store.for_user(user).iterate()]
    assert len(stored) == len(set(stored)) == 400
    assert sorted(task_id for ids in made for task_id in ids) == sorted(i for _, i in stored)


def test_an_import_reads_in_the_callers_thread(store: TaskStore, tasks: UserTasks) -> None:
    """So it may read from the store itself, or from a database connection of the thread."""
    threads = set()

    def lines() -> Iterator[dict[str, Any]]:
        for number in range(1, 5001):
            threads.add(threading.get_ident())
            yield {"id": number, "title": f"task {number}"}

    assert tasks.import_tasks(lines()) == ImportResult(imported=5000, present=0)
    assert threads == {threading.get_ident()}
    assert store.for_user(2).import_tasks(tasks.iterate()) == ImportResult(imported=5000, present=0)
    assert tasks.import_tasks([{"title": "x"}], new_ids=True).imported == 1
    assert tasks.import_tasks([]) == ImportResult(imported=0, present=0)


def test_an_import_stores_while_it_reads(tasks: UserTasks) -> None:
    """In constant memory."""

    def endless() -> Iterator[dict[str, Any]]:
        for number in range(1, 1_000_000):
            if number % 1000 == 0 and len(tasks.list(limit=1)):
                return
            yield {"id": number, "title": "x"}

    assert 0 < tasks.import_tasks(endless()).imported < 100_000


def test_an_import_names_the_task_at_fault(tasks: UserTasks) -> None:
    with pytest.raises(ValidationError, match=r"tasks\[4321\]\.title must not be empty"):
        tasks.import_tasks({"title": "" if number == 4321 else "x"} for number in range(9000))
    for wrong in (7, None):
        with pytest.raises(ValidationError, match="tasks must be iterable"):
            tasks.import_tasks(wrong)  # type: ignore[arg-type]
        with pytest.raises(ValidationError, match="tasks must be iterable"):
            tasks.create_many(wrong)  # type: ignore[arg-type]


def test_an_error_of_what_is_read_comes_through(tasks: UserTasks) -> None:
    def failing() -> Iterator[dict[str, Any]]:
        for _ in range(3000):
            yield {"title": "x"}
        raise RuntimeError("the disk is on fire")

    with pytest.raises(RuntimeError, match="on fire"):
        tasks.import_tasks(failing())
    tasks.create("after")


def test_an_iteration_may_stop_early_and_outlive_the_store(database: Database) -> None:
    with TaskStore(database.url) as store:
        tasks = store.for_user(1)
        tasks.import_tasks({"title": "x"} for _ in range(2500))
        for _ in tasks.iterate():
            break
        rest = tasks.iterate()
        next(rest)
        assert len(list(tasks.iterate())) == 2500
    with pytest.raises(StoreNotOpen):
        list(rest)


def test_a_store_that_is_not_open_says_so(database: Database) -> None:
    store = TaskStore(database.url)
    for _ in range(2):
        for call in (store.ready, store.for_user(1).list, store.users.list):
            with pytest.raises(StoreNotOpen, match="with TaskStore"):
                call()
        with pytest.raises(StoreNotOpen):
            store.for_user(1).import_tasks([])
        with store:
            store.ready()
        store.close()


def test_opening_twice_is_refused_and_harms_nothing(store: TaskStore) -> None:
    with pytest.raises(ConfigurationError, match="open already"):
        store.open()
    store.ready()


def test_an_opening_that_fails_leaves_no_thread() -> None:
    before = threading.active_count()
    with pytest.raises(taskcore.Unavailable):
        TaskStore("postgresql://x@127.0.0.1:1/x").open()
    assert threading.active_count() == before
    TaskStore("postgresql://x@127.0.0.1:1/x").open(connect=False).close()
    assert threading.active_count() == before


def test_a_forked_process_opens_it_itself(store: TaskStore, database: Database) -> None:
    """Otherwise a call would wait for a thread that the process does not have."""
    child = os.fork()
    if not child:
        code = 1
        try:
            try:
                store.ready()
            except StoreNotOpen:
                store.close()
                with TaskStore(database.url) as mine:
                    mine.for_user(1).create("from the child")
                code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert [task.title for task in store.for_user(1).iterate()] == ["from the child"]


def test_it_works_beside_an_event_loop(store: TaskStore) -> None:
    async def main() -> int:
        return (await asyncio.to_thread(store.for_user(1).create, "x")).user_id

    assert asyncio.run(main()) == 1


WAITING = """
import sys
from taskcore.sync import TaskStore
try:
    TaskStore(sys.argv[1]).open()
except KeyboardInterrupt:
    sys.exit(42)
"""


def test_ctrl_c_ends_a_call() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://role@127.0.0.1:{silent.getsockname()[1]}/database"
        process = subprocess.Popen([sys.executable, "-c", WAITING, url])
        with silent.accept()[0] as connection:
            assert connection.recv(1)
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 42
