"""The options of commands that write a task, one for each field."""

import re
from typing import Annotated, Any

import typer

from taskcore_cli.input.due import due_of

# Loaded on use, so that --help answers at once.
# ruff: noqa: PLC0415

PRIORITIES = {0: "none", 1: "high", 5: "medium", 9: "low"}
"""The priorities that have a name. RFC 5545, section 3.8.1.9, has these names for ranges."""


_OF_NAME = {name: priority for priority, name in PRIORITIES.items()}


def priority_of(text: str) -> int:
    """Return the priority that a word or a number names.

    Raises:
        BadParameter: The text is neither. The library checks the range of the number.
    """
    if text.lower() in _OF_NAME:
        return _OF_NAME[text.lower()]
    # `int` would also accept "4_2" and the digits of other scripts.
    if not re.fullmatch(r"-?[0-9]{1,9}", text):
        raise typer.BadParameter("must be high, medium, low, none, or 0 to 9")
    return int(text)


def object_of(text: str) -> dict[str, Any]:
    """Return the JSON object in a text.

    Raises:
        BadParameter: It is not one.
    """
    import json

    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise typer.BadParameter('must be a JSON object, such as \'{"color": "red"}\'')
    return value


Due = Annotated[
    str | None,
    typer.Option(
        "--due",
        metavar="WHEN",
        help="A date, or a date and a time: tomorrow, 2026-12-01, or 'fri 17:00'.",
        show_default=False,
    ),
]
Zone = Annotated[
    str | None,
    typer.Option(
        "--zone",
        metavar="ZONE",
        help="The time zone of the due time, such as Europe/Berlin. Without it the time is local "
        "wherever it is read.",
        show_default=False,
    ),
]
Priority = Annotated[
    int | None,
    typer.Option(
        "--priority",
        metavar="PRIORITY",
        parser=priority_of,
        help="high, medium, low or none, or a number: 1 (highest) to 9, or 0 for none.",
        show_default=False,
    ),
]
Project = Annotated[
    str | None,
    typer.Option("--project", metavar="NAME", help="At most 100 characters.", show_default=False),
]
Tags = Annotated[
    list[str] | None,
    typer.Option("--tag", metavar="TAG", help="May be given up to 20 times.", show_default=False),
]

Key = Annotated[
    str | None,
    typer.Option(
        "--key",
        metavar="KEY",
        help="Your own name for the task. If a task with this key exists, nothing is created.",
        show_default=False,
    ),
]
Extra = Annotated[
    dict[str, Any] | None,
    typer.Option(
        "--extra",
        metavar="JSON",
        parser=object_of,
        help="Fields of your own, as a JSON object. An edit merges it; null removes a member.",
        show_default=False,
    ),
]


def given(
    *,
    due: str | None,
    zone: str | None,
    priority: int | None,
    project: str | None,
    tags: list[str] | None,
    extra: dict[str, Any] | None,
) -> dict[str, Any]:
    """Return the fields that were given, as the library's arguments.

    Raises:
        WrongUsage: ``due`` names no date.
    """
    fields: dict[str, Any] = {
        "due": None if due is None else due_of(due, zone),
        "due_zone": zone,
        "priority": priority,
        "project": project,
        "tags": tags or None,
        "extra": extra,
    }
    return {name: value for name, value in fields.items() if value is not None}
