"""TLS to a real server: who is believed, and what is said of who is not."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import trustme

from taskcore import ConfigurationError, Settings, TaskStore, Unavailable
from taskcore.database.url import with_login
from tests.clusters import Cluster
from tests.neon.pgbouncer import PgBouncer, running_pgbouncer
from tests.neon.proxy import Neon

PASSWORD = "p%40ss/w\"o'r d"  # noqa: S105  (of a server that lives for a test)


@pytest.fixture
def root(authority: trustme.CA, tmp_path: Path) -> str:
    """The authority's certificate, for a URL."""
    authority.cert_pem.write_to_path(tmp_path / "root.pem")
    return quote(str(tmp_path / "root.pem"), safe="")


@pytest.fixture
async def stranger(cluster: Cluster, authority: trustme.CA) -> AsyncIterator[Neon]:
    """A proxy whose authority is none of this machine's."""
    async with Neon(cluster, authority) as neon:
        yield neon


async def create(url: str) -> None:
    """Create a task, at once or not at all."""
    async with TaskStore(url, settings=Settings(operation_timeout=5)) as store:
        await store.for_user(1).create("Buy groceries")


async def test_this_machines_authorities_are_believed(neon: Neon) -> None:
    await create(neon.url("taskcore_app", "taskcore"))
    await create(neon.url("taskcore_app", "taskcore").replace("=require", "=verify-full", 1))


async def test_an_authority_of_the_urls_own_is_believed(stranger: Neon, root: str) -> None:
    await create(stranger.url("taskcore_app", "taskcore", parameters=f"&sslrootcert={root}"))


async def test_an_unknown_authority_is_refused(stranger: Neon) -> None:
    """The driver itself would not ask, for ``sslmode=require``."""
    with pytest.raises(ConfigurationError, match="certificate") as refused:
        await create(stranger.url("taskcore_app", "taskcore"))

    assert "sslrootcert" in str(refused.value)
    assert stranger.logins == []


async def test_an_operation_does_not_wait_for_another_certificate(stranger: Neon) -> None:
    """It is refused at once, not when the operation's time is over."""
    store = TaskStore(stranger.url("taskcore_app", "taskcore"))
    await store.open(connect=False)
    with pytest.raises(Unavailable, match="certificate"):
        await store.for_user(1).list()
    await store.close()
    assert stranger.connections == 1


async def test_another_hosts_certificate_is_refused(neon: Neon, root: str) -> None:
    url = neon.url("taskcore_app", "taskcore", host="127.0.0.1")
    with pytest.raises(ConfigurationError, match=r"127\.0\.0\.1"):
        await create(url)

    await create(url.replace("=require", "=verify-ca", 1) + f"&sslrootcert={root}")


async def test_less_is_enough_when_it_is_asked_for_by_name(stranger: Neon) -> None:
    await create(stranger.url("taskcore_app", "taskcore").replace("=require", "=prefer", 1))


@pytest.fixture
def tls_pgbouncer(cluster: Cluster, authority: trustme.CA) -> Iterator[PgBouncer]:
    """A pooler that asks for TLS and for a password, as Neon does."""
    with running_pgbouncer(
        cluster.server.owner_url,
        certificate=authority.issue_cert("localhost"),
        passwords={"taskcore_app": PASSWORD},
    ) as pgbouncer:
        yield pgbouncer


def url_of(pgbouncer: PgBouncer, password: str) -> str:
    url = f"postgresql://localhost:{pgbouncer.port}/taskcore?sslmode=require"
    return with_login(url, "taskcore_app", password)


@pytest.mark.usefixtures("trusted")
async def test_a_password_goes_through_tls(tls_pgbouncer: PgBouncer) -> None:
    await create(url_of(tls_pgbouncer, PASSWORD))


@pytest.mark.usefixtures("trusted")
async def test_a_wrong_password_is_refused_and_not_shown(tls_pgbouncer: PgBouncer) -> None:
    with pytest.raises(ConfigurationError, match="refused the login") as refused:
        await create(url_of(tls_pgbouncer, "not-the-password"))

    assert "not-the-password" not in str(refused.value)


@pytest.mark.usefixtures("trusted")
def test_taskctl_says_in_one_line_what_is_wrong(tls_pgbouncer: PgBouncer) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "taskcore_cli", "tasks", "list", "--user", "1"],
        env=os.environ | {"TASKCORE_DATABASE_URL": url_of(tls_pgbouncer, "not-the-password")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert "refused the login" in done.stderr
    assert "not-the-password" not in done.stderr
