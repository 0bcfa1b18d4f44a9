"""A change of a task."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Self, Unpack

from pydantic import ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from taskcore.tasks.fields import ExtraChange, Tags, TaskFields, TaskOptions


class TaskChanges(TaskOptions, total=False):
    """The keyword arguments of ``UserTasks.update``, which are the fields of `TaskUpdate`."""

    title: str
    description: str | None
    add_tags: Iterable[str]
    remove_tags: Iterable[str]
    completed: bool


def _schema(schema: dict[str, Any]) -> None:
    schema["minProperties"] = 1
    for member in schema["properties"].values():
        # A field that is absent stays as it is: there is no default.
        member.pop("default", None)


class TaskUpdate(TaskFields):
    """A change of a task: the fields given are written, the others stay as they are.

    A due date without a time removes the zone. ``add_tags`` and ``remove_tags`` change single tags,
    so that two writers do not undo each other's changes; a tag that is in both is removed.
    """

    extra: ExtraChange = None
    add_tags: Annotated[
        Tags, Field(description="Tags to add to those of the task, or of `tags` if it is given.")
    ] = ()
    remove_tags: Annotated[
        Tags, Field(description="Tags to remove, also those of `tags` and `add_tags`.")
    ] = ()

    model_config = ConfigDict(json_schema_extra=_schema)

    if TYPE_CHECKING:

        def __init__(self, **changes: Unpack[TaskChanges]) -> None: ...

    @field_validator("due_zone")
    @classmethod
    def _zone_needs_time(
        cls,
        value: str | None,
        info: ValidationInfo,  # noqa: ARG003
    ) -> str | None:
        # Replaces the check of a new task by none: only the database knows whether the stored task
        # has a time.
        return value

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.model_fields_set:
            names = ", ".join(type(self).model_fields)
            raise PydanticCustomError(
                "empty_update", "must name at least one of {names}", {"names": names}
            )
        return self


# Every field may be missing. Pydantic does not validate these defaults, but it does validate a null
# that is given, so a title of null is an error.
for _field in TaskUpdate.model_fields.values():
    _field.default = None
TaskUpdate.model_rebuild(force=True)
