"""``taskctl embedded``: the embedded server and its backups."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from taskcore_cli.exit_codes import Failed, WrongUsage, say
from taskcore_cli.groups import Group
from taskcore_cli.input.files import opened_for_reading, opened_for_writing
from taskcore_cli.input.interruption import run
from taskcore_cli.input.options import Json
from taskcore_cli.output.render import print_fields, print_json
from taskcore_cli.output.visible import visible
from taskcore_cli.session import embedded, session_of

# Loaded on use, so that --help answers at once.
# ruff: noqa: PLC0415
if TYPE_CHECKING:
    from taskcore import Settings
    from taskcore.embedded import EmbeddedServer

_MEGABYTE = 1_000_000

app = typer.Typer(cls=Group, help="Manage the embedded server.", rich_markup_mode=None)


@app.command()
def status(context: typer.Context, *, json: Json = False) -> None:
    """Print the state of the embedded server, without starting it."""
    found = _server(context).status()
    if json:
        print_json(
            {
                "home": str(found.home),
                "running": found.running,
                "in_use": found.in_use,
                "version": found.version,
                "size": found.size,
            }
        )
        return
    if found.version is None:
        state = "no data yet"
    elif found.in_use:
        state = "running, in use"
    else:
        state = "running" if found.running else "stopped"
    print_fields(
        {
            "home": visible(str(found.home)),
            "state": state,
            "postgresql": "-" if found.version is None else str(found.version),
            "size": _bytes(found.size),
        }
    )


@app.command()
def stop(context: typer.Context) -> None:
    """Stop the embedded server, even if programs are using it.

    The server stops by itself when no program uses it. A program that is still running starts it
    again when necessary, so end the program first.
    """
    server = _server(context)
    in_use = server.status().in_use
    if not server.shut_down():
        typer.echo("The embedded server is not running.")
        return
    typer.echo("Stopped the embedded server.")
    if in_use:
        say("Other programs were using it and will start it again.")


@app.command()
def backup(
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A file, or - for standard output.", show_default=False
        ),
    ],
) -> None:
    """Back up the whole embedded database, all users included.

    The server may be in use. A copy of its folder is not a backup. The file appears when it is
    complete. Only you can read a new file.
    """
    from taskcore.embedded import backup as write_backup

    found = _server(context).status()
    if found.version is None:
        raise Failed(f"there is no embedded database in {found.home}")
    with (
        embedded(_settings(context)) as server,
        opened_for_writing(file, private=True) as write,
    ):
        size = run(write_backup(server, write))
    if str(file) != "-":
        typer.echo(
            f"Backed up the embedded database in {visible(str(found.home))}: {_bytes(size)}."
        )


@app.command()
def restore(
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A file, or - for standard input.", show_default=False),
    ],
) -> None:
    """Restore a backup into a new home: taskctl --home FOLDER embedded restore FILE.

    A home that has users already is refused. The file can run SQL as the database's owner, so
    restore only files that you trust.
    """
    from taskcore.embedded import restore as restore_backup

    with (
        opened_for_reading(file, twice=False) as source,
        embedded(_settings(context)) as server,
    ):
        run(restore_backup(server, source))
        home = server.home
    typer.echo(f"Restored the backup into {visible(str(home))}.")


def _settings(context: typer.Context) -> "Settings":
    """Return the settings. Refuse a database URL, which names another database."""
    settings = session_of(context).settings()
    if settings.database_url is not None:
        raise WrongUsage(
            "a database URL is set, and this command is about the embedded database: give "
            "--home FOLDER before the command, or unset the URL"
        )
    return settings


def _server(context: typer.Context) -> "EmbeddedServer":
    from taskcore.embedded import EmbeddedServer

    return EmbeddedServer(_settings(context).home)


def _bytes(size: int) -> str:
    return f"{size / _MEGABYTE:.1f} MB" if size >= _MEGABYTE else f"{size / 1000:.1f} kB"
