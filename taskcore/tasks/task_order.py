"""The orders of a list of tasks, and the place of a task in each."""

from collections.abc import Mapping
from typing import Any, Literal, get_args

from pydantic_core import PydanticCustomError

from taskcore.cursors import Value, cursor_after, key_of, not_of_this_list, place_of
from taskcore.errors import ValidationError
from taskcore.limits import MAX_PRIORITY
from taskcore.tasks.due import validate_due

TaskOrder = Literal["newest", "due", "priority"]
"""``due``: soonest first, without a due date last. ``priority``: highest first, none last. Tasks
that are equal come newest first."""

ORDERS: tuple[TaskOrder, ...] = get_args(TaskOrder)

NEWEST: TaskOrder = "newest"


def validate_order(value: object) -> TaskOrder:
    """Return an order.

    Raises:
        ValidationError: It is another value.
    """
    for order in ORDERS:
        if value == order:
            return order
    raise ValidationError(
        f"order must be {', '.join(ORDERS[:-1])} or {ORDERS[-1]}", field="order", constraint="type"
    )


def cursor_of(row: Mapping[str, Any], order: TaskOrder) -> str:
    """Return the cursor of the page that follows the task of a row."""
    # The other orders are those of a column.
    place = () if order == NEWEST else (row[order],)
    return cursor_after(order, row["id"], *place)


def options_after(cursor: object, order: TaskOrder) -> tuple[int | None, dict[str, Any]]:
    """Return the id in a cursor, and the options of ``task_list_v1`` for what follows it.

    Args:
        cursor: ``next`` of a page; None for the first page.
        order: The order of the list that the cursor is used for.

    Raises:
        ValidationError: It is not a cursor of a list in this order.
    """
    if order == NEWEST:
        return None if cursor is None else key_of(cursor, order), {}
    if cursor is None:
        return None, {"order": order}
    key, values = place_of(cursor, order)
    if len(values) != 1 or not _can_be(values[0], order):
        raise not_of_this_list()
    return key, {"order": order, f"after_{order}": values[0]}


def _can_be(value: Value, order: TaskOrder) -> bool:
    if order == "priority":
        return isinstance(value, int) and 0 <= value <= MAX_PRIORITY
    try:
        due = validate_due(value)
    except PydanticCustomError:
        return False
    return due is None or due.isoformat() == value
