"""A task's writable fields and their limits. Every kind of input derives from them."""

from types import NoneType
from typing import Annotated, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from taskcore.limits import MAX_DESCRIPTION, MAX_TITLE


def _text(value: str, limit: int) -> str:
    if "\x00" in value:
        raise PydanticCustomError("no_nul", "must not contain the NUL character")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise PydanticCustomError("unicode", "must not contain lone surrogates") from None
    if len(value) > limit:
        raise PydanticCustomError(
            "max_length", "must have at most {max} characters", {"max": limit}
        )
    return value


def _title(value: str) -> str:
    stripped = value.strip()
    if not stripped:
        raise PydanticCustomError("non_empty", "must not be empty or blank")
    # The limit counts the title as it was sent: OpenAPI's maxLength means the same.
    _text(value, MAX_TITLE)
    return stripped


def _description(value: str) -> str | None:
    return _text(value, MAX_DESCRIPTION) or None


Title = Annotated[
    str,
    Strict(),
    AfterValidator(_title),
    Field(
        description="White space at both ends is removed; the rest must not be empty.",
        json_schema_extra={
            "minLength": 1,
            "maxLength": MAX_TITLE,
            # Go and PCRE do not read \u3000, and Ruby not \x85, so \s stands for the white
            # space beyond ASCII. Most languages take it for fewer characters; JavaScript
            # takes U+FEFF for white space too.
            "pattern": r"^[^\x00]*[^\x00\s\x1c-\x1f][^\x00]*$",
        },
    ),
]
Description = Annotated[
    Annotated[str, Strict(), AfterValidator(_description)] | None,
    Field(
        description="Empty means none.",
        json_schema_extra={
            "anyOf": [
                {"type": "string", "maxLength": MAX_DESCRIPTION, "pattern": r"^[^\x00]*$"},
                {"type": "null"},
            ]
        },
    ),
]
Completed = Annotated[bool, Strict()]


class TaskCreate(BaseModel):
    """A task to create. An empty description becomes null."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", revalidate_instances="subclass-instances"
    )

    title: Title
    description: Description = None


class TaskFields(TaskCreate):
    """Every field that a caller can write: those of a new task, and those that only change."""

    completed: Completed = False


def type_of(field: FieldInfo) -> object:
    """Return the Python type of a field's values, such as `str`, without None."""
    return _inner(field.annotation)


def _inner(annotation: object) -> object:
    # Annotated[T, ...] | None: the first argument is the type at each step.
    arguments = [one for one in get_args(annotation) if one is not NoneType]
    return _inner(arguments[0]) if arguments else annotation
