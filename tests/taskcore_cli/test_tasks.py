"""US1 to US4 from the command line, through the application's role."""

import asyncio
import json
import re
from datetime import datetime, timedelta

import pytest
import typer.testing

from taskcore import TaskStore
from taskcore.tasks.task import FIELDS
from taskcore_cli.app import app
from tests.databases import Database
from tests.taskcore_cli.conftest import Run

FORMS = ("table", "json", "jsonl", "csv")


def fill(shared: Database, user: int, count: int) -> None:
    async def create() -> None:
        async with TaskStore(shared.url) as store:
            await store.for_user(user).create_many(
                [{"title": f"task {number}"} for number in range(count)]
            )

    asyncio.run(create())


def added(taskctl: Run, *words: str) -> dict[str, object]:
    task: dict[str, object] = json.loads(taskctl("tasks", "add", *words, "--json").stdout)
    return task


def test_add_prints_the_task_that_was_stored(taskctl: Run) -> None:
    # FR-001, FR-002, FR-003
    task = added(taskctl, "Buy groceries", "--description", "Milk and eggs")
    assert (task["title"], task["description"]) == ("Buy groceries", "Milk and eggs")
    assert task["completed"] is False
    assert json.loads(taskctl("tasks", "show", str(task["id"]), "--json").stdout) == task


def test_a_title_alone_is_enough(taskctl: Run) -> None:
    # FR-001
    assert added(taskctl, "Buy groceries")["description"] is None


def test_times_are_in_utc_with_a_z(taskctl: Run) -> None:
    assert str(added(taskctl, "one")["created_at"]).endswith("Z")


@pytest.mark.parametrize("words", [("   ",), ("x" * 501,), ("x", "--description", "x" * 5001)])
def test_input_that_breaks_a_limit_is_refused_with_exit_code_2(
    taskctl: Run, words: tuple[str, ...]
) -> None:
    # FR-004, FR-005, SC-006
    result = taskctl("tasks", "add", *words)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1


def test_a_title_of_undecodable_bytes_is_refused(taskctl: Run) -> None:
    # SC-006: such bytes of a command line arrive as lone surrogates.
    result = taskctl("tasks", "add", "caf\udce9")
    assert (result.exit_code, result.stderr) == (
        2,
        "error: title must not contain lone surrogates\n",
    )


def test_list_shows_exactly_the_users_tasks_newest_first(taskctl: Run) -> None:
    # FR-006
    for title in ("one", "two"):
        added(taskctl, title)
    taskctl("tasks", "add", "of another", "--user", "456")
    lines = taskctl("tasks", "list").stdout.splitlines()
    assert [line.split()[-1] for line in lines] == ["TITLE", "two", "one"]


def test_a_user_without_tasks_has_an_empty_list_and_success(taskctl: Run) -> None:
    result = taskctl("tasks", "list", "--json")
    assert (result.exit_code, json.loads(result.stdout), result.stderr) == (0, [], "No tasks.\n")


def test_list_shows_the_newest_50_and_says_that_there_are_more(
    taskctl: Run, shared: Database, user: int
) -> None:
    fill(shared, user, 51)
    result = taskctl("tasks", "list")
    assert len(result.stdout.splitlines()) == 1 + 50
    assert "Use --limit or --all for more." in result.stderr


def test_list_says_nothing_when_there_is_no_more(taskctl: Run, shared: Database, user: int) -> None:
    fill(shared, user, 2)
    assert taskctl("tasks", "list", "--limit", "2").stderr == ""


def test_list_all_gives_every_task_over_many_pages(
    taskctl: Run, shared: Database, user: int
) -> None:
    # FR-006
    fill(shared, user, 2100)
    result = taskctl("tasks", "list", "--all", "--json")
    titles = [task["title"] for task in json.loads(result.stdout)]
    assert titles == [f"task {number}" for number in reversed(range(2100))]


def test_list_filters_open_and_done(taskctl: Run) -> None:
    task = added(taskctl, "done one")
    added(taskctl, "open one")
    taskctl("tasks", "done", str(task["id"]))
    for option, title in (("--open", "open one"), ("--done", "done one")):
        for how_many in (("--limit", "5"), ("--all",)):
            result = taskctl("tasks", "list", option, *how_many, "--json")
            assert [task["title"] for task in json.loads(result.stdout)] == [title]


