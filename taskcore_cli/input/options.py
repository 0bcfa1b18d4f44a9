"""Options and arguments that several commands share."""

from typing import Annotated

import typer

from taskcore_cli.exit_codes import WrongUsage
from taskcore_cli.input.completion import newest_ids
from taskcore_cli.input.task_ids import digits

DEFAULT_LIMIT = 50

TaskId = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        parser=digits,
        help="The task's id, or its last digits, at least 4.",
        show_default=False,
        autocompletion=newest_ids,
    ),
]
TaskIds = Annotated[
    list[str],
    typer.Argument(
        metavar="ID...",
        parser=digits,
        help="Ids of tasks, or their last digits, at least 4.",
        show_default=False,
        autocompletion=newest_ids,
    ),
]
UserId = Annotated[int, typer.Argument(metavar="ID", help="The user's id.", show_default=False)]
User = Annotated[
    int,
    typer.Option(
        "--user",
        "-u",
        metavar="N",
        envvar="TASKCTL_USER",
        help="Whose tasks: a user's id.",
        show_default=False,
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print JSON, and nothing else, on standard output.")
]
Fields = Annotated[
    str | None,
    typer.Option(
        "--fields",
        metavar="NAMES",
        help="JSON with only these fields, in this order; short: --json id,title",
        show_default=False,
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
IfVersion = Annotated[
    int | None,
    typer.Option("--if-version", metavar="N", help="Only if this is the task's version."),
]
Limit = Annotated[
    int | None,
    typer.Option(
        "--limit",
        "-n",
        metavar="N",
        help="At most this many, 1 to 1000.",
        show_default=str(DEFAULT_LIMIT),
    ),
]
All = Annotated[bool, typer.Option("--all", "-a", help="All of them, however many.")]


def exclusive(**given: object) -> None:
    """Refuse options that contradict each other.

    Args:
        given: Options by name, with underscores; None and False are "not given".
    """
    names = [
        "--" + name.strip("_").replace("_", "-")
        for name, value in given.items()
        if value is not None and value is not False
    ]
    if len(names) > 1:
        raise WrongUsage(f"{' and '.join(names)} exclude each other")
