"""Path and query parameters, parsed strictly: one spelling for each value."""

import re
from collections.abc import Callable
from typing import Annotated

from fastapi import Path, Query
from pydantic import BeforeValidator, Field
from pydantic.json_schema import SkipJsonSchema

from taskcore import ValidationError
from taskcore.limits import MAX_ID, MAX_PAGE
from taskcore.models import validate_integer

_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)", re.ASCII)


def _integer(field: str, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not _DECIMAL.fullmatch(text):
            raise ValidationError(
                f"{field} must be a decimal integer", field=field, constraint="type"
            )
        # Twenty digits are beyond every limit already.
        return validate_integer(int(text[:20]), field=field, low=1, high=high)

    return parse


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValidationError(
            "completed must be true or false", field="completed", constraint="type"
        )
    return text == "true"


UserId = Annotated[
    int,
    Path(description="Whose tasks.", ge=1, le=MAX_ID, examples=[42]),
    BeforeValidator(_integer("user_id", MAX_ID)),
]
TaskId = Annotated[
    int,
    Path(description="Which task.", ge=1, le=MAX_ID, examples=[244559826733118]),
    BeforeValidator(_integer("task_id", MAX_ID)),
]
Limit = Annotated[
    Annotated[int, Field(ge=1, le=MAX_PAGE)] | SkipJsonSchema[None],
    Query(description="Tasks in a page; absent: every task."),
    BeforeValidator(_integer("limit", MAX_PAGE)),
]
After = Annotated[
    Annotated[int, Field(ge=1, le=MAX_ID)] | SkipJsonSchema[None],
    Query(description="Cursor: only tasks older than the one with this id."),
    BeforeValidator(_integer("after", MAX_ID)),
]
Completed = Annotated[
    bool | SkipJsonSchema[None],
    Query(description="Only completed, or only open tasks."),
    BeforeValidator(_boolean),
]
