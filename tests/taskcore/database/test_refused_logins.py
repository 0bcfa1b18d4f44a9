"""A login that is refused while a store is open: Unavailable until it is accepted again."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import asyncpg
import pytest

from taskcore import ConfigurationError, Settings, TaskStore, Unavailable
from taskcore.database.url import connect_arguments, with_login
from taskcore.schema.roles import ROLES
from tests.clusters import Cluster, running_cluster
from tests.folders import server_folder
from tests.neon.pgbouncer import running_pgbouncer

PASSWORD = "first-of-all"  # noqa: S105


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A cluster that asks the application for its password."""
    with server_folder() as name, running_cluster(name, 18) as cluster:
        rules = cluster.folder / "pg_hba.conf"
        rules.write_text(f"local all taskcore_app scram-sha-256\n{rules.read_text()}")
        yield cluster


@pytest.fixture
async def owner(cluster: Cluster) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(**connect_arguments(cluster.url("postgres")))
    await connection.execute(f"ALTER ROLE taskcore_app PASSWORD '{PASSWORD}'")
    await connection.execute("SELECT pg_reload_conf()")
    yield connection
    await connection.close()


@dataclass(frozen=True)
class Change:
    """A change by an administrator while the application runs.

    Attributes:
        done: The statement.
        undone: The statement that reverts it.
        message: A part of the error's text.
    """

    done: str
    undone: str
    message: str


CHANGES = {
    "the password is another": Change(
        "ALTER ROLE taskcore_app PASSWORD 'second'",
        f"ALTER ROLE taskcore_app PASSWORD '{PASSWORD}'",
        "password authentication failed",
    ),
    "the password has expired": Change(
        "ALTER ROLE taskcore_app VALID UNTIL '2020-01-01'",
        "ALTER ROLE taskcore_app VALID UNTIL 'infinity'",
        "password authentication failed",
    ),
    "the role may not log in": Change(
        "ALTER ROLE taskcore_app NOLOGIN", "ALTER ROLE taskcore_app LOGIN", "not permitted to log"
    ),
    "the role may not connect": Change(
        "REVOKE CONNECT ON DATABASE taskcore FROM PUBLIC",
        "GRANT CONNECT ON DATABASE taskcore TO PUBLIC",
        "permission denied for database",
    ),
    "the database has another name": Change(
        "ALTER DATABASE taskcore RENAME TO other",
        "ALTER DATABASE other RENAME TO taskcore",
        "does not exist",
    ),
    "the database takes no connections": Change(
        "ALTER DATABASE taskcore ALLOW_CONNECTIONS false",
        "ALTER DATABASE taskcore ALLOW_CONNECTIONS true",
        "not currently accepting connections",
    ),
    "the role may have no connection": Change(
        "ALTER ROLE taskcore_app CONNECTION LIMIT 0",
        "ALTER ROLE taskcore_app CONNECTION LIMIT -1",
        "too many connections for role",
    ),
    "a library is missing": Change(
        "ALTER ROLE taskcore_app SET local_preload_libraries = 'nothing'",
        "ALTER ROLE taskcore_app RESET local_preload_libraries",
        "RESET local_preload_libraries",
    ),
}


async def _change(owner: asyncpg.Connection, statement: str) -> None:
    """Change something; every connection of the application has to log in again."""
    await owner.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE datname IN ('taskcore', 'other')"
    )
    await owner.execute(statement)
    await asyncio.sleep(0.05)


async def _is_ready(store: TaskStore) -> bool:
    try:
        await store.ready()
    except (ConfigurationError, Unavailable):
        return False
    return True


def _url(cluster: Cluster) -> str:
    return with_login(cluster.url("taskcore"), "taskcore_app", PASSWORD)


@pytest.mark.parametrize("name", CHANGES)
async def test_an_open_store_is_unavailable_while_its_login_is_refused(
    cluster: Cluster, owner: asyncpg.Connection, name: str
) -> None:
    change = CHANGES[name]
    settings = Settings(operation_timeout=2)
    async with TaskStore(_url(cluster), settings=settings) as store:
        tasks = store.for_user(1)
        task = await tasks.create("before")
        await _change(owner, change.done)
        try:
            for call in (tasks.get, tasks.delete):
                with pytest.raises(Unavailable, match=change.message) as error:
                    await call(task.id)
                assert "\n" not in str(error.value)
            with pytest.raises((ConfigurationError, Unavailable), match=change.message):
                await store.ready()
            other = await TaskStore(_url(cluster), settings=settings).open(connect=False)
            with pytest.raises(Unavailable, match=change.message):
                await other.for_user(1).create("not yet")
            await other.close()
            opening = Unavailable if "LIMIT" in change.done else ConfigurationError
            with pytest.raises(opening, match=change.message):
                await TaskStore(_url(cluster), settings=settings).open()
        finally:
            await owner.execute(change.undone)

        await store.ready()
        assert await tasks.get(task.id) == task
        await tasks.delete(task.id)


async def test_a_refused_login_is_not_tried_again_within_a_call(
    cluster: Cluster, owner: asyncpg.Connection
) -> None:
    """It would be refused again, and servers lock out clients that keep trying."""
    change = CHANGES["the password is another"]
    async with TaskStore(_url(cluster)) as store:
        await _change(owner, change.done)
        try:
            async with asyncio.timeout(5):  # of an operation_timeout of 20
                with pytest.raises(Unavailable, match="refused the login"):
                    await store.for_user(1).create("refused")
        finally:
            await owner.execute(change.undone)


async def test_a_pooler_that_cannot_log_in_is_unavailable_until_it_can(
    cluster: Cluster, owner: asyncpg.Connection
) -> None:
    """The pooler accepts the client, and the server refuses the pooler."""
    change = CHANGES["the password is another"]
    passwords = dict.fromkeys(ROLES, PASSWORD)
    with running_pgbouncer(cluster.url("taskcore"), passwords=passwords) as pooler:
        url = pooler.through(_url(cluster))
        async with TaskStore(url, settings=Settings(operation_timeout=3)) as store:
            tasks = store.for_user(1)
            task = await tasks.create("before")
            await _change(owner, change.done)
            try:
                for _ in range(3):
                    with pytest.raises(Unavailable, match="authentication failed"):
                        await tasks.get(task.id)
                assert not await _is_ready(store)
            finally:
                await owner.execute(change.undone)
            # The pooler pauses for server_login_retry (a second) after a failed login, and
            # refuses without asking the server until it has tried again.
            async with asyncio.timeout(30):
                while not await _is_ready(store):  # noqa: ASYNC110  (the pooler tells nobody)
                    await asyncio.sleep(0.1)

            assert await tasks.get(task.id) == task
            await store.ready()
            await tasks.delete(task.id)
