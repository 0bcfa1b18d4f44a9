"""The address of a home's server, and the checks that the server there is the expected one."""

import contextlib
import json
import os
import secrets
import signal
import socket
import struct
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Self
from urllib.parse import quote

import asyncpg

from taskcore.database.failures import DRIVER_ERRORS, while_executing
from taskcore.database.url import connect_arguments
from taskcore.errors import ConfigurationError

_TIMEOUT = 5.0
# https://man7.org/linux/man-pages/man7/unix.7.html, and <sys/un.h> of macOS.
_LOCAL_PEERPID = 2
_CREDENTIALS = struct.Struct("3i")


@dataclass(frozen=True, slots=True)
class State:
    """The state of a server, found by connecting to it.

    Attributes:
        ready: The server is the expected one and takes statements.
        shutting_down: The server waits for its clients before it ends.
        reason: Why the server is not ready.
    """

    ready: bool = False
    shutting_down: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a home's server, written before each start.

    Attributes:
        folder: The socket's folder.
        port: Part of the socket's name.
        instance: A random name for this run; a connected client can ask the server for it.
        data: The data folder.
        inode: The data folder's inode: a copy has another one.
    """

    SETTING: ClassVar[str] = "taskcore.instance"

    folder: str
    port: int
    instance: str
    data: str
    inode: int

    @classmethod
    def new(cls, data: Path, folder: Path, port: int) -> Self:
        """Make the address of a server that is about to be started."""
        return cls(str(folder), port, secrets.token_hex(16), str(data), data.stat().st_ino)

    @classmethod
    def read(cls, file: Path) -> Self | None:
        """Return the address in a file, or None if there is no valid one."""
        try:
            return cls(**json.loads(file.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def write(self, file: Path) -> None:
        """Write the address to a file, completely or not at all."""
        descriptor, name = tempfile.mkstemp(prefix=f".{file.name}-", dir=file.parent)
        try:
            with os.fdopen(descriptor, "w") as unfinished:
                json.dump(asdict(self), unfinished)
            Path(name).replace(file)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def is_of_another(self, data: Path) -> bool:
        """Return whether the address was written for another folder, of which this is a copy."""
        return self.data != str(data) and self.inode != data.stat().st_ino

    def remove_left_folder(self, data: Path) -> None:
        """Remove the socket's folder if a killed server left it behind."""
        folder = Path(self.folder)
        if folder == data or self.data != str(data) or not folder.name.startswith("taskcore-"):
            return
        with contextlib.suppress(OSError):
            for left in folder.glob(".s.PGSQL.*"):
                left.unlink()
            folder.rmdir()

    def is_here(self) -> bool:
        """Return whether this process sees the socket's folder; another container may not."""
        return Path(self.folder).exists()

    def url(self, user: str, *, role: str | None = None, database: str = "taskcore") -> str:
        """Return a URL; libpq's environment variables (``PG…``) add nothing to it.

        Args:
            user: The role that connects.
            role: The role that it then acts as.
            database: The database.
        """
        host = quote(os.fsencode(self.folder), safe="")
        # With an empty password the driver looks for no password file.
        query = f"host={host}&port={self.port}&password="
        query += "&sslmode=disable&target_session_attrs=any"
        if role is not None:
            query += f"&options={quote(f'-c role={role}')}"
        return f"postgresql://{user}@/{database}?{query}"

    async def state(self) -> State:
        """Ask the server whether it is ready."""
        try:
            async with self.connected("postgres") as connection:
                instance = await connection.fetchval(
                    "SELECT current_setting($1, true)", self.SETTING
                )
        except asyncpg.CannotConnectNowError as exc:
            return State(shutting_down="shutting down" in str(exc), reason=str(exc))
        except DRIVER_ERRORS as exc:
            return State(reason=str(exc) or type(exc).__name__)
        if instance != self.instance:
            return State(reason=f"another server listens in {self.folder}")
        return State(ready=True)

    async def create_database(self, name: str) -> None:
        """Create a database unless it exists.

        Raises:
            Unavailable: The server has ended.
        """
        try:
            async with self.connected("postgres") as connection:
                if not await connection.fetchval(
                    "SELECT true FROM pg_catalog.pg_database WHERE datname = $1", name
                ):
                    await connection.execute(f'CREATE DATABASE "{name}"')
        except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
            # Another process created it at the same time.
            return
        except DRIVER_ERRORS as exc:
            raise while_executing(exc).error from exc

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the server.

        The kernel names the process that listens on the socket, so no other one is signalled.

        Raises:
            ConfigurationError: No server listens, or it runs in another container.
        """
        process = self._listener()
        if process == 0:
            raise ConfigurationError("the embedded server runs in another container: stop it there")
        if sys.platform != "linux":
            os.kill(process, number)
            return
        try:
            descriptor = os.pidfd_open(process)
        except ProcessLookupError:
            return
        try:
            # If it still listens, the descriptor does not belong to a later process with its id.
            if self._listener() == process:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(descriptor, number)
        finally:
            os.close(descriptor)

    def _listener(self) -> int:
        """Return the id of the process that listens; 0 if it is in another namespace."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            try:
                connection.connect(str(Path(self.folder, f".s.PGSQL.{self.port}")))
            except OSError as exc:
                raise ConfigurationError(
                    f"the embedded server does not listen in {self.folder}: {exc.strerror}"
                ) from exc
            return _peer(connection)

    @contextlib.asynccontextmanager
    async def connected(self, database: str) -> AsyncIterator[asyncpg.Connection]:
        """Connect to a database as the owner for a block."""
        arguments = connect_arguments(self.url("postgres", database=database))
        connection = await asyncpg.connect(**{"timeout": _TIMEOUT} | arguments)
        try:
            yield connection
        finally:
            await connection.close(timeout=_TIMEOUT)


def _peer(connection: socket.socket) -> int:
    if sys.platform == "darwin":
        return connection.getsockopt(0, _LOCAL_PEERPID)
    data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    process: int
    process, _, _ = _CREDENTIALS.unpack(data)
    return process


async def may_be_served(pid_file: Path, data: Path) -> bool:
    """Return whether the server that a ``postmaster.pid`` names may run on this data folder.

    Such a server was not started by this package and holds none of its locks. Only a refused
    connection, or another data folder, proves that it does not.
    https://www.postgresql.org/docs/current/storage-file-layout.html
    """
    try:
        lines = os.fsdecode(pid_file.read_bytes()).splitlines()
        port, folder = int(lines[3]), lines[4]
    except (OSError, IndexError, ValueError):
        return False
    try:
        async with Address(folder, port, "", "", 0).connected("postgres") as connection:
            found: str = await connection.fetchval("SHOW data_directory")
        return Path(found).samefile(data)
    except (ConnectionRefusedError, FileNotFoundError, NotADirectoryError):
        return False
    except DRIVER_ERRORS:
        # It is starting, shutting down, full, or does not answer.
        return True
