"""TLS and passwords between a router and its shards, through a pooler in front of one."""

import asyncpg
import pytest
import trustme

from taskcore import ConfigurationError, TaskStore
from taskcore.database.url import connect_arguments, libpq_text, with_login
from taskcore.router.migrate import migrate_router
from taskcore.router.shards import Shard
from tests.neon.pgbouncer import running_pgbouncer
from tests.router.conftest import Bench

# Each makes routers or servers of its own, which takes a second.
pytestmark = pytest.mark.thorough

PASSWORD = "p%40ss/w\"o'r d"  # noqa: S105  (of a server that lives for a test)


async def test_a_shard_is_reached_with_tls_and_a_password(bench: Bench) -> None:
    """SO-302."""
    await bench.migrate()
    # The pooler has to know the login that the router has made.
    session = await asyncpg.connect(**connect_arguments(bench.url))
    options = await session.fetchval("SELECT umoptions FROM pg_user_mappings")
    await session.close()
    login = dict(option.split("=", 1) for option in options)
    authority, stranger = trustme.CA(), trustme.CA()
    folder = bench.plproxy.folder
    for name, one in (("root.pem", authority), ("stranger.pem", stranger)):
        one.cert_pem.write_to_path(folder / name)
        (folder / name).chmod(0o644)
    database = bench.databases[1]
    with running_pgbouncer(
        database.server.owner_url,
        certificate=authority.issue_cert("localhost"),
        passwords={"postgres": PASSWORD, login["user"]: login["password"]},
    ) as pooler:
        address = f"postgresql://localhost:{pooler.port}/{database.name}?sslmode=require"
        url = with_login(address, "postgres", PASSWORD)
        trusted = Shard(f"{url}&sslrootcert={folder}/root.pem")
        await migrate_router(bench.url, (bench.shards[0], trusted))
        async with TaskStore(bench.application_url) as store:
            for user in range(1, 9):
                assert (await store.for_user(user).create("x")).user_id == user
        with pytest.raises(ConfigurationError, match="certificate"):
            await migrate_router(
                bench.url, (bench.shards[0], Shard(f"{url}&sslrootcert={folder}/stranger.pem"))
            )


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("postgresql://u:p@/x?host=%2Frun", "host=/run dbname=x"),
        ("postgresql://u:p@localhost/x", "host=localhost dbname=x"),
        ("postgresql://u:p@localhost/x?sslmode=disable", "host=localhost dbname=x sslmode=disable"),
        ("postgresql://u@db:7/x", "host=db port=7 dbname=x sslmode=verify-full"),
        ("postgresql://u@db/x?sslmode=require", "host=db dbname=x sslmode=verify-full"),
        ("postgresql://u@db/x?sslmode=verify-ca", "host=db dbname=x sslmode=verify-ca"),
        ("postgresql://u@db/x?sslmode=prefer", "host=db dbname=x sslmode=prefer"),
        ("postgresql://u@db/a%20b%27c?sslmode=prefer", r"host=db dbname='a b\'c' sslmode=prefer"),
    ],
)
def test_certificates_are_verified_as_by_the_library(url: str, text: str) -> None:
    """SO-302."""
    found = libpq_text(url, authorities="/authorities.pem")
    assert found.startswith(text)
    assert ("sslrootcert=/authorities.pem" in found) is ("sslmode=verify" in found)
    assert "user=" not in found
    assert "password" not in found
