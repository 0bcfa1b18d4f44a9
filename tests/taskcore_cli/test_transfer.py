"""``taskctl tasks import`` and ``export``, end to end."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer.testing

from taskcore import Task, TaskStore
from taskcore_cli.app import app
from tests.databases import Database
from tests.taskcore_cli.conftest import Run, Start
from tests.taskcore_cli.terminal import Terminal
from tests.taskcore_cli.test_process import fill
from tests.wire import Wire

BOTH = pytest.mark.parametrize("ending", ["jsonl", "csv"])


def listed(taskctl: Run, **env: str) -> list[dict[str, Any]]:
    tasks: list[dict[str, Any]] = json.loads(
        taskctl("tasks", "list", "--all", "--json", **env).stdout
    )
    return tasks


def lines_of(*titles: str, first: int = 1) -> str:
    return "".join(
        json.dumps({"id": number, "title": title}) + "\n"
        for number, title in enumerate(titles, first)
    )


@pytest.fixture
def piped(environment: dict[str, str]) -> Callable[..., typer.testing.Result]:
    """Run ``taskctl`` in this process with something on standard input."""

    def invoke(*words: str, stdin: str | bytes) -> typer.testing.Result:
        return typer.testing.CliRunner().invoke(
            app, list(words), input=stdin, env=environment, prog_name="taskctl"
        )

    return invoke


@BOTH
def test_what_one_user_exports_another_imports(
    taskctl: Run, user: int, tmp_path: Path, ending: str
) -> None:
    taskctl("tasks", "add", 'a\u202e\x1b[2J,"b"', "--description", "one\r\ntwo\n\n=1+1")
    done = json.loads(taskctl("tasks", "add", "done", "--json").stdout)
    taskctl("tasks", "done", str(done["id"]))
    file = tmp_path / f"tasks.{ending}"

    exported = taskctl("tasks", "export", str(file))
    assert (exported.exit_code, exported.output) == (0, "Exported 2 tasks.\n")
    other = {"TASKCTL_USER": str(user + 1_000_000)}
    imported = taskctl("tasks", "import", str(file), **other)
    assert (imported.exit_code, imported.output) == (0, "Imported 2 tasks.\n")

    mine = listed(taskctl)
    assert len(mine) == 2
    assert listed(taskctl, **other) == [task | {"user_id": user + 1_000_000} for task in mine]
    again = taskctl("tasks", "import", str(file), **other)
    assert again.stdout == "Imported 0 tasks; 2 were there already.\n"


@BOTH
def test_standard_output_and_standard_input_are_files_too(
    taskctl: Run, piped: Callable[..., typer.testing.Result], user: int, ending: str
) -> None:
    taskctl("tasks", "add", "one")
    form = ("--format", ending)
    exported = taskctl("tasks", "export", "-", *form)
    assert (exported.exit_code, exported.stderr) == (0, "")
    result = piped(
        "tasks", "import", "-", *form, "--user", str(user + 1_000_000), stdin=exported.stdout_bytes
    )
    assert (result.exit_code, result.output) == (0, "Imported 1 task.\n")


def test_the_ending_tells_csv_and_the_option_has_the_last_word(
    taskctl: Run, tmp_path: Path
) -> None:
    taskctl("tasks", "add", "one")
    for name, words, first in (
        ("a.csv", (), b"id,"),
        ("a.CSV", (), b"id,"),
        ("a.csv", ("--format", "jsonl"), b'{"id"'),
        ("a", ("--format", "csv"), b"id,"),
        ("a.txt", (), b'{"id"'),
    ):
        assert taskctl("tasks", "export", str(tmp_path / name), *words).exit_code == 0
        assert (tmp_path / name).read_bytes().startswith(first)


def test_open_and_done_select_what_is_exported(taskctl: Run) -> None:
    taskctl("tasks", "add", "open")
    done = json.loads(taskctl("tasks", "add", "done", "--json").stdout)
    taskctl("tasks", "done", str(done["id"]))
    for title in ("open", "done"):
        exported = taskctl("tasks", "export", "-", f"--{title}").stdout.splitlines()
        assert [json.loads(line)["title"] for line in exported] == [title]
    assert taskctl("tasks", "export", "-", "--open", "--done").exit_code == 2


def test_an_export_of_nothing_is_an_empty_file_or_a_header(taskctl: Run) -> None:
    assert taskctl("tasks", "export", "-").stdout_bytes == b""
    header = taskctl("tasks", "export", "-", "--format", "csv").stdout_bytes
    assert header == ",".join(Task.model_fields).encode() + b"\r\n"


def test_many_pages_are_exported_and_imported(
    taskctl: Run, shared: Database, user: int, tmp_path: Path
) -> None:
    fill(shared, user, 3500)
    file = tmp_path / "tasks.csv"
    assert taskctl("tasks", "export", str(file)).stdout == "Exported 3500 tasks.\n"
    result = taskctl("tasks", "import", str(file), "--new-ids", "--json")
    assert json.loads(result.stdout) == {"imported": 3500, "present": 0, "bad": 0}
    assert len(listed(taskctl)) == 7000


def test_bad_lines_are_named_the_good_ones_kept_and_the_exit_code_is_1(
    taskctl: Run, tmp_path: Path
) -> None:
    file = tmp_path / "tasks.jsonl"
    file.write_text(lines_of("a", "b") + '{"title": ""}\n{\n' + lines_of("c", first=3))
    taskctl("tasks", "import", str(file))
    result = taskctl("tasks", "import", str(file))
    assert result.exit_code == 1
    assert result.stdout == "Imported 0 tasks; 3 were there already; 2 lines are bad.\n"
    assert result.stderr == (
        "line 3: title must not be empty or blank\nline 4: line is not well-formed JSON\n"
    )
    assert [task["title"] for task in listed(taskctl)] == ["c", "b", "a"]


def test_one_of_each_is_said_in_the_singular(taskctl: Run, tmp_path: Path) -> None:
    file = tmp_path / "tasks"
    file.write_text(lines_of("a"))
    taskctl("tasks", "import", str(file))
    file.write_text(lines_of("a", "b") + "{\n")
    result = taskctl("tasks", "import", str(file))
    assert result.stdout == "Imported 1 task; 1 was there already; 1 line is bad.\n"


def test_twenty_bad_lines_are_shown_and_the_others_counted(taskctl: Run, tmp_path: Path) -> None:
    file = tmp_path / "tasks"
    file.write_text("x\n" * 25)
    result = taskctl("tasks", "import", str(file), "--json")
    assert json.loads(result.stdout) == {"imported": 0, "present": 0, "bad": 25}
    lines = result.stderr.splitlines()
    assert len(lines) == 21
    assert lines[-2:] == [
        "line 20: line is not well-formed JSON",
        "and 5 more bad lines, 25 in all",
    ]


def test_columns_are_named_and_unknown_ones_ignored(taskctl: Run, tmp_path: Path) -> None:
    file = tmp_path / "tasks.csv"
    file.write_text("Nr;Name;A=B;Done\n1;a;x;TRUE\n2;b;;False\n")
    refused = taskctl("tasks", "import", str(file))
    assert (refused.exit_code, refused.stdout) == (1, "Imported 0 tasks; 1 line is bad.\n")
    assert "is not a known column" in refused.stderr
    words = ("--map", "Name=title", "--map", "A=B=description", "--map", "Done=completed")
    refused = taskctl("tasks", "import", str(file), *words)
    assert "'Nr' is not a known column" in refused.stderr
    result = taskctl("tasks", "import", str(file), *words, "--ignore-unknown", "--strict")
    assert (result.exit_code, result.output) == (0, "Imported 2 tasks.\n")
    assert [
        (task["title"], task["description"], task["completed"]) for task in listed(taskctl)
    ] == [
        ("b", None, False),
        ("a", "x", True),
    ]


def test_fields_of_json_lines_are_named_and_unknown_ones_ignored(
    taskctl: Run, tmp_path: Path
) -> None:
    file = tmp_path / "tasks"
    file.write_text(json.dumps({"Name": "a", "Notes": [1]}) + "\n")
    words = ("--map", "Name=title")
    assert "Notes is not a known field" in taskctl("tasks", "import", str(file), *words).stderr
    result = taskctl("tasks", "import", str(file), *words, "--ignore-unknown")
    assert (result.exit_code, result.output) == (0, "Imported 1 task.\n")


@pytest.mark.parametrize("word", ["tab", r"\t", "\t"])
def test_a_separator_is_taken(taskctl: Run, tmp_path: Path, word: str) -> None:
    file = tmp_path / "tasks.csv"
    file.write_text("title\tdescription\na,b;c\td\n")
    result = taskctl("tasks", "import", str(file), "--separator", word)
    assert result.output == "Imported 1 task.\n"
    assert listed(taskctl)[0]["title"] == "a,b;c"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--map", "title"), "--map title: not NAME=FIELD, such as Name=title"),
        (("--map", "Name=titel"), "'titel' is not a field of a task"),
        (("--map", "a=title", "--map", "b=title"), "two columns cannot be one field"),
        (("--map", "a=title", "--map", "a=id"), "--map a=id: a is given twice"),
        (("--separator", ";;"), "separator must be one character, but not a quote or a line end"),
        (("--format", "jsonl", "--separator", ";"), "--separator is for CSV"),
        (("--format", "ics", "--map", "a=title"), "--map is for JSON Lines and CSV"),
        (("--format", "ics", "--separator", ";"), "--separator is for CSV"),
        (("--format", "todotxt", "--zone", "UTC"), "--zone is for Taskwarrior"),
        (
            ("--format", "taskwarrior", "--zone", "Mars/Base"),
            "zone must be a time zone of the IANA database, such as Europe/Berlin",
        ),
    ],
)
def test_an_option_that_cannot_be_is_wrong_usage(
    taskctl: Run, tmp_path: Path, words: tuple[str, ...], reason: str
) -> None:
    """TK-432"""
    file = tmp_path / "tasks.csv"
    file.write_text("title\nx\n")
    result = taskctl("tasks", "import", str(file), *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"error: {reason}\n"


def test_a_broken_quote_is_one_line_and_nothing_after_it_is_imported(
    taskctl: Run, tmp_path: Path
) -> None:
    file = tmp_path / "tasks.csv"
    file.write_text(
        'title,description\na,\nb,"5" screws\n' + "".join(f"c{n},\n" for n in range(99))
    )
    result = taskctl("tasks", "import", str(file))
    assert (result.exit_code, result.stdout) == (1, "Imported 1 task; 1 line is bad.\n")
    assert result.stderr == (
        "line 3: line is not well-formed CSV: a quote begins here that ends inside its cell, where "
        "it must be doubled; nothing from here on was read\n"
    )
    assert [task["title"] for task in listed(taskctl)] == ["a"]


@pytest.mark.parametrize("from_file", [True, False], ids=["file", "stdin"])
def test_strict_imports_nothing_if_any_line_is_bad(
    taskctl: Run,
    piped: Callable[..., typer.testing.Result],
    tmp_path: Path,
    from_file: bool,  # noqa: FBT001
) -> None:
    def strict(text: str) -> typer.testing.Result:
        if not from_file:
            return piped("tasks", "import", "-", "--strict", stdin=text)
        (tmp_path / "tasks").write_text(text)
        return taskctl("tasks", "import", str(tmp_path / "tasks"), "--strict")

    result = strict(lines_of("a") + "{\n" + lines_of("b"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "line 2: line is not well-formed JSON\nerror: 1 line is bad: nothing was imported\n"
    )
    assert listed(taskctl) == []
    assert strict(lines_of("a", "b")).output == "Imported 2 tasks.\n"
    assert len(listed(taskctl)) == 2


def test_a_dry_run_checks_every_line_and_needs_no_database(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "tasks"
    file.write_text(lines_of("a", "b") + "{\n")
    env = {"TASKCORE_DATABASE_URL": "postgresql://role@127.0.0.1:1/none", "TASKCTL_USER": "1"}
    for words in ((), ("--strict",)):
        result = run("tasks", "import", str(file), "--dry-run", *words, env=env)
        assert result.exit_code == 1
        assert result.stdout == "2 lines are good; 1 line is bad; nothing was imported.\n"
    result = run("tasks", "import", str(file), "--dry-run", "--json", env=env)
    assert json.loads(result.stdout) == {"good": 2, "bad": 1}
    file.write_text(lines_of("a"))
    assert run("tasks", "import", str(file), "--dry-run", env=env).exit_code == 0


def test_new_ids_import_a_file_once_more(taskctl: Run, tmp_path: Path) -> None:
    file = tmp_path / "tasks"
    file.write_text(lines_of("a", "b"))
    for _ in range(2):
        taskctl("tasks", "import", str(file), "--new-ids")
    assert [task["title"] for task in listed(taskctl)] == ["b", "a", "b", "a"]


def test_hostile_text_in_a_reason_is_escaped(
    piped: Callable[..., typer.testing.Result],
) -> None:
    for form, text in (
        ("jsonl", json.dumps({"title": "x", "\x1b[2J\u202e\x9b": 1}, ensure_ascii=False)),
        ("csv", "title,\x1b[2J\u202e\x9b\nx,y"),
    ):
        result = piped("tasks", "import", "-", "--format", form, stdin=text)
        assert result.exit_code == 1
        assert r"\x1b[2J\u202e\x9b" in result.stderr
        assert result.stderr.rstrip("\n").isascii()
        assert all(line.isprintable() for line in result.stderr.splitlines())


@pytest.mark.parametrize(
    ("name", "shown", "reason"),
    [
        ("missing", "missing", "No such file or directory"),
        (".", ".", "Is a directory"),
        ("\x1b[2J", r"\x1b[2J", "No such file or directory"),
    ],
)
@pytest.mark.parametrize("words", [(), ("--strict",), ("--dry-run",)])
def test_a_file_that_cannot_be_opened_is_one_line(
    taskctl: Run, words: tuple[str, ...], name: str, shown: str, reason: str
) -> None:
    result = taskctl("tasks", "import", name, *words)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"error: {shown} cannot be read: {reason}\n"


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="a file of Linux")
@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_file_that_cannot_be_read_is_one_line(taskctl: Run, form: str) -> None:
    result = taskctl("tasks", "import", "/proc/self/mem", "--format", form)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "error: /proc/self/mem cannot be read: Input/output error\n"


@pytest.mark.parametrize("words", [("import", "x"), ("export", "x")])
def test_a_user_who_is_none_is_refused(taskctl: Run, words: tuple[str, ...]) -> None:
    Path("x").write_text(lines_of("a"))
    result = taskctl("tasks", *words, "--user", "0")
    assert (result.exit_code, result.stderr) == (2, "error: user_id must be at least 1\n")
    assert Path("x").read_text() == lines_of("a")


def test_an_export_that_cannot_be_written_is_one_line(taskctl: Run, tmp_path: Path) -> None:
    taskctl("tasks", "add", "one")
    result = taskctl("tasks", "export", str(tmp_path / "missing" / "tasks"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith("cannot be written: No such file or directory\n")
    assert result.stderr.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_device_is_written_to_and_stays_a_device(taskctl: Run) -> None:
    taskctl("tasks", "add", "one")
    assert taskctl("tasks", "export", "/dev/null").exit_code == 0
    result = taskctl("tasks", "export", "/dev/full")
    assert result.exit_code == 1
    assert result.stderr == "error: /dev/full cannot be written: No space left on device\n"
    assert Path("/dev/null").is_char_device()
    assert Path("/dev/full").is_char_device()


def test_an_export_replaces_a_file_its_link_and_rights_stay(taskctl: Run, tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("before")
    target.chmod(0o640)
    link.symlink_to(target)
    taskctl("tasks", "add", "one")
    assert taskctl("tasks", "export", str(link)).exit_code == 0
    assert link.is_symlink()
    assert json.loads(target.read_text())["title"] == "one"
    assert target.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "target"]


async def test_a_failed_export_leaves_what_was_there_and_nothing_else(
    shared: Database, user: int, tmp_path: Path, environment: dict[str, str]
) -> None:
    for _ in range(2):
        await asyncio.to_thread(fill, shared, user, 10_000)
    folder = tmp_path / "folder"
    folder.mkdir()
    target = folder / "tasks"
    for before in (None, "before"):
        if before is not None:
            target.write_text(before)
        async with Wire(shared.url) as wire:
            wire.delay = 0.02
            env = environment | {
                "TASKCORE_DATABASE_URL": wire.url,
                "TASKCORE_OPERATION_TIMEOUT": "1",
            }
            process = await _started("tasks", "export", str(target), env=env)
            # The part is there: some of it was written.
            while not list(folder.glob(".taskctl-*")):
                assert process.returncode is None
                await asyncio.sleep(0.01)
            await wire.stop()
            output, errors = await process.communicate()
        assert (process.returncode, output) == (1, b"")
        assert errors.startswith(b"error: ")
        assert errors.count(b"\n") == 1
        assert [path.read_text() for path in folder.iterdir()] == ([before] if before else [])


async def test_a_database_that_goes_away_half_way_is_one_line_that_says_what_to_do(
    shared: Database, user: int, tmp_path: Path, environment: dict[str, str]
) -> None:
    file = tmp_path / "tasks"
    file.write_text("{\n" * 25 + lines_of(*("x" * 100 for _ in range(60_000))))
    async with Wire(shared.url) as wire, TaskStore(shared.url) as store:
        env = environment | {
            "TASKCORE_DATABASE_URL": wire.url,
            "TASKCORE_OPERATION_TIMEOUT": "0.5",
        }
        process = await _started("tasks", "import", str(file), env=env)
        while not (await store.for_user(user).list(limit=1)).items:
            assert process.returncode is None
            await asyncio.sleep(0.005)
        await wire.stop()
        output, errors = await process.communicate()
    assert (process.returncode, output) == (1, b"")
    *_, told, error = errors.splitlines()
    assert told == b"and 5 more bad lines, 25 in all"
    assert error.startswith(b"error: ")
    assert errors.endswith(
        b"imported tasks stay, and importing the same file again adds only missing tasks, and once "
        b"more those without an id or a key\n"
    )
    assert errors.count(b"\n") == 22
    async with TaskStore(shared.url) as store:
        again = await store.for_user(user).import_tasks(
            {"id": number, "title": "x"} for number in range(1, 60_001)
        )
    assert again.present > 0
    assert again.imported + again.present == 60_000


async def _started(*words: str, env: dict[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "taskcore_cli",
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=dict(os.environ) | env,
    )


@pytest.mark.parametrize("words", [(), ("--strict",), ("--dry-run",)])
def test_ctrl_c_while_waiting_for_input_ends_with_130_and_one_line(
    environment: dict[str, str], words: tuple[str, ...]
) -> None:
    ours, theirs = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "taskcore_cli", "tasks", "import", "-", *words],
        stdin=ours,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ) | environment,
    )
    os.close(ours)
    with os.fdopen(theirs, "wb", buffering=0) as pipe:
        pipe.write(b"{\n" * 100_000)  # more than a pipe holds: it is being read
        if words != ("--strict",):
            assert process.stderr is not None
            assert process.stderr.readline() == "line 1: line is not well-formed JSON\n"
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (130, "")
    state = "nothing was imported" if words else "imported tasks stay"
    assert errors.splitlines()[-1].startswith(f"Interrupted: {state}")
    assert "Traceback" not in errors


def test_ctrl_c_while_the_database_is_silent_ends_with_130_and_one_line(
    start: Start, tmp_path: Path
) -> None:
    (tmp_path / "before").write_text("before")
    (tmp_path / "lines").write_text(lines_of("a"))
    for words in (("export", "before"), ("import", "lines")):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"postgresql://role@127.0.0.1:{silent.getsockname()[1]}/database"
            process = start("tasks", *words, "--user", "1", TASKCORE_DATABASE_URL=url)
            with silent.accept()[0] as connection:
                assert connection.recv(1)
                process.send_signal(signal.SIGINT)
                output, errors = process.communicate(timeout=60)
        assert (process.returncode, output) == (130, "")
        assert errors.startswith("Interrupted: ")
        assert errors.count("\n") == 1
    assert (tmp_path / "before").read_text() == "before"


def test_ctrl_c_in_the_middle_of_an_import_leaves_whole_batches(
    start: Start, environment: dict[str, str], taskctl: Run, tmp_path: Path
) -> None:
    (tmp_path / "lines").write_text(lines_of(*("x" * 400 for _ in range(100_000))))
    process = start("tasks", "import", "lines", **environment)
    while not json.loads(taskctl("tasks", "list", "--limit", "1", "--json").stdout):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (130, "")
    assert errors.startswith("Interrupted: imported tasks stay")
    assert errors.count("\n") == 1


def test_of_the_array_that_list_prints_nothing_is_imported(taskctl: Run, tmp_path: Path) -> None:
    for title in ("a", "b"):
        taskctl("tasks", "add", title)
    (tmp_path / "array").write_text(taskctl("tasks", "list", "--json").stdout)
    result = taskctl("tasks", "import", str(tmp_path / "array"), "--new-ids")
    assert result.stderr == "line 1: a JSON array is not JSON Lines: an object on each line\n"
    assert result.stdout == "Imported 0 tasks; 1 line is bad.\n"


Without = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def without(environment: dict[str, str]) -> Without:
    """Run ``taskctl`` with standard streams closed, as ``<&- >&- 2>&-`` does."""

    def run(closed: str, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-m", "taskcore_cli", *words],
            env=dict(os.environ) | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_closed_standard_input_is_missed_only_where_it_is_read(
    without: Without, tmp_path: Path
) -> None:
    result = without("<&-", "tasks", "import", "-")
    assert result.returncode == 1
    assert result.stderr == "error: standard input cannot be read: it is closed\n"
    (tmp_path / "lines").write_text(lines_of("a"))
    result = without("<&-", "tasks", "import", "lines")
    assert (result.returncode, result.stdout) == (0, "Imported 1 task.\n")
    result = without("<&-", "tasks", "delete", "1")
    assert result.returncode == 2
    assert result.stderr.startswith("error: there is no terminal to ask at")


def test_closed_output_is_no_reason_not_to_work(without: Without, tmp_path: Path) -> None:
    (tmp_path / "lines").write_text(lines_of("a") + "{\n")
    assert without(">&-", "tasks", "import", "lines").returncode == 1
    result = without("2>&-", "tasks", "import", "lines", "--json")
    assert json.loads(result.stdout) == {"imported": 0, "present": 1, "bad": 1}
    assert without(">&- 2>&- <&-", "tasks", "export", "copy").returncode == 0
    assert len((tmp_path / "copy").read_text().splitlines()) == 1


def test_a_named_pipe_is_read_once_and_strictly_too(taskctl: Run, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for words in ((), ("--strict",)):
        writer = threading.Thread(target=pipe.write_text, args=(lines_of("a", "b"),))
        writer.start()
        result = taskctl("tasks", "import", str(pipe), "--new-ids", *words)
        writer.join()
        assert result.output == "Imported 2 tasks.\n"


def test_a_terminal_shows_progress_and_a_pipe_does_not(
    taskctl: Run, terminal: Terminal, tmp_path: Path
) -> None:
    file = tmp_path / "tasks"
    file.write_text(lines_of("a", "b") + "\x1b[2J\n")
    code, shown = terminal("tasks", "import", str(file), TERM="xterm", COLUMNS="100")
    assert code == 1
    assert "tasks, " in shown
    assert "line 3: line is not well-formed JSON" in shown
    assert "Imported 2 tasks; 1 line is bad." in shown
    code, shown = terminal("tasks", "export", str(tmp_path / "out"), TERM="xterm", COLUMNS="100")
    assert code == 0
    assert "tasks, " in shown
    assert "tasks, " not in taskctl("tasks", "import", str(file)).output


@BOTH
def test_an_export_to_a_terminal_shows_hostile_text_and_obeys_none(
    taskctl: Run, terminal: Terminal, ending: str
) -> None:
    taskctl("tasks", "add", "\x1b[2J\u202e\x9b", "--description", "a\nb")
    code, shown = terminal("tasks", "export", "-", "--format", ending, TERM="xterm")
    assert code == 0
    assert all(line.isprintable() for line in shown.split("\n"))
    assert r"\u202e" in shown
