"""The files of an embedded server: its home, the data folder in it, a folder for its socket.

* ``postgresql/``: the data folder
* ``postgresql.log``: the server's output
* ``start.lock``: held by the process that is starting the server
* ``server.lock``: held by the server and its backends, so exactly as long as one runs
* ``users.lock``: shared by every process that uses the server
* ``address.json``: where the server listens (`taskcore.embedded.address.Address`)
"""

import contextlib
import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from taskcore.embedded.programs import Programs
from taskcore.errors import ConfigurationError

PORT = 5432
"""Part of the socket's name."""

_TAIL = 16_384
# sun_path has 104 bytes on macOS, 108 on Linux, and ends with a zero byte.
_LONGEST_SOCKET = 103


class Home:
    """One home.

    Args:
        folder: Its resolved path.
        programs: PostgreSQL's, and the user who runs them.
    """

    def __init__(self, folder: Path, programs: Programs) -> None:
        self.folder = folder
        self.data = folder / "postgresql"
        self.log = folder / "postgresql.log"
        self.start_lock = folder / "start.lock"
        self.server_lock = folder / "server.lock"
        self.users_lock = folder / "users.lock"
        self.address = folder / "address.json"
        self.pid_file = self.data / "postmaster.pid"
        self._programs = programs

    def version(self) -> int | None:
        """Return PostgreSQL's major version of the data; None: there is none yet.

        Raises:
            ConfigurationError: The file that names it is damaged.
        """
        file = self.data / "PG_VERSION"
        try:
            return int(file.read_text())
        except FileNotFoundError:
            return None
        except ValueError as exc:
            raise ConfigurationError(f"{file} is damaged: it names no version") from exc

    def size(self) -> int:
        """Return the bytes of the data folder."""
        total = 0
        for parent, _, names in os.walk(self.data):
            for name in names:
                # Files of a running server come and go.
                with contextlib.suppress(OSError):
                    total += Path(parent, name).lstat().st_size
        return total

    def prepare(self) -> None:
        """Make the home if necessary, and check that the server's user can enter it.

        Raises:
            ConfigurationError: It cannot be made or entered.
        """
        try:
            self._programs.ensure_user()
            self._make_folders()
        except OSError as exc:
            raise ConfigurationError(
                f"cannot make the folder {self.folder}: {exc.strerror}; set TASKCORE_HOME"
            ) from exc
        if self._programs.user is None:
            return
        if self.folder.stat().st_uid != 0:
            # Its owner could put links there, which root would follow.
            raise ConfigurationError(
                f"{self.folder} belongs to another user, who could lead root elsewhere: run "
                f"`chown root {shlex.quote(str(self.folder))}`, or set TASKCORE_HOME to another "
                "folder"
            )
        folders = (*reversed(self.folder.parents), self.folder)
        if self._programs.can_enter(*folders):
            return
        for folder in folders:
            if not self._programs.can_enter(folder):
                raise ConfigurationError(
                    f"as root the server runs as the user {self._programs.user}, who cannot "
                    f"enter {folder}: set TASKCORE_HOME to a folder such as "
                    f"/var/lib/taskcore/data, or run `chmod o+x {shlex.quote(str(folder))}`"
                )

    def initialise(self, programs: Path) -> None:
        """Make the data folder, under a temporary name first: an incomplete one is never used.

        Args:
            programs: The folder of PostgreSQL's programs.

        Raises:
            ConfigurationError: ``initdb`` failed.
        """
        for left in self.folder.glob("postgresql.new-*"):
            shutil.rmtree(left, ignore_errors=True)
        # A unique name: the initdb of a killed process may still be writing.
        unfinished = Path(tempfile.mkdtemp(prefix="postgresql.new-", dir=self.folder))
        self._programs.give(unfinished)
        # A relative path: initdb passes its path to a shell.
        result = self._programs.run(
            *(programs / "initdb", "-D", unfinished.name, "-U", "postgres", "--encoding=UTF8"),
            *("--no-locale", "--auth-local=trust", "--auth-host=reject", "--data-checksums"),
            cwd=self.folder,
        )
        # If the application ignores SIGCHLD, every exit code is 0.
        if result.returncode or not (unfinished / "global/pg_control").exists():
            shutil.rmtree(unfinished, ignore_errors=True)
            raise ConfigurationError(
                f"the embedded server's data folder {self.data} cannot be made: "
                + " ".join(result.stdout.splitlines()[-3:])
            )
        unfinished.rename(self.data)
        _sync(self.folder)

    def last_error(self) -> str:
        """Return the last reason for which the server gave up, from its log; empty: none."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, self.log.stat().st_size - _TAIL))
                lines = file.read().decode(errors="replace").splitlines()
        except OSError:
            return ""
        found = [line for line in lines if "FATAL:" in line or "PANIC:" in line]
        return found[-1].partition(":  ")[2] if found else ""

    def remove_leftovers(self) -> None:
        """Remove the files of a server that ended without a shutdown.

        Call it only while the server's lock is free. The process id in the files proves
        nothing: another process may have it by now.
        """
        for path in (
            self.pid_file,
            self.data / f".s.PGSQL.{PORT}",
            self.data / f".s.PGSQL.{PORT}.lock",
        ):
            path.unlink(missing_ok=True)

    def socket_folder(self) -> Path:
        """Choose a folder that only the server's user can enter, with a short enough path.

        Raises:
            ConfigurationError: No folder is suitable.
        """
        if _fits(self.data):
            return self.data
        for place in (*_runtime_folders(), Path(tempfile.gettempdir()), Path("/tmp")):  # noqa: S108
            # mkdtemp makes a name that nobody can predict.
            if _fits(place / "taskcore-12345678") and self._programs.can_enter(place):
                with contextlib.suppress(OSError):
                    folder = Path(tempfile.mkdtemp(prefix="taskcore-", dir=place))
                    self._programs.give(folder)
                    return folder
        raise ConfigurationError(
            f"the path {self.folder} is too long for a socket, and no folder for temporary files "
            "can hold the socket: set TASKCORE_HOME to a shorter path"
        )

    def _make_folders(self) -> None:
        """Make the home and missing folders above it, whatever the umask is."""
        missing = [one for one in (self.folder, *self.folder.parents) if not one.exists()]
        for folder in reversed(missing):
            folder.mkdir(exist_ok=True)
            if (group := self._programs.group) is not None:
                # The server's user may pass through, but not list the folder.
                os.chown(folder, -1, group)
                folder.chmod(0o710)
            _sync(folder.parent)
        if not self.folder.is_dir():
            raise NotADirectoryError(0, "it is not a folder")
        if missing and self._programs.user is None:
            self.folder.chmod(0o700)


def _sync(folder: Path) -> None:
    """Write a folder's new entries to disk, so that they survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _fits(folder: Path) -> bool:
    return len(os.fsencode(folder / f".s.PGSQL.{PORT}")) < _LONGEST_SOCKET


def _runtime_folders() -> Iterator[Path]:
    """Yield ``XDG_RUNTIME_DIR`` if it is the current user's own, as its specification demands.

    https://specifications.freedesktop.org/basedir-spec/latest/
    """
    folder = Path(os.environ.get("XDG_RUNTIME_DIR") or "/nonexistent")
    with contextlib.suppress(OSError):
        if folder.is_absolute() and folder.stat().st_uid == os.geteuid():
            yield folder
