"""The bench: a server that can be stopped, Neon's proxy and a pooler in front of it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import trustme

from tests.clusters import VERSIONS, Cluster, running_cluster
from tests.databases import execute
from tests.folders import server_folder
from tests.neon.pgbouncer import PgBouncer, running_pgbouncer
from tests.neon.proxy import Neon


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """A certificate authority that only these tests trust."""
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the authority be one of this machine's."""
    authority.cert_pem.write_to_path(tmp_path / "authorities.pem")
    # https://docs.openssl.org/3.0/man3/SSL_CTX_load_verify_locations/
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authorities.pem"))


def _running(version: int) -> Iterator[Cluster]:
    with server_folder() as name, running_cluster(name, version) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def cluster18() -> Iterator[Cluster]:
    """PostgreSQL 18, apart from the other tests' server, for it is stopped and started."""
    yield from _running(18)


@pytest.fixture(scope="session")
def cluster16() -> Iterator[Cluster]:
    """PostgreSQL 16, the oldest supported."""
    yield from _running(16)


def _emptied(cluster: Cluster) -> Cluster:
    asyncio.run(execute(cluster.url("taskcore"), "TRUNCATE taskcore.users CASCADE"))
    return cluster


@pytest.fixture
def cluster(cluster18: Cluster) -> Cluster:
    """A migrated server without tasks, which a test may stop and has to start again."""
    return _emptied(cluster18)


@pytest.fixture(params=VERSIONS)
def each_cluster(request: pytest.FixtureRequest) -> Cluster:
    """Both ends of the supported versions of PostgreSQL, one after the other."""
    return _emptied(request.getfixturevalue(f"cluster{request.param}"))


@pytest.fixture
async def neon(cluster: Cluster, authority: trustme.CA, trusted: None) -> AsyncIterator[Neon]:  # noqa: ARG001
    """Neon, with a certificate that this machine trusts."""
    async with Neon(cluster, authority) as neon:
        yield neon


@pytest.fixture
def pgbouncer(cluster: Cluster) -> Iterator[PgBouncer]:
    with running_pgbouncer(cluster.server.owner_url) as pgbouncer:
        yield pgbouncer
