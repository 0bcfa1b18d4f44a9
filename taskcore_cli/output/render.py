"""Output of commands: fields for people, JSON for programs."""

import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from taskcore_cli.output.due import due_text
from taskcore_cli.output.fields import document
from taskcore_cli.output.visible import escaped, visible

# Loaded on use, so that --help answers at once.
# ruff: noqa: PLC0415
if TYPE_CHECKING:
    from rich.console import Console

    from taskcore import Identity, Task, User


def json_text(value: Any) -> str:
    """Return JSON without control characters; letters stay as they are where UTF-8 is shown."""
    import json

    encoding = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "")
    if encoding != "utf8":
        return json.dumps(value).replace("\x7f", "\\u007f")
    text = json.dumps(value, ensure_ascii=False)
    return escaped(text, lambda character: json.dumps(character)[1:-1].replace("\x7f", "\\u007f"))


def print_json(value: Any) -> None:
    """Print one JSON document."""
    sys.stdout.write(f"{json_text(value)}\n")


def print_item(
    item: "Task | User | Identity", *, as_json: bool, names: tuple[str, ...] | None = None
) -> None:
    """Print one task, user or identity with all its fields; as JSON, with the named ones."""
    if as_json:
        print_json(document(item, names))
        return
    print_values(dict(item))


def print_values(values: Mapping[str, object]) -> None:
    """Print named values of any kind, one a line."""
    print_fields({name: _shown(value) for name, value in values.items()})


def print_fields(fields: dict[str, str]) -> None:
    """Print named values, one a line. The caller has escaped control characters."""
    if sys.stdout.isatty():
        _print_grid(fields)
        return
    width = max(map(len, fields))
    for name, text in fields.items():
        indented = text.replace("\n", "\n" + " " * (width + 2))
        sys.stdout.write(f"{name:<{width}}  {indented}\n")


def console() -> "Console":
    """Return Rich's console for standard output, with its width and colours."""
    from rich.console import Console

    return Console(highlight=False)


def _print_grid(fields: dict[str, str]) -> None:
    from rich.table import Table
    from rich.text import Text

    # A wrapped text stays in its column, so it cannot look like the next field.
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    # A word that is longer than the line is broken, not cut.
    grid.add_column(overflow="fold")
    for name, text in fields.items():
        grid.add_row(Text(name), Text(text))
    console().print(grid)


def _shown(value: object) -> str:
    if isinstance(value, date) and not (isinstance(value, datetime) and value.tzinfo):
        return due_text(value)
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return visible(", ".join(value)) or "-"
    if isinstance(value, dict):
        return visible(json_text(value)) if value else "-"
    return "-" if value is None else visible(str(value), lines=True)
