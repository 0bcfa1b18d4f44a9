"""The question before something is erased, at a terminal."""

import json

import pytest

from tests.taskcore_cli.conftest import Run
from tests.taskcore_cli.terminal import Terminal


@pytest.mark.parametrize("answer", ["\n", "n\n", "yess\n", "\x04"])
def test_anything_but_yes_deletes_nothing(taskctl: Run, terminal: Terminal, answer: str) -> None:
    task = json.loads(taskctl("tasks", "add", "keep me", "--json").stdout)
    code, output = terminal("tasks", "delete", str(task["id"]), answer=answer)
    assert code == 1
    assert f"Delete task {task['id']}, 'keep me', for good? [y/N]" in output
    assert "Nothing was deleted." in output
    assert taskctl("tasks", "show", str(task["id"])).exit_code == 0


def test_yes_deletes(taskctl: Run, terminal: Terminal) -> None:
    task = json.loads(taskctl("tasks", "add", "delete me", "--json").stdout)
    assert terminal("tasks", "delete", str(task["id"]), answer="y\n")[0] == 0
    assert taskctl("tasks", "show", str(task["id"])).exit_code == 3


def test_ctrl_c_at_the_question_deletes_nothing_and_exits_with_130(
    taskctl: Run, terminal: Terminal
) -> None:
    task = json.loads(taskctl("tasks", "add", "keep me", "--json").stdout)
    code, output = terminal("tasks", "delete", str(task["id"]), until="[y/N]", answer="\x03")
    assert code == 130
    assert "Traceback" not in output
    assert taskctl("tasks", "show", str(task["id"])).exit_code == 0


def test_the_title_in_the_question_is_shown_not_obeyed(taskctl: Run, terminal: Terminal) -> None:
    task = json.loads(taskctl("tasks", "add", "\x1b[2Jx", "--json").stdout)
    output = terminal("tasks", "delete", str(task["id"]), answer="n\n")[1]
    assert r"\x1b[2Jx" in output
    assert "\x1b" not in output


def test_the_question_of_a_task_that_is_not_there_is_not_asked(terminal: Terminal) -> None:
    code, output = terminal("tasks", "delete", "1")
    assert (code, output) == (3, "error: task not found\n")
