"""``taskctl router``: a router in front of several databases."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from taskcore_cli.exit_codes import FAILED, Failed, say
from taskcore_cli.groups import Group
from taskcore_cli.input.files import opened_for_reading
from taskcore_cli.input.interruption import run
from taskcore_cli.input.options import Json
from taskcore_cli.output.render import print_json
from taskcore_cli.output.visible import visible
from taskcore_cli.session import session_of

# Loaded on use, so that --help answers at once.
# ruff: noqa: PLC0415
if TYPE_CHECKING:
    from collections.abc import Sequence

    from taskcore.router.migrate import RouterMigration, RouterStatus
    from taskcore.router.shards import Shard

app = typer.Typer(
    cls=Group,
    help="Put a router in front of several databases (docs/howto/scale-out.md).",
    rich_markup_mode=None,
)


Shards = Annotated[
    Path,
    typer.Option(
        metavar="FILE",
        help="The URLs of all shards, one a line, each with the role that migrates it; "
        "- is standard input.",
    ),
]


@app.callback()
def router() -> None:
    """Put a router in front of several databases (docs/howto/scale-out.md)."""


@app.command()
def migrate(
    context: typer.Context,
    *,
    shards: Shards,
    status: Annotated[
        bool,
        typer.Option("--status", help="Change nothing; exit with 1 if there is something to do."),
    ] = False,
    json: Json = False,
) -> None:
    """Bring the shards and the router to this release. It is safe to run again.

    The database URL is that of the router, a PostgreSQL with PL/Proxy, and of a superuser.
    TASKCORE_DIRECT_URL comes before it, as for `taskctl migrate`. The first time, the shards get
    equal parts of the places of users.
    """
    from taskcore.router.migrate import migrate_router, read_router_status

    url, named = _given(context, shards)
    if status:
        _print_status(run(read_router_status(url, named)), as_json=json)
    else:
        _print_migration(run(migrate_router(url, named)), as_json=json)


@app.command()
def move(
    context: typer.Context,
    source: Annotated[
        str, typer.Argument(metavar="FROM", help="The shard, as `taskctl router migrate` names it.")
    ],
    target: Annotated[str, typer.Argument(metavar="TO", help="A shard that holds no place.")],
    *,
    shards: Shards,
    places: Annotated[
        int | None,
        typer.Option(help="Move so many places, and delete their rows from FROM. Default: all."),
    ] = None,
    json: Json = False,
) -> None:
    """Move a shard, or some of its places, to an empty database. The other shards go on.

    The users of the shard wait, or get 503, while the rows are copied. Then run `taskctl router
    migrate` for every other router: until then they cannot reach these users.
    """
    from taskcore.router.move import move_shard

    url, named = _given(context, shards)
    moved = run(move_shard(url, named, source=source, target=target, places=places))
    if json:
        print_json(
            {
                "rows": moved.rows,
                "held_seconds": round(moved.held_seconds, 3),
                "shards": _as_json(moved.shards),
            }
        )
        return
    _print_shards(moved.shards)
    typer.echo(f"Moved {moved.rows} rows. Their users were held up for {moved.held_seconds:.1f} s.")


def _given(context: typer.Context, file: Path) -> "tuple[str, Sequence[Shard]]":
    """Return the URL of the router, and the shards of a file."""
    from taskcore.router.shards import parse_shards

    settings = session_of(context).settings()
    url = settings.direct_url or settings.database_url
    if url is None:
        raise Failed("a router is not the embedded server: name its database with --database-url")
    with opened_for_reading(file, twice=False) as opened:
        try:
            text = opened.read().decode()
        except UnicodeError:
            raise Failed(f"{file} is not UTF-8") from None
    return url.get_secret_value(), parse_shards(text)


def _print_status(status: "RouterStatus", *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "current": status.current,
                "differences": list(status.differences),
                "shards": _as_json(status.shards),
            }
        )
    else:
        _print_shards(status.shards)
        for difference in status.differences if status.exists else ():
            typer.echo(visible(difference))
    if not status.current:
        state = "is not at this release" if status.exists else "is no router yet"
        say(f"The database {state}: run `taskctl router migrate`.")
        raise typer.Exit(FAILED)


def _print_migration(migration: "RouterMigration", *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "changed": migration.changed,
                "shards": _as_json(migration.shards),
                "application_url": migration.application_url,
            }
        )
    else:
        _print_shards(migration.shards)
        typer.echo(
            "Migrated the router."
            if migration.changed
            else "Router and shards are at this release already: nothing to migrate."
        )
    if migration.application_url is not None:
        say("The application's URL, with its new password, is shown only now: keep it.")
        if not as_json:
            typer.echo(migration.application_url)


def _print_shards(shards: "Sequence[Shard]") -> None:
    for shard in shards:
        typer.echo(f"{len(shard.places):>4} places  {visible(shard.name)}")


def _as_json(shards: "Sequence[Shard]") -> list[dict[str, object]]:
    return [{"name": shard.name, "places": len(shard.places)} for shard in shards]
