"""An operation: a SQL function whose first argument is an owner."""

from dataclasses import dataclass
from functools import cache

from taskcore.access import READ, Access
from taskcore.owner import Owner


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """A SQL function on what one owner has.

    Attributes:
        function: Its name.
        arguments: The number of its arguments after the user.
        columns: The columns of its rows to read.
        access: The access that it needs.
    """

    function: str
    arguments: int
    columns: str
    access: Access

    def statement(self, owner: type[Owner]) -> str:
        """Return the statement. Its parameters are the owner's, then the function's."""
        return _statement(self, owner)


@cache
def _statement(operation: Operation, owner: type[Owner]) -> str:
    places = range(owner.places + 1, owner.places + 1 + operation.arguments)
    arguments = ", ".join((owner.argument, *(f"${place}" for place in places)))
    return f"SELECT {operation.columns} FROM taskcore.{operation.function}({arguments})"  # noqa: S608


FIND_USER = Operation("user_id_v1", 0, "user_id_v1", READ)
"""Reads the user's id."""
