"""Folders for the data of test servers."""

import asyncio
import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from taskcore.embedded import EmbeddedServer

PREPARED = "TESTS_PREPARED"
"""The environment variable with the folder of `prepare`, for every process of one run of pytest."""

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  (the folder's name is made by tempfile)
_ENOUGH = 4 * 2**30


@contextmanager
def server_folder() -> Iterator[Path]:
    """Make a folder that the server's user can enter, also when the tests run as root.

    It is in memory if there is room: a server's start and stop are mostly syncing to disk.
    """
    in_memory = _SHARED_MEMORY.is_dir() and shutil.disk_usage(_SHARED_MEMORY).free > _ENOUGH
    with tempfile.TemporaryDirectory(
        prefix="taskcore-test-",
        dir=_SHARED_MEMORY if in_memory else None,
        ignore_cleanup_errors=True,
    ) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def prepare(home: Path, version: int = 18) -> None:
    """Copy a server's data into a home, with a migrated database that has no users.

    The first process of a run that needs a version makes its data, which takes a second. All
    others copy it.
    """
    original = Path(os.environ[PREPARED]) / str(version)
    with original.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not original.exists():
            server = EmbeddedServer(original.with_suffix(".new"), version=version)
            asyncio.run(server.start())
            asyncio.run(server.stop())
            server.home.rename(original)
    subprocess.run(["cp", "-a", original / "postgresql", home], check=True)
