"""A database with unusual settings is migrated, examined and used as any other is.

The settings are those that PostgreSQL itself lists: every one that needs no superuser.
"""

import asyncio
import functools
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from pydantic import TypeAdapter

from taskcore import ConfigurationError, Task, TaskNotFound, TaskStore, Unavailable
from taskcore.database.url import connect_arguments
from taskcore.doctor import diagnose
from taskcore.schema import catalog
from taskcore.schema.migrate import migrate, read_status
from tests.clusters import NEON, VERSIONS, Cluster, running_cluster
from tests.databases import execute
from tests.folders import server_folder

pytestmark = pytest.mark.inspects

Values = Mapping[str, str]

# These have tests of their own below, or in test_read_only.py and test_refused_logins.py.
STOPPING = {
    "default_transaction_read_only",
    "local_preload_libraries",
    "role",
    "session_authorization",
    # These belong to one transaction and cannot be set for a database.
    "transaction_deferrable",
    "transaction_isolation",
    "transaction_read_only",
}

STRINGS = {
    "application_name": ['it\'s \\ "quoted"'],
    "client_encoding": ["LATIN1", "SQL_ASCII"],
    "createrole_self_grant": ["set, inherit", "inherit"],
    "DateStyle": ["SQL, DMY", "German", "Postgres, MDY"],
    "debug_io_direct": [],
    "default_table_access_method": ["heap"],
    "default_tablespace": ["elsewhere"],
    "default_text_search_config": ["pg_catalog.german"],
    "lc_monetary": ["POSIX"],
    "lc_numeric": ["POSIX"],
    "lc_time": ["POSIX"],
    "plpgsql.extra_errors": ["all"],
    "plpgsql.extra_warnings": ["all"],
    "restrict_nonsystem_relation_kind": ["view, foreign-table"],
    "search_path": ['"$user"', "public, pg_catalog", "pg_temp, taskcore, public, pg_catalog"],
    "temp_tablespaces": ["elsewhere"],
    "TimeZone": ["Asia/Kathmandu", "America/St_Johns"],
    "timezone_abbreviations": ["India", "Australia"],
}
"""Values to try for string settings, as PostgreSQL lists none."""

_USER_SETTINGS = """
SELECT name, vartype, unit, boot_val, enumvals, min_val, max_val
FROM pg_settings WHERE context = 'user' ORDER BY name
"""
LOAD_PLPGSQL = "DO $$ BEGIN END $$"
"""A session knows the settings of plpgsql once it has used it."""

_MOST = {"kB": 2**20, "8kB": 2**17, "MB": 2**10, "B": 2**30}
"""One gigabyte."""
_LEAST_SECONDS = {"ms": 20_000, "s": 20, "us": 0, "min": 1}
"""A shorter limit would rightly stop healthy work on a busy machine."""


def unusual_values(row: asyncpg.Record) -> list[str]:
    """Return the values of one setting to try."""
    name, unit = row["name"], row["unit"]
    match row["vartype"]:
        case "bool":
            return ["off" if row["boot_val"] == "on" else "on"]
        case "enum":
            return [value for value in row["enumvals"] if value != row["boot_val"]]
        case "string":
            return STRINGS[name]
    kind = int if row["vartype"] == "integer" else float
    least, most = float(row["min_val"]), min(float(row["max_val"]), 1e9)
    if name.endswith("_timeout"):
        least = max(least, _LEAST_SECONDS[unit])
    most = min(most, _MOST.get(unit, most))
    if name == "scram_iterations":
        most = 20_000  # more makes passwords slow, as intended
    return [str(kind(value)) for value in (least, most) if str(kind(value)) != row["boot_val"]]


async def all_unusual_values(cluster: Cluster) -> dict[str, list[str]]:
    connection = await asyncpg.connect(**connect_arguments(cluster.url("postgres", NEON)))
    try:
        await connection.execute(LOAD_PLPGSQL)
        rows = await connection.fetch(_USER_SETTINGS)
    finally:
        await connection.close()
    return {row["name"]: unusual_values(row) for row in rows if row["name"] not in STOPPING}


@pytest.fixture(scope="module", params=VERSIONS)
def whole_cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with server_folder() as name, running_cluster(name, request.param) as cluster:
        asyncio.run(
            execute(
                cluster.url("postgres"),
                "SET allow_in_place_tablespaces = on",
                "CREATE TABLESPACE elsewhere LOCATION ''",
                "GRANT CREATE ON TABLESPACE elsewhere TO PUBLIC",
            )
        )
        yield cluster


@pytest.fixture
async def cluster(whole_cluster: Cluster) -> Cluster:
    await whole_cluster.empty()
    return whole_cluster


async def use(cluster: Cluster, values: Values, *, whose: str | None = None) -> None:
    """Migrate a new database with these settings from nothing, examine it and use it."""
    await cluster.empty()
    await cluster.create_database("unusual", NEON)
    owner, application = (cluster.url("unusual", role) for role in (NEON, "taskcore_app"))
    if values:
        of = f"ROLE {whose}" if whose else "DATABASE unusual"
        await execute(
            cluster.url("postgres", "postgres" if whose else NEON),
            LOAD_PLPGSQL,
            *(f"ALTER {of} SET {name} = {_quoted(name, values[name])}" for name in values),
        )
    try:
        assert (await migrate(owner)).changed
        assert not (await migrate(owner)).changed
        status = await read_status(owner)
        assert status.current, status.differences
        findings = await diagnose(application)
        assert not [check for check in findings if check.status == "failure"]
        await _is_as_released(cluster)
        await _keeps_tasks(application)
        async with TaskStore(owner) as store:
            assert [user.id async for user in store.users.iterate()] == [1]
    finally:
        if whose:
            await execute(cluster.url("postgres"), f"ALTER ROLE {whose} RESET ALL")


