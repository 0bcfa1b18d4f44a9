"""Completion by the shells' own means, as ``taskctl --install-completion`` sets it up."""

import json
import logging
from collections.abc import Iterator

import pytest

from tests.taskcore_cli.conftest import Run, Start
from tests.taskcore_cli.test_tasks import added


@pytest.fixture(autouse=True)
def _logging_goes_on() -> Iterator[None]:
    """A completion turns it off for its process."""
    yield
    logging.disable(logging.NOTSET)


def asked(shell: str, line: str) -> dict[str, str]:
    """Return the environment in which the shell asks for the end of a line."""
    words = line.split(" ")
    return {
        "_TASKCTL_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "_TYPER_COMPLETE_WORD_TO_COMPLETE": words[-1],
    }


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("taskctl ta", "tasks"),
        ("taskctl tasks reo", "reopen"),
        ("taskctl tasks list --form", "--format"),
    ],
)
def test_commands_and_options_are_completed(run: Run, shell: str, line: str, expected: str) -> None:
    result = run(env=asked(shell, line))
    assert expected in result.stdout
    assert (result.stderr, result.exception) == ("", None)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_ids_of_the_users_tasks_are_completed(
    start: Start, taskctl: Run, environment: dict[str, str], user: int, shell: str
) -> None:
    """In a process of its own, as the shell starts it."""
    task_id = str(added(taskctl, "mine \x1b[2J")["id"])
    foreign = json.loads(
        taskctl("tasks", "add", "theirs", "--json", "-u", str(user + 1_000_000)).stdout
    )

    def completed(line: str) -> str:
        result = taskctl(**asked(shell, line))
        assert (result.stderr, result.exception) == ("", None)
        return result.stdout

    line = asked(shell, f"taskctl tasks show {task_id[:4]}")
    shown, errors = start(**environment, **line).communicate()
    assert errors == ""
    assert task_id in shown
    assert "\x1b" not in shown
    assert str(foreign["id"]) not in shown
    assert task_id not in completed("taskctl tasks show 9")
    assert str(foreign["id"]) in completed(f"taskctl tasks done -u {user + 1_000_000} ")


@pytest.mark.parametrize(
    "env",
    [
        {"TASKCORE_DATABASE_URL": "postgresql://x@127.0.0.1:1/x", "TASKCTL_USER": "1"},
        {"TASKCORE_POOL_MAX_SIZE": "many", "TASKCTL_USER": "1"},
        {"TASKCORE_HOME": "/nonexistent/home", "TASKCTL_USER": "1"},
        {"TASKCTL_USER": "0"},
        {},
    ],
)
def test_what_fails_completes_nothing_and_prints_nothing(run: Run, env: dict[str, str]) -> None:
    home = {"TASKCORE_HOME": "/nonexistent"}
    result = run(env=home | env | asked("bash", "taskctl tasks show "))
    assert (result.stdout.strip(), result.stderr, result.exception) == ("", "", None)
