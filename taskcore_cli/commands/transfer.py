"""``taskctl tasks import`` and ``export``: files of one user's tasks."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from taskcore_cli.exit_codes import FAILED, INTERRUPTED, Failed, WrongUsage, say
from taskcore_cli.input.files import (
    opened_for_reading,
    opened_for_writing,
    size_of,
)
from taskcore_cli.input.formats import Format, format_of
from taskcore_cli.input.interruption import Interrupted
from taskcore_cli.input.options import Json, User, exclusive
from taskcore_cli.input.reading import Reading
from taskcore_cli.output.progress import Show, progress
from taskcore_cli.output.render import print_json
from taskcore_cli.output.visible import visible
from taskcore_cli.output.writing import Writing
from taskcore_cli.session import session_of
from taskcore_cli.wording import counted

# Loaded on use, so that --help answers at once.
# ruff: noqa: PLC0415
if TYPE_CHECKING:
    from taskcore.tasks.task import Task
    from taskcore.tasks.user_tasks import UserTasks

_CHUNK = 1000
_TAB = "\t"

_AGAIN = (
    "imported tasks stay, and importing the same file again adds only missing tasks, and once more "
    "those without an id or a key"
)
_AGAIN_NEW = "imported tasks stay, and importing the same file again adds them once more"


_Format = Annotated[
    Format | None,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help="jsonl (JSON Lines), csv, ics (iCalendar), taskwarrior (its JSON) or todotxt.",
        show_default="by the name: .csv, .tsv, .ics, todo.txt, done.txt; else jsonl",
    ),
]


def import_(
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A file, or - for standard input.", show_default=False),
    ],
    *,
    user: User,
    format_: _Format = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check every line, and open no database.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Import nothing if any line is bad.")
    ] = False,
    new_ids: Annotated[
        bool,
        typer.Option("--new-ids", help="Give every task a new id; later lines are newer tasks."),
    ] = False,
    map_: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="NAME=FIELD",
            help="Read the column NAME of the file as the task's FIELD, such as Name=title. May "
            "be given several times.",
        ),
    ] = None,
    ignore_unknown: Annotated[
        bool,
        typer.Option(
            "--ignore-unknown",
            help="Ignore columns and fields that a task does not have.",
        ),
    ] = False,
    separator: Annotated[
        str | None,
        typer.Option(
            "--separator",
            metavar="CHARACTER",
            help="The character between the cells of CSV, or the word tab.",
            show_default="comma, semicolon or tab, as in the first line",
        ),
    ] = None,
    zone: Annotated[
        str | None,
        typer.Option(
            "--zone",
            metavar="ZONE",
            help="The time zone in which Taskwarrior's tasks were written, such as Europe/Berlin: "
            "midnight there becomes a date.",
            show_default="due dates become times in UTC",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Import tasks from a file, with their ids, versions and times.

    In JSON Lines each line is a task; {"title": "Buy groceries"} is enough. A task whose id or key
    exists already is left as it is, so importing an export twice adds nothing. Bad lines are
    reported and skipped, and the exit code is then 1. Reading of CSV stops at a broken quote.

    Everything in iCalendar, Taskwarrior and todo.txt that a task has no field for is kept in
    "extra". An export in the same format writes it again.
    """
    form = format_of(file, format_)
    options = _options(form, map_, separator, zone) | {"ignore_unknown": ignore_unknown}
    with (
        _interruptible("nothing was imported") as standing,
        opened_for_reading(file, twice=strict and not dry_run) as source,
    ):
        reading = Reading(file, source, form, options)
        if dry_run or strict:
            with progress(size=size_of(source)) as show:
                reading.check(show)
        if dry_run:
            _tell_checked(reading, as_json=json)
        else:
            if strict:
                if reading.bad:
                    raise Failed(f"{counted(reading.bad, *form.part)} bad: nothing was imported")
                source.seek(0)
                reading = Reading(file, source, form, options)
            standing.state = _again(form, new_ids=new_ids)
            _store(context, user, reading, source, new_ids=new_ids, as_json=json)
    if reading.bad:
        raise typer.Exit(FAILED)


def export(
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A file, or - for standard output.", show_default=False
        ),
    ],
    *,
    user: User,
    format_: _Format = None,
    open_: Annotated[bool, typer.Option("--open", help="Only open tasks.")] = False,
    done: Annotated[bool, typer.Option("--done", help="Only completed tasks.")] = False,
) -> None:
    """Export tasks to a file, newest first.

    The file gets its name when it is complete. After a failure an existing file is unchanged.
    """
    exclusive(open=open_, done=done)
    completed = done if open_ or done else None
    to_stdout = str(file) == "-"
    with (
        _interruptible("the output ends early" if to_stdout else f"{file} was not written"),
        session_of(context).open() as opened,
        opened_for_writing(file) as write,
        progress(silent=to_stdout) as show,
    ):
        tasks = opened.store.for_user(user)
        writing = Writing(format_of(file, format_), write)
        opened.run(_export(tasks, writing, show, completed=completed))
    if writing.cut:
        say(
            f"{counted(writing.cut, 'task has', 'tasks have')} a description, a time of day, a key "
            "or fields of your own, which todo.txt has no place for"
        )
    if not to_stdout:
        typer.echo(f"Exported {counted(writing.count, 'task', 'tasks')}.")


