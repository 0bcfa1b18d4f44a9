"""Folders for the data of test servers."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  (the folder's name is made by tempfile)
_ENOUGH = 4 * 2**30


@contextmanager
def server_folder() -> Iterator[Path]:
    """Make a folder that the server's user can enter, also when the tests run as root.

    It is in memory if there is room: most of a server's start and stop is syncing.
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
