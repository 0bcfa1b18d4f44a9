"""``taskctl doctor``."""

import asyncio
import json
from pathlib import Path

import pytest

import taskcore.doctor
from taskcore import TaskStore
from taskcore.doctor.check import Check
from tests.databases import Database, execute
from tests.taskcore_cli.conftest import Run
from tests.taskcore_http.identity.http_issuer import answer, http_issuer
from tests.taskcore_http.identity.issuing import rsa_key

pytestmark = pytest.mark.inspects


def test_a_healthy_database_is_well_line_by_line(run: Run, database: Database) -> None:
    result = run("doctor", env={"TASKCORE_DATABASE_URL": database.url})

    assert (result.exit_code, result.stderr) == (0, "")
    assert "ok       policies            as this release ships them\n" in result.stdout


def test_a_broken_database_ends_with_1_and_says_what_to_do(run: Run, database: Database) -> None:
    asyncio.run(execute(database.owner_url, "DROP POLICY tasks_own ON taskcore.tasks"))

    result = run("--database-url", database.url, "doctor")

    assert result.exit_code == 1
    assert "failure  policies            policy tasks.tasks_own: is 'missing'" in result.stdout
    assert "-> " in result.stdout
    assert "taskctl migrate" in result.stdout
    assert result.stderr == "2 of 17 checks failed.\n"


def test_json_is_an_array_and_nothing_else(run: Run, database: Database) -> None:
    well = run("doctor", "--json", env={"TASKCORE_DATABASE_URL": database.url})
    ill = run("doctor", "--json", env={"TASKCORE_DATABASE_URL": database.owner_url})

    assert (well.exit_code, ill.exit_code) == (0, 1)
    for result in (well, ill):
        checks = json.loads(result.stdout)
        assert {"name", "status", "finding", "advice"} == {key for c in checks for key in c}
        assert {c["status"] for c in checks} <= {"ok", "warning", "failure"}
    assert [c["name"] for c in checks if c["status"] == "failure"] == [
        "role",
        "memberships",
        "table privileges",
        "canary",
    ]


def test_a_warning_alone_is_no_failure(
    run: Run, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def diagnosed(_url: str, **_options: object) -> list[Check]:
        return [Check("server", "warning", "old", "upgrade")]

    monkeypatch.setattr(taskcore.doctor, "diagnose", diagnosed)
    result = run("doctor", env={"TASKCORE_DATABASE_URL": database.url})

    assert result.exit_code == 0
    assert result.stdout == "warning  server  old\n                 -> upgrade\n"


def test_names_are_shown_and_never_obeyed(
    run: Run, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def diagnosed(_url: str, **_options: object) -> list[Check]:
        return [Check("roles", "failure", "eve\x1b[2J\rok can log in\nmore", "drop \x07it")]

    monkeypatch.setattr(taskcore.doctor, "diagnose", diagnosed)
    env = {"TASKCORE_DATABASE_URL": database.url}
    result = run("doctor", env=env)

    assert result.stdout == (
        "failure  roles  eve\\x1b[2J\\rok can log in\n"
        "                more\n"
        "                -> drop \\x07it\n"
    )
    assert "\x1b" not in run("doctor", "--json", env=env).stdout


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_database_that_cannot_be_reached_is_one_line(run: Run, form: tuple[str, ...]) -> None:
    result = run("--database-url", "postgresql://role@127.0.0.1:1/nowhere", "doctor", *form)

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: the database at 127.0.0.1:1 cannot be reached")
    assert result.stderr.count("\n") == 1


def test_without_a_url_the_embedded_server_is_examined_as_the_application(
    run: Run, home: object
) -> None:
    result = run("--home", str(home), "doctor", "--json")

    assert result.exit_code == 0, result.stderr
    assert "taskcore_app" in json.loads(result.stdout)[2]["finding"]


def test_the_embedded_server_is_well(run: Run, used_home: Path) -> None:
    """Its user cannot install another minor version."""
    result = run("--home", str(used_home), "doctor", "--json")

    assert result.exit_code == 0
    assert {check["status"] for check in json.loads(result.stdout)} == {"ok"}


def test_the_issuer_is_examined_too(run: Run, database: Database) -> None:
    """ID-710."""
    with http_issuer() as issuer:
        url = issuer.url
        issuer.answers["/keys"] = answer({"keys": [rsa_key().jwk(kid="k", alg="RS256")]})
        environment = {
            "TASKCORE_DATABASE_URL": database.url,
            "TASKCORE_ISSUER": url,
            "TASKCORE_AUDIENCE": "tasks",
            "TASKCORE_JWKS_URL": f"{url}/keys",
        }
        well = run("doctor", env=environment)
        issuer.answers.clear()
        ill = run("doctor", env=environment)

    assert (well.exit_code, ill.exit_code) == (0, 1)
    assert f"{url}: keys: 1 for RS256\n" in well.stdout
    assert f"{url}: the status is 404\n" in ill.stdout


async def _use(database: Database, issuer: str) -> None:
    async with TaskStore(database.url) as store:
        await store.for_identity(issuer, "ann").create("x")


def test_issuers_of_identities_that_are_not_configured_are_named(
    run: Run, database: Database
) -> None:
    """ID-710: by the role that migrated; the application's role does not see them."""
    with http_issuer() as issuer:
        issuer.answers["/keys"] = answer({"keys": [rsa_key().jwk(kid="k", alg="RS256")]})
        environment = {
            "TASKCORE_ISSUER": issuer.url,
            "TASKCORE_AUDIENCE": "tasks",
            "TASKCORE_JWKS_URL": f"{issuer.url}/keys",
        }

        def found(url: str) -> tuple[str, str]:
            result = run("doctor", "--json", env=environment | {"TASKCORE_DATABASE_URL": url})
            (check,) = (
                one for one in json.loads(result.stdout) if one["name"] == "issuers of identities"
            )
            return check["status"], check["finding"]

        assert found(database.owner_url) == ("ok", "there are no identities")
        asyncio.run(_use(database, issuer.url))
        assert found(database.owner_url) == ("ok", "only the configured issuer")
        for other in ("https://old.example", "https://older.example/"):
            asyncio.run(_use(database, other))
        strangers = "https://old.example\nhttps://older.example/"
        assert found(database.owner_url) == ("warning", strangers)
        assert found(database.url)[0] == "ok"
        assert "not examined" in found(database.url)[1]
        # A fault that keeps them from being listed hides no other check.
        asyncio.run(execute(database.owner_url, "DROP SCHEMA taskcore CASCADE"))
        status, finding = found(database.owner_url)
        assert (status, finding.partition(":")[0]) == ("warning", "not examined")
