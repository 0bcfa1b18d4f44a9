"""Locks on files of the home, by ``flock`` (https://man7.org/linux/man-pages/man2/flock.2.html).

Such a lock belongs to an open file, not to a process: a child process that inherits the
file holds it too. The lock ends when the last of them has closed the file or has ended.
It is visible in every container that shares the file system, and a copy of the file is not
locked.
"""

import errno
import fcntl
import functools
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from taskcore.errors import ConfigurationError

_PAUSE = 0.01
# Descriptors of locks that are held exclusively.
_held: set[int] = set()
# ENOLCK is in the manual page; network file systems have the others.
_UNSUPPORTED = frozenset({errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """Open a lock file. Only its owner can, because a user who opens it can lock it."""
    descriptor = _open(path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def exclusive(path: Path, timeout: float) -> Iterator[None]:
    """Hold a file's lock exclusively for a block.

    Args:
        path: The file.
        timeout: Seconds to wait for it.

    Raises:
        TimeoutError: Another process held it for that long.
        ConfigurationError: The file system has no such locks.
    """
    with opened(path) as descriptor:
        _wait(descriptor, fcntl.LOCK_EX, timeout)
        _close_in_children()
        _held.add(descriptor)
        try:
            yield
        finally:
            _held.discard(descriptor)
            # A process that was forked before the lock was noted may have the file open too.
            fcntl.flock(descriptor, fcntl.LOCK_UN)


def is_held(path: Path) -> bool:
    """Return whether any process holds the file's lock exclusively."""
    try:
        with _existing(path) as descriptor:
            return not _try(descriptor, fcntl.LOCK_SH)
    except FileNotFoundError:
        return False


def is_shared(path: Path) -> bool:
    """Return whether any process holds a share of the file's lock."""
    try:
        with _existing(path) as descriptor:
            # If it can be had in neither mode, another process holds it exclusively.
            return not _try(descriptor, fcntl.LOCK_EX) and _try(descriptor, fcntl.LOCK_SH)
    except FileNotFoundError:
        return False


class Share:
    """A share of a file's lock, held until `release` or the end of the process.

    A process that is forked inherits the open file and holds the share as well.

    Args:
        path: The file.
        timeout: Seconds to wait while another process holds the lock exclusively.

    Raises:
        TimeoutError: Another process held it for that long.
        ConfigurationError: The file system has no such locks.
    """

    def __init__(self, path: Path, timeout: float) -> None:
        self._descriptor: int | None = _open(path)
        try:
            _wait(self._descriptor, fcntl.LOCK_SH, timeout)
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Release the share. Safe to call twice."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            # Unlocking would take it from forked processes as well.
            os.close(descriptor)


@functools.cache
def _close_in_children() -> None:
    """Keep a forked process from holding a lock when its parent is killed."""
    os.register_at_fork(after_in_child=_close_held)


def _close_held() -> None:
    while _held:
        os.close(_held.pop())


@contextmanager
def _existing(path: Path) -> Iterator[int]:
    """Open a lock file only to look, also on a read-only file system."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    os.fchmod(descriptor, 0o600)
    return descriptor


def _wait(descriptor: int, mode: int, timeout: float) -> None:
    end = time.monotonic() + timeout
    while not _try(descriptor, mode):
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(_PAUSE)


def _try(descriptor: int, mode: int) -> bool:
    try:
        fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as exc:
        if exc.errno in _UNSUPPORTED:
            raise ConfigurationError(
                "the embedded server needs a file system with flock: set TASKCORE_HOME to a "
                "folder on another one"
            ) from exc
        raise
    return True
