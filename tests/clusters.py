"""A whole cluster of its own: for what concerns roles, which no database holds."""

import asyncio
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import asyncpg
import pytest

from taskcore.database.url import connect_arguments
from taskcore.embedded import EmbeddedServer
from taskcore.schema.roles import ROLES
from tests.databases import execute
from tests.folders import prepare

VERSIONS = [18, pytest.param(16, marks=pytest.mark.thorough)]
"""Both ends of the supported versions of PostgreSQL, for a fixture's parameters."""

NEON = "neon_like"
"""A role with the rights that Neon's console gives: no superuser, but BYPASSRLS."""


class Cluster:
    """A server that nobody has migrated yet."""

    def __init__(self, server: EmbeddedServer) -> None:
        self.server = server
        self.folder = server.home / "postgresql"

    def url(self, database: str, role: str = "postgres") -> str:
        url = self.server.owner_url.replace("/taskcore?", f"/{database}?")
        return url.replace("//postgres@", f"//{quote(role)}@")

    def stop(self, mode: str = "fast") -> None:
        """Stop the server: `fast`, or `immediate`, as a crash does."""
        number = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}[mode]
        assert self.server.shut_down(number=number)

    def start(self) -> None:
        """Start it again."""
        # In a thread: an event loop may be running in this one.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(self.server._start).result()

    async def empty(self) -> None:
        """Drop every database and every role but the server's own; make Neon's role."""
        connection = await asyncpg.connect(**connect_arguments(self.url("postgres")))
        try:
            names = await connection.fetch(
                "SELECT datname FROM pg_database WHERE datname <> 'postgres' AND NOT datistemplate"
            )
            for row in names:
                await connection.execute(f"DROP DATABASE {row['datname']} WITH (FORCE)")
            for role in (*ROLES, NEON):
                if await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
                    await connection.execute(f"DROP OWNED BY {role} CASCADE")
            for role in (*ROLES, NEON):
                await connection.execute(f"DROP ROLE IF EXISTS {role}")
            await connection.execute(
                f"CREATE ROLE {NEON} LOGIN CREATEROLE CREATEDB BYPASSRLS REPLICATION"
            )
            await connection.execute(f"GRANT pg_read_all_data, pg_write_all_data TO {NEON}")
        finally:
            await connection.close()

    async def create_database(self, name: str, owner: str = "postgres") -> None:
        await execute(
            self.url("postgres"), f"CREATE DATABASE {name} TEMPLATE template0 OWNER {owner}"
        )


@contextmanager
def running_cluster(home: Path, version: int) -> Iterator[Cluster]:
    prepare(home, version)
    server = EmbeddedServer(home, version=version)
    asyncio.run(server.start())
    try:
        asyncio.run(
            execute(server.owner_url, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
        )
        yield Cluster(server)
    finally:
        asyncio.run(server.stop())


class Standby:
    """A hot standby that follows a cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._folder = cluster.server.home / "standby"
        self._folder.mkdir(mode=0o700)
        cluster.server._programs.give(self._folder)

    def url(self, database: str, role: str = "postgres") -> str:
        old, new = (quote(str(path), safe="") for path in (self._cluster.folder, self._folder))
        url = self._cluster.url(database, role)
        assert f"host={old}&" in url
        return url.replace(f"host={old}&", f"host={new}&")

    def start(self) -> None:
        socket = connect_arguments(self._cluster.url("postgres"))["host"]
        self._run(
            *("pg_basebackup", "-h", socket, "-U", "postgres", "-D", self._folder),
            *("--write-recovery-conf", "--checkpoint=fast", "--no-sync"),
        )
        # The backup includes the primary's lock file, as its socket is in the data folder.
        (self._folder / ".s.PGSQL.5432.lock").unlink(missing_ok=True)
        options = f"-c listen_addresses= -c unix_socket_directories={self._folder}"
        self._pg_ctl("-l", self._folder / "log", "-o", options, "start")

    def promote(self) -> None:
        self._pg_ctl("promote")

    def stop(self) -> None:
        self._pg_ctl("-m", "immediate", "stop")

    def _pg_ctl(self, *words: object) -> None:
        self._run("pg_ctl", "-D", self._folder, "-w", *words)

    def _run(self, program: str, *words: object) -> None:
        server = self._cluster.server
        folder = server._programs.folder(18, server.home)
        result = server._programs.run(folder / program, *words)
        assert result.returncode == 0, result.stdout


@contextmanager
def running_standby(cluster: Cluster) -> Iterator[Standby]:
    standby = Standby(cluster)
    standby.start()
    try:
        yield standby
    finally:
        standby.stop()
