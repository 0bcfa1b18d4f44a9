"""``taskctl migrate``."""

import asyncio
import json
import re
from collections.abc import Callable

import pytest
from typer.testing import Result

import taskcore.schema.migrate
from taskcore.embedded import EmbeddedServer
from taskcore.schema.migrate import HEAD, Migration, MigrationStatus
from tests.databases import Database, execute
from tests.taskcore_cli.conftest import Run

pytestmark = pytest.mark.inspects

Migrate = Callable[..., Result]


@pytest.fixture
def bare(server: EmbeddedServer, make_database: Callable[..., Database]) -> Database:
    return make_database(server, template="template0")


@pytest.fixture
def migrate(run: Run, bare: Database) -> Migrate:
    """Run ``taskctl migrate`` on a database that nobody has migrated."""

    def invoke(*words: str) -> Result:
        return run("migrate", *words, env={"TASKCORE_DATABASE_URL": bare.owner_url})

    return invoke


def test_a_bare_database_is_migrated_once_and_then_left_alone(migrate: Migrate) -> None:
    status = migrate("--status", "--json")
    assert status.exit_code == 1
    assert json.loads(status.stdout)["revision"] is None
    first = migrate()
    assert first.stdout == f"Migrated the database from nothing to {HEAD}.\n"
    assert first.stderr.startswith("The role taskcore_app existed already")
    again = migrate()
    assert (again.exit_code, again.stderr) == (0, "")
    assert again.stdout == f"The database is at revision {HEAD} already: nothing to migrate.\n"
    status = migrate("--status", "--json")
    assert status.exit_code == 0
    assert json.loads(status.stdout) == {
        "current": True,
        "revision": HEAD,
        "head": HEAD,
        "differences": [],
    }


def test_status_changes_nothing(migrate: Migrate) -> None:
    for _ in range(2):
        status = migrate("--status")
        assert status.exit_code == 1
        assert status.stdout == f"revision  -\nhead      {HEAD}\n"
        assert status.stderr == "The database has no taskcore schema: run `taskctl migrate`.\n"


@pytest.mark.parametrize("forgotten", [False, True])
def test_status_names_the_differences(
    migrate: Migrate,
    bare: Database,
    forgotten: bool,  # noqa: FBT001
) -> None:
    migrate()
    asyncio.run(execute(bare.owner_url, "DROP FUNCTION taskcore.task_get_v1"))
    if forgotten:
        asyncio.run(execute(bare.owner_url, "DROP TABLE taskcore.alembic_version"))
    status = migrate("--status")
    assert status.exit_code == 1
    assert re.search("\nfunction .*task_get_v1.*: is 'missing', should be ", status.stdout)
    assert status.stderr == "The database is not at this release: run `taskctl migrate`.\n"


def test_json_says_what_was_done(migrate: Migrate) -> None:
    assert json.loads(migrate("--json").stdout) == {
        "changed": True,
        "before": None,
        "revision": HEAD,
        "application_url": None,
    }


def test_the_direct_url_is_preferred(run: Run, bare: Database) -> None:
    nowhere = "postgresql://role@127.0.0.1:1/nowhere"
    env = {"TASKCORE_DATABASE_URL": nowhere, "TASKCORE_DIRECT_URL": bare.owner_url}
    assert run("migrate", env=env).exit_code == 0


def test_an_option_names_the_database_whatever_the_direct_url_says(
    run: Run, bare: Database, shared: Database
) -> None:
    env = {"TASKCORE_DIRECT_URL": bare.owner_url}
    result = run("--database-url", shared.owner_url, "migrate", "--json", env=env)
    assert json.loads(result.stdout)["changed"] is False


def test_the_applications_role_may_not_migrate(run: Run, bare: Database) -> None:
    result = run("migrate", env={"TASKCORE_DATABASE_URL": bare.url})
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_the_applications_url_is_shown_once_with_the_remark_that_it_is(
    run: Run, monkeypatch: pytest.MonkeyPatch, form: tuple[str, ...]
) -> None:
    # The roles of the test server exist already, so none is made again.
    url = "postgresql://taskcore_app:generated@host/database"

    async def migrated(*_: object, **__: object) -> Migration:
        return Migration(MigrationStatus(None, HEAD, ("something",)), url)

    monkeypatch.setattr(taskcore.schema.migrate, "migrate", migrated)
    result = run("--database-url", "postgresql://owner@host/database", "migrate", *form)
    assert result.stdout.count(url) == 1
    assert "shown only now" in result.stderr
    assert url not in result.stderr


def test_a_rotated_password_is_shown_with_the_url_it_opens(migrate: Migrate) -> None:
    migrate()
    first, second = (migrate("--rotate-password") for _ in range(2))

    assert (first.exit_code, second.exit_code) == (0, 0)
    urls = [result.stdout.splitlines()[-1] for result in (first, second)]
    assert urls[0] != urls[1]
    assert all(url.startswith("postgresql://taskcore_app:") for url in urls)
    assert "nothing to migrate" in first.stdout
    assert "only now" in first.stderr


def test_status_and_rotation_exclude_each_other(migrate: Migrate) -> None:
    result = migrate("--status", "--rotate-password")

    assert result.exit_code == 2
    assert "exclude each other" in result.stderr
