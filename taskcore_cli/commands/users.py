"""``taskctl users``: users, for administrators."""

import typer

from taskcore_cli.exit_codes import say
from taskcore_cli.groups import Group
from taskcore_cli.input.confirmation import confirm, require_terminal
from taskcore_cli.input.options import DEFAULT_LIMIT, All, Json, Limit, UserId, Yes, exclusive
from taskcore_cli.output.listing import USERS, Form, Listing
from taskcore_cli.output.render import print_item, print_json
from taskcore_cli.session import administering

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
    with administering(context) as opened:
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
    with administering(context) as opened:
        user = opened.run(opened.store.users.get(user_id))
    print_item(user, as_json=json)


@app.command()
def delete(
    context: typer.Context, user_id: UserId, *, yes: Yes = False, json: Json = False
) -> None:
    """Erase a user with all of their tasks and identities, for good."""
    require_terminal(yes=yes)
    with administering(context) as opened:
        user = opened.run(opened.store.users.get(user_id))
        tasks = f"{user.task_count} {'task' if user.task_count == 1 else 'tasks'}"
        if not yes:
            confirm(f"Erase user {user_id} and their {tasks}, for good?")
        opened.run(opened.store.users.delete(user_id))
    if json:
        print_json({"deleted": user_id, "task_count": user.task_count})
    else:
        typer.echo(f"Erased user {user_id} and their {tasks}.")


@app.command()
def block(context: typer.Context, user_id: UserId, *, json: Json = False) -> None:
    """Refuse a user's identities from now on; tasks stay."""
    with administering(context) as opened:
        user = opened.run(opened.store.users.block(user_id))
    print_item(user, as_json=json)


@app.command()
def unblock(context: typer.Context, user_id: UserId, *, json: Json = False) -> None:
    """Let a blocked user in again."""
    with administering(context) as opened:
        user = opened.run(opened.store.users.unblock(user_id))
    print_item(user, as_json=json)
