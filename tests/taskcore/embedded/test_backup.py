"""Backups of the embedded database, and a new home made from one."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import asyncpg
import pytest

from taskcore import ConfigurationError, TaskStore
from taskcore.database.url import connect_arguments
from taskcore.embedded import EmbeddedServer, backup, restore


async def backed_up(home: Path) -> io.BytesIO:
    """Back up three tasks of two users while the server is in use."""
    async with EmbeddedServer(home) as server, TaskStore(server.application_url) as store:
        await store.for_user(1).create_many([{"title": "one"}, {"title": "two"}])
        await store.for_user(2).create("secret")
        file = io.BytesIO()
        assert await backup(server, file.write) == len(file.getvalue())
        await store.for_user(1).create("after the backup")
    file.seek(0)
    return file


@pytest.fixture
async def new(used_long_home: Path) -> AsyncIterator[EmbeddedServer]:
    """A home without users."""
    async with EmbeddedServer(used_long_home) as server:
        yield server


async def test_a_backup_is_restored_into_a_new_home(used_home: Path, new: EmbeddedServer) -> None:
    """SC-003, FR-014: tasks, versions and isolation, as they were."""
    await restore(new, await backed_up(used_home))

    async with TaskStore(new.application_url) as store:
        assert [task.title for task in (await store.for_user(1).list()).items] == ["two", "one"]
        assert [task.title for task in (await store.for_user(2).list()).items] == ["secret"]
        await store.for_user(1).create("Buy groceries")
    async with TaskStore(new.admin_url) as store:
        assert [user.id async for user in store.users.iterate()] == [1, 2]


async def test_a_home_with_users_is_not_overwritten(used_home: Path, new: EmbeddedServer) -> None:
    file = await backed_up(used_home)
    async with TaskStore(new.application_url) as store:
        await store.for_user(1).create("kept")
        with pytest.raises(ConfigurationError, match="has users"):
            await restore(new, file)
        assert [task.title for task in (await store.for_user(1).list()).items] == ["kept"]


async def test_a_home_in_use_is_not_replaced(used_home: Path, new: EmbeddedServer) -> None:
    """Otherwise connected clients would go on in a database that is gone."""
    file = await backed_up(used_home)
    async with TaskStore(new.application_url) as store:
        with pytest.raises(ConfigurationError, match="end them first"):
            await restore(new, file)
        assert (await store.for_user(1).list()).items == ()


@pytest.mark.parametrize("what", ["text", "cut", "foreign"])
async def test_a_file_that_is_not_a_backup_of_taskcore_changes_nothing(
    used_home: Path, new: EmbeddedServer, tmp_path: Path, what: str
) -> None:
    file = tmp_path / "backup"
    if what == "text":
        file.write_text("Buy groceries\n")
    elif what == "cut":
        whole = (await backed_up(used_home)).getvalue()
        file.write_bytes(whole[: len(whole) * 2 // 3])
    else:
        async with EmbeddedServer(used_home) as server:
            connection = await asyncpg.connect(**connect_arguments(server.owner_url))
            await connection.execute("DROP SCHEMA taskcore CASCADE; CREATE TABLE other (id int)")
            await connection.close()
            with file.open("wb") as written:
                await backup(server, written.write)

    with file.open("rb") as source, pytest.raises(ConfigurationError, match="cannot be restored"):
        await restore(new, source)

    async with TaskStore(new.application_url) as store:
        await store.for_user(1).create("Buy groceries")
    connection = await asyncpg.connect(**connect_arguments(new.owner_url))
    names = await connection.fetch("SELECT datname FROM pg_database ORDER BY 1")
    await connection.close()
    assert [row["datname"] for row in names] == ["postgres", "taskcore", "template0", "template1"]


class Slow(io.BytesIO):
    """A backup during whose reading somebody uses the new home."""

    def __init__(self, data: bytes, use: Callable[[], None]) -> None:
        super().__init__(data)
        self._use = use

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell():
            self._use()
        return super().read(size)


async def test_a_task_that_is_created_meanwhile_is_not_lost(
    used_home: Path, new: EmbeddedServer
) -> None:
    async def create() -> None:
        async with TaskStore(new.application_url) as store:
            await store.for_user(7).create("acknowledged")

    file = Slow((await backed_up(used_home)).getvalue(), lambda: asyncio.run(create()))

    with pytest.raises(ConfigurationError, match="has users already"):
        await restore(new, file)

    async with TaskStore(new.application_url) as store:
        assert {task.title for task in (await store.for_user(7).list()).items} == {"acknowledged"}
