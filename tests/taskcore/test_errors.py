"""The errors that a caller gets when the database fails, and what they must not reveal."""

import asyncio
import logging
import re
import traceback
from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from taskcore import (
    ConfigurationError,
    OutcomeUnknown,
    PermissionDenied,
    PoolExhausted,
    SchemaOutdated,
    Settings,
    TaskcoreError,
    TaskStore,
    Unavailable,
    errors,
)
from taskcore.embedded import EmbeddedServer
from taskcore.settings import load_settings
from taskcore.tasks.user_tasks import UserTasks
from tests.databases import Database
from tests.sessions import kill, terminate, until_blocked
from tests.wire import Wire

NOWHERE = "postgresql://taskcore_app:hunter2-secret@127.0.0.1:1/taskcore"
PASSWORD = "hunter2-secret"  # noqa: S105


async def test_a_closed_port_is_unavailable() -> None:
    """Edge case: the database cannot be reached."""
    with pytest.raises(
        Unavailable, match=r"at 127\.0\.0\.1:1 cannot be reached: Connection refused"
    ):
        await TaskStore(NOWHERE).open()


async def test_a_missing_socket_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="the database at /nowhere cannot be reached: No such"):
        await TaskStore("postgresql://taskcore_app@/taskcore?host=%2Fnowhere").open()


async def test_a_host_without_an_address_is_unavailable() -> None:
    with pytest.raises(Unavailable, match=r"at nowhere\.invalid:5432 cannot be reached"):
        await TaskStore("postgresql://app@nowhere.invalid/taskcore?sslmode=disable").open()


async def test_a_database_that_does_not_exist_is_a_configuration_error(
    server: EmbeddedServer,
) -> None:
    url = server.application_url.replace("/taskcore?", "/nowhere?")
    with pytest.raises(ConfigurationError, match="nowhere"):
        await TaskStore(url).open()


async def test_a_role_that_does_not_exist_is_a_configuration_error(database: Database) -> None:
    with pytest.raises(ConfigurationError, match="nobody"):
        await TaskStore(database.url_of("nobody")).open()


async def test_a_bare_database_is_outdated(server: EmbeddedServer) -> None:
    """It says what to do."""
    for role in ("postgres", "taskcore_app"):
        url = server.owner_url.replace("//postgres@", f"//{role}@")
        with pytest.raises(SchemaOutdated, match="taskctl migrate"):
            await TaskStore(url.replace("/taskcore?", "/postgres?")).open()


async def test_an_older_schema_is_outdated(database: Database, owner: asyncpg.Connection) -> None:
    await _set_schema_version(owner, 0)
    with pytest.raises(SchemaOutdated, match="taskctl migrate"):
        await TaskStore(database.url).open()


async def test_a_newer_schema_is_accepted(database: Database, owner: asyncpg.Connection) -> None:
    """A deploy migrates first; the old release goes on working."""
    await _set_schema_version(owner, 2)
    async with TaskStore(database.url) as store:
        await store.for_user(1).create("still works")


async def test_a_missing_function_is_outdated(store: TaskStore, owner: asyncpg.Connection) -> None:
    await owner.execute("DROP FUNCTION taskcore.task_get_v1")
    with pytest.raises(SchemaOutdated):
        await store.for_user(1).get(1)


async def test_a_role_without_rights_is_denied(database: Database, store: TaskStore) -> None:
    with pytest.raises(PermissionDenied):
        await store.users.list()
    with pytest.raises(PermissionDenied):
        await store.users.get(1)
    with pytest.raises(PermissionDenied):
        await store.users.delete(1)
    async with TaskStore(database.url) as other:
        assert (await other.for_user(1).list()).items == ()


async def test_a_busy_pool_is_exhausted(database: Database, owner: asyncpg.Connection) -> None:
    settings = Settings(pool_max_size=1)
    async with TaskStore(database.url, settings=settings) as store:
        lock = owner.transaction()
        await lock.start()
        await owner.execute("LOCK TABLE taskcore.tasks IN ACCESS EXCLUSIVE MODE")
        busy = asyncio.ensure_future(store.for_user(1).list())
        await until_blocked(owner)
        settings.pool_timeout = 0.05

        with pytest.raises(PoolExhausted, match="pool_max_size is 1"):
            await store.for_user(1).list()

        await lock.rollback()
        await busy
        await store.for_user(1).list()


