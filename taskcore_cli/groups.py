"""Groups of commands: their help, and hints for commands that do not exist."""

import re
from collections.abc import Iterator
from typing import Any

import typer
from typer.core import TyperGroup

_SYNONYMS = {
    "create": ("add",),
    "new": ("add",),
    "get": ("show",),
    "view": ("show",),
    "ls": ("list",),
    "update": ("edit",),
    "change": ("edit",),
    "complete": ("done",),
    "close": ("done",),
    "rm": ("delete",),
    "remove": ("delete",),
    "erase": ("delete",),
}
"""Other words for commands, as other programs have them."""

# Their arguments are ids, so a word after --json names fields.
_WITH_FIELDS = ("list", "show")
_FIELDS = re.compile("[a-z_]+(,[a-z_]+)*")


class Group(TyperGroup):
    """A group that shows its help if no command is given, and says where a command is."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Without arguments, show the help and exit with 0."""
        if not args and not ctx.resilient_parsing:
            typer.echo(ctx.get_help())
            ctx.exit()
        return super().parse_args(ctx, _with_fields(args))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find a command; the error names commands of that name in other groups."""
        try:
            return super().resolve_command(ctx, args)
        except typer.TyperException as exc:
            if found := suggestion(ctx.find_root(), args[0], within=self):
                exc.message = f"No such command {args[0]!r}. {found}"
            raise


def suggestion(root: Any, word: str, *, within: Any = None) -> str:
    """Return a hint such as "Did you mean `taskctl tasks add`?", or an empty text.

    Args:
        root: The context of ``taskctl``.
        word: The name of the command, or another word for it.
        within: The group that is searched first.
    """
    names = {word, *_SYNONYMS.get(word, ())}
    paths = [path for path in _paths(root.command) if path[-1] in names]
    paths = [path for path in paths if _group(root.command, path) is within] or paths
    found = [f"`{root.info_name} {' '.join(path)}`" for path in paths]
    return f"Did you mean {' or '.join(found)}?" if found else ""


def _group(root: Any, path: tuple[str, ...]) -> Any:
    for name in path[:-1]:
        root = root.commands[name]
    return root


def _with_fields(args: list[str]) -> list[str]:
    """Write ``--json id,title`` as ``--json --fields id,title``: Typer has no optional values."""
    if args and args[0] in _WITH_FIELDS and "--json" in args:
        place = args.index("--json") + 1
        if _FIELDS.fullmatch("".join(args[place : place + 1])):
            return [*args[:place], "--fields", *args[place:]]
    return args


def _paths(group: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        yield (*above, name)
        if isinstance(command, TyperGroup):
            yield from _paths(command, (*above, name))
