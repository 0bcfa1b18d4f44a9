"""``taskctl router migrate``: a router that is made, made again, mended and refused."""

import asyncio
from pathlib import Path
from urllib.parse import quote

import asyncpg
import pytest

from taskcore import ConfigurationError, TaskStore, Unauthenticated, Unavailable
from taskcore.database.url import connect_arguments
from taskcore.limits import PLACES
from taskcore.router.migrate import migrate_router, read_router_status
from taskcore.router.shards import Shard, parse_shards
from taskcore.schema.migrate import migrate
from tests.databases import execute, fetch
from tests.router.conftest import Bench

# Each makes routers or servers of its own, which takes a second.
pytestmark = pytest.mark.thorough


async def test_a_router_is_made_once(bench: Bench) -> None:
    """SO-201, SO-204."""
    status = read_router_status(bench.url, bench.shards)
    with pytest.raises(ConfigurationError, match="1024 of 1024 places are held by no shard"):
        await status
    first = await bench.migrate()
    assert first.changed
    assert [len(shard.places) for shard in first.shards] == [PLACES // 2, PLACES // 2]
    second = await bench.migrate()
    assert not second.changed
    assert second.application_url is None
    assert second.shards == first.shards
    assert (await read_router_status(bench.url, bench.shards)).current


async def test_routers_side_by_side_are_the_same(bench: Bench, beside: Bench) -> None:
    """SO-203: each finds what the other has stored."""
    await bench.migrate()
    await beside.migrate()
    async with (
        TaskStore(bench.application_url) as one,
        TaskStore(beside.application_url) as two,
    ):
        tasks = [await one.for_user(user).create("x") for user in range(1, 9)]
        for task in tasks:
            assert await two.for_user(task.user_id).get(task.id) == task


DRIFT = {
    "a missing function": "DROP FUNCTION taskcore.task_get_v1(bigint, bigint)",
    "another body": (
        "CREATE OR REPLACE FUNCTION taskcore.task_get_v1(p_user_id bigint, p_id bigint)"
        " RETURNS SETOF taskcore.tasks LANGUAGE plproxy SECURITY DEFINER"
        " AS $$ CLUSTER 'taskcore'; RUN ON ANY; $$"
    ),
    "another place": (
        "CREATE OR REPLACE FUNCTION taskcore.user_place(p_id bigint) RETURNS integer"
        " LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'SELECT 0'"
    ),
    "a function for everybody": "GRANT EXECUTE ON FUNCTION taskcore.user_list_v1 TO PUBLIC",
    "a function of somebody's": (
        "CREATE FUNCTION taskcore.mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'"
    ),
    "another shard": "ALTER SERVER taskcore OPTIONS (SET p7 'dbname=elsewhere')",
    "the server for everybody": "GRANT USAGE ON FOREIGN SERVER taskcore TO PUBLIC",
    "a login for the application": (
        "CREATE USER MAPPING FOR taskcore_app SERVER taskcore OPTIONS (user 'x')"
    ),
    "an attribute": "ALTER ROLE taskcore_router LOGIN",
    "a privilege": "ALTER ROLE taskcore_app CREATEDB",
    "rights of administrators": "GRANT taskcore_admin TO taskcore_app",
    "the functions' owner": "GRANT taskcore_router TO taskcore_app",
    "another role's rights": "GRANT pg_read_all_data TO taskcore_app",
    "a setting": "ALTER ROLE taskcore_app SET statement_timeout = '1s'",
    "another login": (
        "ALTER USER MAPPING FOR taskcore_router SERVER taskcore OPTIONS (SET user 'postgres')"
    ),
}


async def test_drift_is_found_and_mended(bench: Bench) -> None:
    """SO-204."""
    await bench.migrate()
    for name, statement in DRIFT.items():
        await bench.execute(statement)
        assert not (await read_router_status(bench.url, bench.shards)).current, name
        assert (await bench.migrate()).differences, name
        assert (await read_router_status(bench.url, bench.shards)).current, name


LOGIN_DRIFT = {
    "a superuser": "ALTER ROLE {} SUPERUSER",
    "no login": "ALTER ROLE {} NOLOGIN",
    "other rights": "GRANT pg_read_all_data TO {}",
    "too few rights": "REVOKE taskcore_app FROM {}",
    "no role": "DROP ROLE {}",
}


async def test_a_login_that_was_changed_is_found_and_mended(bench: Bench) -> None:
    """SO-204."""
    await bench.migrate()
    for name, statement in LOGIN_DRIFT.items():
        role = await fetch(
            bench.url,
            "SELECT substr(o, 6) FROM pg_user_mappings, unnest(umoptions) AS o"
            " WHERE o LIKE 'user=%'",
        )
        await execute(bench.databases[0].owner_url, statement.format(role))
        assert not (await read_router_status(bench.url, bench.shards)).current, name
        assert (await bench.migrate()).shards_changed, name
        assert (await read_router_status(bench.url, bench.shards)).current, name
    async with TaskStore(bench.application_url) as store:
        for user in range(1, 9):
            await store.for_user(user).create("x")


async def test_nothing_is_made_anew_without_need(bench: Bench) -> None:
    """SO-204: an administrator's own objects stay."""
    await bench.migrate()
    oid = "SELECT 'taskcore.user_place(bigint)'::regprocedure::oid"
    before = await fetch(bench.url, oid)
    await bench.migrate()
    assert await fetch(bench.url, oid) == before


@pytest.mark.parametrize("step", range(4))
async def test_a_beginning_that_was_interrupted_goes_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """SO-202: a crash after each statement that changes a shard."""
    execute_one, calls = asyncpg.Connection.execute, 0

    async def execute(self: asyncpg.Connection, query: str, *args: object) -> str:
        nonlocal calls
        if "INSERT INTO taskcore_shard" in query:
            calls += 1
            if calls > step:
                raise KeyboardInterrupt
        answer: str = await execute_one(self, query, *args)
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(asyncpg.Connection, "execute", execute)
        with pytest.raises(KeyboardInterrupt):
            await bench.migrate()
    assert [len(shard.places) for shard in (await bench.migrate()).shards] == [512, 512]


async def test_two_routers_that_begin_at_once_are_one_cluster(bench: Bench, beside: Bench) -> None:
    """SO-202, SO-203: also with the shards in another order."""
    outcomes = await asyncio.gather(
        bench.migrate(),
        migrate_router(beside.url, bench.shards[::-1]),
        return_exceptions=True,
    )
    assert any(not isinstance(outcome, BaseException) for outcome in outcomes)
    one = await bench.migrate()
    two = await migrate_router(beside.url, bench.shards[::-1])
    assert {shard.cluster for shard in one.shards} == {shard.cluster for shard in two.shards}


async def test_one_database_under_two_addresses_is_found(bench: Bench, tmp_path: Path) -> None:
    """SO-205."""
    shard = bench.shards[0]
    folder = connect_arguments(shard.url)["host"]
    (tmp_path / "link").symlink_to(folder)
    twice = Shard(shard.url.replace(quote(folder, safe=""), quote(f"{tmp_path}/link", safe="")))
    with pytest.raises(ConfigurationError, match="or is named twice"):
        await migrate_router(bench.url, [shard, twice])


async def test_blocks_of_identities_without_a_user_are_not_lost(bench: Bench) -> None:
    """SO-206."""
    issuer = "https://issuer.example"
    async with TaskStore(bench.databases[0].owner_url) as administration:
        for number in range(8):
            await administration.identities.block(issuer, f"bad {number}")
    with pytest.raises(ConfigurationError, match="begin the cluster with this database alone"):
        await bench.migrate()
    await migrate_router(bench.url, bench.shards[:1])
    async with TaskStore(bench.application_url) as store:
        for number in range(8):
            with pytest.raises(Unauthenticated):
                await store.for_identity(issuer, f"bad {number}").create("x")


async def test_a_shard_with_users_is_not_added(bench: Bench, another: Shard) -> None:
    """SO-206."""
    await bench.migrate()
    await execute(another.url, "INSERT INTO taskcore.users (id) VALUES (7)")
    with pytest.raises(ConfigurationError, match="has users of 1 places that it would not hold"):
        await migrate_router(bench.url, (*bench.shards, another))


async def test_a_router_that_cannot_reach_a_shard_says_so(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SO-201."""
    monkeypatch.setattr("taskcore.router.migrate.libpq_text", lambda *_, **__: "host=/nowhere")
    with pytest.raises(ConfigurationError, match="the router is made, but cannot reach its shards"):
        await bench.migrate()


async def test_settings_of_the_routers_database_do_not_matter(bench: Bench) -> None:
    """SO-204."""
    await bench.execute(
        f"ALTER DATABASE {bench.name} SET default_transaction_isolation = 'serializable'",
        f"ALTER DATABASE {bench.name} SET quote_all_identifiers = on",
    )
    await bench.migrate()
    assert (await read_router_status(bench.url, bench.shards)).current


async def test_a_status_changes_nothing(bench: Bench) -> None:
    await bench.migrate()
    await bench.execute("DROP FUNCTION taskcore.task_get_v1(bigint, bigint)")
    for _ in range(2):
        (difference,) = (await read_router_status(bench.url, bench.shards)).differences
        assert difference.startswith("function taskcore.task_get_v1(bigint,bigint): is 'missing'")


async def test_a_shard_that_is_not_named_is_missed(bench: Bench) -> None:
    """SO-205."""
    await bench.migrate()
    with pytest.raises(ConfigurationError, match="512 of 1024 places are held by no shard"):
        await migrate_router(bench.url, bench.shards[:1])
    async with TaskStore(bench.application_url) as store:
        await store.for_user(1).create("the router is as it was")


async def test_a_shard_of_another_cluster_is_refused(
    bench: Bench, beside: Bench, another: Shard
) -> None:
    """SO-205."""
    await bench.migrate()
    await migrate_router(beside.url, [another])
    with pytest.raises(ConfigurationError, match="belongs to another cluster"):
        await migrate_router(bench.url, (*bench.shards, another))


async def test_a_shard_that_is_added_holds_nothing_yet(bench: Bench, another: Shard) -> None:
    """SO-205."""
    await bench.migrate()
    migration = await migrate_router(bench.url, (*bench.shards, another))
    assert [len(shard.places) for shard in migration.shards] == [512, 512, 0]


async def test_two_shards_that_hold_one_place_are_refused(bench: Bench) -> None:
    """SO-205."""
    await bench.migrate()
    await execute(
        bench.databases[1].owner_url,
        "INSERT INTO taskcore_shard.places SELECT 7, cluster FROM taskcore_shard.places LIMIT 1",
    )
    with pytest.raises(ConfigurationError, match="both hold place 7"):
        await bench.migrate()


async def test_users_are_not_left_where_no_router_looks(bench: Bench) -> None:
    """SO-206: a database with users begins a cluster alone."""
    async with TaskStore(bench.databases[0].url) as store:
        for user in range(1, 20):
            await store.for_user(user).create("x")
    with pytest.raises(ConfigurationError, match="begin the cluster with this database alone"):
        await bench.migrate()
    migration = await migrate_router(bench.url, bench.shards[:1])
    assert [len(shard.places) for shard in migration.shards] == [PLACES]
    async with TaskStore(bench.application_url) as store:
        for user in range(1, 20):
            assert len(await store.for_user(user).list()) == 1


async def test_identities_are_not_left_where_no_router_looks(bench: Bench) -> None:
    """SO-206: one that was moved to another subject is at the place of its user."""
    issuer = "https://issuer.example"
    database = bench.databases[0]
    async with TaskStore(database.url) as store, TaskStore(database.owner_url) as administration:
        await store.for_identity(issuer, "ann").create("x")
        await administration.identities.move(issuer, "https://new.example", {"ann": "anna"})
    with pytest.raises(ConfigurationError, match="1 identities that were moved to another subject"):
        await migrate_router(bench.url, bench.shards[:1])


async def test_an_old_shard_is_named_by_the_status_and_migrated(bench: Bench) -> None:
    """SO-205."""
    await bench.migrate()
    await execute(bench.databases[1].owner_url, "DROP FUNCTION taskcore.task_get_v1")
    with pytest.raises(ConfigurationError, match="is not at this release"):
        await read_router_status(bench.url, bench.shards)
    assert (await bench.migrate()).shards_changed
    assert (await read_router_status(bench.url, bench.shards)).current


async def test_a_shard_that_cannot_be_reached_changes_nothing(bench: Bench) -> None:
    await bench.migrate()
    gone = Shard(bench.shards[1].url.replace("host=", "host=%2Fnowhere"))
    with pytest.raises(Unavailable):
        await migrate_router(bench.url, (bench.shards[0], gone))
    assert (await read_router_status(bench.url, bench.shards)).current


async def test_a_database_with_tasks_is_no_router(bench: Bench) -> None:
    """SO-201."""
    with pytest.raises(ConfigurationError, match="this database holds tasks"):
        await migrate_router(bench.shards[0].url, bench.shards)


async def test_a_router_takes_no_tasks(bench: Bench) -> None:
    """SO-201: `taskctl migrate` would make tables in it."""
    await bench.migrate()
    with pytest.raises(ConfigurationError, match="run `taskctl router migrate`"):
        await migrate(bench.url)


async def test_a_server_without_plproxy_is_named(bench: Bench) -> None:
    """SO-201."""
    bare = bench.databases[0].owner_url.replace(f"/{bench.databases[0].name}?", "/postgres?")
    with pytest.raises(ConfigurationError, match="install postgresql-18-plproxy"):
        await migrate_router(bare, bench.shards)


async def test_only_a_superuser_makes_a_router(bench: Bench) -> None:
    await bench.migrate()
    with pytest.raises(ConfigurationError, match="only a superuser"):
        await migrate_router(bench.application_url, bench.shards)


async def test_the_application_cannot_see_how_the_router_logs_in(bench: Bench) -> None:
    """SO-301: the password is in the mapping of the functions' owner, and reaches no log."""
    await bench.migrate()
    application = await asyncpg.connect(**connect_arguments(bench.application_url))
    for statement in (
        "SELECT umoptions FROM pg_user_mapping",
        "SELECT option_value FROM information_schema.user_mapping_options",
        "SELECT umoptions FROM pg_user_mappings WHERE umoptions IS NOT NULL",
        "SELECT srvoptions FROM pg_user_mappings, pg_foreign_server WHERE umoptions IS NOT NULL",
    ):
        try:
            rows = await application.fetch(statement)
        except asyncpg.InsufficientPrivilegeError:
            rows = []
        assert rows == []
    for statement in (
        "SET ROLE taskcore_router",
        "SELECT * FROM taskcore.user_list_v1(NULL, 1)",
        "SELECT * FROM taskcore.user_list_v1_all(NULL, 1)",
        (
            "CREATE FUNCTION pg_temp.f() RETURNS integer LANGUAGE plproxy"
            " AS $$ CLUSTER 'taskcore'; RUN ON ANY; SELECT 1; $$"
        ),
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await application.execute(statement)
    await application.close()


async def test_each_router_has_a_login_that_is_no_more_than_it_needs(bench: Bench) -> None:
    """SO-301."""
    await bench.migrate()
    owner = await asyncpg.connect(**connect_arguments(bench.url))
    options = await owner.fetchval("SELECT umoptions FROM pg_user_mappings")
    await owner.close()
    role = dict(option.split("=", 1) for option in options)["user"]
    shard = await asyncpg.connect(**connect_arguments(bench.databases[0].url_of(role)))
    assert await shard.fetchval(
        "SELECT NOT (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication)"
        " FROM pg_roles WHERE rolname = current_user"
    )
    for table in ("users", "tasks", "identities", "tokens"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await shard.fetch(f"TABLE taskcore.{table}")
    await shard.close()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is no URL"),
        ("# only a comment\n\n", "there is no URL"),
        ("postgresql://a/x\nmysql://b/x\n", "line 2: the database URL must start with"),
        ("postgresql://a/x\n\npostgresql://b@a/x\n", "line 3: a:5432/x is there twice"),
        ("postgresql://a/user%3Dx\n", "line 1: host and database must not contain 'user='"),
        (
            "\n".join(f"postgresql://localhost/x{n}" for n in range(1025)),
            "there are 1025, 1024 are",
        ),
    ],
)
def test_a_wrong_file_of_shards_is_named(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        parse_shards(text)


def test_a_file_of_shards_may_have_comments() -> None:
    shards = parse_shards("# ours\n  postgresql://u:p@a/x  \n\npostgresql://a:7/x\n")
    assert [shard.name for shard in shards] == ["a:5432/x", "a:7/x"]
