"""A real PostgreSQL, and a fresh migrated database for each test that asks for one."""

import asyncio
import contextlib
import gc
import os
import signal
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from pathlib import Path

import asyncpg
import pytest
from hypothesis import HealthCheck, settings

from taskcore import TaskStore
from taskcore.database.url import connect_arguments
from taskcore.embedded import EmbeddedServer
from taskcore.schema.catalog import Catalog
from tests.clusters import VERSIONS
from tests.databases import Cleaner, Database, execute, numbers, read_catalog
from tests.folders import PREPARED, prepare, server_folder
from tests.isolation import walls
from tests.neon.pgbouncer import running_pgbouncer
from tests.router.plproxy import RouterServer, running_router
from tests.router.routed import create
from tests.wire import Wire

# `pytest -m thorough --hypothesis-profile thorough`
settings.register_profile("thorough", max_examples=100_000, deadline=None, print_blob=True)
# How long an example takes, and how many are drawn in a second, depends on the machine.
settings.register_profile(
    "full", max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
# CI draws the full number: `pytest --hypothesis-profile full`
settings.register_profile("default", settings.get_profile("full"), max_examples=25)
settings.load_profile("default")


def pytest_configure(config: pytest.Config) -> None:
    if PREPARED not in os.environ:
        # A worker inherits the variable.
        folder = contextlib.ExitStack()
        os.environ[PREPARED] = str(folder.enter_context(server_folder()))
        config.add_cleanup(folder.close)
    # A shell's background jobs ignore Ctrl-C, and so would every process the tests start.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers() -> int:
    """Two more than there are processors: the tests wait as much as they compute."""
    return (os.cpu_count() or 1) + 2


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--without",
        choices=walls.WALLS,
        help="take one of the two walls between users away: the other must hold alone",
    )
    parser.addoption(
        "--through-pgbouncer",
        action="store_true",
        help="let the application reach the test servers through a transaction-mode pooler",
    )
    parser.addoption(
        "--through-router",
        action="store_true",
        help="put a router in front of two databases in the place of each test's database",
    )
    parser.addoption(
        "--no-skips", action="store_true", help="fail if a test is skipped, as CI demands"
    )


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Generator[None, object, object]:
    """Turn the garbage collector off during collection, which makes no garbage."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run only tests that show something new.

    With ``--without``, those that use a server. With ``--through-router``, those that use a
    database and do not look behind the product.
    """
    if config.getoption("--without") is not None:
        chosen = [item for item in items if uses(item, "server", "server16", "each_server")]
    elif config.getoption("--through-router"):
        chosen = [
            item
            for item in items
            if uses(item, "database", "shared_database", "shared")
            and not uses(item, "owner", "make_database", "each_server", "fresh_database")
            and item.get_closest_marker("one_server") is None
        ]
    else:
        return
    others = set(items).difference(chosen)
    items[:] = chosen
    config.hook.pytest_deselected(items=list(others))


