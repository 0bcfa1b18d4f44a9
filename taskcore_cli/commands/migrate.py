"""``taskctl migrate``: bring a database to this release."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from taskcore_cli.exit_codes import FAILED, say
from taskcore_cli.input.interruption import run
from taskcore_cli.input.options import Json, exclusive
from taskcore_cli.output.render import print_json
from taskcore_cli.output.visible import visible
from taskcore_cli.session import embedded, session_of

# Loaded on use, so that --help answers at once.
# ruff: noqa: PLC0415
if TYPE_CHECKING:
    from taskcore import Settings
    from taskcore.schema.migrate import Migration, MigrationStatus


def migrate(
    context: typer.Context,
    *,
    status: Annotated[
        bool,
        typer.Option("--status", help="Change nothing; exit with 1 if there is something to do."),
    ] = False,
    rotate_password: Annotated[
        bool,
        typer.Option(
            "--rotate-password",
            help="Give the application's role, which all databases of the cluster share, a new "
            "password and print its URL.",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Bring the database to this release. It is safe to run again.

    It needs the URL of the database's owner: TASKCORE_DIRECT_URL if set, else the database URL. The
    embedded server migrates itself when it starts.
    """
    from taskcore.schema import migrate as migrations

    exclusive(status=status, rotate_password=rotate_password)
    with _urls(session_of(context).settings()) as (url, application_host_url):
        if status:
            _print_status(run(migrations.read_status(url)), as_json=json)
        else:
            _print_migration(
                run(
                    migrations.migrate(
                        url,
                        application_host_url=application_host_url,
                        rotate_password=rotate_password,
                    )
                ),
                as_json=json,
            )


@contextmanager
def _urls(settings: "Settings") -> Iterator[tuple[str, str | None]]:
    """Return the URL to migrate with, and the URL with the host for the application."""
    given = settings.database_url
    if settings.direct_url is not None:
        yield settings.direct_url.get_secret_value(), given.get_secret_value() if given else None
    elif given is not None:
        yield given.get_secret_value(), None
    else:
        with embedded(settings) as server:
            say(f"The embedded server in {visible(str(server.home))} has migrated itself.")
            yield server.owner_url, None


def _print_status(status: "MigrationStatus", *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "current": status.current,
                "revision": status.revision,
                "head": status.head,
                "differences": list(status.differences),
            }
        )
    else:
        typer.echo(f"revision  {status.revision or '-'}\nhead      {status.head}")
        # Without the schema every object differs, so a list of them would not help.
        for difference in status.differences if status.schema_exists else ():
            typer.echo(visible(difference))
    if not status.current:
        state = "is not at this release" if status.schema_exists else "has no taskcore schema"
        say(f"The database {state}: run `taskctl migrate`.")
        raise typer.Exit(FAILED)


def _print_migration(migration: "Migration", *, as_json: bool) -> None:
    before = migration.before
    if as_json:
        print_json(
            {
                "changed": migration.changed,
                "before": before.revision,
                "revision": before.head,
                "application_url": migration.application_url,
            }
        )
    elif not migration.changed:
        typer.echo(f"The database is at revision {before.head} already: nothing to migrate.")
    elif before.revision == before.head:
        typer.echo(f"Mended {len(before.differences)} objects at revision {before.head}.")
    else:
        typer.echo(f"Migrated the database from {before.revision or 'nothing'} to {before.head}.")
    if migration.application_url is None:
        if before.revision is None:
            say(
                "The role taskcore_app existed already, because roles belong to the whole cluster. "
                "Take its URL for another database and replace the database's name. If you do not "
                "have it, --rotate-password makes a new password, which then counts everywhere."
            )
        return
    say("The application's URL, with its new password, is shown only now: keep it.")
    if not as_json:
        typer.echo(migration.application_url)