def _tell_checked(reading: Reading, *, as_json: bool) -> None:
    if as_json:
        print_json({"good": reading.good, "bad": reading.bad, **_skipped(reading)})
    else:
        told = [
            f"{counted(reading.good, *reading.form.part)} good",
            f"{counted(reading.bad, *reading.form.part)} bad",
            *_told_skipped(reading),
            "nothing was imported",
        ]
        typer.echo(f"{'; '.join(told)}.")


def _store(
    context: typer.Context,
    user: int,
    reading: Reading,
    source: BinaryIO,
    *,
    new_ids: bool,
    as_json: bool,
) -> None:
    from taskcore.errors import TaskcoreError

    with session_of(context).open() as opened:
        tasks = opened.store.for_user(user)
        try:
            with progress(size=size_of(source)) as show:
                result = opened.run(tasks.import_tasks(reading.tasks(show), new_ids=new_ids))
        except TaskcoreError as exc:
            reading.tell_rest()
            raise Failed(f"{exc}; {_again(reading.form, new_ids=new_ids)}") from exc
    if as_json:
        print_json({**result.model_dump(), "bad": reading.bad, **_skipped(reading)})
        return
    told = [f"Imported {counted(result.imported, 'task', 'tasks')}"]
    if result.present:
        told.append(f"{counted(result.present, 'was', 'were')} there already")
    if reading.bad:
        told.append(f"{counted(reading.bad, *reading.form.part)} bad")
    told += _told_skipped(reading)
    typer.echo(f"{'; '.join(told)}.")


async def _export(
    tasks: "UserTasks", writing: Writing, show: Show, *, completed: bool | None
) -> None:
    chunk = list["Task"]()
    async for task in tasks.iterate(completed=completed):
        chunk.append(task)
        if len(chunk) == _CHUNK:
            writing.tasks(chunk)
            chunk.clear()
            show(writing.count, 0)
    writing.tasks(chunk)
    writing.end()


def _again(form: Format, *, new_ids: bool) -> str:
    """Return what stays after a failure, and what a second import of the same file does."""
    # Formats without columns have keys, which prevent duplicates even with new ids.
    adds = new_ids and form.has_columns
    return _AGAIN_NEW if adds or form is Format.todotxt else _AGAIN


def _skipped(reading: Reading) -> dict[str, int]:
    return {"skipped": reading.skipped} if reading.form.can_skip else {}


def _told_skipped(reading: Reading) -> list[str]:
    return [f"{counted(reading.skipped, 'was', 'were')} skipped"] if reading.skipped else []


def _options(
    form: Format, map_: list[str] | None, separator: str | None, zone: str | None
) -> dict[str, Any]:
    """Return the arguments that the reader of a format takes."""
    options: dict[str, Any] = {}
    if form.has_columns:
        options["columns"] = _columns(map_)
    elif map_:
        raise WrongUsage("--map is for JSON Lines and CSV")
    if form is Format.csv:
        options["separator"] = _TAB if separator in ("tab", r"\t") else separator
    elif separator is not None:
        raise WrongUsage("--separator is for CSV")
    if form is Format.taskwarrior:
        options["zone"] = zone
    elif zone is not None:
        raise WrongUsage("--zone is for Taskwarrior")
    return options


def _columns(given: list[str] | None) -> dict[str, str]:
    columns = {}
    for pair in given or ():
        # A column's name may contain an equals sign. A field's name does not.
        name, equals, field = pair.rpartition("=")
        if not equals:
            raise WrongUsage(f"--map {pair}: not NAME=FIELD, such as Name=title")
        if name in columns:
            raise WrongUsage(f"--map {pair}: {name} is given twice")
        columns[name] = field
    return columns


@dataclass
class _Standing:
    """The state to report if Ctrl-C comes now."""

    state: str


@contextmanager
def _interruptible(state: str) -> Iterator[_Standing]:
    """On Ctrl-C print the state and exit."""
    standing = _Standing(state)
    try:
        yield standing
    except (KeyboardInterrupt, Interrupted) as exc:
        say(f"Interrupted: {visible(standing.state)}.")
        raise typer.Exit(INTERRUPTED) from exc
