"""A full disk: every answer says so, nothing is lost, and room on it ends the fault.

Making a small disk needs the right to mount one. Without that right, no test is defined.
"""

import asyncio
import os
import pwd
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from taskcore import OutcomeUnknown, Settings, TaskStore, Unavailable, UserTasks
from taskcore_cli.__main__ import main
from taskcore_http import create_app
from tests.clusters import Cluster, running_cluster
from tests.databases import execute
from tests.taskcore_http.answers import error_of
from tests.taskcore_http.client import client_of

_SYS_ADMIN = 21
"""The capability to mount; https://man7.org/linux/man-pages/man7/capabilities.7.html."""


def may_mount() -> bool:
    status = Path("/proc/self/status")
    if not status.exists():
        return False
    fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return bool(int(fields["CapEff"], 16) >> _SYS_ADMIN & 1) and os.geteuid() == 0


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of its own, that belongs to the server's user."""
    folder.mkdir()
    user = pwd.getpwnam("taskcore")
    options = f"size={size},mode=0700,uid={user.pw_uid},gid={user.pw_gid}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "taskcore", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


# Different characters: what PostgreSQL can compress fills no disk.
LONG = "".join(map(chr, range(0x4E00, 0x4E00 + 5000)))
BATCH = [{"title": "t" * 500, "description": LONG}] * 100


if may_mount():

    def test_a_full_disk_is_unavailable_until_there_is_room_again(
        home: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """FR-015; edge case: no partial state."""
        with small_disk(home / "disk", "6m") as disk, running_cluster(home, 18) as cluster:
            url = cluster.url("taskcore", "taskcore_app")
            asyncio.run(_filled(cluster, disk, url))
            monkeypatch.setenv("TASKCORE_DATABASE_URL", url)
            monkeypatch.setattr("sys.argv", ["taskctl", "tasks", "add", "t" * 500, "--user", "1"])
            asyncio.run(_until_full(url))
            status: str | int | None = 0
            while not status:
                with pytest.raises(SystemExit) as ended:
                    main()
                status = ended.value.code
            assert status == 1
            line = capfd.readouterr().err
            assert "disk is full: free space on it, or enlarge it (53100)" in line
            assert line.count("\n") == 1

    async def _filled(cluster: Cluster, disk: Path, url: str) -> None:
        await execute(
            cluster.url("taskcore"),
            f"CREATE TABLESPACE small LOCATION '{disk}'",
            "ALTER TABLE taskcore.tasks SET TABLESPACE small",
        )
        filler = disk / "filler"
        filler.write_bytes(b"\0" * 2**20)
        async with TaskStore(url) as store:
            tasks = store.for_user(1)
            first = await tasks.create("before")
            stored = 1 + await _until_full(url)
            assert len([task async for task in tasks.iterate()]) == stored
            with pytest.raises(Unavailable, match=r"disk is full.*53100"):
                await tasks.create_many(BATCH)
            assert await tasks.get(first.id) == first
            assert len([task async for task in tasks.iterate()]) == stored
            async with client_of(create_app(store=store)) as client:
                body = {"title": "x", "description": LONG}
                # The batch that was rolled back leaves room for single tasks.
                while (answer := await client.post("/users/1/tasks", json=body)).is_success:
                    pass
                error_of(answer, 503)
                assert answer.headers["retry-after"]

            filler.unlink()

            await tasks.create_many(BATCH[:20])
            await tasks.delete(first.id)

    async def _until_full(url: str) -> int:
        """Store tasks until one is refused; return how many were stored."""
        stored = 0
        async with TaskStore(url) as store:
            for batch in (BATCH, BATCH[:1]):
                while True:
                    try:
                        stored += len(await store.for_user(1).create_many(batch))
                    except Unavailable:
                        break
        return stored

    def test_a_full_disk_of_the_log_ends_the_server_and_loses_nothing(home: Path) -> None:
        """SC-003: PostgreSQL stops at once; every acknowledged task is there afterwards."""
        with running_cluster(home, 18) as cluster:
            cluster.stop()
            log = cluster.folder / "pg_wal"
            with small_disk(home / "disk", "48m") as disk:
                subprocess.run(["cp", "-a", f"{log}/.", disk], check=True)
                kept = log.rename(log.with_name("pg_wal.kept"))
                log.symlink_to(disk)
                cluster.start()
                try:
                    asyncio.run(_log_filled(cluster, disk))
                finally:
                    cluster.stop()
                    log.unlink()
                    subprocess.run(["cp", "-a", f"{disk}/.", kept], check=True)
                    kept.rename(log)
            cluster.start()

    async def _log_filled(cluster: Cluster, disk: Path) -> None:
        url = cluster.url("taskcore", "taskcore_app")
        filler = disk / "filler"
        room = os.statvfs(disk)
        filler.write_bytes(b"\0" * (room.f_bavail * room.f_bsize - 2**20))
        acknowledged: list[int] = []
        store = await TaskStore(url, settings=Settings(operation_timeout=3)).open()
        tasks = store.for_user(1)
        with pytest.raises((Unavailable, OutcomeUnknown)):
            await _store_on(tasks, acknowledged)
        with pytest.raises((Unavailable, OutcomeUnknown)):
            await _store_on(tasks, acknowledged)

        filler.unlink()
        # It could not begin its recovery without room, or waits for a client to try again.
        assert "PANIC" in (cluster.server.home / "postgresql.log").read_text()
        if not cluster.folder.joinpath("postmaster.pid").exists():
            cluster.start()
        async with asyncio.timeout(60):
            while True:
                try:
                    await store.ready()
                    break
                except Unavailable:
                    await asyncio.sleep(0.1)
        found = {task.id async for task in tasks.iterate()}
        assert found >= set(acknowledged)
        await tasks.create("after")
        await store.close()

    async def _store_on(tasks: UserTasks, acknowledged: list[int]) -> None:
        while True:
            acknowledged += [task.id for task in await tasks.create_many(BATCH)]
