"""Migrations: from nothing, again, at once, by every role that may, and what they refuse."""

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

import taskcore
from taskcore import (
    ConfigurationError,
    PermissionDenied,
    SchemaOutdated,
    Settings,
    TaskNotFound,
    TaskStore,
    Unavailable,
)
from taskcore.database.url import connect_arguments
from taskcore.embedded import EmbeddedServer
from taskcore.schema import catalog, roles, tables
from taskcore.schema.migrate import HEAD, MigrationStatus, migrate, read_status
from tests.clusters import NEON, VERSIONS, Cluster, running_cluster
from tests.conftest import MakeDatabase
from tests.databases import Database, execute
from tests.folders import server_folder

pytestmark = pytest.mark.inspects


@pytest.fixture
def bare(each_server: EmbeddedServer, make_database: MakeDatabase) -> Database:
    """An empty database, on both ends of the supported versions."""
    return make_database(each_server, template="template0")


@pytest.fixture
def migrated(each_server: EmbeddedServer, make_database: MakeDatabase) -> Database:
    return make_database(each_server)


@pytest.fixture(scope="module", params=VERSIONS)
def whole_cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with server_folder() as name, running_cluster(name, request.param) as cluster:
        yield cluster


@pytest.fixture
async def cluster(whole_cluster: Cluster) -> Cluster:
    """A cluster without databases and without the roles of taskcore."""
    await whole_cluster.empty()
    return whole_cluster


async def _use(url: str) -> None:
    """A store works there, and keeps users apart."""
    async with TaskStore(url) as store:
        task = await store.for_user(1).create("Buy groceries")
        assert await store.for_user(1).get(task.id) == task
        with pytest.raises(TaskNotFound):
            await store.for_user(2).get(task.id)


# From nothing


async def test_a_superuser_migrates_an_empty_database(bare: Database) -> None:
    """FR-013."""
    migration = await migrate(bare.owner_url)

    assert migration.changed
    assert migration.before.revision is None
    await _use(bare.url)


async def test_neons_owner_migrates_an_empty_database(cluster: Cluster) -> None:
    """FR-013: no superuser is needed."""
    await cluster.create_database("tasks", NEON)

    migration = await migrate(cluster.url("tasks", NEON))

    assert migration.changed
    assert (await read_status(cluster.url("tasks", NEON))).current
    await _use(cluster.url("tasks", "taskcore_app"))


async def test_neons_owner_may_do_an_administrators_work(cluster: Cluster) -> None:
    await cluster.create_database("tasks", NEON)
    await migrate(cluster.url("tasks", NEON))

    async with TaskStore(cluster.url("tasks", NEON)) as store:
        await store.for_user(1).create("one")
        await store.for_user(2).create("two")
        assert [user.id async for user in store.users.iterate()] == [1, 2]
        await store.users.delete(1)
        assert (await store.for_user(1).list()).items == ()
        assert len((await store.for_user(2).list()).items) == 1


async def test_the_functions_isolate_users_from_neons_owner_too(cluster: Cluster) -> None:
    """FR-018, SC-002: a role with BYPASSRLS that may read and write all data."""
    await cluster.create_database("tasks", NEON)
    await migrate(cluster.url("tasks", NEON))
    await _use(cluster.url("tasks", NEON))


async def test_neons_owner_migrates_a_second_database_of_the_cluster(cluster: Cluster) -> None:
    for name in ("one", "two"):
        await cluster.create_database(name, NEON)
        await migrate(cluster.url(name, NEON))
        await _use(cluster.url(name, "taskcore_app"))


async def test_a_superuser_and_neons_owner_take_turns(cluster: Cluster) -> None:
    await cluster.create_database("tasks", NEON)
    await migrate(cluster.url("tasks", NEON))
    assert not (await migrate(cluster.url("tasks"))).changed
    await execute(cluster.url("tasks"), "DROP POLICY tasks_own ON taskcore.tasks")
    assert (await migrate(cluster.url("tasks"))).changed
    assert not (await migrate(cluster.url("tasks", NEON))).changed


# Again


async def test_a_second_migration_changes_nothing(migrated: Database) -> None:
    connection = await asyncpg.connect(**connect_arguments(migrated.owner_url))
    count = "SELECT xmin, count(*) FROM pg_proc GROUP BY xmin"
    before = await connection.fetch(count)

    migration = await migrate(migrated.owner_url)

    assert not migration.changed
    assert migration.application_url is None
    assert await connection.fetch(count) == before
    await connection.close()


