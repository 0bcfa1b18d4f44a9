"""The orders of a list of tasks, and the cursors of each."""

from collections.abc import Mapping
from typing import Any, Literal, get_args

from pydantic_core import PydanticCustomError

from taskcore.cursors import Value, cursor_after, key_of, not_of_this_list, place_of
from taskcore.errors import ValidationError
from taskcore.limits import MAX_PRIORITY
from taskcore.tasks.due import validate_due

TaskOrder = Literal["newest", "due", "priority"]
"""``due``: soonest first, tasks without a due date last. ``priority``: highest first, tasks without
a priority last. Equal tasks come newest first."""

ORDERS: tuple[TaskOrder, ...] = get_args(TaskOrder)

NEWEST: TaskOrder = "newest"


def validate_order(value: object) -> TaskOrder:
    """Return an order unchanged.

    Raises:
        ValidationError: The value is not the name of an order.
    """
    for order in ORDERS:
        if value == order:
            return order
    raise ValidationError(
        f"order must be {', '.join(ORDERS[:-1])} or {ORDERS[-1]}", field="order", constraint="type"
    )


def cursor_of(row: Mapping[str, Any], order: TaskOrder) -> str:
    """Return the cursor of the page that begins after the task of a row."""
    # Each of the other orders has the name of the column that it sorts by.
    place = () if order == NEWEST else (row[order],)
    return cursor_after(order, row["id"], *place)


def options_after(cursor: object, order: TaskOrder) -> tuple[int | None, dict[str, Any]]:
    """Return the id in a cursor, and the options of ``task_list_v1`` for the page after it.

    Args:
        cursor: ``next`` of a page; None for the first page.
        order: The order of the list that the cursor is used for.

    Raises:
        ValidationError: ``cursor`` is not a cursor of a list in this order.
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
    """Tell whether a value can be the place of a task in an order."""
    if order == "priority":
        return isinstance(value, int) and 0 <= value <= MAX_PRIORITY
    try:
        due = validate_due(value)
    except PydanticCustomError:
        return False
    return due is None or due.isoformat() == value
