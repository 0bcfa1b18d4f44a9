"""Fields of the embedding application: a JSON object beside the fields of a task."""

import json
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticCustomError
from typing_extensions import TypeVar

from taskcore.limits import MAX_EXTRA, MAX_EXTRA_DEPTH
from taskcore.tasks.texts import storable

# Python refuses to write integers of more than 4,300 digits.
_TOO_LARGE = 10**MAX_EXTRA

ExtraT = TypeVar("ExtraT", default=dict[str, Any])
"""The type of a task's ``extra``: a dictionary, or the embedding application's model."""


def validate_extra(value: object, *, only_set: bool = False) -> dict[str, Any] | None:
    """Return a JSON object that PostgreSQL can store and that is not too large.

    Args:
        value: A mapping, an instance of a Pydantic model, or None.
        only_set: For a model, take only the fields that were set.

    Raises:
        PydanticCustomError: It is not a JSON object (RFC 8259), is nested too deeply, has NUL
            characters or lone surrogates, or has more than ``MAX_EXTRA`` bytes as PostgreSQL
            writes it.
    """
    if value is None:
        return None
    if isinstance(value, BaseModel):
        # A nested model that was set is whole: its discriminator may be a default.
        value = value.model_dump(mode="json", include=value.model_fields_set if only_set else None)
    if not isinstance(value, Mapping):
        raise PydanticCustomError("model_type", "must be an object")
    checked = {_name(name): _checked(one, MAX_EXTRA_DEPTH - 1) for name, one in value.items()}
    # The default separators of json.dumps, ", " and ": ", are those in the text of jsonb.
    size = len(json.dumps(checked, ensure_ascii=False).encode()) + _digits(checked)
    if size > MAX_EXTRA:
        raise _too_large()
    return checked


def _checked(value: object, depth: int) -> Any:
    match value:
        case None | bool():
            return value
        case int():
            if abs(value) >= _TOO_LARGE:
                raise _too_large()
            return value
        case str():
            return storable(value)
        case float():
            if not math.isfinite(value):
                raise PydanticCustomError("finite", "must not contain NaN or infinite numbers")
            return value
        case Mapping() | list() | tuple():
            if not depth:
                raise PydanticCustomError(
                    "max_depth", "must be nested at most {max} deep", {"max": MAX_EXTRA_DEPTH}
                )
            if isinstance(value, Mapping):
                return {_name(name): _checked(one, depth - 1) for name, one in value.items()}
            return [_checked(one, depth - 1) for one in value]
    raise PydanticCustomError("json_value", "must contain JSON values only")


def _too_large() -> PydanticCustomError:
    return PydanticCustomError(
        "max_bytes", "must have at most {max} bytes as JSON", {"max": MAX_EXTRA}
    )


def _name(name: object) -> str:
    if not isinstance(name, str):
        raise PydanticCustomError("json_value", "must have strings as names")
    return storable(name)


def _digits(value: object) -> int:
    """Return how many more bytes numbers take in PostgreSQL, which writes 1e+300 with all zeros."""
    match value:
        case float():
            text = repr(value)
            return len(f"{Decimal(text):f}") - len(text) if "e" in text else 0
        case dict():
            return sum(map(_digits, value.values()))
        case list():
            return sum(map(_digits, value))
    return 0
