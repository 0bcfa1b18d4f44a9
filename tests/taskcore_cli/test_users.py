"""Users, for administrators."""

import json
import logging
from pathlib import Path

import pytest
from typer.testing import Result

from tests.databases import Database
from tests.taskcore_cli.conftest import Run


@pytest.fixture
def taskctl(run: Run, database: Database) -> Run:
    """Through the application's role, in a database without other tests' users."""

    def invoke(*words: str) -> Result:
        return run(*words, env={"TASKCORE_DATABASE_URL": database.url})

    return invoke


@pytest.fixture(autouse=True)
def _two_users(taskctl: Run) -> None:
    taskctl("tasks", "add", "one", "--user", "1")
    taskctl("tasks", "add", "two", "--user", "2")


def test_list_gives_every_user_by_rising_id(administer: Run) -> None:
    for how_many in ((), ("--all",)):
        result = administer("users", "list", *how_many, "--json")
        assert [user["id"] for user in json.loads(result.stdout)] == [1, 2]


def test_list_says_that_there_are_more(administer: Run) -> None:
    result = administer("users", "list", "--limit", "1")
    assert len(result.stdout.splitlines()) == 2
    assert "for more" in result.stderr


def test_show_counts_tasks_and_shows_none(administer: Run) -> None:
    user = json.loads(administer("users", "show", "1", "--json").stdout)
    assert (user["id"], user["task_count"], user["open_count"]) == (1, 1, 1)
    assert "one" not in administer("users", "show", "1").stdout


def test_delete_erases_the_user_and_their_tasks_and_says_how_many(
    administer: Run, taskctl: Run
) -> None:
    result = administer("users", "delete", "1", "--yes")
    assert (result.exit_code, result.stdout) == (0, "Erased user 1 and their 1 task.\n")
    assert administer("users", "show", "1").exit_code == 3
    assert json.loads(taskctl("tasks", "list", "--user", "1", "--json").stdout) == []
    assert len(json.loads(taskctl("tasks", "list", "--user", "2", "--json").stdout)) == 1


def test_an_unknown_user_is_not_found(administer: Run) -> None:
    for command in (("show", "3"), ("delete", "3", "--yes")):
        result = administer("users", *command)
        assert (result.exit_code, result.stderr) == (3, "error: user 3 not found\n")


def test_the_applications_role_may_not_work_with_users(taskctl: Run, administer: Run) -> None:
    # FR-018
    for command in (("list",), ("show", "1"), ("delete", "1", "--yes")):
        result = taskctl("users", *command)
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith("error: this role may not work with users and identities: ")
        assert result.stderr.count("\n") == 1
    assert administer("users", "show", "1").exit_code == 0


def test_without_a_terminal_and_without_yes_nothing_is_deleted(
    administer: Run, taskctl: Run
) -> None:
    task = json.loads(taskctl("tasks", "list", "--user", "1", "--json").stdout)[0]
    for result in (
        administer("users", "delete", "1"),
        taskctl("tasks", "delete", str(task["id"]), "--user", "1"),
    ):
        assert (result.exit_code, result.stdout) == (2, "")
        assert "give --yes; nothing was deleted" in result.stderr
    assert json.loads(taskctl("tasks", "list", "--user", "1", "--json").stdout) == [task]


def test_on_the_embedded_server_administrators_need_no_url(run: Run, home: Path) -> None:
    result = run("users", "list", "--json", env={"TASKCORE_HOME": str(home)})
    assert (result.exit_code, json.loads(result.stdout)) == (0, [])


def test_nobody_is_warned_of_the_role_they_ask_for(
    administer: Run, caplog: pytest.LogCaptureFixture
) -> None:
    """And the library's warning is there for everybody else."""
    before = logging.getLogger("taskcore").level
    assert administer("users", "list").exit_code == 0

    assert "bypasses" not in caplog.text
    assert logging.getLogger("taskcore").level == before
