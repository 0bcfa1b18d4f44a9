"""Settings that the application's role has made itself are found and reset."""

import asyncio
from collections.abc import Iterator

import pytest

from taskcore import ConfigurationError, TaskStore
from taskcore.doctor import diagnose
from taskcore.schema.migrate import migrate, read_status
from tests.clusters import NEON, Cluster, running_cluster
from tests.databases import execute
from tests.folders import server_folder

pytestmark = pytest.mark.inspects


@pytest.fixture(scope="module")
def whole_cluster() -> Iterator[Cluster]:
    with server_folder() as name, running_cluster(name, 18) as cluster:
        asyncio.run(cluster.empty())
        yield cluster


@pytest.fixture
async def cluster(whole_cluster: Cluster) -> Cluster:
    """A cluster with a migrated database, whose roles have the settings of the release."""
    await whole_cluster.empty()
    await whole_cluster.create_database("tasks", NEON)
    await migrate(whole_cluster.url("tasks", NEON))
    return whole_cluster


SELF_SERVICE = {
    "no time limit": "SET statement_timeout = 0",
    "a time limit that is too short": "SET statement_timeout = '100ms'",
    "a time limit of days": "SET lock_timeout = '3d'",
    "no time limit here": "IN DATABASE tasks SET idle_in_transaction_session_timeout = 0",
    "writes that may be lost": "SET synchronous_commit = off",
    "a search path": "SET search_path = pg_temp, public",
    "a search path here": "IN DATABASE tasks SET search_path = pg_temp, public",
    "a read-only life": "SET default_transaction_read_only = on",
    "row security off": "SET row_security = off",
    "memory": "SET work_mem = '2GB'",
    "missing time limits": "RESET ALL",
}


@pytest.mark.parametrize("name", SELF_SERVICE)
async def test_settings_that_the_role_has_made_itself_are_named_and_reset(
    cluster: Cluster, name: str
) -> None:
    application, owner = cluster.url("tasks", "taskcore_app"), cluster.url("tasks", NEON)
    await execute(application, f"ALTER ROLE taskcore_app {SELF_SERVICE[name]}")

    status = await read_status(owner)
    assert not status.current
    assert all(line.startswith("setting taskcore_app.") for line in status.differences)
    checks = {check.name: check for check in await diagnose(application)}
    assert checks["role settings"].status == "warning"
    assert "setting taskcore_app." in checks["role settings"].finding

    assert (await migrate(owner)).changed

    assert (await read_status(owner)).current
    assert not (await migrate(owner)).changed
    checks = {check.name: check for check in await diagnose(application)}
    assert {checks["role settings"].status, checks["settings"].status} == {"ok"}
    async with TaskStore(application) as store:
        await store.for_user(1).create("works")


async def test_an_administrators_own_timeouts_are_kept(cluster: Cluster) -> None:
    """From a second to an hour, for all databases or for one."""
    owner = cluster.url("tasks", NEON)
    await execute(
        owner,
        "ALTER ROLE taskcore_app SET statement_timeout = '10min'",
        "ALTER ROLE taskcore_app SET lock_timeout = 1500",
        "ALTER ROLE taskcore_app IN DATABASE tasks SET lock_timeout = '7s'",
    )

    assert (await read_status(owner)).current
    assert not (await migrate(owner)).changed
    async with TaskStore(cluster.url("tasks", "taskcore_app")) as store:
        (row,) = await store._database.fetch(
            "SELECT current_setting('statement_timeout'), current_setting('lock_timeout')"
        )
    assert tuple(row) == ("10min", "7s")


async def test_settings_that_the_role_cannot_have_made_are_kept(cluster: Cluster) -> None:
    """Settings by a superuser for the role, and settings of the database."""
    await execute(
        cluster.url("tasks"),
        "ALTER ROLE taskcore_app SET log_min_duration_statement = '1s'",
        "ALTER DATABASE tasks SET work_mem = '64MB'",
    )

    assert not (await migrate(cluster.url("tasks", NEON))).changed


async def test_settings_of_a_database_that_cost_writes_are_named(cluster: Cluster) -> None:
    await execute(
        cluster.url("tasks", NEON),
        "ALTER DATABASE tasks SET synchronous_commit = off",
        "ALTER DATABASE tasks SET default_transaction_isolation = serializable",
    )

    checks = {check.name: check for check in await diagnose(cluster.url("tasks", "taskcore_app"))}

    assert checks["settings"].status == "warning"
    assert "lost when the server crashes" in checks["settings"].finding
    assert "default_transaction_isolation is serializable" in checks["settings"].finding


async def test_a_user_whom_a_setting_of_the_role_binds_is_named(cluster: Cluster) -> None:
    await execute(cluster.url("tasks"), "ALTER ROLE taskcore_app SET taskcore.user_id = '5'")

    (line,) = (await read_status(cluster.url("tasks", NEON))).differences
    assert "setting taskcore_app.taskcore.user_id" in line
    await migrate(cluster.url("tasks"))
    assert (await read_status(cluster.url("tasks", NEON))).current


async def test_a_role_that_has_locked_itself_out_is_let_in_again(cluster: Cluster) -> None:
    """A library that does not exist ends each of its sessions before it begins."""
    application = cluster.url("tasks", "taskcore_app")
    await execute(application, "ALTER ROLE taskcore_app SET local_preload_libraries = 'nothing'")
    with pytest.raises(ConfigurationError, match="RESET local_preload_libraries") as error:
        await TaskStore(application).open()
    assert "\n" not in str(error.value)

    await migrate(cluster.url("tasks", NEON))

    async with TaskStore(application) as store:
        await store.for_user(1).create("works")


async def test_a_database_that_lets_nobody_in_says_what_to_change(cluster: Cluster) -> None:
    await execute(
        cluster.url("postgres", NEON), "ALTER DATABASE tasks SET local_preload_libraries = 'none'"
    )

    with pytest.raises(ConfigurationError, match="RESET local_preload_libraries"):
        await migrate(cluster.url("tasks", NEON))


async def test_a_migrating_role_that_begins_as_another_migrates_as_itself(
    cluster: Cluster,
) -> None:
    await execute(
        cluster.url("tasks"),
        f"ALTER ROLE {NEON} SET role = 'taskcore_app'",
        "DROP POLICY tasks_own ON taskcore.tasks",
    )
    try:
        assert (await migrate(cluster.url("tasks", NEON))).changed
        assert (await read_status(cluster.url("tasks", NEON))).current
    finally:
        await execute(cluster.url("tasks"), f"ALTER ROLE {NEON} RESET role")
