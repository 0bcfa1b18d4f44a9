"""``taskctl tasks import`` and ``export``: files of one user's tasks."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from taskcore_cli.exit_codes import FAILED, INTERRUPTED, Failed, WrongUsage, say
from taskcore_cli.input.files import (
    Write,
    opened_for_reading,
    opened_for_writing,
    size_of,
)
from taskcore_cli.input.interruption import Interrupted
from taskcore_cli.input.options import Json, User, exclusive
from taskcore_cli.input.reading import Format, Reading
from taskcore_cli.output.progress import Show, progress
from taskcore_cli.output.render import print_json
from taskcore_cli.output.visible import visible
from taskcore_cli.session import session_of

# Loaded on use, so that --help answers at once.
# ruff: noqa: PLC0415
if TYPE_CHECKING:
    from taskcore.tasks.task import Task
    from taskcore.tasks.user_tasks import UserTasks

_CHUNK = 1000
_TAB = "\t"

_AGAIN = (
    "what was imported stays, and importing the same file again adds only what is missing "
    "(lines without ids excepted)"
)
_AGAIN_NEW = "what was imported stays, and importing the same file again adds it once more"


_Format = Annotated[
    Format | None,
    typer.Option(
        "--format",
        help="JSON Lines or CSV.",
        show_default="csv if FILE ends in .csv or .tsv, else jsonl",
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
        typer.Option("--new-ids", help="Give every task a new id: later lines are newer tasks."),
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
            "--ignore-unknown", help="Ignore columns and fields that a task does not have."
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
    json: Json = False,
) -> None:
    """Import tasks from a file, with their ids, versions and times.

    Each line is a task; {"title": "Buy groceries"} is enough. A task whose id exists already is
    left as it is, so importing an export twice adds nothing. Bad lines are reported and skipped,
    and the exit code is then 1. Reading of CSV stops at a broken quote.
    """
    form = _format_of(file, format_)
    options: dict[str, Any] = {"columns": _columns(map_), "ignore_unknown": ignore_unknown}
    if form is Format.csv:
        options["separator"] = _TAB if separator in ("tab", r"\t") else separator
    elif separator is not None:
        raise WrongUsage("--separator is for CSV")
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
                    raise Failed(
                        f"{_count(reading.bad, 'line is', 'lines are')} bad: nothing was imported"
                    )
                source.seek(0)
                reading = Reading(file, source, form, options)
            standing.state = _AGAIN_NEW if new_ids else _AGAIN
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
        form = _format_of(file, format_)
        count = opened.run(_export(tasks, write, form, show, completed=completed))
    if not to_stdout:
        typer.echo(f"Exported {_count(count, 'task', 'tasks')}.")


def _tell_checked(reading: Reading, *, as_json: bool) -> None:
    if as_json:
        print_json({"good": reading.good, "bad": reading.bad})
    else:
        typer.echo(
            f"{_count(reading.good, 'line is', 'lines are')} good; "
            f"{_count(reading.bad, 'line is', 'lines are')} bad; nothing was imported."
        )


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
            raise Failed(f"{exc}; {_AGAIN_NEW if new_ids else _AGAIN}") from exc
    if as_json:
        print_json({**result.model_dump(), "bad": reading.bad})
        return
    told = [f"Imported {_count(result.imported, 'task', 'tasks')}"]
    if result.present:
        told.append(f"{_count(result.present, 'was', 'were')} there already")
    if reading.bad:
        told.append(f"{_count(reading.bad, 'line is', 'lines are')} bad")
    typer.echo(f"{'; '.join(told)}.")


async def _export(
    tasks: "UserTasks", write: Write, form: Format, show: Show, *, completed: bool | None
) -> int:
    from taskcore.tasks.files import write_csv, write_jsonl

    count, chunk = 0, list["Task"]()
    if form is Format.csv:
        write(write_csv((), header=True))
    text_of = write_csv if form is Format.csv else write_jsonl
    async for task in tasks.iterate(completed=completed):
        chunk.append(task)
        if len(chunk) == _CHUNK:
            write(text_of(chunk))
            count += len(chunk)
            chunk.clear()
            show(count, 0)
    write(text_of(chunk))
    return count + len(chunk)


def _format_of(file: Path, given: Format | None) -> Format:
    return given or (Format.csv if file.suffix.lower() in (".csv", ".tsv") else Format.jsonl)


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


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


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
