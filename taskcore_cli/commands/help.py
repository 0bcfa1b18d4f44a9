"""``taskctl help`` and ``taskctl version``: what people type before they know the options."""

from typing import Annotated, Any

import typer

from taskcore_cli.exit_codes import WrongUsage
from taskcore_cli.groups import suggestion


def help_(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[COMMAND]...", help="Such as: tasks add.", show_default=False),
    ] = None,
) -> None:
    """Show the help of a command, or of taskctl."""
    current: Any = context.find_root()
    command: Any = current.command
    for word in words or []:
        found = command.get_command(current, word) if hasattr(command, "get_command") else None
        if found is None:
            hint = suggestion(context.find_root(), word, within=command)
            where = hint or f"See `{current.command_path} --help`."
            raise WrongUsage(f"there is no command {word!r}. {where}")
        command, current = found, type(current)(found, info_name=word, parent=current)
    typer.echo(command.get_help(current))


def print_version(value: bool = True) -> None:  # noqa: FBT001, FBT002  (Typer calls it)
    """Print the version and exit, if asked for."""
    if value:
        from taskcore.version import __version__  # noqa: PLC0415  (--help needs no taskcore)

        typer.echo(f"taskctl {__version__}")
        raise typer.Exit


def version() -> None:
    """Print the version."""
    print_version()
