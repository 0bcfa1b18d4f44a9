"""A task's writable fields and their limits. Every kind of input derives from them."""

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from functools import partial
from types import NoneType
from typing import Annotated, Any, TypedDict, get_args, get_origin
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    Strict,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from taskcore.limits import (
    MAX_DESCRIPTION,
    MAX_EXTRA,
    MAX_KEY,
    MAX_PRIORITY,
    MAX_PROJECT,
    MAX_TAG,
    MAX_TAGS,
    MAX_TITLE,
)
from taskcore.tasks.due import Due, validate_zone
from taskcore.tasks.extra import validate_extra
from taskcore.tasks.tags import validate_tags
from taskcore.tasks.texts import storable


def text_of(value: str, limit: int) -> str:
    """Return a text unchanged, if PostgreSQL can store it and it is not too long.

    Raises:
        PydanticCustomError: It is too long, or has NUL characters or lone surrogates.
    """
    storable(value)
    if len(value) > limit:
        raise PydanticCustomError(
            "max_length", "must have at most {max} characters", {"max": limit}
        )
    return value


def _line(value: str, limit: int) -> str:
    stripped = value.strip()
    if not stripped:
        raise PydanticCustomError("non_empty", "must not be empty or blank")
    # The limit counts the text as it was sent: OpenAPI's maxLength means the same.
    text_of(value, limit)
    return stripped


def _title(value: str) -> str:
    return _line(value, MAX_TITLE)


def _project(value: str) -> str:
    return _line(value, MAX_PROJECT)


def _key(value: str) -> str:
    if _CONTROL.search(value):
        raise PydanticCustomError("no_control", "must not contain control characters")
    return _line(value, MAX_KEY)


