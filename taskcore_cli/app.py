"""The command line: global options, and the commands by name."""

from pathlib import Path
from typing import Annotated, Any

import typer

from taskcore_cli.commands import (
    auth,
    doctor,
    embedded,
    help,  # noqa: A004
    identities,
    migrate,
    router,
    serve,
    tasks,
    tokens,
    transfer,
    users,
)
from taskcore_cli.commands.help import print_version
from taskcore_cli.exit_codes import Commands
from taskcore_cli.input.options import exclusive
from taskcore_cli.session import Session

app = typer.Typer(
    cls=Commands,
    pretty_exceptions_enable=False,
    # Plain help is quicker than Rich's, and the same in every terminal.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["--help", "-h"]},
)
app.command()(serve.serve)
app.command()(migrate.migrate)
app.command()(doctor.doctor)
tasks.app.command(name="import")(transfer.import_)
tasks.app.command()(transfer.export)
app.command(name="help")(help.help_)
app.command()(help.version)
app.add_typer(tasks.app, name="tasks")
app.add_typer(tokens.app, name="tokens")
app.add_typer(users.app, name="users")
app.add_typer(identities.app, name="identities")
app.add_typer(auth.app, name="auth")
app.add_typer(router.app, name="router")
app.add_typer(embedded.app, name="embedded")


def _folder(value: str) -> Path:
    """Refuse an empty name, such as an unset variable, which would mean the current folder."""
    if not value:
        raise typer.BadParameter("it must not be empty")
    return Path(value)


@app.callback()
def options(
    context: typer.Context,
    *,
    database_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="postgresql://role:password@host/database. Other users of this machine can "
            "read a command line, password included: better set TASKCORE_DATABASE_URL (or "
            "DATABASE_URL) in the environment or the file.",
        ),
    ] = None,
    home: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            parser=_folder,
            help="Use the embedded server, with its data in this folder. "
            "Environment: TASKCORE_HOME.",
        ),
    ] = None,
    env_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="File of NAME=value lines to read settings from.",
            show_default=".env, if there is one",
        ),
    ] = None,
    version: Annotated[  # noqa: ARG001  (its callback does it)
        bool,
        typer.Option(
            "--version", "-V", callback=print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Keep tasks of many users in one PostgreSQL database.

    Settings come from options, then the environment, then the file, then your own file:
    taskcore/taskctl.env in the folder for configuration, such as ~/.config. Without a database
    URL the embedded server is used, which keeps its data on this machine.

    Exit codes: 0 done, 1 failed, 2 wrong usage or invalid input, 3 not found, 4 version conflict,
    130 interrupted.
    """
    exclusive(database_url=database_url, home=home)
    context.obj = session = Session(database_url, home, env_file)
    if (user := session.user_of_files()) is not None:
        # After the option and the environment.
        group: Any = context.command
        context.default_map = {
            name: {command: {"user": user} for command in group.commands[name].commands}
            for name in ("tasks", "tokens")
        } | {"serve": {"user": user}}
