"""The filters of a list of tasks, except ``completed``, which is an argument of its own."""

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Any, TypedDict

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, Strict
from pydantic_core import PydanticCustomError

from taskcore.limits import MAX_PRIORITY, MAX_PROJECT
from taskcore.tasks.due import validate_due
from taskcore.tasks.fields import Tags, text_of
from taskcore.tasks.search import validate_search
from taskcore.validation import validate


class TaskFilters(TypedDict, total=False):
    """The filters that ``UserTasks.list``, ``list_json``, ``iterate`` and ``count`` take.

    A task must match all that are given.
    """

    project: str | None
    tags: Iterable[str]
    due_before: date | str | None
    due_after: date | str | None
    priority_at_least: int | None
    search: str | None


def _project(value: object) -> str:
    if not isinstance(value, str):
        raise PydanticCustomError("type", "must be a string")
    return text_of(value.strip(), MAX_PROJECT)


def _day(value: object) -> str:
    day = validate_due(value)
    if day is None or "T" in day.isoformat():
        raise PydanticCustomError("type", "must be a date, such as 2026-11-30")
    return day.isoformat()


class _Filter(BaseModel):
    model_config = ConfigDict(extra="forbid")

    project: Annotated[str, PlainValidator(_project)] | None = None
    tags: Tags = ()
    due_before: Annotated[str, PlainValidator(_day)] | None = None
    due_after: Annotated[str, PlainValidator(_day)] | None = None
    priority_at_least: Annotated[int, Strict(), Field(ge=1, le=MAX_PRIORITY)] | None = None
    search: Annotated[list[str], PlainValidator(validate_search)] | None = None


def filter_options(filters: TaskFilters) -> dict[str, Any]:
    """Return filters as options of ``task_list_v1`` and ``task_count_v1``; empty without filters.

    Raises:
        ValidationError: A filter is unknown or invalid; names it and the constraint.
    """
    given: dict[str, Any] = dict(filters)
    if not given:
        return given
    if isinstance(given.get("tags"), Iterable) and not isinstance(given["tags"], str | bytes):
        given["tags"] = tuple(given["tags"])
    return validate(_Filter, given, where="filter").model_dump(exclude_defaults=True)