@pytest.mark.parametrize("limit", ["0", "1001", "many"])
def test_a_limit_outside_1_to_1000_is_wrong_usage(taskctl: Run, limit: str) -> None:
    result = taskctl("tasks", "list", "--limit", limit)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "limit" in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("tasks", "list", "--open", "--done"),
        ("tasks", "list", "--all", "--limit", "5"),
        ("tasks", "edit", "1", "--description", "x", "--clear-description"),
        ("users", "list", "--all", "--limit", "5"),
        ("--home", "x", "--database-url", "y", "users", "list"),
    ],
)
def test_options_that_contradict_each_other_are_wrong_usage(
    taskctl: Run, words: tuple[str, ...]
) -> None:
    result = taskctl(*words)
    assert result.exit_code == 2
    assert "exclude each other" in result.stderr


def test_edit_changes_only_what_is_named(taskctl: Run) -> None:
    # FR-009
    task = added(taskctl, "title", "--description", "old")
    result = taskctl("tasks", "edit", str(task["id"]), "--description", "new", "--json")
    changed = json.loads(result.stdout)
    assert changed == task | {
        "description": "new",
        "version": 2,
        "updated_at": changed["updated_at"],
    }


def test_edit_clears_a_description(taskctl: Run) -> None:
    # FR-009
    task = added(taskctl, "title", "--description", "old")
    result = taskctl("tasks", "edit", str(task["id"]), "--clear-description", "--json")
    assert json.loads(result.stdout)["description"] is None


def test_edit_without_a_change_is_wrong_usage(taskctl: Run) -> None:
    result = taskctl("tasks", "edit", "1")
    assert result.exit_code == 2
    assert "give a field to change, such as --title" in result.stderr


def test_done_and_reopen_persist(taskctl: Run) -> None:
    # FR-009, FR-014
    task_id = str(added(taskctl, "one")["id"])
    for command, completed in (("done", True), ("reopen", False)):
        assert taskctl("tasks", command, task_id).exit_code == 0
        shown = json.loads(taskctl("tasks", "show", task_id, "--json").stdout)
        assert shown["completed"] is completed


