"""The doctor: silent on a healthy database, and every break of isolation is named."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import asyncpg
import pytest

from taskcore import ConfigurationError, Unavailable
from taskcore.database.url import connect_arguments
from taskcore.doctor import diagnose
from taskcore.doctor.check import Check
from taskcore.embedded import EmbeddedServer
from tests.databases import Database, execute
from tests.sessions import until_blocked

pytestmark = pytest.mark.inspects

GET = "taskcore.task_get_v1(bigint, bigint)"
OWN = "user_id = current_setting('taskcore.user_id')::bigint"

# A break, and the check and words that have to name it.
BREAKS = {
    "a policy dropped": (
        "DROP POLICY tasks_own ON taskcore.tasks",
        "policies",
        "policy tasks.tasks_own: is 'missing'",
    ),
    "a policy that holds nobody": (
        "ALTER POLICY tasks_own ON taskcore.tasks USING (true)",
        "policies",
        "policy tasks.tasks_own",
    ),
    "a policy that lets anything be written": (
        "ALTER POLICY tasks_own ON taskcore.tasks WITH CHECK (true)",
        "policies",
        "policy tasks.tasks_own",
    ),
    "a policy for one more role": (
        "ALTER POLICY users_directory ON taskcore.users TO taskcore_directory, taskcore_definer",
        "policies",
        "policy users.users_directory",
    ),
    "one more policy": (
        "CREATE POLICY p ON taskcore.tasks USING (true)",
        "policies",
        "policy tasks.p",
    ),
    "row security off": (
        "ALTER TABLE taskcore.tasks DISABLE ROW LEVEL SECURITY",
        "row security",
        "relation tasks",
    ),
    "row security not forced": (
        "ALTER TABLE taskcore.users NO FORCE ROW LEVEL SECURITY",
        "row security",
        "relation users",
    ),
    "a function with another body": (
        (
            "CREATE OR REPLACE FUNCTION taskcore.schema_version_v1() RETURNS integer LANGUAGE sql "
            "IMMUTABLE SET search_path = pg_catalog, pg_temp AS 'SELECT 1'"
        ),
        "functions",
        "function taskcore.schema_version_v1()",
    ),
    "a function with its caller's rights": (
        f"ALTER FUNCTION {GET} SECURITY INVOKER",
        "functions",
        "function taskcore.task_get_v1(bigint,bigint)",
    ),
    "a function without a search path": (
        f"ALTER FUNCTION {GET} RESET search_path",
        "functions",
        "function taskcore.task_get_v1(bigint,bigint)",
    ),
    "one more function": (
        (
            "CREATE FUNCTION taskcore.peek() RETURNS SETOF taskcore.tasks LANGUAGE sql "
            "SECURITY DEFINER AS 'SELECT * FROM taskcore.tasks'"
        ),
        "functions",
        "function taskcore.peek()",
    ),
    "a function for everybody": (
        f"GRANT EXECUTE ON FUNCTION {GET} TO PUBLIC",
        "owners and grants",
        "privileges of function taskcore.task_get_v1(bigint,bigint)",
    ),
    "a function of another owner": (
        f"ALTER FUNCTION {GET} OWNER TO postgres",
        "owners and grants",
        "owner postgres",
    ),
    "a table of another owner": (
        "ALTER TABLE taskcore.tasks OWNER TO taskcore_definer",
        "owners and grants",
        "privileges of relation tasks",
    ),
    "a table for the application": (
        "GRANT SELECT ON taskcore.tasks TO taskcore_app",
        "table privileges",
        "taskcore_app has SELECT on tasks",
    ),
    "a column for the application": (
        "GRANT UPDATE (title) ON taskcore.tasks TO taskcore_app",
        "table privileges",
        "taskcore_app has UPDATE on tasks",
    ),
    "a table for everybody": (
        "GRANT SELECT ON taskcore.users TO PUBLIC",
        "table privileges",
        "taskcore_app has SELECT on users",
    ),
    "a schema open to everybody": (
        "GRANT CREATE ON SCHEMA taskcore TO PUBLIC",
        "table privileges",
        "taskcore_app may create objects in the schema",
    ),
    "one more trigger": (
        (
            "CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END';"
            "CREATE TRIGGER spy AFTER INSERT ON taskcore.tasks EXECUTE FUNCTION public.f()"
        ),
        "tables",
        "trigger tasks.spy",
    ),
    "a key without the user": (
        "CREATE UNIQUE INDEX by_title ON taskcore.tasks (title)",
        "tables",
        "index by_title",
    ),
}

# Breaks of functions that behave as before in all but one promise; the canary finds each.
MISBEHAVIOURS = {
    "the wrong user's task": ("t.user_id = p_user_id AND t.id = p_id", "t.id = p_id"),
    "no task": ("t.user_id = p_user_id AND t.id = p_id", "false"),
    "the user left bound": ("set_config('taskcore.user_id', '', true)", "version()"),
    "no user": ("p_user_id IS NULL OR", "false AND"),
}


def at(checks: list[Check], name: str) -> Check:
    (check,) = [check for check in checks if check.name == name]
    return check


def failures(checks: list[Check]) -> set[str]:
    return {check.name for check in checks if check.status == "failure"}


@pytest.fixture
def healthy(each_server: EmbeddedServer, make_database: Callable[..., Database]) -> Database:
    return make_database(each_server)


@asynccontextmanager
async def changed(database: Database, change: str, back: str) -> AsyncIterator[None]:
    """Change what outlives a test, such as roles, and whatever happens change it back."""
    await execute(database.owner_url, change)
    try:
        yield
    finally:
        await execute(database.owner_url, back)


async def test_a_healthy_database_passes_with_the_applications_role(healthy: Database) -> None:
    checks = await diagnose(healthy.url)

    assert failures(checks) == set()
    assert {check.name for check in checks if check.status == "warning"} <= {"server"}
    assert all(check.finding for check in checks)
    assert all(bool(check.advice) == (check.status != "ok") for check in checks)
    assert len({check.name for check in checks}) == len(checks)


async def test_a_superusers_url_fails_for_its_role_and_not_for_the_database(
    healthy: Database,
) -> None:
    checks = await diagnose(healthy.owner_url)

    assert failures(checks) == {"role", "memberships", "table privileges", "canary"}
    assert "postgres has SUPERUSER" in at(checks, "role").finding
    assert "not refused: SELECT 1 FROM taskcore.tasks" in at(checks, "canary").finding


@pytest.mark.parametrize("name", BREAKS)
async def test_every_break_fails_and_is_named(database: Database, name: str) -> None:
    statement, check, words = BREAKS[name]
    await execute(database.owner_url, statement)

    checks = await diagnose(database.url)

    assert at(checks, check).status == "failure"
    assert words in at(checks, check).finding
    assert at(checks, check).advice


@pytest.mark.parametrize("name", MISBEHAVIOURS)
async def test_the_canary_finds_what_a_function_does(database: Database, name: str) -> None:
    """The canary finds it, even if the catalogs do not show that the policies are gone."""
    await _rewrite_get(database, *MISBEHAVIOURS[name])

    checks = await diagnose(database.url)

    assert {"canary", "functions"} <= failures(checks)


async def _rewrite_get(database: Database, old: str, new: str) -> None:
    owner = await asyncpg.connect(**connect_arguments(database.owner_url))
    try:
        await owner.execute("ALTER TABLE taskcore.tasks DISABLE ROW LEVEL SECURITY")
        for function in (GET, "taskcore.task_list_v1(bigint, bigint, integer, boolean, jsonb)"):
            text = await owner.fetchval(f"SELECT pg_get_functiondef('{function}'::regprocedure)")
            await owner.execute(text.replace(old, new))
    finally:
        await owner.close()


@pytest.mark.parametrize(
    ("attribute", "check"),
    [
        ("BYPASSRLS", "role"),
        ("SUPERUSER", "role"),
        ("CREATEROLE", "role"),
        ("REPLICATION", "role"),
        ("CREATEDB", "roles"),
    ],
)
async def test_an_attribute_of_the_applications_role_fails(
    database: Database, attribute: str, check: str
) -> None:
    async with changed(
        database, f"ALTER ROLE taskcore_app {attribute}", f"ALTER ROLE taskcore_app NO{attribute}"
    ):
        checks = await diagnose(database.url)

    assert {check, "roles"} <= failures(checks)
    assert attribute in at(checks, check).finding


async def test_a_function_owner_that_bypasses_policies_fails(database: Database) -> None:
    async with changed(
        database,
        "ALTER ROLE taskcore_definer BYPASSRLS",
        "ALTER ROLE taskcore_definer NOBYPASSRLS",
    ):
        checks = await diagnose(database.url)

    assert failures(checks) == {"roles"}
    assert "role taskcore_definer: is 'NOLOGIN, BYPASSRLS'" in at(checks, "roles").finding


@pytest.mark.parametrize("role", ["pg_read_all_data", "taskcore_definer", "taskcore_directory"])
@pytest.mark.parametrize("options", ["INHERIT TRUE", "INHERIT FALSE", "INHERIT FALSE, SET FALSE"])
async def test_a_membership_that_reaches_the_tables_fails(
    database: Database, role: str, options: str
) -> None:
    """Through another role, and with options that only have to be changed."""
    async with changed(
        database,
        f"CREATE ROLE between; GRANT {role} TO between; "
        f"GRANT between TO taskcore_app WITH {options}",
        "DROP ROLE between",
    ):
        checks = await diagnose(database.url)

    assert {"memberships", "table privileges"} <= failures(checks)
    assert f"taskcore_app can act as {role}" in at(checks, "memberships").finding


async def test_a_membership_that_the_application_does_not_need_is_a_warning(
    database: Database,
) -> None:
    async with changed(
        database,
        "CREATE ROLE another LOGIN; GRANT taskcore_app, taskcore_admin TO another",
        "DROP ROLE another",
    ):
        checks = await diagnose(database.url_of("another"))

    assert failures(checks) == set()
    assert at(checks, "memberships").status == "warning"
    assert "another can act as taskcore_admin" in at(checks, "memberships").finding


async def test_others_who_read_the_tables_are_warned_of(database: Database) -> None:
    hostile = 'eve"\x1b[2J\nok'
    quoted = '"' + hostile.replace('"', '""') + '"'
    async with changed(
        database,
        f"CREATE ROLE {quoted} LOGIN; CREATE ROLE mallory LOGIN; GRANT taskcore_owner TO mallory "
        "WITH INHERIT FALSE; "
        "CREATE ROLE trusted LOGIN BYPASSRLS; GRANT SELECT ON taskcore.tasks TO trusted; "
        f"GRANT SELECT (title) ON taskcore.tasks TO {quoted};"
        "CREATE VIEW public.all_tasks AS TABLE taskcore.tasks;"
        "CREATE PUBLICATION everything FOR TABLE taskcore.tasks",
        f"DROP OWNED BY {quoted}, trusted; DROP ROLE {quoted}, mallory, trusted; "
        "DROP PUBLICATION everything; DROP VIEW public.all_tasks",
    ):
        checks = await diagnose(database.url)

    others = at(checks, "other readers")
    assert others.status == "warning"
    lines = others.finding.split("\n")
    assert 'eve"\x1b[2J ok can log in and has privileges on tasks' in lines
    assert "mallory can log in and has privileges on tasks as taskcore_owner" in lines
    assert "view public.all_tasks of postgres" in lines
    assert "publication everything sends the rows of tasks" in lines
    assert "trusted" not in others.finding


async def test_a_view_that_the_application_can_read_fails(database: Database) -> None:
    async with changed(
        database,
        "CREATE VIEW public.everything AS TABLE taskcore.tasks;"
        "CREATE VIEW public.again AS TABLE public.everything;"
        "GRANT SELECT ON public.again TO taskcore_app",
        "DROP VIEW public.again, public.everything",
    ):
        checks = await diagnose(database.url)

    assert failures(checks) == {"other readers"}
    assert "this role can read view public.again of postgres" in at(checks, "other readers").finding


async def test_a_user_who_is_bound_by_a_setting_fails(database: Database) -> None:
    async with changed(
        database,
        f"ALTER DATABASE {database.name} SET taskcore.user_id = '5'",
        f"ALTER DATABASE {database.name} RESET taskcore.user_id",
    ):
        checks = await diagnose(database.url)

    assert failures(checks) == {"canary"}
    assert "a user is bound before the first call" in at(checks, "canary").finding


async def test_privileges_of_tables_to_come_are_warned_of(database: Database) -> None:
    privileges = "ALTER DEFAULT PRIVILEGES FOR ROLE taskcore_owner {} SELECT ON TABLES {} PUBLIC"
    async with changed(
        database, privileges.format("GRANT", "TO"), privileges.format("REVOKE", "FROM")
    ):
        checks = await diagnose(database.url)

    assert at(checks, "default privileges").status == "warning"
    assert "PUBLIC SELECT" in at(checks, "default privileges").finding


async def test_an_older_schema_fails_and_a_newer_one_warns(database: Database) -> None:
    release = (
        "CREATE OR REPLACE FUNCTION taskcore.schema_version_v1() RETURNS integer "
        "LANGUAGE sql IMMUTABLE AS 'SELECT {}'"
    )
    await execute(database.owner_url, release.format(0))
    older = at(await diagnose(database.url), "schema release")
    await execute(database.owner_url, release.format(99))
    newer = at(await diagnose(database.url), "schema release")

    assert (older.status, newer.status) == ("failure", "warning")
    assert "taskctl migrate" in older.advice


def test_a_database_without_the_schema_is_examined_to_the_end(
    server: EmbeddedServer, make_database: Callable[..., Database]
) -> None:
    checks = asyncio.run(diagnose(make_database(server, template="template0").url))

    assert failures(checks) == {"schema", "schema release", "canary"}
    assert "taskctl migrate" in at(checks, "schema").advice


async def test_a_dropped_function_is_named_and_the_rest_examined(database: Database) -> None:
    await execute(database.owner_url, f"DROP FUNCTION {GET}")

    checks = await diagnose(database.url)

    assert failures(checks) == {"functions", "owners and grants", "canary"}
    assert "task_get_v1(bigint,bigint): is 'missing'" in at(checks, "functions").finding
    assert "42883" in at(checks, "canary").finding


async def test_a_server_that_takes_no_writes_has_no_canary(database: Database) -> None:
    setting = f"ALTER DATABASE {database.name} {{}} default_transaction_read_only {{}}"
    await execute(database.owner_url, setting.format("SET", "= on"))
    try:
        checks = await diagnose(database.url)
    finally:
        await execute(
            database.owner_url,
            "SET default_transaction_read_only = off",
            setting.format("RESET", ""),
        )

    assert failures(checks) == set()
    assert at(checks, "canary").status == "warning"


async def test_nothing_is_left_behind(database: Database) -> None:
    owner = await asyncpg.connect(**connect_arguments(database.owner_url))
    try:
        await diagnose(database.url)
        await diagnose(database.owner_url)
        assert await owner.fetchval("SELECT count(*) FROM taskcore.tasks") == 0
        assert await owner.fetchval("SELECT count(*) FROM taskcore.users") == 0
    finally:
        await owner.close()


async def test_a_search_path_of_someone_elses_changes_nothing(database: Database) -> None:
    """Names are PostgreSQL's own, whatever the role's settings put in front of them."""
    await execute(
        database.owner_url,
        "CREATE SCHEMA shadow; GRANT USAGE ON SCHEMA shadow TO PUBLIC",
        "CREATE VIEW shadow.pg_roles AS SELECT * FROM pg_catalog.pg_roles WHERE false",
        "GRANT SELECT ON shadow.pg_roles TO PUBLIC",
        f"ALTER DATABASE {database.name} SET search_path = shadow, pg_catalog",
        "GRANT SELECT ON taskcore.tasks TO taskcore_app",
    )

    checks = await diagnose(database.url)

    assert "table privileges" in failures(checks)


async def test_a_database_that_cannot_be_reached_or_entered_is_an_error(
    database: Database,
) -> None:
    with pytest.raises(Unavailable):
        await diagnose("postgresql://taskcore_app@127.0.0.1:1/taskcore")
    with pytest.raises(ConfigurationError):
        await diagnose(database.url.replace(database.name, "nowhere"))
    with pytest.raises(ConfigurationError):
        await diagnose("mysql://host/database")


async def test_a_connection_that_is_lost_is_an_error(database: Database) -> None:
    owner = await asyncpg.connect(**connect_arguments(database.owner_url))
    try:
        lock = owner.transaction()
        await lock.start()
        # The canary waits for the lock; there it is found and cut off.
        await owner.execute("LOCK TABLE taskcore.tasks")
        examination = asyncio.create_task(diagnose(database.url))
        await until_blocked(owner)
        await owner.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted")
        with pytest.raises(Unavailable):
            await examination
    finally:
        await owner.close()
