"""Fields of a task that another program's format has no place for.

A writer compares each task with the task that a reader would get, and writes the difference as
JSON, in a place that other programs leave alone. So a task is the same after writing and reading.
"""

import json
import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from pydantic_core import from_json

from taskcore.errors import ValidationError
from taskcore.tasks.task import Task
from taskcore.tasks.task_import import TaskImport

DEFAULTS = {
    name: field.get_default(call_default_factory=True)
    for name, field in TaskImport.model_fields.items()
    if name not in ("title", "user_id")
}
"""The other fields of a task of which only the title is known."""

_TO_ESCAPE = re.compile("[\x7f-\x9f\u2028\u2029]")


def with_stored_extra(task: Task[Any]) -> Task:
    """Return a task whose ``extra`` is a dictionary, also if it is an instance of a model."""
    if isinstance(task.extra, dict):
        return task
    # As in the JSON of a task. A stored value may be invalid: Pydantic's warning would show it.
    return task.model_copy(update=task.model_dump(mode="json", include={"extra"}, warnings=False))


def own_fields(task: Task, known: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the fields that a reader would not get from the other program's own fields.

    Args:
        task: The task.
        known: The fields that a reader gets. ``extra`` has at most the member of the format.
        name: The format's member of ``extra``.
    """
    known = DEFAULTS | known
    own = {
        field: getattr(task, field)
        for field in ("title", *DEFAULTS)
        if field != "extra" and known.get(field) != getattr(task, field)
    }
    others = {member: value for member, value in task.extra.items() if member != name}
    if {**others, **known["extra"]} != task.extra:
        own["extra"] = task.extra
    elif others:
        own["extra"] = others
    return own


def as_json(own: Mapping[str, Any]) -> str:
    """Return fields as JSON without control characters."""
    text = json.dumps(own, ensure_ascii=False, default=_text_of)
    return _TO_ESCAPE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def own_in(text: object, place: str) -> dict[str, Any]:
    """Return fields from their JSON.

    Raises:
        ValidationError: It is not an object; names the place.
    """
    own = None
    if isinstance(text, str):
        try:
            own = from_json(text, allow_inf_nan=False)
        except ValueError:
            own = None
    if not isinstance(own, dict):
        raise ValidationError(f"{place} must be a JSON object", field=place, constraint="json")
    return own


def whole_extra(own: Mapping[str, Any], kept: Mapping[str, Any], name: str) -> Any:
    """Return ``extra`` of a task that no other program has changed since it was written.

    Args:
        own: The fields of `own_fields`.
        kept: What the format's reader keeps in ``extra``.
        name: The format's member of ``extra``.
    """
    extra = own.get("extra", {})
    return extra if not isinstance(extra, dict) or name in extra else {**extra, **kept}


def other_extra(own: Mapping[str, Any], kept: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return ``extra`` of a task that another program has changed since it was written."""
    extra = own.get("extra", {})
    others = extra.items() if isinstance(extra, dict) else ()
    return {**{member: value for member, value in others if member != name}, **kept}


def _text_of(value: date) -> str:
    return value.isoformat()
