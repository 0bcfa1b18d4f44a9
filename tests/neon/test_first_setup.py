"""From a URL out of Neon's console to an application that runs."""

import asyncio
import json
import os
import sys
from collections.abc import Iterator

import pytest

from taskcore import ConfigurationError, Settings, TaskStore
from tests.clusters import NEON, Cluster
from tests.neon.proxy import COULD_NOT_CONNECT, Neon


@pytest.fixture
def cluster(cluster18: Cluster) -> Iterator[Cluster]:
    """A server with Neon's owner on it, and nothing of ours."""
    asyncio.run(cluster18.empty())
    asyncio.run(cluster18.create_database("neondb", NEON))
    yield cluster18
    # Others expect it as the embedded server leaves it.
    asyncio.run(cluster18.server._prepare_database())


async def taskctl(*words: str, url: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "taskcore_cli", *words),
        env=os.environ | {"TASKCORE_DATABASE_URL": url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return output.decode()


async def test_migrate_makes_the_applications_url_and_it_works(neon: Neon) -> None:
    """Through the proxy, woken by it, as an owner who is no superuser."""
    owner_url = neon.url(NEON, "neondb")
    await neon.suspend()
    neon.refusals = [COULD_NOT_CONNECT]

    first = json.loads(await taskctl("migrate", "--json", url=owner_url))
    again = json.loads(await taskctl("migrate", "--json", url=owner_url))

    url = first["application_url"]
    assert again.get("application_url") is None
    assert "sslmode=require" in url
    settings = Settings(require_restricted_role=True)
    async with TaskStore(url, settings=settings) as store:
        task = await store.for_user(1).create("Buy groceries")
    listed = json.loads(await taskctl("tasks", "list", "--user", "1", "--json", url=url))
    assert [found["id"] for found in listed] == [task.id]


async def test_the_owners_url_works_and_is_warned_of(
    neon: Neon, caplog: pytest.LogCaptureFixture
) -> None:
    """Neon's roles bypass row-level security; the functions keep users apart even so."""
    owner_url = neon.url(NEON, "neondb")
    await taskctl("migrate", url=owner_url)

    async with TaskStore(owner_url) as store:
        await store.for_user(1).create("Buy groceries")
        assert (await store.for_user(2).list()).items == ()

    assert caplog.text.count("bypasses row-level security") == 1
    with pytest.raises(ConfigurationError, match="TASKCORE_REQUIRE_RESTRICTED_ROLE"):
        await TaskStore(owner_url, settings=Settings(require_restricted_role=True)).open()
