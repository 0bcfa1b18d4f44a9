"""The fields of tasks that a caller asks for, as in ``--json id,title``."""

from typing import TYPE_CHECKING, Any

from taskcore_cli.exit_codes import WrongUsage

if TYPE_CHECKING:
    from taskcore import Identity, Task, Token, User


def chosen(fields: str | None) -> tuple[str, ...] | None:
    """Return the names in ``fields``, which commas separate; None for all fields.

    Raises:
        WrongUsage: A task has no such field.
    """
    if fields is None:
        return None
    from taskcore.tasks.task import FIELDS  # noqa: PLC0415  (--help needs no taskcore)

    names = tuple(name.strip() for name in fields.split(","))
    for name in names:
        if name not in FIELDS:
            raise WrongUsage(f"a task has no field {name!r}, only {', '.join(FIELDS)}")
    return names


def document(
    item: "Task | User | Identity | Token", names: tuple[str, ...] | None
) -> dict[str, Any]:
    """Return what JSON says of an item: the named fields, in the order of the names."""
    values = item.model_dump(mode="json")
    return values if names is None else {name: values[name] for name in names}
