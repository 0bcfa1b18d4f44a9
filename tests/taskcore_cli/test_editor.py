"""``taskctl tasks edit`` without an option: the user's editor."""

import json
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer.testing

from tests.taskcore_cli.conftest import Run
from tests.taskcore_cli.test_tasks import added

Edit = Callable[..., typer.testing.Result]


@pytest.fixture
def task(taskctl: Run) -> int:
    return int(str(added(taskctl, "one", "--description", "first\n\nsecond")["id"]))


@pytest.fixture
def edit(taskctl: Run, task: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Edit:
    """Edit the task with an editor that runs a line of Python on the file ``path``."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def run(line: str, *words: str, **env: str) -> typer.testing.Result:
        script = tmp_path / "the editor.py"
        script.write_text(f"import sys, pathlib\npath = pathlib.Path(sys.argv[-1])\n{line}\n")
        variables = {"EDITOR": f"'{sys.executable}' '{script}' --wait", "VISUAL": ""} | env
        return taskctl("tasks", "edit", str(task), *words, **variables)

    return run


def shown(taskctl: Run, task: int) -> tuple[str, str | None, int]:
    found = json.loads(taskctl("tasks", "show", str(task), "--json").stdout)
    return found["title"], found["description"], found["version"]


@pytest.mark.parametrize(
    ("text", "title", "description"),
    [
        ("two\n\nfirst\n\nsecond\n", "two", "first\n\nsecond"),
        ("two\nCaf\u00e9", "two", "Caf\u00e9"),
        ("\n\ntwo\n\n\n  indented\n\n", "two", "  indented"),
        ("two\n", "two", None),
    ],
)
def test_title_and_description_are_edited(
    taskctl: Run, task: int, edit: Edit, tmp_path: Path, *, text: str, title: str, description: str
) -> None:
    result = edit(f"path.write_text({text!r}, 'utf-8')", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout)["title"] == title
    assert shown(taskctl, task) == (title, description, 2)
    # Ctrl-C is the command's again.
    assert signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
    assert not list(tmp_path.glob("taskctl-*"))


def test_the_editor_sees_the_task_in_a_private_file(edit: Edit, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    edit(f"pathlib.Path({str(copy)!r}).write_text(oct(path.stat().st_mode) + path.read_text())")
    assert copy.read_text() == "0o100600one\n\nfirst\n\nsecond\n"


def test_unchanged_means_nothing_is_done(
    taskctl: Run, task: int, edit: Edit, tmp_path: Path
) -> None:
    result = edit("path.touch()")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "Nothing was changed.\n")
    assert shown(taskctl, task)[2] == 1
    assert not list(tmp_path.glob("taskctl-*"))


@pytest.mark.parametrize(
    ("line", "words", "code", "message"),
    [
        ("path.write_text('two')", ("--if-version", "7"), 4, "error: the task has version 1 now"),
        ("path.write_text('  ')", (), 2, "error: title must not be empty or blank"),
        ("path.write_text('x' * 501)", (), 2, "error: title must have at most 500 characters"),
        ("path.write_text('mine'); sys.exit(3)", (), 1, "ended with 3: nothing was changed"),
        ("path.write_bytes(b'\\xff')", (), 1, "cannot be read as UTF-8: nothing was changed"),
    ],
)
def test_what_cannot_be_stored_is_kept_in_a_file(
    taskctl: Run, task: int, edit: Edit, tmp_path: Path, *, line: str, words: tuple[str, ...],
    code: int, message: str,
) -> None:  # fmt: skip
    result = edit(line, *words)
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr
    (kept,) = tmp_path.glob("taskctl-*")
    assert str(kept) in re.sub(r"\s+", " ", result.stderr)
    assert shown(taskctl, task) == ("one", "first\n\nsecond", 1)


def test_a_task_that_changed_meanwhile_is_a_conflict(
    task: int, edit: Edit, environment: dict[str, str], tmp_path: Path
) -> None:
    other = (
        f"import subprocess, os; subprocess.run([{sys.executable!r}, '-m', 'taskcore_cli', 'tasks',"
        f" 'done', {str(task)!r}], env=os.environ | {environment!r}, stdout=-3)"
    )
    result = edit(f"{other}; path.write_text('mine')")
    assert result.exit_code == 4
    assert "the task has version 2 now" in result.stderr
    (kept,) = tmp_path.glob("taskctl-*")
    assert kept.read_text() == "mine"


def test_without_an_editor_the_options_are_named(edit: Edit) -> None:
    assert "such as --title" in edit("", EDITOR="").stderr
    assert "cannot be started" in edit("", VISUAL="/nonexistent/editor").stderr
    assert "EDITOR cannot be read" in edit("", EDITOR="'").stderr
