"""The embedded PostgreSQL, reached over TCP as a server elsewhere is, and as durable as ever."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import asyncpg

from taskcore.database.url import connect_arguments
from taskcore.embedded import EmbeddedServer
from taskcore.embedded.server import DATABASE
from tests.clusters import Cluster
from tests.databases import execute
from tests.ports import free_port

OWNER = "postgres"
"""The superuser, who owns the peers' tables too."""

APPLICATION = "taskcore_app"
"""The role whose rights the product uses."""

_ACCESS = "local all all trust\nhost all all 127.0.0.1/32 trust\n"


class Server:
    """A PostgreSQL with taskcore's schema in it.

    Attributes:
        version: PostgreSQL's.
    """

    def __init__(self, folder: str, port: int, version: str) -> None:
        self._folder = folder
        self._port = port
        self.version = version

    def url(self, role: str, database: str = DATABASE) -> str:
        """Return a database's URL over TCP."""
        return f"postgresql://{role}@127.0.0.1:{self._port}/{database}"

    def socket_url(self, role: str, database: str = DATABASE) -> str:
        """Return a database's URL over the Unix socket."""
        host = quote(self._folder, safe="")
        return f"postgresql://{role}@/{database}?host={host}&port={self._port}"

    async def execute(self, *statements: str, database: str = DATABASE) -> None:
        """Run statements as the superuser."""
        await execute(self.socket_url(OWNER, database), *statements)


@asynccontextmanager
async def running_server() -> AsyncIterator[Server]:
    """Run a server of its own, whose settings are PostgreSQL's but for `max_connections`."""
    with tempfile.TemporaryDirectory(prefix="taskcore-bench-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        embedded = await EmbeddedServer(Path(name)).start()
        cluster = Cluster(embedded)
        try:
            yield await _listening(cluster)
        finally:
            _pg_ctl(cluster, "-m", "fast", "-w", "stop")
            await embedded.stop()


def _pg_ctl(cluster: Cluster, *words: object) -> None:
    """Start or stop the server as its own user: the keeper's listens on no network."""
    programs = cluster.server._programs
    pg_ctl = programs.folder(18, cluster.server.home) / "pg_ctl"
    result = programs.run(pg_ctl, "-D", cluster.folder, *words)
    assert result.returncode == 0, result.stdout


async def _listening(cluster: Cluster) -> Server:
    """Start the server again: it was made to listen on no network."""
    folder = connect_arguments(cluster.server.owner_url)["host"]
    port = free_port()
    cluster.stop()
    (cluster.folder / "pg_hba.conf").write_text(_ACCESS)
    options = (
        f"-c listen_addresses=127.0.0.1 -c port={port} -c max_connections=300 "
        f'-c unix_socket_directories="{folder}"'
    )
    _pg_ctl(cluster, "-l", cluster.folder / "log", "-w", "-o", options, "start")
    server = Server(folder, port, "")
    connection = await asyncpg.connect(server.url(OWNER))
    try:
        server.version = await connection.fetchval("SHOW server_version")
    finally:
        await connection.close()
    return server
