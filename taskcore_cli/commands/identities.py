"""``taskctl identities``: the names that issuers have for users, for administrators."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from taskcore_cli.exit_codes import FAILED, say
from taskcore_cli.groups import Group
from taskcore_cli.input.options import Json
from taskcore_cli.input.subject_map import read_subject_map
from taskcore_cli.output.listing import IDENTITIES, Form, Listing
from taskcore_cli.output.render import print_item, print_json
from taskcore_cli.output.visible import visible
from taskcore_cli.session import administering
from taskcore_cli.wording import counted

if TYPE_CHECKING:
    from taskcore import IdentityMove

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
    from_: Annotated[str, typer.Option("--from", metavar="ISSUER", help="The present issuer.")],
    to: Annotated[str, typer.Option("--to", metavar="ISSUER", help="The new issuer.")],
    map_: Annotated[
        Path | None,
        typer.Option(
            "--map",
            metavar="FILE",
            help="A CSV file, or - for standard input, with the columns from_subject and "
            "to_subject, if subjects change. Identities that it does not name stay.",
        ),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Move them. Without it they are counted.")
    ] = False,
    json: Json = False,
) -> None:
    """Move identities to another issuer: all of them, or none if one conflicts.

    Users and tasks stay as they are.
    """
    read = None if map_ is None else read_subject_map(map_)
    subjects = None if read is None else read.subjects
    with administering(context) as opened:
        moving = opened.store.identities.move
        outcome = opened.run(moving(from_, to, subjects, dry_run=True))
        if yes and not outcome.conflicts:
            outcome = opened.run(moving(from_, to, subjects))
    is_moved = yes and not outcome.conflicts
    if json:
        print_json(
            {
                "moved": outcome.moved if is_moved or not yes else 0,
                "done": outcome.done,
                "unknown": outcome.unknown,
                "conflicts": list(outcome.conflicts),
                "dry_run": not yes,
            }
        )
    else:
        _print_outcome(outcome, is_moved=is_moved)
    if outcome.conflicts:
        _say_conflicts(outcome.conflicts, {} if read is None else read.lines)
        raise typer.Exit(FAILED)
    if not yes:
        say("Nothing was changed. Add --yes to move them.")


def _print_outcome(outcome: "IdentityMove", *, is_moved: bool) -> None:
    if is_moved:
        typer.echo(f"{counted(outcome.moved, 'identity was', 'identities were')} moved.")
    else:
        typer.echo(f"{counted(outcome.moved, 'identity', 'identities')} would move.")
    if outcome.done:
        typer.echo(f"{counted(outcome.done, 'was', 'were')} moved before.")
    if outcome.unknown:
        typer.echo(f"{counted(outcome.unknown, 'of the map is', 'of the map are')} unknown.")


def _say_conflicts(conflicts: Sequence[str], lines: Mapping[str, int]) -> None:
    """Name each conflict, with its line if there is a map."""
    for subject in conflicts:
        line = f"line {lines[subject]}: " if lines else ""
        say(f"{line}{visible(subject)}: its new identity already exists.")
    say(
        f"{counted(len(conflicts), 'conflict', 'conflicts')}: nothing was moved. "
        "`taskctl users delete` removes a new user who should not be there."
    )