def _whole(value: object) -> object:
    """Return 5 for 5.0, which is an integer in JSON Schema (2020-12 Core, section 4.2.3)."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _description(value: str) -> str | None:
    return text_of(value, MAX_DESCRIPTION) or None


# A pattern for OpenAPI. Go and PCRE do not know \u3000, and Ruby does not know \x85, so \s stands
# for the white space beyond ASCII. In most languages \s has fewer characters than in Python; in
# JavaScript it also has U+FEFF.
NOT_BLANK = r"^[^\x00]*[^\x00\s\x1c-\x1f][^\x00]*$"

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
# Beyond ASCII the characters themselves: Ruby takes \\x80 for a byte, and Go reads no \\u0080.
_CONTROLS = "\\x00-\\x1f\\x7f\x80-\x9f"
_NO_CONTROL = rf"[^{_CONTROLS}]*"

_NOT_IN_TAG = f"{_CONTROLS}\u2028\u2029,"
_TAG = rf"^[^{_NOT_IN_TAG}]*[^{_NOT_IN_TAG}\s][^{_NOT_IN_TAG}]*$"

Title = Annotated[
    str,
    Strict(),
    AfterValidator(_title),
    Field(
        description="White space at both ends is removed; the rest must not be empty.",
        json_schema_extra={
            "minLength": 1,
            "maxLength": MAX_TITLE,
            "pattern": NOT_BLANK,
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
DueDate = Annotated[
    Due,
    Field(
        description="A date, or a local date and time, such as 2026-11-30 or 2026-11-30T17:00, "
        "without an offset. No clock and no time zone changes it.",
    ),
]
DueZone = Annotated[
    Annotated[str, Strict(), AfterValidator(validate_zone)] | None,
    Field(
        description="The IANA time zone of a due time, such as Europe/Berlin; null: the time is "
        "local wherever it is read.",
        json_schema_extra={"anyOf": [{"type": "string", "format": "time-zone"}, {"type": "null"}]},
    ),
]
Priority = Annotated[
    int,
    Strict(),
    Field(
        ge=0,
        le=MAX_PRIORITY,
        description="0 is none, 1 the highest, 9 the lowest (RFC 5545, section 3.8.1.9).",
        json_schema_extra={"format": "int32"},
    ),
    BeforeValidator(_whole),
]
Project = Annotated[
    Annotated[str, Strict(), AfterValidator(_project)] | None,
    Field(
        description="The name of a project or list. White space at both ends is removed.",
        json_schema_extra={
            "anyOf": [
                {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": MAX_PROJECT,
                    "pattern": NOT_BLANK,
                },
                {"type": "null"},
            ]
        },
    ),
]
Tags = Annotated[
    tuple[Annotated[str, Strict()], ...],
    AfterValidator(validate_tags),
    Field(
        description="Stored sorted, without duplicates, in Unicode's form NFC. No commas.",
        json_schema_extra={
            "items": {
                "type": "string",
                "minLength": 1,
                "maxLength": MAX_TAG,
                "pattern": _TAG,
            },
            "maxItems": MAX_TAGS,
        },
    ),
]
Key = Annotated[
    Annotated[str, Strict(), AfterValidator(_key)] | None,
    Field(
        description="Your own name for the task, such as its id in another system. A user has at "
        "most one task with a given key: creating it again returns the stored task, unchanged.",
        json_schema_extra={
            "anyOf": [
                {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": MAX_KEY,
                    "pattern": rf"^{_NO_CONTROL}[^{_CONTROLS}\s]{_NO_CONTROL}$",
                },
                {"type": "null"},
            ]
        },
    ),
]
Extra = Annotated[
    dict[str, Any] | None,
    PlainValidator(validate_extra),
    WithJsonSchema({"anyOf": [{"type": "object"}, {"type": "null"}]}),
    Field(
        description=f"Fields of your own: a JSON object of at most {MAX_EXTRA} bytes. Null means "
        "none.",
    ),
]
ExtraChange = Annotated[
    dict[str, Any] | None,
    PlainValidator(partial(validate_extra, only_set=True)),
    WithJsonSchema({"anyOf": [{"type": "object"}, {"type": "null"}]}),
    Field(
        description="A JSON Merge Patch (RFC 7396): members that it does not name stay, and a null "
        "removes a member. Null instead of the object removes all.",
    ),
]
Completed = Annotated[bool, Strict()]


class TaskOptions(TypedDict, total=False):
    """The keyword arguments of ``UserTasks.update`` that ``UserTasks.create`` has too."""

    due: datetime | date | str | None
    due_zone: str | None
    priority: int
    project: str | None
    tags: Iterable[str]
    extra: Mapping[str, Any] | BaseModel | None


class NewTaskOptions(TaskOptions, total=False):
    """The keyword arguments of ``UserTasks.create`` after title and description."""

    key: str | None


class _Fields(BaseModel):
    """The fields that can be set in a new task and changed later."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", revalidate_instances="subclass-instances"
    )

    title: Title
    description: Description = None
    due: DueDate = None
    due_zone: DueZone = None
    priority: Priority = 0
    project: Project = None
    tags: Tags = ()
    extra: Extra = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _take_zone_of_due(cls, data: Any) -> Any:
        """Set ``due_zone`` from a ``due`` with a `ZoneInfo`.

        Raises:
            PydanticCustomError: ``due_zone`` is given and names another zone.
        """
        if not isinstance(data, Mapping):
            return data
        due = data.get("due")
        if not isinstance(due, datetime) or not isinstance(due.tzinfo, ZoneInfo):
            return data
        name = due.tzinfo.key
        if name is None:
            # As of ZoneInfo.from_file without a key.
            raise PydanticCustomError("zone", "must have a time zone that has a name")
        if data.get("due_zone", name) != name:
            raise PydanticCustomError("other_zone", "must have the same zone in due and due_zone")
        return {**data, "due": due.replace(tzinfo=None), "due_zone": name}

    @field_validator("due_zone")
    @classmethod
    def _zone_needs_time(cls, value: str | None, info: ValidationInfo) -> str | None:
        # `info.data` lacks an invalid due date, which has an error of its own.
        if value is None or "due" not in info.data:
            return value
        if not isinstance(info.data["due"], datetime):
            raise PydanticCustomError("zone_without_time", "needs a due date with a time")
        return value


class TaskCreate(_Fields):
    """A task to create. An empty description becomes null."""

    key: Key = None


class TaskFields(_Fields):
    """Every field that a caller can change."""

    completed: Completed = False


def type_of(field: FieldInfo) -> object:
    """Return the Python type of a field's values, such as `str` or `tuple`, without None."""
    return _inner(field.annotation)


def _inner(annotation: object) -> object:
    if (origin := get_origin(annotation)) in (tuple, dict):
        return origin
    # Annotated[T, ...] | None: the first argument is the type at each step.
    arguments = [one for one in get_args(annotation) if one is not NoneType]
    return _inner(arguments[0]) if arguments else annotation
