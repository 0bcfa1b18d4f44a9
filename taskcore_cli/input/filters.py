"""The options that filter and order tasks."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from taskcore_cli.input.due import due_of
from taskcore_cli.input.fields import priority_of
from taskcore_cli.input.options import exclusive


class Order(StrEnum):
    """The order of a list of tasks."""

    newest = "newest"
    due = "due"
    priority = "priority"


Open = Annotated[bool, typer.Option("--open", help="Only open tasks.")]
Done = Annotated[bool, typer.Option("--done", help="Only completed tasks.")]
OfProject = Annotated[
    str | None,
    typer.Option("--project", metavar="NAME", help='Only of this project; "" for none.'),
]
WithTags = Annotated[
    list[str] | None,
    typer.Option("--tag", metavar="TAG", help="Only with this tag; may be repeated."),
]
DueBefore = Annotated[
    str | None,
    typer.Option("--due-before", metavar="DAY", help="Only if due on an earlier day."),
]
DueAfter = Annotated[
    str | None,
    typer.Option("--due-after", metavar="DAY", help="Only if due on a later day."),
]
AtLeast = Annotated[
    int | None,
    typer.Option(
        "--priority",
        metavar="PRIORITY",
        parser=priority_of,
        help="Only with this priority or a higher one: high, medium, low, or 1 to 9.",
    ),
]
Search = Annotated[
    str | None,
    typer.Option(
        "--search",
        metavar="WORDS",
        help="Only with all these words in title, description or tags, also within longer words.",
    ),
]
InOrder = Annotated[
    Order, typer.Option("--order", help="due: the soonest first; priority: the highest first.")
]


def completed_by(*, open_: bool, done: bool) -> bool | None:
    """Return whether tasks must be completed; None for open and completed ones.

    Raises:
        WrongUsage: Both options are given.
    """
    exclusive(open=open_, done=done)
    return done if open_ or done else None


def chosen_by(
    *,
    project: str | None,
    tags: list[str] | None,
    due_before: str | None,
    due_after: str | None,
    priority: int | None,
    search: str | None,
) -> dict[str, Any]:
    """Return the filters that were given, as the library's arguments.

    Raises:
        WrongUsage: ``due_before`` or ``due_after`` names no date.
    """
    filters: dict[str, Any] = {
        "project": project,
        "tags": tags or None,
        "due_before": None if due_before is None else due_of(due_before, None),
        "due_after": None if due_after is None else due_of(due_after, None),
        "priority_at_least": priority,
        "search": search,
    }
    return {name: value for name, value in filters.items() if value is not None}
