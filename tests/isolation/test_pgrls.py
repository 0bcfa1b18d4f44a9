"""Isolation of the policies, proved by pgrls, a tool that knows nothing of this project.

https://github.com/pgrls/pgrls. Its modes: ``anon``, an unbound session reads no row;
``cross-tenant``, a session bound to one user reads no other's; ``write``, nor writes one.
"""

import asyncio
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from taskcore.schema import catalog
from tests.databases import Database, execute

pytestmark = pytest.mark.inspects

CONFIGURATION = Path(__file__).parents[2] / "pgrls.toml"
MODES = ("anon", "cross-tenant", "write")
PROVEN = "isolated"
BOUND = "current_setting('taskcore.user_id')::bigint"


def pgrls(database: Database, command: str, *options: str, config: Path) -> tuple[int, Any]:
    """Run a command of pgrls as the owner; return its exit code and what it says."""
    # Loaded on use, as it is large, and in this process, as it is loaded once.
    from pgrls.cli import main  # noqa: PLC0415

    result = CliRunner().invoke(
        main,
        [
            command,
            *("--database-url", database.owner_url, "--schemas", "taskcore"),
            *("--config", str(config), "--format", "json", *options),
        ],
    )
    assert result.stdout, result.stderr
    return result.exit_code, json.loads(result.stdout)


def verdicts(database: Database, table: str, mode: str, config: Path) -> tuple[str, dict[str, str]]:
    """Return the verdict on a table, and those on its policies."""
    _, answer = pgrls(database, "verify", "--mode", mode, config=config)
    (found,) = [row for row in answer["tables"] if row["table"] == f"taskcore.{table}"]
    return found["verdict"], {row["policy"]: row["verdict"] for row in found["policies"]}


