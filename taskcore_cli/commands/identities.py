"""``taskctl identities``: the names that issuers have for users, for administrators."""

from typing import Annotated

import typer

from taskcore_cli.exit_codes import say
from taskcore_cli.groups import Group
from taskcore_cli.input.options import Json
from taskcore_cli.output.listing import IDENTITIES, Form, Listing
from taskcore_cli.output.render import print_item, print_json
from taskcore_cli.output.visible import visible
from taskcore_cli.session import administering

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
