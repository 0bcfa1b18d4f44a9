"""PgBouncer in transaction mode, set up as Neon's pooler is, in front of a test server."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import trustme

from taskcore.database.url import connect_arguments
from tests.ports import free_port


def _program() -> str | None:
    """Return a PgBouncer that knows prepared statements (1.21), as Neon's pooler does."""
    program = shutil.which("pgbouncer")
    if program is None:
        return None
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    version = re.match(r"PgBouncer (\d+)\.(\d+)", told.stdout)
    known = version is not None and (int(version[1]), int(version[2])) >= (1, 21)
    return program if known else None


PROGRAM = _program()

# As Neon's pooler, with a small pool, which makes clients share, and without its pause
# after a failed login to the server.
_CONFIGURATION = """
[databases]
* = host={host} port={port}
[pgbouncer]
unix_socket_dir = {folder}
{listen}
auth_type = {auth_type}
auth_file = {folder}/users.txt
pool_mode = transaction
max_prepared_statements = 1000
max_client_conn = 10000
default_pool_size = {pool_size}
query_wait_timeout = 120
server_login_retry = 1
ignore_startup_parameters = extra_float_digits,options
logfile = {folder}/log
pidfile = {folder}/pid
"""


class PgBouncer:
    """A pooler of its own.

    Args:
        url: The server, by its Unix socket.
        folder: Where it keeps its socket, its log and its configuration.
        user: Who runs it; it refuses to be root.
        pool_size: Server connections for each database and role.
        certificate: Listen on TCP, and ask for TLS and passwords.
        passwords: Of the roles that log in; without a certificate all are trusted.

    Attributes:
        port: Where it listens.
    """

    def __init__(
        self,
        url: str,
        folder: Path,
        *,
        user: str | None = None,
        pool_size: int = 4,
        certificate: trustme.LeafCert | None = None,
        passwords: dict[str, str] | None = None,
    ) -> None:
        server = connect_arguments(url)
        self._folder = folder
        self._user = user
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port() if certificate else 6432
        listen = f"listen_port = {self.port}"
        if certificate is not None:
            chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
            self._write("chain.pem", chain.decode())
            self._write("key.pem", certificate.private_key_pem.bytes().decode())
            listen += "\nlisten_addr = 127.0.0.1\nclient_tls_sslmode = require"
            listen += f"\nclient_tls_cert_file = {folder}/chain.pem"
            listen += f"\nclient_tls_key_file = {folder}/key.pem"
        self._write(
            "pgbouncer.ini",
            _CONFIGURATION.format(
                host=server["host"],
                port=server["port"],
                folder=folder,
                listen=listen,
                auth_type="scram-sha-256" if certificate else "trust",
                pool_size=pool_size,
            ),
        )
        passwords = passwords or {"taskcore_app": "", "postgres": ""}
        users = "".join(
            f'"{role}" "{word.replace(chr(34), chr(34) * 2)}"\n' for role, word in passwords.items()
        )
        self._write("users.txt", users)

    def through(self, url: str) -> str:
        """Return the URL of the same database, through the pooler's Unix socket."""
        server = connect_arguments(url)
        host, port = quote(server["host"], safe=""), server["port"]
        return url.replace(f"host={host}", f"host={quote(str(self._folder), safe='')}").replace(
            f"port={port}", f"port={self.port}"
        )

    def start(self) -> None:
        assert PROGRAM is not None
        options: dict[str, Any] = {"user": self._user, "group": self._user, "extra_groups": []}
        self._process = subprocess.Popen(
            [PROGRAM, "-q", str(self._folder / "pgbouncer.ini")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            **(options if self._user else {}),
        )
        while not self._answers():
            assert self._process.poll() is None, (self._folder / "log").read_text()
            time.sleep(0.01)

    def kill(self) -> None:
        """End it at once, as a crash does: every connection breaks."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            return not client.connect_ex(str(self._folder / f".s.PGSQL.{self.port}"))

    def _write(self, name: str, text: str) -> None:
        path = self._folder / name
        path.write_text(text)
        path.chmod(0o600)
        if self._user:
            shutil.chown(path, self._user, self._user)


@contextmanager
def running_pgbouncer(url: str, **options: Any) -> Iterator[PgBouncer]:
    """Run a pooler in a folder that only its user can enter."""
    if PROGRAM is None:
        pytest.skip("PgBouncer is not installed: tests/neon/install_pgbouncer.sh")
    user = "taskcore" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="taskcore-pgbouncer-") as name:
        if user:
            shutil.chown(name, user, user)
        pgbouncer = PgBouncer(url, Path(name), user=user, **options)
        pgbouncer.start()
        try:
            yield pgbouncer
        finally:
            pgbouncer.kill()
