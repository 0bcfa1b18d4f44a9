"""``taskctl`` at a terminal."""

import contextlib
import os
import pty
import subprocess
import sys
from collections.abc import Callable

# Ctrl-C is sent to the processes whose terminal controls them.
_CONTROLLED = """
import fcntl, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
"""
_TASKCTL = """
from taskcore_cli.__main__ import main
main()
"""

Terminal = Callable[..., tuple[int, str]]


def at_terminal(
    *words: str,
    until: str = "",
    answer: str = "",
    env: dict[str, str],
    program: str = _TASKCTL,
) -> tuple[int, str]:
    """Run a program at a terminal of its own.

    Args:
        words: Its arguments.
        until: What it has to show before the answer is typed.
        answer: What is typed.
        env: Added to the environment.
        program: Python's; ``taskctl`` if not given.

    Returns:
        The exit code, and all that was shown.
    """
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", _CONTROLLED + program, *words],
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
                    os.write(ours, answer.encode())
                    answer = ""
                if not (part := os.read(ours, 4096)):
                    break
                shown += part
    finally:
        # It is told that the terminal is gone.
        os.close(ours)
    return process.wait(), shown.decode().replace("\r\n", "\n")