@pytest.fixture
def by_id(tmp_path: Path) -> Path:
    """A configuration in which ``id`` is whom a row belongs to: true of users alone."""
    path = tmp_path / "by_id.toml"
    path.write_text('[lint.rules.SEC021]\nidentity_columns = ["id"]\n', "utf-8")
    return path


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A configuration that says nothing."""
    path = tmp_path / "bare.toml"
    path.write_text("", "utf-8")
    return path


@pytest.mark.parametrize("mode", MODES)
def test_tasks_are_proved_isolated(database: Database, mode: str) -> None:
    """FR-018, SC-002: by ``user_id``, and by nothing else."""
    assert verdicts(database, "tasks", mode, CONFIGURATION) == (PROVEN, {"tasks_own": PROVEN})


@pytest.mark.parametrize("mode", MODES)
def test_users_are_proved_isolated_but_for_the_directory(
    database: Database, by_id: Path, mode: str
) -> None:
    """FR-018: ``users_directory`` shows ids and dates of all to the owner of one function."""
    table, policies = verdicts(database, "users", mode, by_id)

    expected = {"users_own": PROVEN}
    if mode == "anon":
        # An unbound session is not the directory's role.
        expected["users_directory"] = PROVEN
    if mode == "cross-tenant":
        expected["users_directory"] = "unverified"
    assert policies == expected
    assert table == ("unverified" if mode == "cross-tenant" else PROVEN)


@pytest.mark.parametrize("mode", MODES)
def test_users_without_the_directory_are_proved_isolated(
    database: Database, by_id: Path, mode: str
) -> None:
    """FR-018: on a copy of the database that lacks the one exception."""
    asyncio.run(execute(database.owner_url, "DROP POLICY users_directory ON taskcore.users"))

    assert verdicts(database, "users", mode, by_id) == (PROVEN, {"users_own": PROVEN})


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("column", ["issuer", "subject"])
def test_each_half_of_the_policy_on_identities_is_proved(
    database: Database, tmp_path: Path, mode: str, column: str
) -> None:
    """ID-612: pgrls cannot decide both conditions together, which let less through than one."""
    config = tmp_path / "by_credential.toml"
    config.write_text(f'[lint.rules.SEC021]\nidentity_columns = ["{column}"]\n', "utf-8")
    half = f"{column} = current_setting('taskcore.{column}')"
    whole = catalog.expected()["policy identities.identities_presented"]
    assert whole.count(f"({column} = current_setting('taskcore.{column}'::text))") == 2
    assert " OR " not in whole
    asyncio.run(
        execute(
            database.owner_url,
            "DROP POLICY identities_directory ON taskcore.identities",
            f"ALTER POLICY identities_presented ON taskcore.identities USING ({half})"
            f" WITH CHECK ({half})",
        )
    )

    proved = {"identities_presented": PROVEN}
    assert verdicts(database, "identities", mode, config) == (PROVEN, proved)


@pytest.mark.parametrize("mode", MODES)
def test_a_users_own_tokens_are_proved_isolated(database: Database, mode: str) -> None:
    """ID-815: no role has both policies on tokens."""
    asyncio.run(execute(database.owner_url, "DROP POLICY tokens_presented ON taskcore.tokens"))

    proved = {"tokens_own": PROVEN}
    assert verdicts(database, "tokens", mode, CONFIGURATION) == (PROVEN, proved)


@pytest.mark.parametrize("mode", MODES)
def test_a_presented_token_is_proved_isolated(
    database: Database, tmp_path: Path, mode: str
) -> None:
    """ID-815: pgrls does not know the cast to bytea, so the hash is text in this copy."""
    config = tmp_path / "by_hash.toml"
    config.write_text('[lint.rules.SEC021]\nidentity_columns = ["hash"]\n', "utf-8")
    shipped = catalog.expected()["policy tokens.tokens_presented"]
    assert shipped.count("(hash = (current_setting('taskcore.token'::text))::bytea)") == 2
    assert " OR " not in shipped
    asyncio.run(
        execute(
            database.owner_url,
            "DROP POLICY tokens_own ON taskcore.tokens",
            "DROP POLICY tokens_presented ON taskcore.tokens",
            "ALTER TABLE taskcore.tokens DROP CONSTRAINT tokens_hash_length,"
            " ALTER COLUMN hash TYPE text USING hash::text",
            "CREATE POLICY tokens_presented ON taskcore.tokens TO taskcore_authenticator"
            " USING (hash = current_setting('taskcore.token'))"
            " WITH CHECK (hash = current_setting('taskcore.token'))",
        )
    )

    proved = {"tokens_presented": PROVEN}
    assert verdicts(database, "tokens", mode, config) == (PROVEN, proved)


@pytest.mark.parametrize(
    ("statement", "mode"),
    [
        ("ALTER POLICY tasks_own ON taskcore.tasks USING (true)", "cross-tenant"),
        ("ALTER POLICY tasks_own ON taskcore.tasks TO PUBLIC USING (true)", "anon"),
        ("ALTER POLICY tasks_own ON taskcore.tasks WITH CHECK (true)", "write"),
        ("ALTER POLICY tasks_own ON taskcore.tasks USING (id > 0)", "write"),
        (
            f"ALTER POLICY tasks_own ON taskcore.tasks USING (user_id = {BOUND} OR completed)",
            "cross-tenant",
        ),
        (f"ALTER POLICY tasks_own ON taskcore.tasks USING (id = {BOUND})", "cross-tenant"),
        (
            "CREATE POLICY more ON taskcore.tasks FOR DELETE TO taskcore_definer USING (completed)",
            "write",
        ),
    ],
)
def test_a_broken_policy_is_not_proved(database: Database, statement: str, mode: str) -> None:
    asyncio.run(execute(database.owner_url, statement))

    code, _ = pgrls(database, "verify", "--mode", mode, "--strict", config=CONFIGURATION)

    table, _ = verdicts(database, "tasks", mode, CONFIGURATION)
    assert code != 0
    assert table != PROVEN


def test_row_security_switched_off_is_found(database: Database) -> None:
    """A table without row-level security is nothing to prove: lint says that it is there."""
    asyncio.run(
        execute(database.owner_url, "ALTER TABLE taskcore.tasks DISABLE ROW LEVEL SECURITY")
    )

    code, answer = pgrls(database, "lint", config=CONFIGURATION)

    assert code != 0
    assert "taskcore.tasks" in {finding["location"] for finding in answer["violations"]}


def test_lint_finds_nothing(database: Database) -> None:
    code, answer = pgrls(database, "lint", config=CONFIGURATION)

    assert answer["violations"] == []
    assert code == 0


def test_every_exception_is_needed(database: Database, bare: Path) -> None:
    """Without exceptions lint finds exactly what is excepted."""
    _, answer = pgrls(database, "lint", config=bare)

    rules = tomllib.loads(CONFIGURATION.read_text("utf-8"))["lint"]["rules"]
    excepted = {
        (rule, name) for rule, options in rules.items() for name in options.get("allowlist", ())
    }
    assert {(found["rule_id"], found["location"]) for found in answer["violations"]} == excepted


def test_every_exception_has_its_reason() -> None:
    """In a comment above the rule."""
    paragraphs = CONFIGURATION.read_text("utf-8").split("\n\n")
    rules = [paragraph for paragraph in paragraphs if "[lint.rules." in paragraph]

    assert rules
    assert [paragraph for paragraph in rules if not paragraph.startswith("# ")] == []
