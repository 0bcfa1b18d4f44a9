"""Several tasks at once, and the short forms of their ids."""

import json
import re
from pathlib import Path

import pytest

from taskcore_cli.input.task_ids import needed_digits
from tests.taskcore_cli.conftest import Run
from tests.taskcore_cli.terminal import Terminal
from tests.taskcore_cli.test_tasks import added

IDS = {
    "first": 245_000_000_011_234,
    "second": 245_000_000_021_234,
    "third": 245_000_000_030_005,
    "short": 5678,
    "longer": 245_000_000_045_678,
}
"""By title: ids that end in the same four digits, an id of four digits, and the others."""


@pytest.fixture
def ids(taskctl: Run, tmp_path: Path) -> dict[str, int]:
    file = tmp_path / "tasks.jsonl"
    lines = [json.dumps({"id": number, "title": title}) for title, number in IDS.items()]
    file.write_text("\n".join(lines))
    assert taskctl("tasks", "import", str(file)).exit_code == 0
    return IDS


def states(taskctl: Run) -> dict[str, bool]:
    listed = json.loads(taskctl("tasks", "list", "--json").stdout)
    return {task["title"]: task["completed"] for task in listed}


def test_several_tasks_are_completed_and_reopened_a_line_each(
    taskctl: Run, ids: dict[str, int]
) -> None:
    # FR-020
    both = [str(ids["first"]), str(ids["third"])]
    lines = taskctl("tasks", "done", *both).stdout.splitlines()
    assert [line.split()[1:2] + line.split()[-1:] for line in lines[1:]] == [
        ["done", "first"],
        ["done", "third"],
    ]
    assert states(taskctl) == {title: title in ("first", "third") for title in ids}
    reopened = json.loads(taskctl("tasks", "reopen", *both, "--json").stdout)
    assert [(task["title"], task["completed"]) for task in reopened] == [
        ("first", False),
        ("third", False),
    ]


@pytest.mark.parametrize("command", [("done",), ("show",), ("delete", "--yes")])
def test_if_one_of_several_is_missing_nothing_is_done(
    taskctl: Run, ids: dict[str, int], command: tuple[str, ...]
) -> None:
    # FR-020
    result = taskctl("tasks", *command, str(ids["first"]), "245000000099999")
    assert (result.exit_code, result.stdout) == (3, "")
    assert states(taskctl) == dict.fromkeys(ids, False)


def test_several_tasks_are_shown_and_deleted(taskctl: Run, ids: dict[str, int]) -> None:
    both = [str(ids["third"]), str(ids["first"])]
    shown = json.loads(taskctl("tasks", "show", *both, "--json").stdout)
    assert [task["title"] for task in shown] == ["third", "first"]
    assert taskctl("tasks", "show", *both).stdout.count("\n\n") == 1
    deleted = taskctl("tasks", "delete", "--yes", *both, "--json").stdout
    assert json.loads(deleted) == {"deleted": [ids["third"], ids["first"]]}
    assert {"first", "third"}.isdisjoint(states(taskctl))


def test_a_version_is_that_of_one_task(taskctl: Run) -> None:
    result = taskctl("tasks", "delete", "--yes", "1", "2", "--if-version", "1")
    assert (result.exit_code, result.stderr) == (2, "error: --if-version takes one id\n")


def test_several_deletions_are_confirmed_once(terminal: Terminal, ids: dict[str, int]) -> None:
    both = [str(ids["first"]), str(ids["third"])]
    code, output = terminal("tasks", "delete", *both, until="[y/N]", answer="y\n")
    assert code == 0
    assert "first" in output
    assert "Delete these 2 tasks for good?" in output


@pytest.mark.parametrize(
    ("word", "title"),
    [("0005", "third"), ("11234", "first"), ("5678", "short"), ("45678", "longer")],
)
def test_a_unique_ending_of_an_id_is_enough(
    taskctl: Run, ids: dict[str, int], word: str, title: str
) -> None:
    """An id of a few digits wins over ids that end in it."""
    shown = json.loads(taskctl("tasks", "show", word, "--json").stdout)
    assert (shown["id"], shown["title"]) == (ids[title], title)
    assert taskctl("tasks", "edit", word, "--title", title, "--if-version", "1").exit_code == 0


def test_an_ending_of_several_ids_lists_them(taskctl: Run, ids: dict[str, int]) -> None:
    result = taskctl("tasks", "done", "1234", "0005")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines() == [
        f"{ids['second']}  second",
        f"{ids['first']}  first",
        "error: 2 task ids end in 1234: give more digits",
    ]
    assert states(taskctl) == dict.fromkeys(ids, False)


@pytest.mark.parametrize(
    ("word", "says"),
    [("234", "task not found"), ("9999", "no task id ends in 9999"), ("0" * 5, "ends in 00000")],
)
def test_an_ending_of_no_id_is_not_found(
    taskctl: Run, ids: dict[str, int], word: str, says: str
) -> None:
    assert ids
    result = taskctl("tasks", "show", word)
    assert result.exit_code == 3
    assert says in result.stderr


@pytest.mark.parametrize("word", ["12x4", "٤٢٤٢", "12 34", "1_234", "-1234", ""])
def test_a_word_that_is_not_a_number_is_wrong_usage(taskctl: Run, word: str) -> None:
    result = taskctl("tasks", "show", "--", word)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ID must be an integer.")


def test_the_digits_that_are_needed_tell_each_id_from_the_others() -> None:
    assert needed_digits([]) == {}
    assert needed_digits(list(IDS.values())) == {
        IDS["first"]: 5,
        IDS["second"]: 5,
        IDS["third"]: 4,
        # The whole id is enough, as it wins.
        IDS["short"]: 5,
        IDS["longer"]: 5,
    }


def test_a_list_at_a_terminal_dims_the_digits_that_are_not_needed(
    terminal: Terminal, ids: dict[str, int]
) -> None:
    assert ids
    _, output = terminal("tasks", "list", TERM="xterm-256color")
    assert re.search(r"\x1b\[2m +2450000000\x1b\[0m11234 ", output), output


@pytest.mark.parametrize(
    "words",
    [("list", "--json", "id,title"), ("list", "--fields", "id,title", "--json")],
)
def test_json_has_only_the_fields_asked_for(taskctl: Run, words: tuple[str, ...]) -> None:
    task = added(taskctl, "one")
    assert json.loads(taskctl("tasks", *words).stdout) == [{"id": task["id"], "title": "one"}]


def test_fields_keep_their_order_and_their_form(taskctl: Run) -> None:
    task = added(taskctl, "one")
    shown = taskctl("tasks", "show", "--json", "title,id", str(task["id"])).stdout
    assert shown == f'{{"title": "one", "id": {task["id"]}}}\n'
    lines = taskctl("tasks", "list", "--format", "jsonl", "--fields", "completed").stdout
    assert lines == '{"completed": false}\n'
    # Titles are words too.
    assert added(taskctl, "title")["title"] == "title"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--json", "id,titel"), "a task has no field 'titel', only id, title,"),
        (("--json", "id,"), "more arguments than expected (id,)"),
        (("--fields", ""), "a task has no field ''"),
        (("--fields", "id", "--format", "csv"), "--fields is for JSON, not for --format csv"),
    ],
)
def test_wrong_fields_are_wrong_usage(taskctl: Run, words: tuple[str, ...], says: str) -> None:
    result = taskctl("tasks", "list", *words)
    assert result.exit_code == 2
    assert says in result.stderr