async def test_a_second_migration_by_neons_owner_changes_nothing(cluster: Cluster) -> None:
    await cluster.create_database("tasks", NEON)
    await migrate(cluster.url("tasks", NEON))
    assert not (await migrate(cluster.url("tasks", NEON))).changed


async def test_a_second_migration_waits_for_nobody(
    database: Database, owner: asyncpg.Connection
) -> None:
    """It takes no lock that reading and writing hold up, or are held up by."""
    transaction = owner.transaction()
    await transaction.start()
    await owner.execute("LOCK TABLE taskcore.users, taskcore.tasks IN ROW EXCLUSIVE MODE")
    await owner.execute("LOCK TABLE taskcore.users, taskcore.tasks IN ACCESS SHARE MODE")

    # The migration gives up after ten seconds of waiting.
    assert not (await migrate(database.owner_url)).changed

    await transaction.rollback()


async def test_a_migration_gives_up_when_the_tables_stay_locked(
    database: Database, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await owner.execute("DROP POLICY tasks_own ON taskcore.tasks")
    transaction = owner.transaction()
    await transaction.start()
    await owner.execute("LOCK TABLE taskcore.tasks IN ROW EXCLUSIVE MODE")
    scripts = {name: catalog.sql(name) for name in ("catalog", "roles", "policies", "functions")}
    scripts["policies"] = "SET LOCAL lock_timeout = '20ms';\n" + scripts["policies"]
    monkeypatch.setattr(catalog, "sql", scripts.__getitem__)

    with pytest.raises(Unavailable, match="lock"):
        await migrate(database.owner_url)

    await transaction.rollback()
    assert (await migrate(database.owner_url)).changed


async def test_tasks_survive_a_migration(store: TaskStore, owner: asyncpg.Connection) -> None:
    """SC-003, FR-014."""
    task = await store.for_user(1).create("Buy groceries")
    await owner.execute("ALTER TABLE taskcore.tasks DISABLE ROW LEVEL SECURITY")
    assert store._url is not None
    await migrate(store._url.replace("//taskcore_app@", "//postgres@"))

    assert await store.for_user(1).get(task.id) == task


# At once


async def test_two_migrations_at_once_are_safe(bare: Database) -> None:
    """FR-017."""
    await asyncio.gather(migrate(bare.owner_url), migrate(bare.owner_url))

    assert (await read_status(bare.owner_url)).current
    await _use(bare.url)


@pytest.mark.parametrize("role", ["postgres", NEON])
async def test_six_databases_of_one_cluster_migrate_at_once(cluster: Cluster, role: str) -> None:
    """FR-017: the roles belong to the cluster; one of the six learns the password."""
    names = [f"tasks_{n}" for n in range(6)]
    for name in names:
        await cluster.create_database(name, role)

    migrations = await asyncio.gather(*(migrate(cluster.url(name, role)) for name in names))

    assert sum(migration.application_url is not None for migration in migrations) == 1
    for name in names:
        assert (await read_status(cluster.url(name, role))).current
    await _use(cluster.url(names[-1], "taskcore_app"))


@pytest.mark.parametrize("role", ["postgres", NEON])
async def test_the_roles_of_six_databases_are_made_at_once(cluster: Cluster, role: str) -> None:
    """FR-017: again and again, as a race is not lost each time."""
    for _ in range(3):
        await cluster.empty()
        connections = [
            await asyncpg.connect(**connect_arguments(cluster.url("postgres", role)))
            for _ in range(6)
        ]
        passwords = await asyncio.gather(*map(roles.ensure_roles, connections))
        await asyncio.gather(*(connection.close() for connection in connections))

        assert sum(password is not None for password in passwords) == 1


async def test_a_race_after_the_application_role_was_made_does_not_lose_its_password(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else knows it: a repetition must still return it."""
    await cluster.create_database("tasks", NEON)
    execute_really = asyncpg.Connection.execute
    seen: list[str] = []

    async def execute_with_race(
        connection: asyncpg.Connection, query: str, *args: Any, **options: Any
    ) -> str:
        seen.append(query)
        if len(seen) > 1 and "CREATE ROLE taskcore_app" in seen[-2]:
            raise asyncpg.InternalServerError("tuple concurrently updated")
        return await execute_really(connection, query, *args, **options)

    monkeypatch.setattr(asyncpg.Connection, "execute", execute_with_race)

    migration = await migrate(cluster.url("tasks", NEON))

    assert migration.application_url is not None


# The application's password


async def test_only_the_first_migration_returns_a_password(cluster: Cluster) -> None:
    await cluster.create_database("tasks", NEON)
    url = cluster.url("tasks", NEON)

    first, second = await migrate(url), await migrate(url)

    assert first.application_url is not None
    assert connect_arguments(first.application_url)["user"] == "taskcore_app"
    assert len(connect_arguments(first.application_url)["password"]) >= 32
    assert second.application_url is None


async def test_the_generated_password_opens_a_server_that_asks_for_it(cluster: Cluster) -> None:
    await cluster.create_database("tasks", NEON)
    migration = await migrate(cluster.url("tasks", NEON))
    assert migration.application_url is not None
    rules = cluster.folder / "pg_hba.conf"
    trusting = rules.read_text()
    rules.write_text(f"local all taskcore_app scram-sha-256\n{trusting}")
    try:
        await _reload(cluster)
        password = connect_arguments(migration.application_url)["password"]
        await _use(migration.application_url)
        with pytest.raises(ConfigurationError, match="login") as error:
            await TaskStore(migration.application_url.replace(password, "hunter2-secret")).open()
        assert "hunter2" not in str(error.value) + repr(error.value) + repr(error.value.args)
        with pytest.raises((ConfigurationError, Unavailable)):
            await TaskStore(cluster.url("tasks", "taskcore_app")).open()
    finally:
        rules.write_text(trusting)
        await _reload(cluster)


async def _reload(cluster: Cluster) -> None:
    connection = await asyncpg.connect(**connect_arguments(cluster.url("postgres")))
    before = await connection.fetchval("SELECT pg_conf_load_time()")
    await connection.execute("SELECT pg_reload_conf()")
    await connection.close()
    after = before
    while after == before:
        connection = await asyncpg.connect(**connect_arguments(cluster.url("postgres")))
        after = await connection.fetchval("SELECT pg_conf_load_time()")
        await connection.close()


# Status


async def test_the_status_of_an_empty_database_says_what_is_missing(bare: Database) -> None:
    status = await read_status(bare.owner_url)

    assert not status.current
    assert (status.revision, status.head) == (None, HEAD)
    assert any("relation tasks" in line and "missing" in line for line in status.differences)


async def test_the_status_of_a_migrated_database_is_current(migrated: Database) -> None:
    assert await read_status(migrated.owner_url) == MigrationStatus(HEAD, HEAD, ())


async def test_a_status_of_a_database_that_is_away_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        await read_status("postgresql://postgres@127.0.0.1:1/taskcore")


DRIFT = {
    "a dropped policy": "DROP POLICY tasks_own ON taskcore.tasks",
    "a changed policy": "ALTER POLICY tasks_own ON taskcore.tasks USING (true)",
    "an extra policy": "CREATE POLICY extra ON taskcore.tasks TO taskcore_definer USING (true)",
    "row security off": "ALTER TABLE taskcore.tasks DISABLE ROW LEVEL SECURITY",
    "row security not forced": "ALTER TABLE taskcore.users NO FORCE ROW LEVEL SECURITY",
    "a changed function": (
        "CREATE OR REPLACE FUNCTION taskcore.schema_version_v1() RETURNS integer "
        "LANGUAGE sql IMMUTABLE AS 'SELECT 1'"
    ),
    "a function that does not switch roles": (
        "ALTER FUNCTION taskcore.task_get_v1 SECURITY INVOKER"
    ),
    "a function without its search path": "ALTER FUNCTION taskcore.task_get_v1 RESET search_path",
    "a missing function": "DROP FUNCTION taskcore.user_list_v1",
    "a missing grant": "REVOKE EXECUTE ON FUNCTION taskcore.task_get_v1 FROM taskcore_app",
    "a function for everybody": "GRANT EXECUTE ON FUNCTION taskcore.task_get_v1 TO PUBLIC",
    "a schema to create in": "GRANT CREATE ON SCHEMA taskcore TO taskcore_definer",
}


@pytest.mark.parametrize("name", DRIFT)
async def test_drift_is_found_by_the_status_and_repaired_by_a_migration(
    database: Database, owner: asyncpg.Connection, name: str
) -> None:
    """FR-018: the walls are where this release wants them."""
    await owner.execute(DRIFT[name])
    assert not (await read_status(database.owner_url)).current

    assert (await migrate(database.owner_url)).changed

    assert (await read_status(database.owner_url)).current
    await _use(database.url)


STRANGE = {
    "a grant to a stranger": "GRANT SELECT ON taskcore.tasks TO pg_monitor",
    "a grant of a column": "GRANT SELECT (title) ON taskcore.tasks TO pg_monitor",
    "a grant to the application": "GRANT SELECT ON taskcore.tasks TO taskcore_app",
    "a function to a stranger": "GRANT EXECUTE ON FUNCTION taskcore.user_list_v1 TO pg_monitor",
    "an extra column": "ALTER TABLE taskcore.tasks ADD COLUMN another text",
    "a dropped constraint": "ALTER TABLE taskcore.tasks DROP CONSTRAINT tasks_valid",
    "an extra function": (
        "CREATE FUNCTION taskcore.extra() RETURNS integer LANGUAGE sql AS 'SELECT 1'"
    ),
    "a rule": "CREATE RULE r AS ON DELETE TO taskcore.tasks DO INSTEAD NOTHING",
    "a trigger": (
        "CREATE TRIGGER t BEFORE UPDATE ON taskcore.tasks FOR EACH ROW "
        "EXECUTE FUNCTION suppress_redundant_updates_trigger()"
    ),
}


@pytest.mark.parametrize("name", STRANGE)
async def test_what_a_migration_cannot_mend_is_reported(
    database: Database, owner: asyncpg.Connection, name: str
) -> None:
    """FR-018."""
    await owner.execute(STRANGE[name])
    (line, *_) = (await read_status(database.owner_url)).differences
    assert "should be" in line

    with pytest.raises(ConfigurationError, match="repair it by hand") as error:
        await migrate(database.owner_url)
    assert line in str(error.value)


async def test_a_role_with_too_many_rights_is_repaired(cluster: Cluster) -> None:
    """FR-018: roles belong to the cluster."""
    await cluster.create_database("tasks")
    await migrate(cluster.url("tasks"))
    await execute(
        cluster.url("tasks"),
        "ALTER ROLE taskcore_definer BYPASSRLS",
        "ALTER ROLE taskcore_app SUPERUSER CREATEROLE",
        "ALTER ROLE taskcore_owner LOGIN",
    )
    assert len((await read_status(cluster.url("tasks"))).differences) == 3

    await migrate(cluster.url("tasks"))

    assert (await read_status(cluster.url("tasks"))).current


async def test_a_role_repaired_by_a_migration_counts_as_a_change(cluster: Cluster) -> None:
    await cluster.create_database("tasks")
    await migrate(cluster.url("tasks"))
    await execute(cluster.url("tasks"), "ALTER ROLE taskcore_definer BYPASSRLS")

    assert (await migrate(cluster.url("tasks"))).changed


async def test_an_application_role_in_another_role_is_reported(cluster: Cluster) -> None:
    """FR-018."""
    await cluster.create_database("tasks")
    await migrate(cluster.url("tasks"))
    await execute(cluster.url("tasks"), "GRANT taskcore_definer TO taskcore_app")

    with pytest.raises(ConfigurationError, match="member of taskcore_definer"):
        await migrate(cluster.url("tasks"))


# Models, revisions and catalogs say the same


async def test_the_models_and_a_migrated_database_agree(migrated: Database) -> None:
    arguments = connect_arguments(migrated.owner_url)

    async def connect() -> asyncpg.Connection:
        return await asyncpg.connect(**arguments)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect)

    def compare(connection: Connection) -> Any:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "compare_type": True,
                "compare_server_default": True,
                "version_table_schema": tables.SCHEMA,
                "include_name": lambda name, kind, _parents: (
                    kind != "schema" or name == tables.SCHEMA
                ),
            },
        )
        return compare_metadata(context, tables.metadata)

    async with engine.connect() as connection:
        assert await connection.run_sync(compare) == []
    await engine.dispose()


def test_head_is_the_newest_revision() -> None:
    config = Config()
    config.set_main_option(
        "script_location", str(Path(taskcore.__file__).parent / "schema/revisions")
    )

    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


async def test_the_catalog_is_that_of_a_fresh_migration(bare: Database) -> None:
    """The same words on every supported PostgreSQL; `just catalog` writes it."""
    await migrate(bare.owner_url)

    connection = await asyncpg.connect(**connect_arguments(bare.owner_url))
    found = await catalog.read(connection)
    await connection.close()
    assert dict(found) == dict(catalog.expected())


async def test_the_catalog_is_that_of_a_migration_by_neons_owner(cluster: Cluster) -> None:
    await cluster.create_database("tasks", NEON)
    await migrate(cluster.url("tasks", NEON))

    connection = await asyncpg.connect(**connect_arguments(cluster.url("tasks", NEON)))
    found = await catalog.read(connection)
    await connection.close()
    assert dict(found) == dict(catalog.expected())


def test_every_role_has_a_catalog_entry() -> None:
    assert {f"role {role}" for role in roles.ROLES} <= catalog.expected().keys()


# Refused databases


async def test_another_encoding_than_utf8_is_refused(
    server: EmbeddedServer, make_latin: Database
) -> None:
    assert make_latin.server is server
    with pytest.raises(ConfigurationError, match="UTF8, not LATIN1"):
        await migrate(make_latin.owner_url)


@pytest.fixture
def make_latin(server: EmbeddedServer, make_database: MakeDatabase) -> Database:
    return make_database(server, template="template0 ENCODING 'LATIN1'")


async def test_a_database_newer_than_this_release_is_refused(
    database: Database, owner: asyncpg.Connection
) -> None:
    await owner.execute("UPDATE taskcore.alembic_version SET version_num = '9999'")

    with pytest.raises(ConfigurationError, match=r"9999.*upgrade taskcore"):
        await migrate(database.owner_url)


async def test_the_application_role_cannot_migrate(database: Database) -> None:
    with pytest.raises(PermissionDenied, match="the owner of the database"):
        await migrate(database.url)


async def test_the_application_role_cannot_migrate_an_empty_database(bare: Database) -> None:
    with pytest.raises(PermissionDenied):
        await migrate(bare.url)
    with pytest.raises(SchemaOutdated):
        await TaskStore(bare.url).open()


async def test_a_migration_that_fails_leaves_nothing_behind(
    bare: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Edge case: no partial state."""
    scripts = {name: catalog.sql(name) for name in ("catalog", "roles", "policies", "functions")}
    broken = scripts | {"functions": scripts["functions"] + "SELECT 1 / 0;"}
    monkeypatch.setattr(catalog, "sql", broken.__getitem__)
    with pytest.raises(ConfigurationError, match="22012"):
        await migrate(bare.owner_url)
    assert (await read_status(bare.owner_url)).revision is None

    monkeypatch.setattr(catalog, "sql", scripts.__getitem__)
    await migrate(bare.owner_url)
    await _use(bare.url)


# Backup


async def test_a_dump_restores_tasks_policies_and_isolation(
    each_server: EmbeddedServer, migrated: Database, restored: Database, tmp_path: Path
) -> None:
    """SC-003, FR-014: a backup is worth what it restores."""
    async with TaskStore(migrated.url) as store:
        mine = await store.for_user(1).create_many([{"title": f"n. {n}"} for n in range(20)])
        theirs = await store.for_user(2).create("theirs", "secret")
    dump = tmp_path / "dump.sql"
    host = connect_arguments(migrated.owner_url)["host"]

    def run(program: str, *words: object) -> None:
        command = [each_server.program(program), "-h", host, "-U", "postgres", *words]
        subprocess.run(command, check=True, capture_output=True)

    await asyncio.to_thread(run, "pg_dump", "-f", dump, migrated.name)
    await asyncio.to_thread(
        run, "psql", "-d", restored.name, "-v", "ON_ERROR_STOP=1", "-q", "-f", dump
    )

    async with TaskStore(restored.url) as store:
        assert (await store.for_user(1).list()).items == mine[::-1]
        assert await store.for_user(2).get(theirs.id) == theirs
        with pytest.raises(TaskNotFound):
            await store.for_user(1).get(theirs.id)
        await store.for_user(1).update(mine[0].id, completed=True)
    assert (await read_status(restored.owner_url)).current
    assert not (await migrate(restored.owner_url)).changed


@pytest.fixture
def restored(each_server: EmbeddedServer, make_database: MakeDatabase) -> Database:
    return make_database(each_server, template="template0")


async def test_a_rotated_password_is_another_one_and_known_once(database: Database) -> None:
    first = await migrate(database.owner_url, rotate_password=True)
    second = await migrate(database.owner_url, rotate_password=True)
    third = await migrate(database.owner_url)

    urls = [first.application_url, second.application_url]
    passwords = [connect_arguments(url or "")["password"] for url in urls]
    assert passwords[0] != passwords[1]
    # 24 random bytes are 192 bits; Neon asks for 60.
    assert {len(password) for password in passwords} == {32}
    assert third.application_url is None
    assert not third.changed


async def test_the_applications_role_has_timeouts(database: Database) -> None:
    """On the role: a pooler drops start-up parameters."""
    connection = await asyncpg.connect(**connect_arguments(database.url))
    try:
        assert await connection.fetchval("SHOW statement_timeout") == "30s"
        # Below the client's own timeout: what waited in vain is known to be undone.
        assert await connection.fetchval("SHOW lock_timeout") == "5s"
        assert Settings().command_timeout > 5
        assert await connection.fetchval("SHOW idle_in_transaction_session_timeout") == "1min"
    finally:
        await connection.close()
