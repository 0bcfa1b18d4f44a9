"""Homes of embedded servers, and other processes that use them."""

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from taskcore import Settings, TaskStore
from taskcore.embedded import EmbeddedServer

Start = Callable[..., subprocess.Popen[str]]
"""Starts another process on a home; returns once that has created a task."""


def embedded_store(home: Path) -> TaskStore:
    return TaskStore(settings=Settings(home=home))


def is_running(home: Path) -> bool:
    """Look for the lock and for the process: each must tell the same."""
    held = EmbeddedServer(home).is_running()
    try:
        os.kill(postmaster(home), 0)
    except (FileNotFoundError, ProcessLookupError):
        assert not held
        return False
    assert held
    return True


def postmaster(home: Path) -> int:
    return int((home / "postgresql" / "postmaster.pid").read_bytes().split()[0])


def keeper(home: Path) -> int:
    """Return the process that started the server."""
    status = Path(f"/proc/{postmaster(home)}/status").read_text()
    return int(status.split("PPid:")[1].split()[0])


def wait_until_stopped(home: Path, seconds: float = 60) -> None:
    """Wait for the keeper to notice that nobody is left."""
    end = time.monotonic() + seconds
    while EmbeddedServer(home).is_running():
        assert time.monotonic() < end, "the server still runs"
        time.sleep(0.02)
