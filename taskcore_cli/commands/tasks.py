"""``taskctl tasks``: one user's tasks."""

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from taskcore_cli.exit_codes import WrongUsage, say
from taskcore_cli.groups import Group
from taskcore_cli.input.confirmation import confirm, require_terminal
from taskcore_cli.input.editor import as_fields, as_text, editor
from taskcore_cli.input.editor import edit as edit_text
from taskcore_cli.input.fields import (
    Due,
    Extra,
    Key,
    Priority,
    Project,
    Tags,
    Zone,
    given,
)
from taskcore_cli.input.filters import (
    AtLeast,
    Done,
    DueAfter,
    DueBefore,
    InOrder,
    OfProject,
    Open,
    Order,
    Search,
    WithTags,
    chosen_by,
    completed_by,
)
from taskcore_cli.input.options import (
    DEFAULT_LIMIT,
    All,
    Fields,
    IfVersion,
    Json,
    Limit,
    TaskId,
    TaskIds,
    User,
    Yes,
    exclusive,
)
from taskcore_cli.input.task_ids import task_ids
from taskcore_cli.input.titles import read_titles
from taskcore_cli.output.fields import chosen
from taskcore_cli.output.listing import TASKS, Form, Listing
from taskcore_cli.output.render import print_item, print_json
from taskcore_cli.output.visible import visible
from taskcore_cli.session import session_of

if TYPE_CHECKING:
    from taskcore import Task

_FIRST = {Order.newest: "newest", Order.due: "soonest", Order.priority: "most important"}

app = typer.Typer(cls=Group, help="Work with the tasks of one user.", rich_markup_mode=None)


@app.command()
def add(
    context: typer.Context,
    title: Annotated[
        str,
        typer.Argument(
            help="1 to 500 characters; or - for titles from standard input, one on each line.",
            show_default=False,
        ),
    ],
    *,
    user: User,
    description: Annotated[
        str | None, typer.Option("--description", "-d", help="At most 5000 characters.")
    ] = None,
    due: Due = None,
    zone: Zone = None,
    priority: Priority = None,
    project: Project = None,
    tag: Tags = None,
    extra: Extra = None,
    key: Key = None,
    json: Json = False,
) -> None:
    """Create a task and print it. Titles from standard input are all created, or none of them."""
    fields = given(due=due, zone=zone, priority=priority, project=project, tags=tag, extra=extra)
    if title == "-":
        if description is not None:
            raise WrongUsage("titles from standard input take no --description")
        if key is not None:
            raise WrongUsage("titles from standard input take no --key")
        _add_lines(context, user, fields, json=json)
        return
    with session_of(context).open() as opened:
        tasks = opened.store.for_user(user)
        task, is_new = opened.run(tasks.get_or_create(title, description, key=key, **fields))
    print_item(task, as_json=json)
    if not is_new:
        say("A task with this key already exists: nothing was changed.")


def _add_lines(context: typer.Context, user: int, fields: dict[str, Any], *, json: bool) -> None:
    """Create a task from each line of standard input that is not blank."""
    from taskcore import ValidationError  # noqa: PLC0415  (--help needs no taskcore)

    titles = read_titles()
    listing = Listing(TASKS, Form.json if json else Form.table)
    with session_of(context).open() as opened:
        new = [{"title": title, **fields} for _, title in titles]
        try:
            tasks = opened.run(opened.store.for_user(user).create_many(new))
        except ValidationError as exc:
            if (found := re.match(r"tasks\[(\d+)\]\.", exc.field)) is None:
                raise
            number = titles[int(found[1])][0]
            raise WrongUsage(f"line {number}: {str(exc).removeprefix(found[0])}") from exc
    listing.add_all(tasks)


