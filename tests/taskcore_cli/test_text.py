"""Text from tasks is data: it is shown, never obeyed."""

import json

import pytest

from taskcore_cli.output.visible import visible
from tests.taskcore_cli.conftest import Run
from tests.taskcore_cli.terminal import Terminal

HOSTILE = {
    "terminal title": "\x1b]0;owned\x07",
    "erased line": "\x1b[2K\x1b[1A",
    "8-bit escape": "\x9b31m",
    "override": "\u202egnp.exe",
    "isolate": "\u2066x\u2069",
    "carriage return": "safe\rdeleted",
    "next line": "one\x85two",
    "two rows": "one\n 1  done  2025-01-01 00:00  forged",
    "separator": "one\u2028two",
    "tag": "x\U000e0041",
    "delete": "x\x7f",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_character_that_a_terminal_obeys_gets_out(taskctl: Run, text: str) -> None:
    title = f"<{text}>"
    task = json.loads(taskctl("tasks", "add", title, "-d", text, "--json").stdout)
    assert task["title"] == title
    listed = taskctl("tasks", "list").stdout
    assert len(listed.splitlines()) == 2
    for output in (
        listed,
        taskctl("tasks", "show", str(task["id"])).stdout,
        taskctl("tasks", "list", "--json").stdout,
    ):
        assert all(line.isprintable() for line in output.split("\n"))
        assert all(line.isascii() or text.isprintable() for line in output.split("\n"))


@pytest.mark.parametrize("text", ["[red]x[/red]", "[/]", ":smile:", "[link=x]y", "C:\\[new]"])
def test_markup_is_text(taskctl: Run, text: str) -> None:
    task = json.loads(taskctl("tasks", "add", text, "--json").stdout)
    assert text in taskctl("tasks", "list").stdout
    assert text in taskctl("tasks", "show", str(task["id"])).stdout


def test_escapes_are_shown_by_their_number() -> None:
    assert visible("a\x1b\x9b\u202e\n\U000e0041\ud800") == (r"a\x1b\x9b\u202e\n\U000e0041\ud800")


def test_letters_of_every_language_stay_as_they_are() -> None:
    text = "naïve 日本 😀 ქართული می\u200cشود 👩\u200d💻"
    assert visible(text) == text


def test_a_line_of_a_description_cannot_pose_as_a_field(taskctl: Run) -> None:
    task = json.loads(taskctl("tasks", "add", "x", "-d", "a\nversion  9", "--json").stdout)
    lines = taskctl("tasks", "show", str(task["id"])).stdout.splitlines()
    assert [line.split() for line in lines if line.startswith("version")] == [["version", "1"]]


def test_without_a_terminal_no_line_is_wrapped_or_cut(taskctl: Run) -> None:
    title = "word " * 99 + "end"
    task = json.loads(taskctl("tasks", "add", title, "--json").stdout)
    lines = taskctl("tasks", "list").stdout.splitlines()
    assert lines[1].split()[0] == str(task["id"])
    assert lines[1].endswith(title)


def test_a_terminal_shows_hostile_text_escaped_too(taskctl: Run, terminal: Terminal) -> None:
    taskctl("tasks", "add", "\x1b[2Jgone[red]x")
    code, output = terminal("tasks", "list", TERM="xterm", NO_COLOR="1")
    assert code == 0
    assert r"\x1b[2Jgone[red]x" in output
    assert "\x1b[2J" not in output


def test_a_terminal_gets_one_line_a_task_with_its_whole_id(
    taskctl: Run, terminal: Terminal
) -> None:
    task = json.loads(taskctl("tasks", "add", "word " * 99, "--json").stdout)
    _, output = terminal("tasks", "list", TERM="dumb", COLUMNS="60")
    lines = output.strip().splitlines()
    assert len(lines) == 2
    assert lines[1].split()[0] == str(task["id"])
    assert lines[1].endswith("…")


def test_no_color_is_honoured_and_colour_is_for_terminals(taskctl: Run, terminal: Terminal) -> None:
    taskctl("tasks", "add", "one")
    coloured = terminal("tasks", "list", TERM="xterm-256color")[1]
    assert "\x1b[" in coloured
    for name, value in (("TERM", "dumb"), ("NO_COLOR", "1")):
        plain = terminal("tasks", "list", **{"TERM": "xterm-256color", name: value})[1]
        assert "\x1b[3" not in plain
        assert "\x1b[9" not in plain
    assert "\x1b" not in taskctl("tasks", "list").stdout
