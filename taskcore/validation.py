"""Validation of input. Errors name the field and the constraint."""

import re
from collections.abc import Mapping
from typing import Any, TypeVar

import pydantic
from pydantic import BaseModel

from taskcore.errors import ValidationError
from taskcore.limits import FIRST_RANDOM_USER_ID, MAX_ID, MAX_IDENTITY

_CONSTRAINTS = {
    "missing": ("required", "is required"),
    "extra_forbidden": ("unknown_field", "is not a known field"),
    "string_type": ("type", "must be a string"),
    "string_unicode": ("unicode", "must not contain lone surrogates"),
    "bool_type": ("type", "must be true or false"),
    "int_type": ("type", "must be an integer"),
    "int_parsing": ("type", "must be an integer"),
    "int_parsing_size": ("type", "must be an integer"),
    "greater_than_equal": ("min", "must be at least {ge}"),
    "less_than_equal": ("max", "must be at most {le}"),
    "tuple_type": ("type", "must be an array"),
    "date_time": (
        "type",
        "must be a date-time of RFC 3339 with an offset, such as 2026-01-31T12:00:00Z",
    ),
    "json_invalid": ("json", "is not well-formed JSON"),
    "model_type": ("type", "must be an object"),
    "model_attributes_type": ("type", "must be an object"),
}

_LIMITS = {"min": "min", "ge": "min", "max": "max", "le": "max"}

# Not what `int` takes, such as " 42", "4_2" and the digits of other scripts.
_USER_ID = re.compile("[1-9][0-9]{0,15}")
_NOT_IN_NAMES = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

_Input = TypeVar("_Input", bound=BaseModel)


def validate(model: type[_Input], data: Any, *, where: str) -> _Input:
    """Make a model from untrusted data.

    Args:
        model: `TaskCreate`, `TaskUpdate` or `TaskImport`.
        data: A mapping. Anything else is an error of the input.
        where: The name of the input in errors, such as ``body`` or ``tasks[3]``.

    Raises:
        ValidationError: Names the first invalid field, and the constraint.
    """
    try:
        return model.model_validate(data)
    except pydantic.ValidationError as exc:
        raise explained(exc, where=where) from None


def explained(exc: pydantic.ValidationError, *, where: str) -> ValidationError:
    """Return the first of Pydantic's errors as a `ValidationError`."""
    return explained_error(exc.errors(include_url=False)[0], where=where)


def explained_error(error: Mapping[str, Any], *, where: str) -> ValidationError:
    """Return one of Pydantic's errors as a `ValidationError`."""
    loc, value = error["loc"], error.get("input")
    # The name of an unknown field may be any text: show its beginning, in ASCII.
    name = ascii(loc[0])[1:-1][:100] if loc else where
    if loc and (where.startswith("tasks[") or where == "extra"):
        name = f"{where}.{name}"
    context = error.get("ctx", {})
    constraint, text = error["type"], error["msg"]
    if constraint in _CONSTRAINTS:
        constraint, text = _CONSTRAINTS[constraint]
        text = text.format(**context)
    if value is None and constraint == "type":
        constraint, text = "not_null", "must not be null"
    limits = {_LIMITS[key]: limit for key, limit in context.items() if key in _LIMITS}
    return ValidationError(f"{name} {text}", field=name, constraint=constraint, limits=limits)


def validate_integer(value: object, *, field: str, low: int, high: int) -> int:
    """Check an id, a limit or a version.

    Raises:
        ValidationError: ``type``, ``min`` or ``max``, with the limit.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValidationError(f"{field} must be an integer", field=field, constraint="type")
    if value < low:
        raise ValidationError(
            f"{field} must be at least {low}", field=field, constraint="min", limits={"min": low}
        )
    if value > high:
        raise ValidationError(
            f"{field} must be at most {high}", field=field, constraint="max", limits={"max": high}
        )
    return value


def validate_id(value: object, *, field: str) -> int:
    """Check a user id or a task id: an integer from 1 to 2^53-1.

    Raises:
        ValidationError: ``type``, ``min`` or ``max``.
    """
    if isinstance(value, str):
        raise ValidationError(
            f"{field} must be an integer, not a string: convert it with int()",
            field=field,
            constraint="type",
        )
    return validate_integer(value, field=field, low=1, high=MAX_ID)


def validate_name(value: object, *, field: str, longest: int = MAX_IDENTITY) -> str:
    """Check an issuer, a subject or another name: no control characters, at most `longest` ones.

    Raises:
        ValidationError: ``type``, ``non_empty``, ``max_length``, ``unicode`` or ``no_control``.
    """
    if not isinstance(value, str):
        raise ValidationError(f"{field} must be a string", field=field, constraint="type")
    if not value:
        raise ValidationError(f"{field} must not be empty", field=field, constraint="non_empty")
    if len(value) > longest:
        raise ValidationError(
            f"{field} must have at most {longest} characters",
            field=field,
            constraint="max_length",
            limits={"max": longest},
        )
    if found := _NOT_IN_NAMES.search(value):
        if found[0] >= "\ud800":
            raise ValidationError(
                f"{field} must not contain lone surrogates", field=field, constraint="unicode"
            )
        raise ValidationError(
            f"{field} must not contain control characters", field=field, constraint="no_control"
        )
    return value


def validate_subject_id(subject: str) -> None:
    """Check a subject that is a user's id.

    Raises:
        ValidationError: It is not a decimal number from 1 to 2^52-1, without signs and spaces.
    """
    if not _USER_ID.fullmatch(subject) or int(subject) >= FIRST_RANDOM_USER_ID:
        raise ValidationError(
            "subject must be a user id from 1 to 2^52-1",
            field="subject",
            constraint="type",
            limits={"min": 1, "max": FIRST_RANDOM_USER_ID - 1},
        )
