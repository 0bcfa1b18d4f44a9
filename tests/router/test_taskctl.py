"""``taskctl router``, and other commands with the URL of a router."""

import asyncio
import json
from pathlib import Path

import typer.testing

from taskcore_cli.app import app
from tests.router.conftest import Bench


def taskctl(*words: str, url: str, stdin: str | None = None) -> typer.testing.Result:
    return typer.testing.CliRunner().invoke(
        app, list(words), env={"TASKCORE_DATABASE_URL": url}, input=stdin, prog_name="taskctl"
    )


def test_a_router_is_made_examined_and_used(bench: Bench, tmp_path: Path) -> None:
    """SO-201, SO-204, SO-403."""
    file = tmp_path / "shards"
    file.write_text(bench.file)
    migrate = ("router", "migrate", "--shards", str(file))
    early = taskctl(*migrate, "--status", url=bench.url)
    assert early.exit_code == 1
    assert "places are held by no shard" in early.stderr
    first = taskctl(*migrate, url=bench.url)
    assert first.exit_code == 0, first.stderr
    assert first.stdout.count(" 512 places  ") == 2
    assert "Migrated the router." in first.stdout
    again = taskctl(*migrate, "--json", url=bench.url)
    assert json.loads(again.stdout)["changed"] is False
    assert taskctl(*migrate, "--status", url=bench.url).exit_code == 0

    added = taskctl("tasks", "add", "x", "--user", "7", url=bench.application_url)
    assert added.exit_code == 0, added.stderr
    users = taskctl("users", "list", "--json", url=bench.url)
    assert [user["id"] for user in json.loads(users.stdout)] == [7]
    doctor = taskctl("doctor", url=bench.application_url)
    assert doctor.exit_code == 0, doctor.stdout
    assert "2 shards answer" in doctor.stdout

    asyncio.run(bench.execute("DROP FUNCTION taskcore.task_get_v1(bigint, bigint)"))
    drift = taskctl(*migrate, "--status", url=bench.url)
    assert drift.exit_code == 1
    assert "task_get_v1" in drift.stdout
    assert "run `taskctl router migrate`" in drift.stderr


def test_shards_come_from_standard_input(bench: Bench) -> None:
    """SO-201: passwords need not be in a file."""
    result = taskctl("router", "migrate", "--shards", "-", url=bench.url, stdin=bench.file)
    assert result.exit_code == 0, result.stderr
    assert "password" not in result.output


def test_migrate_names_the_right_command(bench: Bench) -> None:
    """SO-201."""
    asyncio.run(bench.migrate())
    result = taskctl("migrate", url=bench.url)
    assert result.exit_code != 0
    assert "run `taskctl router migrate`" in result.stderr
    status = taskctl("migrate", "--status", url=bench.url)
    assert status.exit_code != 0


def test_without_a_url_or_with_a_wrong_file_it_says_so(bench: Bench, tmp_path: Path) -> None:
    """SO-201, SO-205."""
    file = tmp_path / "shards"
    missing = taskctl("router", "migrate", "--shards", str(file), url=bench.url)
    assert "cannot be read" in missing.stderr
    file.write_bytes(b"\xff")
    assert (
        "is not UTF-8" in taskctl("router", "migrate", "--shards", str(file), url=bench.url).stderr
    )
    file.write_text("")
    assert (
        "there is no URL"
        in taskctl("router", "migrate", "--shards", str(file), url=bench.url).stderr
    )
    runner = typer.testing.CliRunner()
    none = runner.invoke(app, ["router", "migrate", "--shards", str(file)], prog_name="taskctl")
    assert "name its database with --database-url" in none.stderr