def _quoted(name: str, value: str) -> str:
    return (
        value
        if name == "search_path"
        else "E'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
    )


async def _is_as_released(cluster: Cluster) -> None:
    """Look at what the catalog comparison does not show, with a superuser's usual settings."""
    connection = await asyncpg.connect(**connect_arguments(cluster.url("unusual")))
    try:
        await connection.execute("SET standard_conforming_strings = on; RESET search_path")
        assert dict(await catalog.read(connection)) == dict(catalog.expected())
        assert not await connection.fetchval(
            "SELECT count(*) FROM pg_class "
            "WHERE relnamespace = 'taskcore'::regnamespace AND reltablespace <> 0"
        )
        secret = "SELECT rolpassword FROM pg_authid WHERE rolname = 'taskcore_app'"  # noqa: S105
        assert (await connection.fetchval(secret)).startswith("SCRAM-SHA-256$")
        assert not await connection.fetchval(
            "SELECT count(*) FROM pg_auth_members WHERE inherit_option "
            "AND roleid IN ('taskcore_owner'::regrole, 'taskcore_definer'::regrole)"
        )
    finally:
        await connection.close()


async def _keeps_tasks(url: str) -> None:
    async with TaskStore(url) as store:
        tasks = store.for_user(1)
        task = await tasks.create("buy milk", description="and \\ 'eggs'")
        assert await tasks.get(task.id) == task
        assert (await tasks.update(task.id, completed=True)).completed
        two = await tasks.create_many([{"title": "s"}, {"title": "ö \\s"}])
        moment = datetime(2024, 2, 3, 4, 5, 6, 789, UTC)
        old = {"id": 7, "title": "old", "created_at": moment, "updated_at": moment}
        await tasks.import_tasks([old])
        assert (await tasks.get(7)).created_at == moment
        page = await tasks.list()
        in_json = TypeAdapter(tuple[Task, ...]).dump_json(page.items)
        assert (await tasks.list_json()).items == in_json
        assert [item.title for item in page.items] == [two[1].title, "s", "buy milk", "old"]
        assert [item.id for item in (await tasks.list(completed=True)).items] == [task.id]
        await tasks.delete(task.id)
        with pytest.raises(TaskNotFound):
            await tasks.get(task.id)
        with pytest.raises(TaskNotFound):
            await store.for_user(2).get(7)


async def _culprits(cluster: Cluster, values: Values) -> list[str]:
    """Return the settings that fail, each alone if it fails alone."""
    try:
        await use(cluster, values)
    except Exception as exc:  # noqa: BLE001  (whatever a setting breaks)
        half = len(values) // 2
        if half:
            items = list(values.items())
            parts = (dict(items[:half]), dict(items[half:]))
            found = [line for part in parts for line in await _culprits(cluster, part)]
            if found:
                return found
        return [f"{dict(values)}: {exc!r}"]
    return []


@pytest.mark.parametrize(
    "round_", [0, *(pytest.param(later, marks=pytest.mark.thorough) for later in (1, 2, 3))]
)
async def test_every_setting_of_a_database_may_have_every_value(
    cluster: Cluster, round_: int
) -> None:
    """In four rounds, all settings at once, each with the next of its unusual values.

    Two settings have more values, which the thorough test below tries.
    """
    values = await all_unusual_values(cluster)
    assert len(values) > 120
    assert {name for name in values if len(values[name]) > 4} == {
        "client_min_messages",
        "icu_validation_level",
    }
    chosen = {name: choices[round_ % len(choices)] for name, choices in values.items() if choices}

    assert not await _culprits(cluster, chosen)


@pytest.mark.thorough
@pytest.mark.timeout(3600)
async def test_every_setting_alone_may_have_every_value(cluster: Cluster) -> None:
    values = await all_unusual_values(cluster)
    found = []
    for name, choices in values.items():
        for value in choices:
            found += await _culprits(cluster, {name: value})
    assert not found


async def test_the_migrating_role_may_have_unusual_settings(cluster: Cluster) -> None:
    values = await all_unusual_values(cluster)
    chosen = {name: choices[0] for name, choices in values.items() if choices}

    await use(cluster, chosen, whose=NEON)


def test_the_shipped_sql_reads_the_same_whatever_a_backslash_means() -> None:
    """standard_conforming_strings decides; also for a function, whenever it is called."""
    for name in ("policies", "functions", "catalog", "roles", "role_settings"):
        assert "\\" not in catalog.sql(name)
    for definition in catalog.expected().values():
        assert "\\" not in definition


@pytest.mark.parametrize(
    "name",
    [
        "statement_timeout",
        "transaction_timeout",
        "idle_in_transaction_session_timeout",
        "idle_session_timeout",
    ],
)
async def test_a_time_limit_that_ends_every_migration_is_named(
    cluster: Cluster, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit of a millisecond is over before the migration can pin it."""
    if name == "transaction_timeout" and cluster.server._new_version < 17:
        name = "statement_timeout"
    monkeypatch.setattr(
        "asyncpg.connect", functools.partial(asyncpg.connect, connection_class=SlowClient)
    )
    await cluster.empty()
    await cluster.create_database("unusual", NEON)
    await execute(cluster.url("postgres", NEON), f"ALTER DATABASE unusual SET {name} = 1")
    with pytest.raises((ConfigurationError, Unavailable), match=name) as error:
        await migrate(cluster.url("unusual", NEON))
    assert "RESET" in str(error.value)


class SlowClient(asyncpg.Connection):
    """A client that is idle for more than a millisecond before each statement."""

    async def execute(self, *args: Any, **extra: Any) -> Any:
        await asyncio.sleep(0.005)
        return await super().execute(*args, **extra)
