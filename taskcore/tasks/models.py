"""What goes in and what comes out: plain frozen Pydantic models, no ORM instances."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any, Self, TypedDict, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    Strict,
    TypeAdapter,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from taskcore.limits import BLANK, MAX_DESCRIPTION, MAX_ID, MAX_TITLE, MAX_VERSION
from taskcore.tasks.moments import Moment


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
    # As it was sent: OpenAPI's maxLength says the same, and clients check it.
    _text(value, MAX_TITLE)
    return stripped


def _description(value: str) -> str | None:
    return _text(value, MAX_DESCRIPTION) or None


def _changes_schema(schema: dict[str, Any]) -> None:
    schema["minProperties"] = 1
    for member in schema["properties"].values():
        # Absent means "leave it": there is no default.
        member.pop("default", None)


# Escaped for a pattern in JSON. It is spelt out as each language's \s is another set.
_WHITE_SPACE = ascii(BLANK)[1:-1].replace(" ", r"\x20")

_Title = Annotated[
    str,
    Strict(),
    AfterValidator(_title),
    Field(
        description="White space around it is removed; the rest must not be empty.",
        json_schema_extra={
            "minLength": 1,
            "maxLength": MAX_TITLE,
            "pattern": rf"^[^\x00]*[^\x00{_WHITE_SPACE}][^\x00]*$",
        },
    ),
]
_Description = Annotated[
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
_Completed = Annotated[bool, Strict()]
_Id = Annotated[int, Field(ge=1, le=MAX_ID)]


class Task(BaseModel):
    """One task as it is stored.

    ``id`` values rise with time, per user; ``version`` starts at 1 and rises by one
    with each change; times are UTC, from the database's clock.
    """

    model_config = ConfigDict(frozen=True)

    id: _Id
    title: str = Field(min_length=1, max_length=MAX_TITLE)
    description: str | None
    completed: bool
    user_id: _Id
    version: int = Field(ge=1)
    created_at: datetime
    updated_at: datetime


class TaskPage(BaseModel):
    """Some of a user's tasks, newest first.

    ``next`` is the cursor of the following page (``after=page.next``), or None on the last.
    """

    model_config = ConfigDict(frozen=True)

    items: tuple[Task, ...]
    next: int | None


class TaskCreate(BaseModel):
    """A task to create. A description that is empty becomes null."""

    # Also an instance is validated, however it was made.
    model_config = ConfigDict(frozen=True, extra="forbid", revalidate_instances="always")

    title: _Title
    description: _Description = None


class TaskUpdate(BaseModel):
    """A change of a task: the fields given are written, the others stay as they are."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=_changes_schema)

    # A default is not validated: None given for title or completed is an error.
    title: _Title = Field(default=cast("str", None))
    description: _Description = None
    completed: _Completed = Field(default=cast("bool", None))

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.model_fields_set:
            raise PydanticCustomError(
                "empty_update", "must name at least one of title, description, completed"
            )
        return self


class TaskImport(TaskCreate):
    """A task from an export or another system, stored with its id, version and times.

    Every field but the title may be missing: a task without ``id`` gets a new one, one
    without times is created now, one with ``updated_at`` alone was created then. Times
    are aware `datetime` objects or RFC 3339 text with an offset. ``user_id`` says whose
    the task was, and is ignored.
    """

    id: Annotated[_Id, Strict()] | None = None
    completed: _Completed = False
    version: Annotated[int, Strict(), Field(ge=1, le=MAX_VERSION)] = 1
    created_at: Moment | None = None
    updated_at: Moment | None = None
    user_id: Any = Field(default=None, exclude=True)

    @field_validator("updated_at")
    @classmethod
    def _not_before_creation(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        created = info.data.get("created_at")
        if value is not None and created is not None and value < created:
            raise PydanticCustomError("min", "must not be before created_at")
        return value


class ImportResult(BaseModel):
    """What became of an import.

    ``imported`` tasks are new; ``present`` ones had an id that the user has a task
    with already, which was left as it is.
    """

    model_config = ConfigDict(frozen=True)

    imported: int
    present: int


class TaskChanges(TypedDict, total=False):
    """The keyword arguments of ``UserTasks.update``."""

    title: str
    description: str | None
    completed: bool


TASK_COLUMNS = "id, user_id, title, description, completed, version, created_at, updated_at"
"""What a task is made of, in the order in which `tasks_from_rows` takes it."""

_validate_tasks = TypeAdapter(tuple[Task, ...]).validator.validate_python


def tasks_from_rows(rows: Iterable[Sequence[Any]]) -> tuple[Task, ...]:
    """Make tasks of rows with `TASK_COLUMNS`.

    Validating all at once, of dictionaries that are written out, takes 1.2 µs a task;
    ``model_construct``, which is Python, 3.6.
    """
    tasks: tuple[Task, ...] = _validate_tasks(
        [
            {
                "id": task_id,
                "user_id": user_id,
                "title": title,
                "description": description,
                "completed": completed,
                "version": version,
                "created_at": created_at,
                "updated_at": updated_at,
            }
            for (
                task_id,
                user_id,
                title,
                description,
                completed,
                version,
                created_at,
                updated_at,
            ) in rows
        ]
    )
    return tasks
