"""Run the PostgreSQL server of one home for as long as it has users.

A program of its own: the processes that use the server come and go, and any of them may be
killed. It holds no connection. It waits until nobody shares the users' lock any more, then
shuts the server down and ends. The server inherits the server's lock, which therefore lasts
exactly as long as the server and its backends.

It runs as ``python -I -S keeper.py CONFIGURATION`` and imports the standard library only.
``CONFIGURATION`` is a JSON object with the keys of `Configuration`.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import pwd
import select
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

_LOCK_TIMEOUT = 5.0
# Seconds for each kind of shutdown, in this order:
# https://www.postgresql.org/docs/current/server-shutdown.html
_SHUTDOWN = ((signal.SIGINT, 60.0), (signal.SIGQUIT, 20.0), (signal.SIGKILL, 20.0))
_LOOK_EVERY = 1.0
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Configuration:
    """The server to run.

    Attributes:
        command: The server's program and its arguments.
        user: The system user to run it as; None: the current one.
        data: The data folder. If it vanishes the server is stopped.
        log: The file that the server's output is appended to.
        server_lock: The lock file that the server holds.
        users_lock: The lock file that its users share.
        socket_folder: A folder to remove when the server has stopped, or None.
    """

    command: list[str]
    user: str | None
    data: str
    log: str
    server_lock: str
    users_lock: str
    socket_folder: str | None


def main() -> None:
    """Start the server under a daemon; return to the caller when it has started."""
    configuration = Configuration(**json.loads(sys.argv[1]))
    started, starting = os.pipe()
    if os.fork():
        os.close(starting)
        with os.fdopen(started, "rb") as pipe:
            error = pipe.read()
        sys.exit(error.decode() or None)
    os.close(started)
    os.setsid()
    try:
        _redirect_output(configuration.log)
        server = _start(configuration)
    except OSError as exc:
        os.write(starting, f"{exc.strerror or exc}".encode())
        os._exit(1)
    os.close(starting)
    _keep(server, configuration)


def _redirect_output(log: str) -> None:
    """Send this process's output, and the server's, to the log: no terminal is kept open."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    # Not a link or a pipe that somebody else has put there.
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK
    file = os.open(log, flags, 0o600)
    os.set_blocking(file, True)
    for descriptor, number in ((nothing, 0), (file, 1), (file, 2)):
        os.dup2(descriptor, number)
    os.close(nothing)
    os.close(file)


def _start(configuration: Configuration) -> "subprocess.Popen[bytes]":
    lock = os.open(configuration.server_lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    _take(lock)
    user = configuration.user
    keeper = os.getpid()

    def end_with_the_keeper() -> None:
        # The server must not outlive the process that is to stop it. Linux only.
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
            if os.getppid() != keeper:
                os._exit(1)

    try:
        return subprocess.Popen(  # noqa: S603  (our own words)
            configuration.command,
            stdin=subprocess.DEVNULL,
            cwd="/",
            pass_fds=[lock],
            preexec_fn=end_with_the_keeper,  # noqa: PLW1509  (this process has one thread yet)
            user=user,
            group=None if user is None else pwd.getpwnam(user).pw_gid,
            extra_groups=None if user is None else [],
        )
    finally:
        # From here on the lock is the server's alone.
        os.close(lock)


def _take(lock: int) -> None:
    end = time.monotonic() + _LOCK_TIMEOUT
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # Another process may be testing whether it is held.
            if time.monotonic() > end:
                raise
            time.sleep(0.01)
        else:
            return


def _keep(server: "subprocess.Popen[bytes]", configuration: Configuration) -> None:
    """Stop the server after its last user or on a signal, then end this process."""
    woken, waking = os.pipe()
    os.set_blocking(waking, False)
    reasons: list[str] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: reasons.append("signal"))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # Only a signal with a handler writes into the pipe.
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(waking, warn_on_full_buffer=False)

    def wait_for_users() -> None:
        lock = os.open(configuration.users_lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        # It stays locked until this process ends: new users wait until the server has stopped.
        reasons.append("unused")
        os.write(waking, b"u")

    threading.Thread(target=wait_for_users, daemon=True).start()
    # Kept open, so that its inode is not reused.
    folder = os.open(configuration.data, os.O_RDONLY | os.O_DIRECTORY)
    while server.poll() is None:
        if select.select([woken], [], [], _LOOK_EVERY)[0]:
            os.read(woken, 4096)
        if reasons:
            _stop(server, _SHUTDOWN)
        elif _has_vanished(configuration.data, folder):
            # Without its files it cannot write a checkpoint.
            _stop(server, _SHUTDOWN[1:])
    if configuration.socket_folder is not None:
        with contextlib.suppress(OSError):
            Path(configuration.socket_folder).rmdir()
    # The thread may still be waiting.
    os._exit(0)


def _has_vanished(path: str, folder: int) -> bool:
    try:
        return not os.path.samestat(Path(path).stat(), os.fstat(folder))
    except OSError:
        return True


def _stop(
    server: "subprocess.Popen[bytes]", shutdown: "tuple[tuple[signal.Signals, float], ...]"
) -> None:
    for number, patience in shutdown:
        server.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(patience)
            return


if __name__ == "__main__":
    main()
