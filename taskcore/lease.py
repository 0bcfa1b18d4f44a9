"""A share in a folder's server: the last to give it up learns that it was the last."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from taskcore.errors import ConfigurationError

_TIMEOUT = 120


class Lease:
    """One user's share; a process may hold many, and counts them.

    Between processes it is a shared file lock, which the kernel drops with a process
    that dies. Such locks belong to a process, hence the counting.

    Args:
        folder: A resolved path: one folder, one name.
    """

    _mutex: ClassVar[threading.Lock] = threading.Lock()
    _exclusive: ClassVar[threading.Lock] = threading.Lock()
    _shares: ClassVar[dict[Path, tuple[int, Any]]] = {}

    def __init__(self, folder: Path) -> None:
        # Part of the extra `embedded`.
        import fasteners  # noqa: PLC0415

        self._fasteners = fasteners
        self._folder = folder
        self._held = False

    def acquire(self) -> None:
        """Take a share; waits while the last one before is being given up."""
        for name in ("users.lock", "start.lock"):
            # Whoever can read a lock file can hold it.
            (self._folder / name).touch(mode=0o600)
            (self._folder / name).chmod(0o600)
        with self._mutex:
            count, lock = self._shares.get(self._folder, (0, None))
            if lock is None:
                lock = self._fasteners.InterProcessReaderWriterLock(self._folder / "users.lock")
                lock.acquire_read_lock()
            self._shares[self._folder] = (count + 1, lock)
        self._held = True

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold off every other holder, to start what is shared.

        Raises:
            ConfigurationError: Another process held it for two minutes.
        """
        lock = self._fasteners.InterProcessLock(self._folder / "start.lock")
        with self._exclusive:
            if not lock.acquire(timeout=_TIMEOUT):
                raise ConfigurationError(f"another process keeps starting {self._folder}")
            try:
                yield
            finally:
                lock.release()

    @contextmanager
    def released(self) -> Iterator[bool]:
        """Give the share up; True if it was the last, and nobody takes one within the block."""
        if not self._held:
            yield False
            return
        self._held = False
        with self._mutex:
            count, lock = self._shares.pop(self._folder)
            if count > 1:
                self._shares[self._folder] = (count - 1, lock)
                yield False
                return
            lock.release_read_lock()
            if lock.acquire_write_lock(blocking=False):
                try:
                    yield True
                finally:
                    lock.release_write_lock()
                return
            if lock.lockfile is not None:
                # fasteners leaves the file open when it does not get the lock.
                lock.lockfile.close()
            yield False
