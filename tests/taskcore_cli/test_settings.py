"""Where the database's URL comes from: option over environment over file."""

import json
from pathlib import Path

import pytest

from tests.databases import Database
from tests.taskcore_cli.conftest import Run

NOWHERE = "postgresql://role@127.0.0.1:1/nowhere"
LIST = ("tasks", "list", "--user", "1", "--json")


@pytest.mark.one_server
def test_the_option_wins_over_the_environment(run: Run, shared: Database) -> None:
    for name in ("TASKCORE_DATABASE_URL", "DATABASE_URL"):
        result = run("--database-url", shared.url, *LIST, env={name: NOWHERE})
        assert result.exit_code == 0, result.stderr


def test_the_environment_wins_over_the_file(run: Run, shared: Database) -> None:
    Path(".env").write_text(f"TASKCORE_DATABASE_URL={NOWHERE}\nDATABASE_URL={NOWHERE}\n")
    for name in ("TASKCORE_DATABASE_URL", "DATABASE_URL"):
        assert run(*LIST, env={name: shared.url}).exit_code == 0


@pytest.mark.parametrize("name", ["TASKCORE_DATABASE_URL", "DATABASE_URL"])
def test_the_file_in_the_current_folder_is_read(run: Run, shared: Database, name: str) -> None:
    Path(".env").write_text(f"{name}={shared.url}\n")
    assert run(*LIST).exit_code == 0


def test_the_user_is_read_from_the_file_too(run: Run, shared: Database) -> None:
    """After the option and the environment."""
    Path(".env").write_text(f"DATABASE_URL={shared.url}\nTASKCTL_USER=71\n")
    for env, words, user in (
        ({}, (), 71),
        ({"TASKCTL_USER": "72"}, (), 72),
        ({"TASKCTL_USER": "72"}, ("-u", "73"), 73),
    ):
        result = run("tasks", "add", "x", "--json", *words, env=env)
        assert json.loads(result.stdout)["user_id"] == user
    Path(".env").write_text(f"DATABASE_URL={shared.url}\nTASKCTL_USER=many\n")
    assert "must be an integer" in run("tasks", "list").stderr


@pytest.mark.parametrize("name", ["TASKCORE_DATABASE_URL", "DATABASE_URL"])
def test_the_users_own_file_is_read_last(
    run: Run, shared: Database, tmp_path: Path, name: str
) -> None:
    own = tmp_path / "config" / "taskcore" / "taskctl.env"
    own.parent.mkdir(parents=True)
    own.write_text(f"TASKCORE_DATABASE_URL={shared.url}\nTASKCTL_USER=74\n")
    config = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    result = run("tasks", "add", "x", "--json", env=config)
    assert json.loads(result.stdout)["user_id"] == 74
    Path(".env").write_text(f"{name}={NOWHERE}\nTASKCTL_USER=75\n")
    assert "127.0.0.1:1" in run("tasks", "list", env=config).stderr
    assert "127.0.0.1:1" in run("tasks", "list", env=config | {name: NOWHERE}).stderr
    Path(".env").unlink()
    own.write_bytes(b"\xff")
    result = run(*LIST, env=config)
    assert result.stderr == f"error: {own} cannot be read\n"


def test_another_file_is_read_instead_when_named(run: Run, shared: Database) -> None:
    Path(".env").write_text(f"DATABASE_URL={NOWHERE}\n")
    Path("other.env").write_text(f"DATABASE_URL={shared.url}\n")
    assert run("--env-file", "other.env", *LIST).exit_code == 0


def test_a_named_file_that_is_not_there_is_wrong_usage(run: Run) -> None:
    result = run("--env-file", "missing.env", *LIST)
    assert result.exit_code == 2
    assert "--env-file" in result.stderr


def test_a_file_that_is_no_text_is_one_line(run: Run) -> None:
    Path(".env").write_bytes(b"DATABASE_URL=\xff\n")
    result = run(*LIST)
    assert (result.exit_code, result.stderr) == (1, "error: .env cannot be read\n")


def test_a_setting_at_fault_is_named_without_its_value(run: Run) -> None:
    result = run(*LIST, env={"TASKCORE_POOL_MAX_SIZE": "many"})
    assert result.exit_code == 1
    assert "TASKCORE_POOL_MAX_SIZE" in result.stderr
    assert "many" not in result.stderr


def test_a_url_that_cannot_be_used_is_one_line_without_the_password(run: Run) -> None:
    result = run("--database-url", "mysql://role:secret@host/x", *LIST)
    assert result.exit_code == 1
    assert "postgresql://" in result.stderr
    assert "secret" not in result.stderr
