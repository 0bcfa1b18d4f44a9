"""Many processes over one home, started, killed, forked, copied and upgraded at random."""

import asyncio
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from taskcore import ConfigurationError, TaskcoreError, TaskStore
from taskcore.database.url import connect_arguments
from taskcore.embedded import EmbeddedServer
from tests.folders import server_folder
from tests.taskcore.embedded.homes import embedded_store, keeper, postmaster, wait_until_stopped

REPOSITORY = Path(__file__).parents[3]
STEPS = 200
MOST_USERS = 4

# Creates tasks until SIGTERM, and notes each that was acknowledged in a file. SIGUSR1 forks a
# child that does the same for a while. Errors of the library are what a user expects here.
USER = """
import asyncio, faulthandler, itertools, os, signal, sys, threading
from pathlib import Path
from taskcore import Settings, TaskcoreError, TaskStore

home, notes = map(Path, sys.argv[1:])
ended = []
faulthandler.register(signal.SIGUSR2)
signal.signal(signal.SIGTERM, lambda *_: ended.append(1))

def fork(*_):
    if not os.fork():
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        # The parent's event loop runs in this thread: the child's needs another.
        thread = threading.Thread(target=lambda: asyncio.run(create(30)))
        thread.start()
        thread.join()
        os._exit(0)

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
signal.signal(signal.SIGUSR1, fork)

async def create(most=None):
    me = os.getpid()
    settings = Settings(home=home, operation_timeout=3)
    store = None
    with (notes / str(me)).open("a", buffering=1) as acknowledged:
        for number in itertools.count():
            if ended or number == most:
                break
            try:
                if store is None:
                    store = TaskStore(settings=settings)
                    await store.open()
                await store.for_user(1).create(f"{me}-{number}")
            except TaskcoreError as exc:
                if store is not None and not store._opened:
                    store = None
                print(type(exc).__name__, exc, flush=True)
                await asyncio.sleep(0.1)
            else:
                acknowledged.write(f"{me}-{number}\\n")
                await asyncio.sleep(0.005)
    if store is not None:
        await store.close()

asyncio.run(create())
"""


