"""``taskctl users``: users, for administrators."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from taskcore_cli.exit_codes import say
from taskcore_cli.groups import Group
from taskcore_cli.input.confirmation import confirm, require_terminal
from taskcore_cli.input.options import DEFAULT_LIMIT, All, Json, Limit, UserId, Yes, exclusive
from taskcore_cli.output.listing import USERS, Form, Listing
from taskcore_cli.output.render import print_item, print_json
from taskcore_cli.session import OpenStore, session_of

app = typer.Typer(
    cls=Group,
    help="Work with users, as the role that migrated.",
    rich_markup_mode=None,
)


@app.command(name="list")
def list_(
    context: typer.Context, *, limit: Limit = None, all_: All = False, json: Json = False
) -> None:
    """List users, by rising id."""
    exclusive(limit=limit, all=all_)
    listing = Listing(USERS, Form.json if json else Form.table)
    with _administering(context) as opened:
        users = opened.store.users
        if all_:
            opened.run(listing.stream(users.iterate()))
            more = False
        else:
            page = opened.run(users.list(limit=DEFAULT_LIMIT if limit is None else limit))
            listing.add_all(page.items)
            more = page.next is not None
    if more:
        say(f"Showing the first {listing.count}. Use --limit or --all for more.")
    elif not listing.count:
        say("No users.")


@app.command()
def show(context: typer.Context, user_id: UserId, *, json: Json = False) -> None:
    """Print one user and the number of their tasks."""
    with _administering(context) as opened:
        user = opened.run(opened.store.users.get(user_id))
    print_item(user, as_json=json)


@app.command()
def delete(
    context: typer.Context, user_id: UserId, *, yes: Yes = False, json: Json = False
) -> None:
    """Erase a user and all of their tasks, for good."""
    require_terminal(yes=yes)
    with _administering(context) as opened:
        user = opened.run(opened.store.users.get(user_id))
        tasks = f"{user.task_count} {'task' if user.task_count == 1 else 'tasks'}"
        if not yes:
            confirm(f"Erase user {user_id} and their {tasks}, for good?")
        opened.run(opened.store.users.delete(user_id))
    if json:
        print_json({"deleted": user_id, "task_count": user.task_count})
    else:
        typer.echo(f"Erased user {user_id} and their {tasks}.")


@contextmanager
def _administering(context: typer.Context) -> Iterator[OpenStore]:
    from taskcore.errors import PermissionDenied  # noqa: PLC0415  (--help needs no taskcore)

    try:
        with session_of(context).open_as_owner() as opened:
            yield opened
    except PermissionDenied as exc:
        raise PermissionDenied(
            "this role may not work with users: set TASKCORE_DATABASE_URL to the URL of the "
            "role that migrated the database, not the application's"
        ) from exc