Operation = Callable[[UserTasks, int], Awaitable[object]]

READS: dict[str, Operation] = {
    "get": lambda tasks, task_id: tasks.get(task_id),
    "list": lambda tasks, _id: tasks.list(),
}
WRITES: dict[str, Operation] = {
    "create": lambda tasks, _id: tasks.create("title"),
    "create_many": lambda tasks, _id: tasks.create_many([{"title": "title"}]),
    "update": lambda tasks, task_id: tasks.update(task_id, title="new"),
    "delete": lambda tasks, task_id: tasks.delete(task_id),
}


@pytest.mark.parametrize("how", ["terminated", "cut", "timed out"])
@pytest.mark.parametrize("name", [*READS, *WRITES])
async def test_an_operation_that_never_gets_an_answer_ends_with_its_time(
    database: Database, owner: asyncpg.Connection, name: str, how: str
) -> None:
    """A read is unavailable, nothing is changed; of a write the outcome is unknown."""
    settings = Settings(command_timeout=0.1 if how == "timed out" else 10, operation_timeout=0.5)
    async with (
        TaskStore(database.url) as patient,
        Wire(database.url) as wire,
        TaskStore(wire.url, settings=settings) as store,
    ):
        task = await patient.for_user(1).create("before")
        tasks = store.for_user(1)
        lock = owner.transaction()
        await lock.start()
        await owner.execute("LOCK TABLE taskcore.tasks IN ACCESS EXCLUSIVE MODE")
        call = asyncio.ensure_future((READS | WRITES)[name](tasks, task.id))
        await until_blocked(owner)
        if how == "terminated":
            await kill(owner)
        elif how == "cut":
            await wire.cut()

        with pytest.raises(Unavailable if name in READS else OutcomeUnknown):
            await call

        # The server notices a cut only when it answers.
        await terminate(owner)
        await lock.rollback()
        assert (await patient.for_user(1).list()).items == (task,)


async def test_an_idle_connection_that_was_lost_does_not_poison_the_pool(
    database: Database, owner: asyncpg.Connection
) -> None:
    async with TaskStore(database.url, settings=Settings(pool_max_size=1)) as store:
        task = await store.for_user(1).create("before")
        await terminate(owner)
        # The loss reaches the client as an event of its own.
        await asyncio.sleep(0.05)

        assert await store.for_user(1).get(task.id) == task


# https://www.postgresql.org/docs/current/protocol-message-formats.html (ErrorResponse)
_FIELDS = b"SFATAL\0VFATAL\0C57P02\0Mterminating connection\0\0"
FATAL = b"E" + (len(_FIELDS) + 4).to_bytes(4, "big") + _FIELDS


@pytest.mark.parametrize("name", [*READS, *WRITES])
async def test_a_server_that_says_farewell_and_does_not_hang_up_is_left(
    database: Database, name: str
) -> None:
    """As after a crash of another server process; a new connection does the work."""
    async with Wire(database.url) as wire, TaskStore(wire.url) as store:
        tasks = store.for_user(1)
        task = await tasks.create("before")
        wire.say(FATAL)
        await asyncio.sleep(0.01)

        await (READS | WRITES)[name](tasks, task.id)


async def test_a_statement_that_was_rolled_back_is_sent_again(
    database: Database, owner: asyncpg.Connection
) -> None:
    """A lock timeout, as a deadlock or a lost race, undoes a statement wholly."""
    await owner.execute(
        f"ALTER ROLE taskcore_app IN DATABASE {database.name} SET lock_timeout = 20"
    )
    async with Wire(database.url) as wire, TaskStore(wire.url) as store:
        task = await store.for_user(1).create("before")
        lock = owner.transaction()
        await lock.start()
        await owner.execute("LOCK TABLE taskcore.tasks IN ACCESS EXCLUSIVE MODE")
        before = wire.round_trips
        update = asyncio.ensure_future(store.for_user(1).update(task.id, title="new"))
        await wire.until(before + 3)
        assert not update.done()
        await lock.commit()

        assert (await update).version == 2


