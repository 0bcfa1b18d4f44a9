"""``taskctl embedded``: state, stop, backup and restore."""

import errno
import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import Result

from taskcore import Settings
from taskcore_cli.session import _announce_first_start
from tests.taskcore_cli.conftest import Run


@pytest.fixture
def at_home(run: Run, home: Path) -> Run:
    """Run ``taskctl`` on the home of this test."""

    def invoke(*words: str) -> Result:
        return run("--home", str(home / "data"), *words)

    return invoke


def test_status_of_a_new_home_makes_nothing(at_home: Run, home: Path) -> None:
    result = at_home("embedded", "status")
    assert "no data yet" in result.stdout
    assert not (home / "data").exists()


def test_a_backup_is_restored_into_a_new_home(run: Run, at_home: Run, home: Path) -> None:
    first = at_home("tasks", "add", "Buy groceries", "--user", "42")
    assert first.stderr == f"Setting up the embedded database in {home / 'data'}, once.\n"
    assert at_home("tasks", "list", "--user", "42").stderr == ""
    status = json.loads(at_home("embedded", "status", "--json").stdout)
    assert (status["running"], status["in_use"], status["version"]) == (False, False, 18)

    result = at_home("embedded", "backup", str(home / "backup"))
    assert (result.exit_code, result.stderr) == (0, ""), result.stderr
    assert stat.S_IMODE((home / "backup").stat().st_mode) == 0o600

    new = ("--home", str(home / "new"))
    result = run(*new, "embedded", "restore", str(home / "backup"))
    assert result.exit_code == 0, result.stderr
    assert result.stderr == f"Setting up the embedded database in {home / 'new'}, once.\n"
    assert "Buy groceries" in run(*new, "tasks", "list", "--user", "42").stdout

    again = run(*new, "embedded", "restore", str(home / "backup"))
    assert again.exit_code == 1
    assert "has users already" in again.stderr


def test_a_backup_goes_through_pipes(used_home: Path, used_long_home: Path) -> None:
    taskctl = f"{sys.executable} -m taskcore_cli"
    backup = f"{taskctl} --home {used_home} embedded backup -"
    restore = f"{taskctl} --home {used_long_home} embedded restore -"
    result = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{backup} | {restore}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")


def test_a_backup_of_nothing_is_refused(at_home: Run, home: Path) -> None:
    result = at_home("embedded", "backup", str(home / "backup"))
    assert result.exit_code == 1
    assert "there is no embedded database" in result.stderr
    assert list(home.iterdir()) == []


def test_stop_says_that_nothing_runs(at_home: Run) -> None:
    result = at_home("embedded", "stop")
    assert (result.exit_code, result.stdout) == (0, "The embedded server is not running.\n")


@pytest.mark.parametrize("command", ["status", "stop", "backup", "restore"])
def test_a_database_url_is_not_ignored(run: Run, command: str, home: Path) -> None:
    """A backup of the embedded database is not one of the database that the URL names."""
    url = "postgresql://role@127.0.0.1:1/nowhere"
    words = (command, str(home / "file")) if command in ("backup", "restore") else (command,)
    (home / "file").touch()
    for result in (
        run("embedded", *words, env={"DATABASE_URL": url, "TASKCORE_HOME": str(home)}),
        run("--database-url", url, "embedded", *words, env={"TASKCORE_HOME": str(home)}),
    ):
        assert result.exit_code == 2
        assert "a database URL is set" in result.stderr


def test_an_empty_home_is_refused(run: Run, tmp_path: Path) -> None:
    """As a script gives it whose variable is not set."""
    result = run("--home", "", "tasks", "list", "--user", "1")
    assert result.exit_code == 2
    assert "must not be empty" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_home_that_cannot_be_looked_into_is_announced_like_a_new_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The start then says what is wrong. Root may look into every folder, so this is imitated."""

    def refuse(_path: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "exists", refuse)
    _announce_first_start(Settings(home=tmp_path))
    assert capsys.readouterr().err.startswith("Setting up")