@app.command(name="list")
def list_(
    context: typer.Context,
    *,
    user: User,
    limit: Limit = None,
    all_: All = False,
    open_: Open = False,
    done: Done = False,
    project: OfProject = None,
    tag: WithTags = None,
    due_before: DueBefore = None,
    due_after: DueAfter = None,
    priority: AtLeast = None,
    search: Search = None,
    order: InOrder = Order.newest,
    json: Json = False,
    form: Annotated[
        Form | None,
        typer.Option("--format", help="jsonl and csv as in an export.", show_default="table"),
    ] = None,
    fields: Fields = None,
) -> None:
    """List tasks."""
    names = chosen(fields)
    if names and form in (Form.table, Form.csv):
        raise WrongUsage(f"--fields is for JSON, not for --format {form}")
    exclusive(limit=limit, all=all_)
    exclusive(json=json, format=form)
    completed = completed_by(open_=open_, done=done)
    filters = chosen_by(
        project=project,
        tags=tag,
        due_before=due_before,
        due_after=due_after,
        priority=priority,
        search=search,
    )
    listing = Listing(TASKS, form or (Form.json if json or names else Form.table), names)
    with session_of(context).open() as opened:
        tasks = opened.store.for_user(user)
        if all_:
            opened.run(
                listing.stream(tasks.iterate(completed=completed, order=order.value, **filters))
            )
            more = False
        else:
            wanted = DEFAULT_LIMIT if limit is None else limit
            page = opened.run(
                tasks.list(completed=completed, order=order.value, limit=wanted, **filters)
            )
            listing.add_all(page.items)
            more = page.next is not None
    if more:
        say(f"Showing the {_FIRST[order]} {listing.count}. Use --limit or --all for more.")
    elif not listing.count:
        say("No tasks.")


@app.command()
def count(
    context: typer.Context,
    *,
    user: User,
    open_: Open = False,
    done: Done = False,
    project: OfProject = None,
    tag: WithTags = None,
    due_before: DueBefore = None,
    due_after: DueAfter = None,
    priority: AtLeast = None,
    search: Search = None,
    json: Json = False,
) -> None:
    """Print the number of tasks."""
    completed = completed_by(open_=open_, done=done)
    filters = chosen_by(
        project=project,
        tags=tag,
        due_before=due_before,
        due_after=due_after,
        priority=priority,
        search=search,
    )
    with session_of(context).open() as opened:
        number = opened.run(opened.store.for_user(user).count(completed=completed, **filters))
    if json:
        print_json({"count": number})
    else:
        typer.echo(number)


@app.command()
def show(
    context: typer.Context,
    ids: TaskIds,
    *,
    user: User,
    json: Json = False,
    fields: Fields = None,
) -> None:
    """Print one task or several with all their fields."""
    names = chosen(fields)
    json = json or names is not None
    with session_of(context).open() as opened:
        tasks = opened.store.for_user(user)
        found = [opened.run(tasks.get(task_id)) for task_id in opened.run(task_ids(tasks, ids))]
    if json and len(found) > 1:
        Listing(TASKS, Form.json, names).add_all(found)
        return
    for number, task in enumerate(found):
        if number:
            typer.echo()
        print_item(task, as_json=json, names=names)


@app.command()
def edit(
    context: typer.Context,
    id_: TaskId,
    *,
    user: User,
    title: Annotated[str | None, typer.Option("--title", "-t", help="The new title.")] = None,
    description: Annotated[
        str | None, typer.Option("--description", "-d", help="The new description.")
    ] = None,
    clear_description: Annotated[
        bool, typer.Option("--clear-description", help="Remove the description.")
    ] = False,
    due: Due = None,
    clear_due: Annotated[
        bool, typer.Option("--clear-due", help="Remove the due date and its zone.")
    ] = False,
    zone: Zone = None,
    clear_zone: Annotated[
        bool, typer.Option("--clear-zone", help="Remove the zone, and keep the time.")
    ] = False,
    priority: Priority = None,
    project: Project = None,
    clear_project: Annotated[
        bool, typer.Option("--clear-project", help="Remove the project.")
    ] = False,
    tag: Tags = None,
    clear_tags: Annotated[bool, typer.Option("--clear-tags", help="Remove all tags.")] = False,
    add_tag: Annotated[
        list[str] | None,
        typer.Option("--add-tag", metavar="TAG", help="Add this tag; may be repeated."),
    ] = None,
    remove_tag: Annotated[
        list[str] | None,
        typer.Option("--remove-tag", metavar="TAG", help="Remove this tag; may be repeated."),
    ] = None,
    extra: Extra = None,
    clear_extra: Annotated[
        bool, typer.Option("--clear-extra", help="Remove all fields of your own.")
    ] = False,
    if_version: IfVersion = None,
    json: Json = False,
) -> None:
    """Change a task and print it. --tag replaces all tags.

    Without an option your editor opens ($VISUAL or $EDITOR): the title, an empty line, the
    description. If somebody else changes the task while you edit, your text is kept in a file.
    """
    exclusive(description=description, clear_description=clear_description)
    exclusive(due=due, clear_due=clear_due)
    exclusive(zone=zone, clear_zone=clear_zone)
    exclusive(project=project, clear_project=clear_project)
    exclusive(tag=tag or None, clear_tags=clear_tags)
    exclusive(extra=extra, clear_extra=clear_extra)
    changes = given(due=due, zone=zone, priority=priority, project=project, tags=tag, extra=extra)
    for name, clear in (
        ("due", clear_due),
        ("due_zone", clear_zone),
        ("project", clear_project),
        ("extra", clear_extra),
    ):
        if clear:
            changes[name] = None
    if clear_tags:
        changes["tags"] = ()
    for name, single in (("add_tags", add_tag), ("remove_tags", remove_tag)):
        if single:
            changes[name] = single
    if title is not None:
        changes["title"] = title
    if description is not None or clear_description:
        changes["description"] = description
    if not changes:
        if (command := editor()) is None:
            raise WrongUsage("give a field to change, such as --title or --due")
        _edit(context, user, id_, command, if_version=if_version, json=json)
        return
    with session_of(context).open() as opened:
        tasks = opened.store.for_user(user)
        (task_id,) = opened.run(task_ids(tasks, [id_]))
        task = opened.run(tasks.update(task_id, if_version=if_version, **changes))
    print_item(task, as_json=json)