def uses(item: pytest.Item, *fixtures: str) -> bool:
    return not {*fixtures}.isdisjoint(getattr(item, "fixturenames", ()))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if session.config.getoption("--no-skips") and reporter and reporter.stats.get("skipped"):
        reporter.write_line("skipped, and --no-skips was given", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the mutants and what caught each."""
    rows = [
        value
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        for name, value in report.user_properties
        if name == "mutant"
    ]
    if not rows:
        return
    terminalreporter.section("mutants")
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, caught_by, structure in sorted(rows):
        line = f"{name:{widths[0]}}  {caught_by:{widths[1]}}  {structure}"
        terminalreporter.write_line(line.rstrip())
    caught = sum(not caught_by.startswith("SURVIVED") for _name, caught_by, _structure in rows)
    terminalreporter.write_line(f"{caught} of {len(rows)} caught")


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(("TASKCORE_", "TASKCTL_", "PG")) or name == "DATABASE_URL":
            monkeypatch.delenv(name)
    # Where a developer's own settings of taskctl would be.
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[asyncpg.Connection]:
    """A superuser's connection beside the store's: to set things up and to look behind them."""
    connection = await asyncpg.connect(**connect_arguments(database.owner_url))
    yield connection
    await connection.close()


@pytest.fixture
async def application(database: Database) -> AsyncIterator[asyncpg.Connection]:
    """A plain connection of the application's role."""
    connection = await asyncpg.connect(**connect_arguments(database.url))
    yield connection
    await connection.close()


@pytest.fixture
async def wire(database: Database) -> AsyncIterator[Wire]:
    """A proxy in front of the database that counts round trips, and can lose answers."""
    async with Wire(database.url) as wire:
        yield wire


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder for an embedded server: as root it runs as another user, who must reach it."""
    with server_folder() as folder:
        yield folder


@pytest.fixture
def used_home(home: Path) -> Path:
    """A home that already has a server's data."""
    prepare(home)
    return home


@pytest.fixture
def used_long_home(home: Path) -> Path:
    """A home that already has a server's data, and whose path is too long for a socket."""
    long = home / ("long" * 20) / ("path" * 20)
    long.mkdir(parents=True)
    prepare(long)
    return long


def _running_server(version: int, options: pytest.Config) -> Iterator[EmbeddedServer]:
    without: walls.Wall | None = options.getoption("--without")
    with server_folder() as folder:
        prepare(folder, version)
        server = EmbeddedServer(folder, version=version)
        asyncio.run(server.start())
        # The tests of durability start servers of their own.
        asyncio.run(
            execute(
                server.owner_url,
                "ALTER SYSTEM SET fsync = off",
                "ALTER SYSTEM SET full_page_writes = off",
                "ALTER SYSTEM SET max_connections = 300",
                "SELECT pg_reload_conf()",
            )
        )
        if without is not None:
            asyncio.run(execute(server.owner_url, walls.without(without)))
        with contextlib.ExitStack() as stack:
            if options.getoption("--through-pgbouncer"):
                pooler = stack.enter_context(running_pgbouncer(server.owner_url))
                server.application_url = pooler.through(server.application_url)
            yield server
        asyncio.run(server.stop())


@pytest.fixture(scope="session")
def server(pytestconfig: pytest.Config) -> Iterator[EmbeddedServer]:
    """PostgreSQL 18, its database `taskcore` migrated: the template of all others."""
    yield from _running_server(18, pytestconfig)


@pytest.fixture(scope="session")
def server16(pytestconfig: pytest.Config) -> Iterator[EmbeddedServer]:
    """PostgreSQL 16, the oldest supported."""
    yield from _running_server(16, pytestconfig)


@pytest.fixture(params=VERSIONS)
def each_server(request: pytest.FixtureRequest) -> EmbeddedServer:
    """PostgreSQL 18, and in the thorough tests PostgreSQL 16."""
    server: EmbeddedServer = request.getfixturevalue(
        "server" if request.param == 18 else "server16"
    )
    return server


MakeDatabase = Callable[..., Database]


@pytest.fixture
def make_database() -> Iterator[MakeDatabase]:
    """Make databases: migrated ones by default, bare ones from ``template0``."""
    made: list[Database] = []

    def make(server: EmbeddedServer, *, template: str = "taskcore") -> Database:
        database = Database(server, f"test_{next(numbers)}")
        asyncio.run(
            execute(
                server.owner_url.replace("/taskcore?", "/postgres?"),
                f"CREATE DATABASE {database.name} TEMPLATE {template}",
            )
        )
        made.append(database)
        return database

    yield make
    for database in made:
        asyncio.run(
            execute(
                database.server.owner_url.replace("/taskcore?", "/postgres?"),
                f"DROP DATABASE IF EXISTS {database.name} WITH (FORCE)",
            )
        )


@pytest.fixture(scope="session")
def cleaner(server: EmbeddedServer) -> Iterator[Cleaner]:  # noqa: ARG001  (it is closed first)
    cleaner = Cleaner()
    yield cleaner
    cleaner.close()


@pytest.fixture(scope="session")
def emptied_databases() -> list[Database]:
    """Databases whose test is over; creating and dropping one takes a fifth of a second."""
    return []


@pytest.fixture(scope="session")
def template_catalog(server: EmbeddedServer) -> Catalog:
    """The catalog of the template: what a test's database began with."""
    return asyncio.run(read_catalog(server.owner_url))


@pytest.fixture(scope="session")
def router_server(
    pytestconfig: pytest.Config,
    server: EmbeddedServer,  # noqa: ARG001  (it makes the user who runs the router)
) -> Iterator[RouterServer | None]:
    """The router's server, with ``--through-router``."""
    if not pytestconfig.getoption("--through-router"):
        yield None
        return
    with running_router() as router:
        yield router


@pytest.fixture
def database(
    server: EmbeddedServer,
    router_server: RouterServer | None,
    cleaner: Cleaner,
    template_catalog: Catalog,
    emptied_databases: list[Database],
) -> Iterator[Database]:
    """A fresh migrated database, or an empty one that is as good."""
    if emptied_databases:
        database = emptied_databases.pop()
    else:
        database = create(server, router_server, f"test_{next(numbers)}")
    yield database
    if cleaner.emptied(database, template_catalog):
        emptied_databases.append(database)


@pytest.fixture
async def store(database: Database) -> AsyncIterator[TaskStore]:
    """A store on a fresh database, open, through the application's role."""
    async with TaskStore(database.url) as store:
        yield store


@pytest.fixture
async def administration(database: Database) -> AsyncIterator[TaskStore]:
    """The store of an administrator."""
    async with TaskStore(database.administrator_url) as store:
        yield store
