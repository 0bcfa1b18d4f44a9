"""A router of its own: Debian's PostgreSQL with PL/Proxy."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.databases import execute
from tests.folders import server_folder


def _programs() -> Path | None:
    """Return the folder of the programs of a PostgreSQL that has PL/Proxy."""
    found = sorted(Path("/usr/share/postgresql").glob("*/extension/plproxy.control"))
    return Path("/usr/lib/postgresql") / found[-1].parts[-3] / "bin" if found else None


PROGRAMS = _programs()


class RouterServer:
    """A PostgreSQL with PL/Proxy, for any number of routers, each a database.

    Attributes:
        folder: Where it keeps its data and its socket.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # PostgreSQL refuses to be root.
        self._user = "taskcore" if os.geteuid() == 0 else None

    def url(self, database: str, role: str = "postgres") -> str:
        host = quote(str(self.folder), safe="")
        return f"postgresql://{role}@/{database}?host={host}&port=5432"

    def prepare(self) -> None:
        if self._user:
            shutil.chown(self.folder, self._user, self._user)
        self._run("initdb", "-D", self._data, "-U", "postgres", "-E", "UTF8", "--no-sync")

    def start(self) -> None:
        options = (
            f"-c listen_addresses= -c unix_socket_directories={self.folder} -c fsync=off"
            " -c max_connections=300 -c autovacuum=off"
        )
        self._run("pg_ctl", "-D", self._data, "-l", self._log, "-o", options, "-w", "start")

    def stop(self, mode: str = "fast") -> None:
        self._run("pg_ctl", "-D", self._data, "-m", mode, "-w", "stop")

    def kill(self) -> None:
        """End it as a crash does."""
        number = int((self._data / "postmaster.pid").read_text().split()[0])
        os.kill(number, signal.SIGQUIT)
        self._run("pg_ctl", "-D", self._data, "-w", "stop", check=False)

    async def create_database(self, name: str) -> None:
        await execute(self.url("postgres"), f"CREATE DATABASE {name} TEMPLATE template0")

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _log(self) -> Path:
        return self.folder / "log"

    def _run(self, program: str, *words: object, check: bool = True) -> None:
        assert PROGRAMS is not None
        options: dict[str, Any] = {"user": self._user, "group": self._user, "extra_groups": []}
        # A server would keep a pipe open.
        with (self.folder / f"{program}.out").open("w") as output:
            result = subprocess.run(
                [PROGRAMS / program, *map(str, words)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                # libpq looks there for certificates.
                env=os.environ | {"HOME": str(self.folder)},
                check=False,
                **(options if self._user else {}),
            )
        assert not check or result.returncode == 0, (self.folder / f"{program}.out").read_text()


@contextmanager
def running_router() -> Iterator[RouterServer]:
    if PROGRAMS is None:
        pytest.skip("PL/Proxy is not installed: tests/router/install_plproxy.sh")
    with server_folder() as folder:
        router = RouterServer(folder)
        router.prepare()
        router.start()
        try:
            yield router
        finally:
            router.stop("immediate")
