"""Ctrl-C at any moment.

Python runs the handler of a signal between two bytecodes, or when the signal interrupts
a system call. If a signal comes just before a system call, the call begins and waits.
So every wait here also waits for a socket that a signal writes to
(https://docs.python.org/3/library/signal.html#signal.set_wakeup_fd).
"""

import select
import signal
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

# Loaded on use, so that --help answers at once.
# ruff: noqa: PLC0415
if TYPE_CHECKING:
    import asyncio
    import socket

    from _typeshed import HasFileno

_Result = TypeVar("_Result")


class Interrupted(Exception):
    """Ctrl-C, while waiting for input."""


@contextmanager
def runner() -> Iterator["asyncio.Runner"]:
    """Return an ``asyncio.Runner``. Ctrl-C cancels its coroutine and raises KeyboardInterrupt."""
    import asyncio

    with asyncio.Runner() as runner, _signals() as signals:
        loop = runner.get_loop()
        loop.add_reader(signals, signals.recv, 4096)
        try:
            yield runner
        finally:
            loop.remove_reader(signals)


def run(coroutine: Coroutine[Any, Any, _Result]) -> _Result:
    """Run one coroutine, as ``asyncio.run`` does."""
    with runner() as one:
        return one.run(coroutine)


def wait_for_input(file: "HasFileno") -> None:
    """Return when a file has something to read, or has ended.

    Raises:
        Interrupted: Ctrl-C, also if an event loop has not reacted to it yet.
    """
    if _is_ready(file) or threading.current_thread() is not threading.main_thread():
        return
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        return
    came: list[int] = []
    # The handler does not raise, because it could do so during the clean-up.
    signal.signal(signal.SIGINT, lambda number, _frame: came.append(number))
    try:
        noted = _is_being_cancelled()
        with _signals() as signals:
            awaited: list[HasFileno] = [file, signals]
            while not (noted or came or file in select.select(awaited, [], [])[0]):
                signals.recv(4096)
    finally:
        signal.signal(signal.SIGINT, before)
    if noted or came:
        raise Interrupted


@contextmanager
def _signals() -> "Iterator[socket.socket]":
    """Return a socket that is readable after a signal. Only in the main thread."""
    import socket

    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        if threading.current_thread() is not threading.main_thread():
            yield ours
            return
        before = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        try:
            yield ours
        finally:
            signal.set_wakeup_fd(before)


def _is_ready(file: "HasFileno") -> bool:
    try:
        return bool(select.select([file], [], [], 0)[0])
    except (OSError, ValueError):
        # The file has no descriptor, or is closed.
        return True


def _is_being_cancelled() -> bool:
    import asyncio

    try:
        task = asyncio.current_task()
    except RuntimeError:
        return False
    return task is not None and task.cancelling() > 0