class Soak:
    """One home, and the processes that use it."""

    def __init__(self, home: Path, notes: Path, seed: int) -> None:
        self.home = home
        self.notes = notes
        self.random = random.Random(seed)  # noqa: S311  (repeatable on purpose)
        self.users: list[subprocess.Popen[str]] = []
        self.copies = 0
        self.done: Counter[str] = Counter()

    def step(self) -> None:
        """Do one thing at random, then let the users go on for a moment."""
        steps: list[Callable[[], None]] = [
            *(self.start, self.start, self.end, self.kill_user, self.fork),
            *(self.kill_server, self.kill_keeper, self.end_server),
            *(self.copy, self.upgrade, self.command, self.stop, self.back_up),
        ]
        step = self.random.choice(steps)
        step()
        self.done[step.__name__] += 1
        time.sleep(self.random.uniform(0, 0.2))

    def start(self) -> None:
        if len(self.users) == MOST_USERS:
            return
        with (self.notes / "output").open("a") as out, (self.notes / "errors").open("a") as errors:
            self.users.append(
                subprocess.Popen(
                    [sys.executable, "-c", USER, str(self.home), str(self.notes)],
                    stdout=out,
                    stderr=errors,
                    text=True,
                    cwd=REPOSITORY,
                )
            )

    def end(self) -> None:
        self._signal_user(signal.SIGTERM, ends=True)

    def kill_user(self) -> None:
        self._signal_user(signal.SIGKILL, ends=True)

    def fork(self) -> None:
        self._signal_user(signal.SIGUSR1, ends=False)

    def kill_server(self) -> None:
        self._signal_server(postmaster, signal.SIGKILL)

    def kill_keeper(self) -> None:
        self._signal_server(keeper, signal.SIGKILL)

    def end_server(self) -> None:
        self._signal_server(postmaster, signal.SIGTERM)

    def copy(self) -> None:
        """Use a copy, and erase its user: the original must not notice."""
        self.copies += 1
        copy = self.home.parent / f"copy-{self.copies}"
        # Files come and go while they are copied.
        subprocess.run(["cp", "-a", self.home, copy], check=False, capture_output=True)

        async def erase() -> None:
            async with EmbeddedServer(copy) as server, TaskStore(server.admin_url) as store:
                await store.users.delete(1)

        with contextlib.suppress(TaskcoreError):
            try:
                asyncio.run(erase())
            except ConfigurationError as exc:
                if "copy that was made" not in str(exc):
                    raise
                (copy / "postgresql" / "postmaster.pid").unlink()
                asyncio.run(erase())
        shutil.rmtree(copy, ignore_errors=True)

    def upgrade(self) -> None:
        """Take away what this release has added: the next start migrates."""

        async def older() -> None:
            async with EmbeddedServer(self.home) as server:
                connection = await asyncpg.connect(**connect_arguments(server.owner_url))
                await connection.execute("DROP FUNCTION IF EXISTS taskcore.task_get_v1")
                await connection.close()
            async with EmbeddedServer(self.home) as server:
                connection = await asyncpg.connect(**connect_arguments(server.owner_url))
                assert await connection.fetchval(
                    "SELECT to_regprocedure('taskcore.task_get_v1(bigint, bigint)') IS NOT NULL"
                )
                await connection.close()

        with contextlib.suppress(TaskcoreError, OSError, asyncpg.PostgresError):
            asyncio.run(older())

    def command(self) -> None:
        title = f"command-{self.done['command']}"
        if self._taskctl("tasks", "add", title, "--user", "1") == 0:
            with (self.notes / "commands").open("a") as acknowledged:
                acknowledged.write(f"{title}\n")

    def stop(self) -> None:
        self._taskctl("embedded", "stop")

    def back_up(self) -> None:
        self._taskctl("embedded", "backup", str(self.notes.parent / "backup"))

    def finish(self) -> None:
        for user in self.users:
            user.send_signal(signal.SIGTERM)
        for user in self.users:
            self._wait_for(user)

    def _wait_for(self, user: subprocess.Popen[str]) -> None:
        """Wait for a process to end. If it does not, let it and its children say where they are."""
        try:
            user.wait(60)
        except subprocess.TimeoutExpired:
            children = Path(f"/proc/{user.pid}/task/{user.pid}/children").read_text().split()
            for process in (user.pid, *map(int, children)):
                with contextlib.suppress(OSError):
                    os.kill(process, signal.SIGUSR2)
            time.sleep(1)
            print((self.notes / "errors").read_text()[-20_000:])  # noqa: T201
            raise

    def _taskctl(self, *words: str) -> int:
        result = subprocess.run(
            [sys.executable, "-m", "taskcore_cli", "--home", str(self.home), *words],
            capture_output=True,
            text=True,
            check=False,
            cwd=REPOSITORY,
        )
        assert "Traceback" not in result.stderr, result.stderr
        return result.returncode

    def _signal_user(self, number: int, *, ends: bool) -> None:
        if self.users:
            user = self.random.choice(self.users)
            user.send_signal(number)
            if ends:
                self.users.remove(user)
                self._wait_for(user)

    def _signal_server(self, process: Callable[[Path], int], number: int) -> None:
        with contextlib.suppress(OSError, IndexError):
            os.kill(process(self.home), number)


@pytest.mark.thorough
@pytest.mark.timeout(1200)
@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_nothing_acknowledged_is_lost_in_200_random_steps() -> None:
    """SC-003, FR-014, FR-017."""
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")  # noqa: T201  (shown if it fails)
    with server_folder() as name:
        home, notes = name / "home", name / "notes"
        notes.mkdir()
        soak = Soak(home, notes, seed)
        try:
            for _ in range(STEPS):
                soak.step()
            soak.finish()
        finally:
            for user in soak.users:
                user.kill()
                user.wait()
        wait_until_stopped(home)

        assert "Traceback" not in (notes / "errors").read_text(), (notes / "errors").read_text()
        acknowledged = [
            line
            for path in notes.iterdir()
            if path.name not in ("output", "errors")
            for line in path.read_text().splitlines()
        ]
        print(soak.done, "acknowledged:", len(acknowledged))  # noqa: T201
        print((notes / "output").read_text()[-4000:])  # noqa: T201
        stored = Counter(asyncio.run(all_titles(home)))
        assert len(acknowledged) > STEPS
        assert set(acknowledged) - stored.keys() == set(), "lost"
        assert [title for title, times in stored.items() if times > 1] == [], "doubled"
        assert servers_of(home) == []


async def all_titles(home: Path) -> list[str]:
    async with embedded_store(home) as store:
        return [task.title async for task in store.for_user(1).iterate()]


def servers_of(home: Path) -> list[str]:
    """Return the command lines of processes that name the home."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if str(home) in line:
                found.append(line)
    return found
