"""``taskctl router move``: a shard gets another database while its users go on writing."""

import asyncio
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import pytest
import typer.testing

from taskcore import ConfigurationError, Settings, TaskStore, Unavailable
from taskcore.database.url import connect_arguments
from taskcore.limits import PLACES
from taskcore.router import move as move_module
from taskcore.router.migrate import migrate_router
from taskcore.router.move import move_shard
from taskcore.router.shards import TABLES, Shard, read_shards
from taskcore_cli.app import app
from tests.databases import Database, execute, fetch
from tests.router.conftest import Bench
from tests.writers import Writer

# Each makes routers or servers of its own, which takes a second.
pytestmark = pytest.mark.thorough

ISSUER = "https://issuer.example"


async def move(bench: Bench, another: Shard, number: int = 1) -> None:
    shards = (*bench.shards, another)
    await move_shard(bench.url, shards, source=shards[number].name, target=another.name)


async def fill(store: TaskStore) -> dict[int, object]:
    """Give users tasks, identities and tokens; return what each sees."""
    for user in range(1, 31):
        tasks = store.for_user(user)
        await tasks.create_many([{"title": f"{user} {n}", "tags": ["a"]} for n in range(3)])
        await tasks.create("x", extra={"é": [1, None]}, due="2026-12-01", key=f"key {user}")
        await tasks.tokens.create("t")
    for number in range(10):
        await store.for_identity(ISSUER, f"subject {number}").create("x")
    return await seen(store)


async def seen(store: TaskStore) -> dict[int, object]:
    found = dict[int, object]()
    for user in range(1, 31):
        tasks = store.for_user(user)
        found[user] = [one async for one in tasks.iterate()], await tasks.tokens.list()
    for number in range(10):
        found[-number - 1] = (await store.for_identity(ISSUER, f"subject {number}").list()).items
    return found