@app.command()
def done(context: typer.Context, ids: TaskIds, *, user: User, json: Json = False) -> None:
    """Mark one task or several as completed: all of them, or none."""
    _complete(context, user, ids, completed=True, json=json)


@app.command()
def reopen(context: typer.Context, ids: TaskIds, *, user: User, json: Json = False) -> None:
    """Mark one task or several as not completed: all of them, or none."""
    _complete(context, user, ids, completed=False, json=json)


@app.command()
def delete(
    context: typer.Context,
    ids: TaskIds,
    *,
    user: User,
    yes: Yes = False,
    if_version: IfVersion = None,
    json: Json = False,
) -> None:
    """Delete one task or several for good: all of them, or none."""
    require_terminal(yes=yes)
    if if_version is not None and len(ids) > 1:
        raise WrongUsage("--if-version takes one id")
    with session_of(context).open() as opened:
        tasks = opened.store.for_user(user)
        found = opened.run(task_ids(tasks, ids))
        if not yes:
            _confirm_deletion([opened.run(tasks.get(task_id)) for task_id in found])
        if len(found) > 1:
            opened.run(tasks.delete_many(found))
        else:
            opened.run(tasks.delete(found[0], if_version=if_version))
    if json:
        print_json({"deleted": found if len(found) > 1 else found[0]})
        return
    for task_id in found:
        typer.echo(f"Deleted task {task_id}.")


def _confirm_deletion(tasks: "list[Task]") -> None:
    if len(tasks) == 1:
        confirm(f"Delete task {tasks[0].id}, {visible(tasks[0].title)!r}, for good?")
        return
    for task in tasks:
        say(f"{task.id}  {visible(task.title)}")
    confirm(f"Delete these {len(tasks)} tasks for good?")


def _complete(
    context: typer.Context, user: int, ids: list[str], *, completed: bool, json: bool
) -> None:
    with session_of(context).open() as opened:
        tasks = opened.store.for_user(user)
        found = opened.run(task_ids(tasks, ids))
        if len(found) == 1:
            changed = [opened.run(tasks.update(found[0], completed=completed))]
        else:
            changed = list(opened.run(tasks.update_many(found, completed=completed)))
    if len(changed) == 1:
        print_item(changed[0], as_json=json)
    else:
        Listing(TASKS, Form.json if json else Form.table).add_all(changed)


def _edit(
    context: typer.Context,
    user: int,
    word: str,
    command: list[str],
    *,
    if_version: int | None,
    json: bool,
) -> None:
    """Change a task in the editor, unless somebody else changes it at the same time."""
    from taskcore import TaskcoreError  # noqa: PLC0415  (--help needs no taskcore)

    with session_of(context).open() as opened:
        tasks = opened.store.for_user(user)
        (task_id,) = opened.run(task_ids(tasks, [word]))
        task = opened.run(tasks.get(task_id))
        before = as_text(task.title, task.description)
        after, file = edit_text(command, before)
        if after == before:
            file.unlink()
            say("Nothing was changed.")
            return
        try:
            task = opened.run(
                tasks.update(
                    task_id,
                    if_version=task.version if if_version is None else if_version,
                    **as_fields(after),
                )
            )
        except TaskcoreError:
            say(f"Nothing was changed. Your text is in {file}")
            raise
    file.unlink()
    print_item(task, as_json=json)
