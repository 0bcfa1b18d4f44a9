"""``taskctl tokens``: the API tokens of one user."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from taskcore_cli.exit_codes import say
from taskcore_cli.groups import Group
from taskcore_cli.input.options import Json, exclusive
from taskcore_cli.output.listing import TOKENS, Form, Listing
from taskcore_cli.output.render import print_json, print_values
from taskcore_cli.session import session_of

if TYPE_CHECKING:
    from taskcore import NewToken

app = typer.Typer(cls=Group, help="Work with the API tokens of one user.", rich_markup_mode=None)

User = Annotated[
    int,
    typer.Option(
        "--user",
        "-u",
        metavar="N",
        envvar="TASKCTL_USER",
        help="Whose tokens: a user's id.",
        show_default=False,
    ),
]
TokenId = Annotated[int, typer.Argument(metavar="ID", help="The token's id.", show_default=False)]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only the secret, for a script.")]


class Scope(StrEnum):
    """What a token allows."""

    READ = "tasks:read"
    WRITE = "tasks:write"


@app.command()
def create(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="Where the token is used, for people.", show_default=False
        ),
    ],
    *,
    user: User,
    scope: Annotated[
        list[Scope] | None,
        typer.Option(
            help="What the token allows; may be repeated. Writing does not include reading.",
            show_default=Scope.READ.value,
        ),
    ] = None,
    days: Annotated[
        int | None,
        typer.Option(metavar="N", help="How long the token lasts, 1 to 366.", show_default="90"),
    ] = None,
    no_expiry: Annotated[
        bool, typer.Option("--no-expiry", help="The token lasts until it is revoked.")
    ] = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Create a token and print it, with its secret, which is not shown again."""
    from taskcore.limits import DEFAULT_TOKEN_DAYS  # noqa: PLC0415  (--help needs no taskcore)

    exclusive(days=days, no_expiry=no_expiry)
    exclusive(quiet=quiet, json=json)
    lasting = DEFAULT_TOKEN_DAYS if days is None else days
    scopes = [one.value for one in scope or [Scope.READ]]
    with session_of(context).open() as opened:
        tokens = opened.store.for_user(user).tokens
        token = opened.run(
            tokens.create(name, scopes=scopes, expires_in_days=None if no_expiry else lasting)
        )
    _print(token, quiet=quiet, as_json=json)


@app.command(name="list")
def list_(context: typer.Context, *, user: User, json: Json = False) -> None:
    """List tokens, the newest first, without their secrets."""
    listing = Listing(TOKENS, Form.json if json else Form.table)
    with session_of(context).open() as opened:
        listing.add_all(opened.run(opened.store.for_user(user).tokens.list()))
    if not listing.count:
        say("No tokens.")


@app.command()
def rotate(
    context: typer.Context,
    token_id: TokenId,
    *,
    user: User,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Replace a token: print a new one like it, and end the old one after 24 hours."""
    exclusive(quiet=quiet, json=json)
    with session_of(context).open() as opened:
        token = opened.run(opened.store.for_user(user).tokens.rotate(token_id))
    _print(token, quiet=quiet, as_json=json)


@app.command()
def revoke(context: typer.Context, token_id: TokenId, *, user: User, json: Json = False) -> None:
    """Revoke a token for good: its next use is refused."""
    with session_of(context).open() as opened:
        opened.run(opened.store.for_user(user).tokens.revoke(token_id))
    if json:
        print_json({"revoked": token_id})
    else:
        typer.echo(f"Token {token_id} is revoked.")


def _print(token: "NewToken", *, quiet: bool, as_json: bool) -> None:
    secret = token.secret.get_secret_value()
    if quiet:
        typer.echo(secret)
        return
    if as_json:
        print_json(token.model_dump(mode="json", exclude={"secret"}) | {"token": secret})
        return
    print_values({name: value for name, value in token if name != "secret"})
    # On one line, however narrow the terminal is: it is copied.
    typer.echo(f"token  {secret}")
    say("Keep the token: it is not shown again.")