async def test_readiness_reports_the_last_operation(database: Database) -> None:
    settings = Settings(operation_timeout=0.2)
    async with Wire(database.url) as wire, TaskStore(wire.url, settings=settings) as store:
        await store.ready()
        wire.refuse()
        await wire.cut()
        await asyncio.sleep(0.01)
        with pytest.raises(Unavailable):
            await store.for_user(1).list()
        with pytest.raises(Unavailable):
            await store.ready()


async def test_every_error_is_a_taskcore_error() -> None:
    for call in (
        TaskStore(NOWHERE).open(),
        TaskStore(NOWHERE).for_user(1).get(1),  # not open
        TaskStore(NOWHERE).for_user(1).get(0),
    ):
        with pytest.raises(TaskcoreError):
            await call


# A password is nobody's to see.


def _everything(error: BaseException) -> str:
    return "".join(
        (str(error), repr(error), repr(error.args), *traceback.format_exception(error))
    ).replace('"postgresql://', "")


@pytest.mark.parametrize(
    "url",
    [
        NOWHERE,
        f"postgresql://taskcore_app:{PASSWORD}@nowhere.invalid/taskcore?sslmode=disable",
        f"postgresql://taskcore_app@/taskcore?host=%2Fnowhere&password={PASSWORD}",
    ],
)
async def test_no_password_is_shown_when_the_database_is_away(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    store = TaskStore(url, settings=Settings(operation_timeout=0.1))
    await store.open(connect=False)
    with pytest.raises(Unavailable) as error:
        await store.for_user(1).list()
    await store.close()

    assert PASSWORD not in _everything(error.value)
    assert PASSWORD not in caplog.text
    assert PASSWORD not in repr(store) + repr(store.for_user(1)) + repr(store._settings)


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://app:{PASSWORD}@localhost/db",
        f"postgresql://app:{PASSWORD}@localhost:port/db",
        f"postgresql://app:{PASSWORD}@[::1/db",
        f"postgresql://app:{PASSWORD}#@localhost/db",
        f"postgresql://app:{PASSWORD}@localhost/db?sslkey={PASSWORD}",
        f"postgresql://app@localhost/db?sslmode={PASSWORD}",
        f"postgresql://app@localhost/db?connect_timeout={PASSWORD}",
        f"{PASSWORD}",
    ],
)
def test_no_password_is_shown_when_the_url_is_wrong(
    url: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ConfigurationError) as given:
        TaskStore(url)
    monkeypatch.setenv("TASKCORE_DATABASE_URL", url)
    with pytest.raises(ConfigurationError) as read:
        TaskStore()

    for error in (given.value, read.value):
        assert PASSWORD not in str(error) + repr(error) + repr(error.args)
    assert PASSWORD not in caplog.text


def test_no_value_is_shown_when_a_setting_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKCORE_POOL_MAX_SIZE", PASSWORD)
    with pytest.raises(ConfigurationError, match="TASKCORE_POOL_MAX_SIZE") as error:
        load_settings()
    assert PASSWORD not in _everything(error.value)


async def _set_schema_version(owner: asyncpg.Connection, version: int) -> None:
    await owner.execute(
        "CREATE OR REPLACE FUNCTION taskcore.schema_version_v1() RETURNS integer "
        f"LANGUAGE sql IMMUTABLE AS 'SELECT {version}'"
    )


def test_every_error_has_a_code_that_the_documentation_names() -> None:
    """A face translates codes, so each class needs one."""
    classes = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.TaskcoreError)
    ]
    assert len(classes) >= 14
    for kind in classes:
        assert re.search(rf"^ *{kind.__name__}\b", errors.__doc__ or "", re.MULTILINE)
        assert f" {kind.code} " in (errors.__doc__ or "")
