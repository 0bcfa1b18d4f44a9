"""Ctrl-C in the moment before a command begins to wait: it interrupts no system call."""

import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from taskcore_cli.input.interruption import Interrupted, wait_for_input
from tests.taskcore_cli.conftest import Run
from tests.taskcore_cli.terminal import at_terminal

# Another thread takes the signal: the main thread is told between two bytecodes, and
# what it waits for goes on, as it does after a signal that came a moment too early.
_PROGRAM = """
import signal, threading
threading.Thread(target=threading.Event().wait, daemon=True).start()
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
from taskcore_cli.__main__ import main
main()
"""

Deaf = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def deaf() -> Iterator[Deaf]:
    """Start ``taskctl`` as such a program."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: str, stdin: int = subprocess.DEVNULL, **env: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, *words],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=dict(os.environ) | env,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def interrupted(process: subprocess.Popen[str]) -> str:
    time.sleep(0.2)  # so that it waits by now, in most cases
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (130, "")
    assert "Traceback" not in errors
    return errors


@pytest.mark.parametrize("words", [(), ("--strict",), ("--dry-run",)])
def test_a_command_that_waits_for_input_ends(
    deaf: Deaf, environment: dict[str, str], words: tuple[str, ...]
) -> None:
    ours, theirs = os.pipe()
    process = deaf("tasks", "import", "-", *words, stdin=ours, **environment)
    with os.fdopen(ours), os.fdopen(theirs, "wb", buffering=0) as pipe:
        pipe.write(b'{"title": "x"}\n')
        while struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"1234"))[0]:
            time.sleep(0.001)
        assert interrupted(process).startswith("Interrupted: ")


def test_a_command_that_waits_for_the_database_ends(deaf: Deaf) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://role@127.0.0.1:{silent.getsockname()[1]}/database"
        for words in (("tasks", "list", "--user", "1"), ("migrate",), ("doctor",)):
            process = deaf(*words, TASKCORE_DATABASE_URL=url)
            with silent.accept()[0] as connection:
                assert connection.recv(1)
                assert interrupted(process) == ""


def test_a_question_ends(taskctl: Run, environment: dict[str, str]) -> None:
    task = json.loads(taskctl("tasks", "add", "keep me", "--json").stdout)
    words = ("tasks", "delete", str(task["id"]))
    code, shown = at_terminal(
        *words, until="[y/N]", answer="\x03", env=environment, program=_PROGRAM
    )
    assert code == 130
    assert "Traceback" not in shown
    assert taskctl("tasks", "show", str(task["id"])).exit_code == 0


def test_after_an_interruption_everything_is_as_before() -> None:
    def passed_over(_signal: int, _frame: object) -> None:
        """One that comes between two waits."""

    def press() -> None:
        while not done.wait(0.001):
            os.kill(os.getpid(), signal.SIGINT)

    ours, theirs = os.pipe()
    before = signal.signal(signal.SIGINT, passed_over)
    done = threading.Event()
    pressing = threading.Thread(target=press)
    pressing.start()
    try:
        with os.fdopen(ours, "rb", buffering=0) as reading, os.fdopen(theirs, "wb"):
            for _ in range(200):
                with pytest.raises(Interrupted):
                    wait_for_input(reading)
                assert signal.getsignal(signal.SIGINT) is passed_over
                assert signal.set_wakeup_fd(-1) == -1
    finally:
        done.set()
        pressing.join()
        signal.signal(signal.SIGINT, before)


def test_what_ignores_ctrl_c_goes_on_ignoring_it() -> None:
    """A shell's background jobs do."""
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "from taskcore_cli.__main__ import main; main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, "tasks", "import", "-", "--user", "1", "--dry-run"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stderr is not None
    process.stdin.write("{\n")
    process.stdin.flush()
    assert process.stderr.readline() == "line 1: line is not well-formed JSON\n"
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate('{"title": "x"}\n', timeout=60)
    assert process.returncode == 1
    assert output == "1 line is good; 1 line is bad; nothing was imported.\n"
