"""``taskctl`` at a terminal."""

import contextlib
import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable

import psutil

# Ctrl-C is sent to the processes whose terminal controls them.
_PROGRAM = """
import fcntl, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from taskcore_cli.__main__ import main
main()
"""

Terminal = Callable[..., tuple[int, str]]


def at_terminal(
    *words: str, until: str = "", answer: str = "", env: dict[str, str]
) -> tuple[int, str]:
    """Run ``taskctl`` at a terminal of its own.

    Args:
        words: Its arguments.
        until: What it has to show before it reads the answer; without it the answer is
            typed ahead.
        answer: What is typed.
        env: Added to the environment.

    Returns:
        The exit code, and all that was shown.
    """
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env=dict(os.environ) | env,
    )
    os.close(theirs)
    shown = b""
    try:
        # Linux answers EIO when the other end is closed.
        with contextlib.suppress(OSError):
            while True:
                if answer and until.encode() in shown:
                    if until:
                        _until_it_sleeps(process.pid)
                    os.write(ours, answer.encode())
                    answer = ""
                if not (part := os.read(ours, 4096)):
                    break
                shown += part
    finally:
        # It is told that the terminal is gone.
        os.close(ours)
    return process.wait(), shown.decode().replace("\r\n", "\n")


def _until_it_sleeps(pid: int) -> None:
    """Wait until a process waits for what is typed.

    Python runs its signal handlers between bytecodes and when a call is interrupted:
    Ctrl-C in the moment between the last bytecode and the call has to wait for a line.
    """
    while psutil.Process(pid).status() != psutil.STATUS_SLEEPING:
        time.sleep(0.001)
