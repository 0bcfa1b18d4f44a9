"""Lists that are printed item by item."""

import sys
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar, cast

from taskcore_cli.input.fields import PRIORITIES
from taskcore_cli.input.task_ids import needed_digits
from taskcore_cli.output.due import WIDTH, due_cell, is_overdue
from taskcore_cli.output.fields import document
from taskcore_cli.output.render import console, json_text
from taskcore_cli.output.visible import visible

if TYPE_CHECKING:
    from taskcore import Identity, Task, Token, User

_Item = TypeVar("_Item", bound="Task | User | Identity | Token")

# Ids have at most 16 digits, times have 16 characters, and text comes last. So rows line
# up without knowing the others, and a list is printed as it arrives.
_ID_WIDTH = 16


class Form(StrEnum):
    """The form of a list."""

    table = "table"
    json = "json"
    jsonl = "jsonl"
    csv = "csv"


class Layout(NamedTuple, Generic[_Item]):
    """The columns of a list.

    Attributes:
        head: The names of the columns.
        row: Returns the cells of an item.
        style: Returns the name of an item's style.
        short_ids: Whether to dim the leading digits that are not needed to identify a task.
    """

    head: tuple[str, ...]
    row: Callable[[_Item], tuple[str, ...]]
    style: Callable[[_Item], str]
    short_ids: bool = False


class Listing(Generic[_Item]):
    """A list that is being printed, in constant memory.

    Args:
        layout: `TASKS`, `USERS`, `IDENTITIES` or `TOKENS`.
        form: A table, a JSON array, or the lines of an export. After an error the array
            is not closed, so that a part never looks complete.
        names: The fields of JSON; None for all.
    """

    def __init__(
        self, layout: Layout[_Item], form: Form, names: tuple[str, ...] | None = None
    ) -> None:
        self._layout = layout
        self._form = form
        self._names = names
        # If the output is not a terminal, rows are plain and never cut.
        self._console = console() if sys.stdout.isatty() and form is Form.table else None
        self.count = 0
        # How many digits of each id are needed. Unknown while a list is streamed.
        self._needed: dict[int, int] = {}

    def add_all(self, items: Sequence[_Item]) -> None:
        """Print items, and the end of the list."""
        if self._layout.short_ids and self._console is not None:
            self._needed = needed_digits([_id_of(item) for item in items])
        for item in items:
            self._add(item)
        self._end()

    async def stream(self, items: AsyncIterator[_Item]) -> None:
        """Print items as they arrive, and the end of the list."""
        async for item in items:
            self._add(item)
        self._end()

    def _add(self, item: _Item) -> None:
        match self._form:
            case Form.json:
                text = json_text(document(item, self._names))
                sys.stdout.write(f"{',' if self.count else '['}\n{text}")
            case Form.jsonl:
                sys.stdout.write(f"{json_text(document(item, self._names))}\n")
            case Form.csv:
                self._print_csv(item)
            case Form.table:
                if not self.count:
                    self._print(self._layout.head, "bold")
                dimmed = _ID_WIDTH - self._needed.get(_id_of(item), _ID_WIDTH)
                self._print(self._layout.row(item), self._layout.style(item), dimmed)
        self.count += 1

    def _end(self) -> None:
        if self._form is Form.json:
            sys.stdout.write("\n]\n" if self.count else "[]\n")
        elif self._form is Form.csv and not self.count:
            self._print_csv()

    def _print_csv(self, *items: _Item) -> None:
        from taskcore.tasks.files import write_csv  # noqa: PLC0415  (--help needs no taskcore)

        text = write_csv(cast("tuple[Task, ...]", items), header=not self.count).decode()
        if sys.stdout.isatty():
            text = visible(text.replace("\r\n", "\n"), lines=True)
        sys.stdout.write(text)

    def _print(self, cells: tuple[str, ...], style: str, dimmed: int = 0) -> None:
        line = "  ".join(cells).rstrip()
        if self._console is None:
            sys.stdout.write(f"{line}\n")
            return
        from rich.text import Text  # noqa: PLC0415  (--help needs no Rich)

        # Rich searches strings for markup, but not Text.
        text = Text(line, style)
        text.stylize("dim", 0, dimmed)
        self._console.print(text, no_wrap=True, overflow="ellipsis")


def _id_of(item: "Task | User | Identity | Token") -> int:
    """Return the id of an item; identities have none."""
    return getattr(item, "id", 0)


def _id(number: int) -> str:
    return f"{number:>{_ID_WIDTH}}"


def _when(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"


def _task_row(task: "Task") -> tuple[str, ...]:
    now = datetime.now().astimezone()
    state = "done " if task.completed else "late " if is_overdue(task, now) else "open "
    words = [visible(task.title)]
    if task.project is not None:
        words.append(f"[{visible(task.project)}]")
    words += (f"#{visible(tag)}" for tag in task.tags)
    if task.priority:
        words.append(f"!{PRIORITIES.get(task.priority, task.priority)}")
    return _id(task.id), state, f"{due_cell(task, now):<{WIDTH}}", " ".join(words)


def _task_style(task: "Task") -> str:
    if task.completed:
        return "dim"
    return "red" if is_overdue(task, datetime.now().astimezone()) else ""


def _user_row(user: "User") -> tuple[str, ...]:
    state = "blocked" if user.blocked_at else "active "
    return _id(user.id), state, _when(user.created_at), _when(user.updated_at)


def _identity_row(identity: "Identity") -> tuple[str, ...]:
    user = _id(identity.user_id) if identity.user_id else f"{'-':>{_ID_WIDTH}}"
    state = "blocked" if identity.blocked_at else "active "
    return (
        user,
        state,
        _when(identity.created_at),
        visible(identity.issuer),
        visible(identity.subject),
    )


def _token_row(token: "Token") -> tuple[str, ...]:
    return (
        _id(token.id),
        _when(token.expires_at) if token.expires_at else f"{'never':<16}",
        f"{token.last_used_on or 'never'!s:<10}",
        f"{', '.join(token.scopes):<23}",
        visible(token.name),
    )


def _has_ended(token: "Token") -> bool:
    return token.expires_at is not None and token.expires_at <= datetime.now(UTC)


TASKS: "Layout[Task]" = Layout(
    (f"{'ID':>{_ID_WIDTH}}", "STATE", f"{'DUE':<{WIDTH}}", "TITLE"),
    _task_row,
    _task_style,
    short_ids=True,
)
USERS: "Layout[User]" = Layout(
    (f"{'ID':>{_ID_WIDTH}}", "STATE  ", f"{'CREATED (UTC)':<16}", "CHANGED (UTC)"),
    _user_row,
    lambda user: "dim" if user.blocked_at else "",
)
IDENTITIES: "Layout[Identity]" = Layout(
    (f"{'USER':>{_ID_WIDTH}}", "STATE  ", f"{'CREATED (UTC)':<16}", "ISSUER  SUBJECT"),
    _identity_row,
    lambda identity: "dim" if identity.blocked_at else "",
)
TOKENS: "Layout[Token]" = Layout(
    (f"{'ID':>{_ID_WIDTH}}", f"{'EXPIRES (UTC)':<16}", "LAST USED ", f"{'SCOPES':<23}", "NAME"),
    _token_row,
    lambda token: "dim" if _has_ended(token) else "",
)