async def test_everything_of_a_shard_is_moved(
    bench: Bench, routed: TaskStore, another: Shard
) -> None:
    """SO-501: and its users find it."""
    before = await fill(routed)
    shards = (*bench.shards, another)
    moved = await move_shard(bench.url, shards, source=shards[1].name, target=another.name)
    assert [len(shard.places) for shard in moved.shards] == [PLACES // 2, 0, PLACES // 2]
    assert moved.rows > 100
    assert await seen(routed) == before
    await routed.for_user(1).create("y")
    # The old database may be dropped: nobody needs it.
    migration = await migrate_router(bench.url, (bench.shards[0], another))
    assert [len(shard.places) for shard in migration.shards] == [PLACES // 2, PLACES // 2]
    assert (
        await fetch(bench.databases[1].owner_url, "SELECT count(*) > 0 FROM taskcore.users")
        == "True"
    )


async def test_some_places_of_a_shard_are_moved(
    bench: Bench, routed: TaskStore, another: Shard
) -> None:
    """SO-501: so a database with users can be split."""
    before = await fill(routed)
    shards = (*bench.shards, another)
    moved = await move_shard(
        bench.url, shards, source=shards[1].name, target=another.name, places=200
    )
    assert [len(shard.places) for shard in moved.shards] == [512, 312, 200]
    assert await seen(routed) == before
    for table in ("users", "identities", "tokens", "tasks"):
        rows = [
            int(await fetch(shard.direct_url, f"SELECT count(*) FROM taskcore.{table}"))  # noqa: S608
            for shard in shards
        ]
        assert sum(rows) == {"users": 40, "identities": 10, "tokens": 30, "tasks": 130}[table]
        assert all(rows) or table == "identities"
    for number in range(50, 100):
        await routed.for_user(number).create("x")
    with pytest.raises(ConfigurationError, match="holds 200 places: a part has from 1 to 199"):
        await move_shard(bench.url, shards, source=another.name, target=shards[1].name, places=200)


async def test_a_router_that_has_not_heard_of_a_split_reaches_no_row_of_the_server(
    bench: Bench, beside: Bench, routed: TaskStore, another: Shard
) -> None:
    """SO-503: otherwise it would find the moved users gone, and make them anew."""
    await fill(routed)
    await beside.migrate()
    shards = (*bench.shards, another)
    await move_shard(bench.url, shards, source=shards[1].name, target=another.name, places=100)
    settings = Settings(operation_timeout=0.4)
    async with TaskStore(beside.application_url, settings=settings) as store:
        there = sorted((await bench.users())[1])[:2]
        moved = sorted(await users_of(another))[:2]
        for user in (*there, *moved):
            with pytest.raises((Unavailable, ConfigurationError)):
                await store.for_user(user).create("stray")
        await migrate_router(beside.url, shards)
        for user in range(1, 31):
            assert "stray" not in {task.title for task in await store.for_user(user).list()}
            await store.for_user(user).create("y")


async def test_writes_go_on_during_a_split_and_none_is_lost_or_doubled(
    bench: Bench, routed: TaskStore, another: Shard
) -> None:
    """SO-502."""
    writers = [Writer(routed.for_user(user), user) for user in range(1, 17)]
    moved = asyncio.Event()
    writing = asyncio.gather(*(one.run(20, moved.is_set) for one in writers))
    await asyncio.sleep(0.2)
    shards = (*bench.shards, another)
    await move_shard(bench.url, shards, source=shards[1].name, target=another.name, places=300)
    await asyncio.sleep(0.2)
    moved.set()
    await writing
    for one in writers:
        await one.check(routed)
    assert sum(one.unknown for one in writers) == 0


async def test_writes_go_on_during_a_move_and_none_is_lost_or_doubled(
    bench: Bench, routed: TaskStore, another: Shard
) -> None:
    """SO-502."""
    writers = [Writer(routed.for_user(user), user) for user in range(1, 17)]
    moved = asyncio.Event()
    writing = asyncio.gather(*(one.run(20, moved.is_set) for one in writers))
    await asyncio.sleep(0.2)
    await move(bench, another)
    at_the_end = [one.acknowledged for one in writers]
    await asyncio.sleep(0.2)
    moved.set()
    await writing
    assert all(one.acknowledged > n for one, n in zip(writers, at_the_end, strict=True))
    for one in writers:
        await one.check(routed)
    assert sum(one.unknown for one in writers) == 0


async def test_other_shards_do_not_notice_a_move(
    bench: Bench, routed: TaskStore, another: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SO-502: the users of the shard wait, and the others do not."""
    for user in range(1, 41):
        await routed.for_user(user).create("x")
    here, there = (min(users) for users in await bench.users())
    copying, released = asyncio.Event(), asyncio.Event()
    copy = move_module._copy

    async def wait(*args: Any) -> int:
        copying.set()
        await released.wait()
        return await copy(*args)

    monkeypatch.setattr(move_module, "_copy", wait)
    moving = asyncio.ensure_future(move(bench, another))
    await copying.wait()
    settings = Settings(operation_timeout=0.5)
    async with TaskStore(bench.application_url, settings=settings) as store:
        with pytest.raises(Unavailable):
            await store.for_user(there).list()
        assert len(await store.for_user(here).list()) == 1
        waiting = asyncio.ensure_future(routed.for_user(there).create("y"))
        released.set()
        await moving
        await waiting
        assert len(await store.for_user(there).list()) == 2


async def test_a_router_that_has_not_heard_of_a_move_reaches_no_old_rows(
    bench: Bench, beside: Bench, routed: TaskStore, another: Shard
) -> None:
    """SO-503."""
    await fill(routed)
    await beside.migrate()
    await move(bench, another)
    there = min((await bench.users())[1])
    settings = Settings(operation_timeout=0.5)
    async with TaskStore(beside.application_url, settings=settings) as store:
        with pytest.raises(Unavailable):
            await store.for_user(there).create("x")
        await migrate_router(beside.url, (*bench.shards, another))
        assert (await store.for_user(there).create("x")).title == "x"


async def test_a_move_that_fails_lets_everybody_back(
    bench: Bench, routed: TaskStore, another: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SO-504."""
    before = await fill(routed)

    async def fail(*_args: object) -> None:
        raise ConfigurationError("it fails")

    with monkeypatch.context() as patch:
        patch.setattr("taskcore.router.move._summary", fail)
        with pytest.raises(ConfigurationError, match="it fails"):
            await move(bench, another)
    assert await seen(routed) == before
    await move(bench, another)
    assert await seen(routed) == before


@pytest.mark.parametrize("step", ["_copy", "_shut_routers", "_give_up", "migrate_router"])
async def test_a_split_that_was_killed_is_finished(
    bench: Bench, routed: TaskStore, another: Shard, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """SO-504: nobody is locked out for ever."""
    before = await fill(routed)
    shards = (*bench.shards, another)

    async def end(*_args: object, **_options: object) -> None:
        raise KeyboardInterrupt

    async def nothing(*_args: object) -> None:
        """A process that is killed puts nothing back."""

    async def split() -> None:
        await move_shard(bench.url, shards, source=shards[1].name, target=another.name, places=200)

    with monkeypatch.context() as patch:
        patch.setattr(f"taskcore.router.move.{step}", end)
        if step == "_copy":
            patch.setattr("taskcore.router.move._let_back", nothing)
        with pytest.raises(KeyboardInterrupt):
            await split()
    if step == "migrate_router":
        with pytest.raises(ConfigurationError, match="run `taskctl router migrate`"):
            await split()
        await migrate_router(bench.url, shards)
    else:
        await split()
    assert await seen(routed) == before
    assert [len(shard.places) for shard in await read_shards(shards)] == [512, 312, 200]


async def test_an_identity_that_is_not_with_its_user_is_not_left_behind(
    bench: Bench, routed: TaskStore, another: Shard
) -> None:
    """SO-501: it was moved on the shard itself."""
    before = await fill(routed)
    await execute(
        bench.databases[1].owner_url,
        "UPDATE taskcore.identities SET subject = subject || ' moved' WHERE subject = ("
        " SELECT min(subject) FROM taskcore.identities)",
    )
    with pytest.raises(ConfigurationError, match="1 identities were moved to a subject"):
        await move(bench, another)
    assert {user: tasks for user, tasks in (await seen(routed)).items() if user > 0} == {
        user: tasks for user, tasks in before.items() if user > 0
    }


async def test_settings_of_a_database_do_not_change_what_is_copied(
    bench: Bench, routed: TaskStore, another: Shard
) -> None:
    """SO-501."""
    before = await fill(routed)
    name = bench.databases[1].name
    await execute(
        bench.databases[1].owner_url,
        f"ALTER DATABASE {name} SET timezone = 'Asia/Kolkata'",
        f"ALTER DATABASE {name} SET datestyle = 'SQL, DMY'",
        f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'",
    )
    await move(bench, another)
    assert await seen(routed) == before


@pytest.mark.parametrize("step", ["places", "migrate_router"])
async def test_a_move_that_was_interrupted_is_finished(
    bench: Bench, routed: TaskStore, another: Shard, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """SO-504: after the copy, before or after the old shard has given up its places."""
    before = await fill(routed)
    places = "SELECT place, cluster FROM taskcore_shard.places"
    kept = await fetch_rows(bench.databases[1], places)

    async def end(*_args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("taskcore.router.move.migrate_router", end)
        with pytest.raises(KeyboardInterrupt):
            await move(bench, another)
    if step == "places":
        await execute(
            bench.databases[1].owner_url,
            *(f"INSERT INTO taskcore_shard.places VALUES ({p}, '{c}')" for p, c in kept),  # noqa: S608
        )
        await move(bench, another)
    else:
        await migrate_router(bench.url, (*bench.shards, another))
    assert await seen(routed) == before


async def test_the_old_file_gives_the_old_database_nothing_back(
    bench: Bench, routed: TaskStore, another: Shard
) -> None:
    """SO-205, SO-503."""
    before = await fill(routed)
    await move(bench, another)
    with pytest.raises(ConfigurationError, match="512 of 1024 places are held by no shard"):
        await bench.migrate()
    assert await seen(routed) == before


async def test_one_database_under_two_names_is_not_moved_to_itself(
    bench: Bench, routed: TaskStore, tmp_path: Path
) -> None:
    """SO-501."""
    before = await fill(routed)
    old = bench.shards[1]
    folder = connect_arguments(old.url)["host"]
    (tmp_path / "link").symlink_to(folder)
    same = Shard(old.url.replace(quote(folder, safe=""), quote(f"{tmp_path}/link", safe="")))
    with pytest.raises(ConfigurationError, match="both names are of one database"):
        await move_shard(bench.url, (*bench.shards, same), source=old.name, target=same.name)
    assert await seen(routed) == before


async def test_two_that_hold_the_same_and_take_writes_are_left_alone(
    bench: Bench, routed: TaskStore, another: Shard
) -> None:
    """SO-504: nobody knows which has the newer rows."""
    await fill(routed)
    for place, cluster in await fetch_rows(
        bench.databases[1], "SELECT place, cluster FROM taskcore_shard.places"
    ):
        await execute(
            another.url,
            TABLES,
            f"INSERT INTO taskcore_shard.places VALUES ({place}, '{cluster}')",  # noqa: S608
        )
    with pytest.raises(ConfigurationError, match="hold the same places, and others can connect"):
        await move(bench, another)


async def users_of(shard: Shard) -> set[int]:
    text = await fetch(shard.direct_url, "SELECT string_agg(id::text, ' ') FROM taskcore.users")
    return {int(word) for word in text.split()}


async def fetch_rows(database: Database, query: str) -> list[tuple[object, ...]]:
    connection = await asyncpg.connect(**connect_arguments(database.owner_url))
    rows = [tuple(row) for row in await connection.fetch(query)]
    await connection.close()
    return rows


async def test_a_target_with_users_or_places_is_refused(
    bench: Bench, routed: TaskStore, another: Shard
) -> None:
    """SO-501."""
    await routed.for_user(1).create("x")
    shards = (*bench.shards, another)
    with pytest.raises(ConfigurationError, match="holds places already"):
        await move_shard(bench.url, shards, source=shards[0].name, target=shards[1].name)
    with pytest.raises(ConfigurationError, match="holds no place"):
        await move_shard(bench.url, shards, source=another.name, target=shards[1].name)
    with pytest.raises(ConfigurationError, match="cannot be moved to itself"):
        await move_shard(bench.url, shards, source=shards[1].name, target=shards[1].name)
    with pytest.raises(ConfigurationError, match="the file has no shard nowhere"):
        await move_shard(bench.url, shards, source="nowhere", target=another.name)
    await execute(another.url, "SET ROLE postgres; INSERT INTO taskcore.users (id) VALUES (7)")
    with pytest.raises(ConfigurationError, match="has users"):
        await move(bench, another)
    assert len(await routed.for_user(1).list()) == 1


def test_taskctl_moves_a_shard(bench: Bench, another: Shard) -> None:
    """SO-501."""
    asyncio.run(bench.migrate())
    file = bench.file + f"{another.url}\n"
    source = bench.shards[1].name
    result = typer.testing.CliRunner().invoke(
        app,
        ["router", "move", source, another.name, "--shards", "-"],
        env={"TASKCORE_DATABASE_URL": bench.url},
        input=file,
        prog_name="taskctl",
    )
    assert result.exit_code == 0, result.stderr
    assert f"   0 places  {source}" in result.stdout
    assert "Their users were held up for" in result.stdout


async def test_the_rows_of_all_shards_fit_into_one_database(
    bench: Bench, routed: TaskStore, another: Shard
) -> None:
    """SO-505: as docs/howto/scale-out.md does it, with pg_dump and psql."""
    before = await fill(routed)
    server = bench.databases[0].server
    for shard in bench.shards:
        dumped, loaded = (_for_programs(one) for one in (shard, another))
        dump = [server.program("pg_dump"), "--data-only", "--schema=taskcore"]
        dump += ["--exclude-table=taskcore.alembic_version", dumped]
        rows = await asyncio.to_thread(_output, dump)
        load = [server.program("psql"), "-q", "-v", "ON_ERROR_STOP=1", "--single-transaction"]
        await asyncio.to_thread(_output, [*load, loaded], rows)
    url = another.url.replace("//postgres@", "//taskcore_app@")
    async with TaskStore(url) as store:
        assert await seen(store) == before


def _for_programs(shard: Shard) -> str:
    """The URL without what only the library knows."""
    return shard.url.partition("&password")[0]


def _output(command: list[object], given: bytes = b"") -> bytes:
    words = [str(word) for word in command]
    return subprocess.run(words, input=given, stdout=subprocess.PIPE, check=True).stdout
