"""``taskctl identities``: the names that issuers have for users, for administrators."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from taskcore_cli.exit_codes import FAILED, Failed, say
from taskcore_cli.groups import Group
from taskcore_cli.input.options import Json
from taskcore_cli.output.listing import IDENTITIES, Form, Listing
from taskcore_cli.output.render import print_item, print_json
from taskcore_cli.output.visible import visible
from taskcore_cli.session import administering

_COLUMNS = ("from_subject", "to_subject")
# The most conflicts to show.
_SHOWN = 20

app = typer.Typer(
    cls=Group,
    help="Work with identities, the names that issuers have for users, as the role that migrated.",
    rich_markup_mode=None,
)

Issuer = Annotated[
    str, typer.Argument(metavar="ISSUER", help="The issuer's URL.", show_default=False)
]
Subject = Annotated[
    str,
    typer.Argument(
        metavar="SUBJECT", help="The issuer's name for the user: `sub`.", show_default=False
    ),
]


@app.command(name="list")
def list_(
    context: typer.Context,
    *,
    user: Annotated[
        int | None, typer.Option("--user", "-u", metavar="N", help="Only those of this user.")
    ] = None,
    json: Json = False,
) -> None:
    """List identities, by issuer and subject. `taskctl users list` shows blocked users."""
    listing = Listing(IDENTITIES, Form.json if json else Form.table)
    with administering(context) as opened:
        opened.run(listing.stream(opened.store.identities.iterate(user_id=user)))
    if not listing.count:
        say("No identities.")


@app.command()
def block(context: typer.Context, issuer: Issuer, subject: Subject, *, json: Json = False) -> None:
    """Refuse an identity from now on, whether or not it has a user yet; tasks stay."""
    with administering(context) as opened:
        identity = opened.run(opened.store.identities.block(issuer, subject))
    print_item(identity, as_json=json)


@app.command()
def unblock(
    context: typer.Context, issuer: Issuer, subject: Subject, *, json: Json = False
) -> None:
    """Let a blocked identity in again. To unblock a whole user: `taskctl users unblock`."""
    with administering(context) as opened:
        opened.run(opened.store.identities.unblock(issuer, subject))
    if json:
        print_json({"unblocked": {"issuer": issuer, "subject": subject}})
    else:
        typer.echo(f"Identity {visible(subject)} of {visible(issuer)} is not blocked.")


@app.command()
def move(
    context: typer.Context,
    *,
    from_: Annotated[
        str, typer.Option("--from", metavar="ISSUER", help="The issuer that they have.")
    ],
    to: Annotated[str, typer.Option("--to", metavar="ISSUER", help="The issuer they are to have.")],
    map_: Annotated[
        Path | None,
        typer.Option(
            "--map",
            metavar="FILE",
            help="A CSV file with the columns from_subject and to_subject, if subjects change. "
            "Identities that it does not name stay.",
        ),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Move them. Without it they are only counted.")
    ] = False,
    json: Json = False,
) -> None:
    """Move identities to another issuer, all or none; users and tasks stay as they are."""
    subjects = None if map_ is None else _subjects(map_)
    with administering(context) as opened:
        moving = opened.store.identities.move
        outcome = opened.run(moving(from_, to, subjects, dry_run=True))
        if yes and not outcome.conflicts:
            outcome = opened.run(moving(from_, to, subjects))
    if json:
        print_json(
            {
                "moved": outcome.moved,
                "done": outcome.done,
                "unknown": outcome.unknown,
                "conflicts": list(outcome.conflicts),
                "dry_run": not yes,
            }
        )
    else:
        verb = "were moved" if yes and not outcome.conflicts else "would move"
        typer.echo(f"{outcome.moved} identities {verb}.")
        if outcome.done:
            typer.echo(f"{outcome.done} were moved before.")
        if outcome.unknown:
            typer.echo(f"{outcome.unknown} of the map are unknown.")
    if outcome.conflicts:
        for subject in outcome.conflicts[:_SHOWN]:
            say(f"{visible(subject)}: its new identity is there already.")
        say(
            f"{len(outcome.conflicts)} conflicts: nothing was moved. "
            "`taskctl users delete` removes a new user who should not be there."
        )
        raise typer.Exit(FAILED)
    if not yes:
        say("Nothing was changed. Add --yes to move them.")


def _subjects(file: Path) -> dict[str, str]:
    subjects: dict[str, str] = {}
    for line, row in _rows(file):
        old, new = (row.get(name) or "" for name in _COLUMNS)
        if not old or not new:
            raise Failed(f"{file}, line {line}: from_subject and to_subject must not be empty")
        if old in subjects:
            raise Failed(f"{file}, line {line}: from_subject was there before")
        subjects[old] = new
    return subjects


def _rows(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    import csv  # noqa: PLC0415  (--help needs none)

    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            rows = csv.DictReader(lines, strict=True)
            if not {*_COLUMNS} <= {*(rows.fieldnames or ())}:
                raise Failed(f"{file}: the first line must name from_subject and to_subject")
            for row in rows:
                yield rows.line_num, row
    except (OSError, UnicodeError, csv.Error) as exc:
        raise Failed(f"{file} cannot be read: {exc}") from exc
