"""``taskctl`` as a shell sees it: streams, exit codes, signals, pipes."""

import asyncio
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from taskcore import TaskStore
from tests.databases import Database
from tests.taskcore_cli.conftest import Run, Start


def fill(shared: Database, user: int, count: int) -> None:
    async def create() -> None:
        async with TaskStore(shared.url) as store:
            await store.for_user(user).create_many([{"title": "x" * 100}] * count)

    asyncio.run(create())


def test_a_command_that_worked_exits_with_0(start: Start, environment: dict[str, str]) -> None:
    process = start("tasks", "add", "one", **environment)
    output, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
    assert re.search(r"^title +one$", output, re.MULTILINE)


def test_an_unreachable_database_is_one_line_without_the_password_and_exit_code_1(
    start: Start,
) -> None:
    url = "postgresql://role:secret-word@127.0.0.1:1/database"
    process = start("tasks", "list", "--user", "1", TASKCORE_DATABASE_URL=url)
    output, errors = process.communicate()
    assert (process.returncode, output) == (1, "")
    assert errors.startswith("error: the database at 127.0.0.1:1 cannot be reached")
    assert errors.count("\n") == 1
    assert "secret-word" not in errors


def test_an_error_of_a_json_command_leaves_standard_output_empty(taskctl: Run) -> None:
    result = taskctl("tasks", "show", "1", "--json")
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == "error: task not found\n"


@pytest.mark.parametrize("words", [("taks",), ("tasks", "list", "--bad")])
def test_wrong_usage_is_one_line_that_says_where_help_is(run: Run, words: tuple[str, ...]) -> None:
    result = run(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ")
    assert result.stderr.endswith("--help`.\n")
    assert result.stderr.count("\n") == 1


def test_a_url_in_the_wrong_place_is_quoted_without_its_password(run: Run) -> None:
    result = run("postgresql://role:secret@host/database?password=hidden")
    assert "postgresql://role:***@host" in result.stderr
    assert "secret" not in result.stderr
    assert "hidden" not in result.stderr


def test_control_characters_in_an_error_are_shown(run: Run) -> None:
    assert r"\x1b[2J" in run("\x1b[2J").stderr


@pytest.mark.parametrize("word", ["--version", "-V", "version"])
def test_the_version_is_printed(run: Run, word: str) -> None:
    result = run(word)
    assert (result.exit_code, result.stdout.split()[0]) == (0, "taskctl")


@pytest.mark.parametrize("words", [(), ("tasks",), ("users",), ("embedded",)])
def test_a_group_alone_shows_its_help(run: Run, words: tuple[str, ...]) -> None:
    helps = [run(*words), run(*words, "--help"), run("help", *words)]
    assert {(result.exit_code, result.stderr) for result in helps} == {(0, "")}
    assert len({result.stdout for result in helps}) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("list",), "Did you mean `taskctl tasks list` or `taskctl tokens list` or"),
        (("import",), "Did you mean `taskctl tasks import`? See"),
        (("taks",), "Did you mean 'tasks', 'tokens'? See"),
        (("tasks", "lst"), "Did you mean 'list'? See"),
        (("tasks", "remove", "1"), "Did you mean `taskctl tasks delete`? See"),
        (("rm", "1"), "Did you mean `taskctl tasks delete` or `taskctl users delete`? See"),
        (("help", "tasks", "nope"), "there is no command 'nope'. See `taskctl tasks --help`."),
        (("help", "edit"), "there is no command 'edit'. Did you mean `taskctl tasks edit`?"),
        (
            ("tasks", "add", "Buy", "groceries", "-u", "1"),
            "more arguments than expected (groceries): put text with spaces in quotes.",
        ),
        (
            ("--user", "42", "tasks", "list"),
            "it goes after the command, as in `taskctl tasks list --user …`.",
        ),
        (
            ("tasks", "list", "--home", "x"),
            "it goes before the command, as in `taskctl --home … tasks list`.",
        ),
        (("tasks", "list"), "error: --user (or TASKCTL_USER) is required. See"),
        (("tasks", "list", "--user", "x"), "error: --user (or TASKCTL_USER) must be an integer."),
        (("tasks", "show", "x", "-u", "1"), "error: ID must be an integer. See"),
        (("tasks", "show", "-u", "1"), "error: ID is required. See"),
        (("serve", "--port", "0"), "error: --port must be at least 1. See"),
        (("serve", "--port", "99999"), "error: --port must be at most 65535. See"),
        (
            ("tasks", "import", "x", "--format", "xml"),
            "--format must be one of 'jsonl', 'csv', 'ics', 'taskwarrior', 'todotxt'.",
        ),
        (("--env-file", "nope", "tasks"), "--env-file names a file that does not exist: nope."),
        (("--home=", "tasks", "list"), "error: --home must not be empty. See"),
    ],
)
def test_wrong_usage_says_what_to_do(run: Run, words: tuple[str, ...], message: str) -> None:
    result = run(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


@pytest.mark.parametrize("words", ["list --all", "list --all --json", "export -"])
def test_a_closed_pipe_ends_silently(
    start: Start, environment: dict[str, str], shared: Database, user: int, words: str
) -> None:
    fill(shared, user, 3000)
    process = start("tasks", *words.split(), **environment)
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(10) == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_output_that_cannot_be_written_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [sys.executable, "-m", "taskcore_cli", "--version"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert "No space left on device" in result.stderr


def test_an_encoding_without_the_letters_of_a_title_gets_them_escaped(
    start: Start, environment: dict[str, str]
) -> None:
    latin = environment | {"PYTHONIOENCODING": "ascii"}
    output, errors = start("tasks", "add", "日本", **latin).communicate()
    assert r"\u65e5\u672c" in output
    assert errors == ""


def test_an_interrupted_command_exits_with_130_and_no_traceback(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://role@127.0.0.1:{silent.getsockname()[1]}/database"
        process = start("tasks", "list", "--user", "1", TASKCORE_DATABASE_URL=url)
        with silent.accept()[0] as connection:
            # The command has said hello and now waits for the answer.
            assert connection.recv(1)
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=60)
    assert (process.returncode, output, errors) == (130, "", "")


@pytest.mark.parametrize(
    ("missing", "words", "extra"),
    [
        ("typer", ("--help",), "taskcore[cli]"),
        ("rich", ("--help",), "taskcore[cli]"),
        ("uvicorn", ("serve",), "taskcore[http]"),
        ("fastapi", ("serve",), "taskcore[http]"),
    ],
)
def test_a_missing_extra_is_named_in_one_line(
    missing: str, words: tuple[str, ...], extra: str
) -> None:
    program = (
        "import importlib.util, sys\n"
        "found = importlib.util.find_spec\n"
        f"importlib.util.find_spec = lambda name: None if name == {missing!r} else found(name)\n"
        "from taskcore_cli.__main__ import main\n"
        "main()\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("error: ")
    assert result.stderr.endswith(f"pip install '{extra}'\n")
    assert result.stderr.count("\n") == 1
