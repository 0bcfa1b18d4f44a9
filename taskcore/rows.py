"""Rows of the database as models, or as JSON."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from operator import methodcaller
from typing import Any, TypeVar

from pydantic import BaseModel
from pydantic_core import to_json

_Model = TypeVar("_Model", bound=BaseModel)

Rows = Iterable[Sequence[Any]]
"""Rows with the columns of `columns_of`."""

Maker = Callable[[Any], Any]
"""Makes a field's value from its column's value. It is not called for null."""

Nulls = Mapping[str, Callable[[], Any]]
"""Functions that make a field's value where its column is null, by the field's name."""

# Times are read as text: the driver takes eight times as long as `fromisoformat` to make a
# datetime, and JSON needs none.
# A cast to text would depend on the session's DateStyle and TimeZone.
_MOMENT = """pg_catalog.to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS {0}"""
# Pydantic's JSON leaves out a fraction of zero.
_moment_in_json = methodcaller("replace", ".000000Z", "Z")


def columns_of(model: type[BaseModel], *, times_as_text: bool = True) -> str:
    """Return the columns that `reader_of` and `json_writer_of` the model take, for a SELECT.

    Args:
        model: The model.
        times_as_text: What a list takes. For one row, PostgreSQL needs longer to write the text
            than the client gains.
    """
    moments = _moments(model) if times_as_text else ()
    return ", ".join(
        _MOMENT.format(name) if name in moments else name for name in model.model_fields
    )


def reader_of(
    model: type[_Model],
    nulls: Nulls | None = None,
    *,
    times_as_text: bool = True,
    **makers: Maker,
) -> Callable[[Rows], tuple[_Model, ...]]:
    """Return a function that makes models from rows.

    The database has checked the values, so they are not validated again. The function does what
    ``model_construct`` does for one model, in a fifth of its time.

    Args:
        model: The model.
        nulls: For fields that are not None where the column is null.
        times_as_text: As for `columns_of`.
        makers: For fields whose value differs from that of the column.
    """
    if times_as_text:
        makers = dict.fromkeys(_moments(model), datetime.fromisoformat) | makers
    dictionaries = _dictionaries_of(model, nulls or {}, makers)
    new, assign, fields_set = model.__new__, object.__setattr__, set(model.model_fields)

    def read(rows: Rows) -> tuple[_Model, ...]:
        models = []
        for fields in dictionaries(rows):
            one = new(model)
            assign(one, "__dict__", fields)
            assign(one, "__pydantic_fields_set__", fields_set)
            assign(one, "__pydantic_extra__", None)
            assign(one, "__pydantic_private__", None)
            models.append(one)
        return tuple(models)

    return read


def json_writer_of(
    model: type[BaseModel], nulls: Nulls | None = None, **makers: Maker
) -> Callable[[Rows], bytes]:
    """Return a function that makes a JSON array from rows.

    The array has the same bytes as the JSON of the models of `reader_of`, in half of the time.

    Args:
        model: The model.
        nulls: For fields that are not null where the column is null.
        makers: For fields whose value in JSON differs from that of the column.
    """
    dictionaries = _dictionaries_of(
        model, nulls or {}, dict.fromkeys(_moments(model), _moment_in_json) | makers
    )
    return lambda rows: to_json(dictionaries(rows))


def _moments(model: type[BaseModel]) -> list[str]:
    """Return the names of the fields that are a ``timestamptz`` in the database."""
    return [
        name
        for name, field in model.model_fields.items()
        if field.annotation in (datetime, datetime | None)
    ]


def _dictionaries_of(
    model: type[BaseModel], nulls: Nulls, makers: dict[str, Maker]
) -> Callable[[Rows], list[dict[str, Any]]]:
    """Return a function that makes dictionaries from rows."""
    names = tuple(model.model_fields)
    # The function is compiled from source text, as dataclasses do: dict(zip(names, row)) takes
    # six times as long.
    values = {
        name: f"{f'null_{name}()' if name in nulls else None} if {name} is None "
        f"else make_{name}({name})"
        for name in makers
    }
    display = ", ".join(f"{name!r}: {values.get(name, name)}" for name in names)
    source = f"lambda rows: [{{{display}}} for {', '.join(names)} in rows]"
    dictionaries: Callable[[Rows], list[dict[str, Any]]] = eval(  # noqa: S307
        source,
        {f"make_{name}": make for name, make in makers.items()}
        | {f"null_{name}": make for name, make in nulls.items()},
    )
    return dictionaries