def test_delete_is_permanent(taskctl: Run) -> None:
    # FR-011
    task_id = added(taskctl, "one")["id"]
    result = taskctl("tasks", "delete", str(task_id), "--yes", "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (0, {"deleted": task_id})
    assert taskctl("tasks", "show", str(task_id)).exit_code == 3


COMMANDS = [
    ("show",),
    ("edit", "--title", "stolen"),
    ("done",),
    ("reopen",),
    ("delete", "--yes"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_another_users_task_is_not_found_exactly_like_a_missing_one(
    taskctl: Run, command: tuple[str, ...]
) -> None:
    # FR-008, FR-010, FR-012, SC-002
    task = added(taskctl, "mine")
    name, *options = command
    foreign = taskctl("tasks", name, str(task["id"]), *options, "--user", "456")
    missing = taskctl("tasks", name, "1", *options, "--user", "456")
    assert (foreign.exit_code, foreign.stdout) == (3, "")
    assert (foreign.output, foreign.exit_code) == (missing.output, missing.exit_code)
    assert json.loads(taskctl("tasks", "show", str(task["id"]), "--json").stdout) == task


@pytest.mark.parametrize("command", [("edit", "--title", "new"), ("delete", "--yes")])
def test_another_version_is_a_conflict_with_exit_code_4(
    taskctl: Run, command: tuple[str, ...]
) -> None:
    task = added(taskctl, "one")
    name, *options = command
    result = taskctl("tasks", name, str(task["id"]), *options, "--if-version", "7")
    assert (result.exit_code, result.stdout) == (4, "")
    assert result.stderr.startswith("error: the task has version 1 now")
    assert taskctl("tasks", "show", str(task["id"])).exit_code == 0


def test_the_option_names_the_user_before_the_environment_does(taskctl: Run) -> None:
    assert added(taskctl, "one", "--user", "7")["user_id"] == 7


def test_a_command_without_a_user_is_wrong_usage(taskctl: Run) -> None:
    result = taskctl("tasks", "list", TASKCTL_USER="")
    assert result.exit_code == 2
    assert "--user" in result.stderr


@pytest.mark.parametrize("user", ["x", "1.5"])
def test_a_user_that_is_no_number_is_wrong_usage_and_the_option_is_named(
    taskctl: Run, user: str
) -> None:
    result = taskctl("tasks", "list", TASKCTL_USER=user)
    assert result.exit_code == 2
    assert "--user" in result.stderr
    assert "TASKCTL_USER" in result.stderr


@pytest.mark.parametrize("user", ["0", "9007199254740992"])
def test_a_user_outside_the_range_of_ids_is_refused(taskctl: Run, user: str) -> None:
    result = taskctl("tasks", "list", TASKCTL_USER=user)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: user_id must be at ")


def test_a_task_id_that_is_no_number_is_wrong_usage(taskctl: Run) -> None:
    result = taskctl("tasks", "show", "x")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ID must be an integer.")


def piped(words: tuple[str, ...], text: bytes, env: dict[str, str]) -> typer.testing.Result:
    return typer.testing.CliRunner().invoke(app, list(words), input=text, env=env)


def test_titles_from_standard_input_are_added_all_or_none(
    taskctl: Run, environment: dict[str, str]
) -> None:
    add = ("tasks", "add", "-")
    result = piped(add, "Buy milk\n\n  Caf\u00e9 \r\nlast".encode(), environment)
    assert (result.exit_code, result.stderr) == (0, "")
    assert [line.split()[-1] for line in result.stdout.splitlines()[1:]] == ["milk", "Café", "last"]
    for text, message in (
        (b"a\n\n" + b"x" * 501, "error: line 3: title must have at most 500 characters\n"),
        (b"\xff\n", "error: line 1: title must not contain lone surrogates\n"),
        (b"x\n" * 10_001, "error: tasks must have at most 10000 items\n"),
    ):
        refused = piped(add, text, environment)
        assert (refused.exit_code, refused.stdout, refused.stderr) == (2, "", message)
    assert piped((*add, "-d", "x"), b"a\n", environment).exit_code == 2
    assert json.loads(piped((*add, "--json"), b"", environment).stdout) == []
    assert len(json.loads(taskctl("tasks", "list", "--json").stdout)) == 3


def test_a_title_may_still_be_a_hyphen(taskctl: Run) -> None:
    assert added(taskctl, " -")["title"] == "-"
    assert json.loads(taskctl("tasks", "export", "-").stdout)["title"] == "-"


def test_a_list_has_the_form_that_is_asked_for(taskctl: Run) -> None:
    empty = {form: taskctl("tasks", "list", "--format", form).stdout for form in FORMS}
    assert empty == {"table": "", "json": "[]\n", "jsonl": "", "csv": f"{','.join(FIELDS)}\n"}
    for title in ("one", 'tw"o'):
        added(taskctl, title)
    shown = {form: taskctl("tasks", "list", "--format", form).stdout for form in FORMS}
    tasks = json.loads(shown["json"])
    assert shown["json"] == taskctl("tasks", "list", "--json").stdout
    assert [json.loads(line) for line in shown["jsonl"].splitlines()] == tasks
    exported = taskctl("tasks", "export", "-", "--format", "csv").stdout_bytes
    assert taskctl("tasks", "list", "--format", "csv").stdout_bytes == exported
    assert shown["table"] == taskctl("tasks", "list").stdout
    assert taskctl("tasks", "list", "--format", "csv", "--json").exit_code == 2


def test_json_keeps_letters_and_escapes_what_a_terminal_obeys(taskctl: Run) -> None:
    title = "Caf\u00e9 \u65e5\u672c \U0001f600 \x1b[2J\u202e\x7f\U000e0001\u2028x"
    added(taskctl, title)
    shown = taskctl("tasks", "list", "--json").stdout
    assert json.loads(shown)[0]["title"] == title
    assert "Caf\u00e9 \u65e5\u672c \U0001f600" in shown
    for escape in (r"\u001b", r"\u202e", r"\u007f", r"\udb40\udc01", r"\u2028"):
        assert escape in shown
    assert all(line.isprintable() for line in shown.split("\n"))


def test_fields_are_options_of_add_and_edit(taskctl: Run) -> None:
    """TK-201, TK-203."""
    words = ("--due", "2026-11-30 17:00", "--zone", "Europe/Berlin", "--priority", "high")
    more = ("--project", "Household", "--tag", "shop", "--tag", "b")
    task = json.loads(taskctl("tasks", "add", "x", *words, *more, "--json").stdout)
    assert (task["due"], task["due_zone"]) == ("2026-11-30T17:00:00", "Europe/Berlin")
    assert (task["priority"], task["project"], task["tags"]) == (1, "Household", ["b", "shop"])
    shown = taskctl("tasks", "show", str(task["id"])).stdout
    for line in (r"due +2026-11-30 17:00\n", r"due_zone +Europe/Berlin\n", r"tags +b, shop\n"):
        assert re.search(line, shown)

    edit = ("tasks", "edit", str(task["id"]), "--json")
    task = json.loads(taskctl(*edit, "--clear-zone", "--tag", "c", "--priority", "3").stdout)
    assert (task["due_zone"], task["tags"], task["priority"]) == (None, ["c"], 3)
    single = ("--add-tag", "e", "--add-tag", "d", "--remove-tag", "c")
    assert json.loads(taskctl(*edit, *single).stdout)["tags"] == ["d", "e"]
    clear = ("--clear-due", "--clear-project", "--clear-tags", "--priority", "none")
    task = json.loads(taskctl(*edit, *clear).stdout)
    assert (task["due"], task["project"], task["tags"], task["priority"]) == (None, None, [], 0)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--due", "whenever"), "--due 'whenever' is not understood: try tomorrow"),
        (("--due", "next week"), "is not understood"),
        (("--due", "42"), "is not understood"),
        (("--due", "2026-11-30T17:00Z"), "due must have no offset: send the local time"),
        (("--due", "2026-02-30"), "due must be a valid date and time"),
        (("--due", "tomorrow", "--zone", "UTC"), "due_zone needs a due date with a time"),
        (("--due", "fri 17:00", "--zone", "Mars"), "due_zone must be a time zone"),
        (("--priority", "urgent"), "must be high, medium, low, none, or 0 to 9"),
        (("--priority", "10"), "priority must be at most 9"),
        (("--tag", "a,b"), "tags must have tags without commas"),
    ],
)
def test_a_field_that_cannot_be_used_is_explained(
    taskctl: Run, words: tuple[str, ...], message: str
) -> None:
    """TK-201, TK-203."""
    result = taskctl("tasks", "add", "x", *words)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_task_with_a_key_is_added_once(taskctl: Run) -> None:
    """TK-112."""
    first = taskctl("tasks", "add", "one", "--key", "k", "--json")
    again = taskctl("tasks", "add", "two", "--key", "k", "--json")
    assert (first.stdout, first.stderr) == (again.stdout, "")
    assert again.stderr == "A task with this key already exists: nothing was changed.\n"
    assert json.loads(first.stdout)["key"] == "k"
    refused = taskctl("tasks", "add", "-", "--key", "k")
    assert refused.exit_code == 2
    assert "take no --key" in refused.stderr


def test_a_list_says_when_tasks_are_due_and_which_are_late(taskctl: Run) -> None:
    """TK-204."""
    today = datetime.now().astimezone()
    for title, days in (("old", -2), ("now", 0), ("new", 3)):
        day = (today + timedelta(days=days)).date()
        taskctl("tasks", "add", title, "--due", day.isoformat(), "--project", "P", "--tag", "t")
    taskctl("tasks", "add", "never", "--priority", "high")
    head, never, new, now, old = taskctl("tasks", "list").stdout.splitlines()
    assert "DUE" in head
    assert re.search(r"open   - +never !high$", never)
    assert re.search(r"open   \d{4}-\d\d-\d\d \+3d +new \[P\] #t$", new)
    assert re.search(r"open   \d{4}-\d\d-\d\d today +now \[P\] #t$", now)
    assert re.search(r"late   \d{4}-\d\d-\d\d -2d +old \[P\] #t$", old)


def test_a_list_shows_the_tasks_that_are_asked_for(taskctl: Run) -> None:
    """TK-304, TK-306, TK-310, TK-312."""
    taskctl(
        "tasks", "add", "a", "--project", "P", "--tag", "x", "--tag", "y", "--due", "2026-11-30"
    )
    taskctl("tasks", "add", "b", "--priority", "medium", "--tag", "x")

    def found(*words: str) -> list[str]:
        return [
            task["title"] for task in json.loads(taskctl("tasks", "list", "--json", *words).stdout)
        ]

    assert found("--project", "P") == found("--tag", "y", "--tag", "x") == ["a"]
    assert found("--project", "") == found("--priority", "medium", "--all") == ["b"]
    assert found("--due-before", "2026-12-01", "--due-after", "2026-11-29") == ["a"]
    assert found("--priority", "high") == []
    taskctl("tasks", "add", "c", "--due", "2026-11-29", "--priority", "low")
    assert found("--order", "newest") == found() == ["c", "b", "a"]
    assert found("--order", "due") == found("--order", "due", "--all") == ["c", "a", "b"]
    assert found("--order", "priority") == ["b", "c", "a"]
    for order, words in (("due", "soonest"), ("priority", "most important")):
        shown = taskctl("tasks", "list", "--limit", "1", "--order", order)
        assert f"Showing the {words} 1." in shown.stderr
    assert taskctl("tasks", "count").stdout == "3\n"
    assert taskctl("tasks", "count", "--project", "", "--open").stdout == "2\n"
    assert taskctl("tasks", "count", "--tag", "x", "--done", "--json").stdout == '{"count": 0}\n'
    assert found("--search", "A") == found("--search", "y x", "--all") == ["a"]
    assert found("--search", "%") == []
    assert taskctl("tasks", "count", "--search", "X").stdout == "2\n"
    refused = taskctl("tasks", "list", "--search", " ")
    assert refused.exit_code == 2
    assert "search must not be empty or blank" in refused.stderr
    refused = taskctl("tasks", "list", "--due-before", "2026-11-30T17:00")
    assert refused.exit_code == 2
    assert "due_before must be a date, such as 2026-11-30" in refused.stderr
