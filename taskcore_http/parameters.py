"""Path and query parameters, parsed strictly: one spelling for each value.

A route reads its parameters from the request and describes them for OpenAPI. FastAPI's
parsing of parameters costs a request more than its SQL statement
(``specs/001-backend-core/research.md``, D24).
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Any, Generic, TypeVar, cast

from fastapi import Path, Request
from pydantic import BeforeValidator

from taskcore import ValidationError
from taskcore.limits import MAX_ID, MAX_PAGE, MAX_PRIORITY, MAX_PROJECT
from taskcore.tasks.task_filter import TaskFilters
from taskcore.tasks.task_order import NEWEST, ORDERS, validate_order
from taskcore.validation import validate_integer

_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)", re.ASCII)

_Value = TypeVar("_Value")


def _integer(field: str, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not _DECIMAL.fullmatch(text):
            raise ValidationError(
                f"{field} must be a decimal integer without leading zeros",
                field=field,
                constraint="type",
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


def integer_schema(high: int) -> dict[str, Any]:
    """Describe an integer from 1; most languages need its size."""
    size = "int32" if high < 2**31 else "int64"
    return {"type": "integer", "format": size, "minimum": 1, "maximum": high}


@dataclass(frozen=True, slots=True)
class PathParameter:
    """An id in the path.

    Attributes:
        name: As in the path.
        description: For OpenAPI.
        example: For OpenAPI.
    """

    name: str
    description: str
    example: int

    def of(self, request: Request) -> int:
        """Return the request's value.

        Raises:
            ValidationError: It is not a decimal integer from 1 to 2^53-1.
        """
        return _integer(self.name, MAX_ID)(request.path_params[self.name])

    def documented(self) -> dict[str, Any]:
        """Describe it for OpenAPI."""
        schema = integer_schema(MAX_ID) | {"examples": [self.example]}
        return {
            "name": self.name,
            "in": "path",
            "required": True,
            "schema": schema,
            "description": self.description,
        }


@dataclass(frozen=True, slots=True)
class QueryParameter(Generic[_Value]):
    """A value in the query; it may be absent.

    Attributes:
        name: As in the query.
        description: For OpenAPI.
        parse: Turns the text into the value, or raises a `ValidationError`.
        schema: For OpenAPI.
    """

    name: str
    description: str
    parse: Callable[[str], _Value]
    schema: dict[str, Any]

    def of(self, request: Request) -> _Value | None:
        """Return the request's value, or None if it is absent. See `check_query`."""
        text = request.query_params.get(self.name)
        return None if text is None else self.parse(text)

    def documented(self) -> dict[str, Any]:
        """Describe it for OpenAPI."""
        return {
            "name": self.name,
            "in": "query",
            "required": False,
            "schema": self.schema,
            "description": self.description,
        }


USER_ID = PathParameter("user_id", "Whose tasks.", 42)
TASK_ID = PathParameter("task_id", "Which task.", 244559826733118)
TOKEN_ID = PathParameter("token_id", "Which API token.", 5263301792043113)
LIMIT = QueryParameter(
    "limit",
    "Tasks in a page; absent: every task.",
    _integer("limit", MAX_PAGE),
    integer_schema(MAX_PAGE),
)
AFTER = QueryParameter(
    "after",
    "The cursor in the `Link` of the page before, unchanged.",
    str,
    {"type": "string", "format": "cursor"},
)
COMPLETED = QueryParameter(
    "completed", "Only completed, or only open tasks.", _boolean, {"type": "boolean"}
)
ORDER = QueryParameter(
    "order",
    "`newest` first; `due`: soonest first, without a due date last; or `priority`: highest first, "
    "none last. Tasks that are equal come newest first.",
    validate_order,
    {"type": "string", "enum": [*ORDERS], "default": NEWEST},
)
PROJECT = QueryParameter(
    "project",
    "Only tasks of this project; empty: only those without one.",
    str,
    {"type": "string", "maxLength": MAX_PROJECT, "pattern": r"^[^\x00]*$"},
)
TAGS = QueryParameter(
    "tags",
    "Only tasks with all of these tags, which commas separate.",
    lambda text: text.split(","),
    {"type": "string", "format": "tags"},
)
DUE_BEFORE = QueryParameter(
    "due_before",
    "Only tasks that are due on an earlier day, as it is written.",
    str,
    {"type": "string", "format": "date"},
)
DUE_AFTER = QueryParameter(
    "due_after",
    "Only tasks that are due on a later day, as it is written.",
    str,
    {"type": "string", "format": "date"},
)
PRIORITY_AT_LEAST = QueryParameter(
    "priority_at_least",
    "Only tasks with this priority or a higher one: 5 means 1 to 5.",
    _integer("priority_at_least", MAX_PRIORITY),
    integer_schema(MAX_PRIORITY),
)
FILTERS: tuple[QueryParameter[Any], ...] = (
    PROJECT,
    TAGS,
    DUE_BEFORE,
    DUE_AFTER,
    PRIORITY_AT_LEAST,
)
"""Parameters that choose the tasks of a list."""


def filters_of(request: Request) -> TaskFilters:
    """Return the filters in the query, for the library."""
    found = {parameter.name: parameter.of(request) for parameter in FILTERS}
    return cast("TaskFilters", {k: value for k, value in found.items() if value is not None})


IDENTITY_PARAMETERS = "taskcore.query"
"""The key of the scope that has the names of query parameters that dependencies read."""


def check_query(request: Request, *parameters: QueryParameter[Any]) -> None:
    """Refuse a query parameter that is unknown or given twice; a typo must not be ignored.

    Args:
        request: The request.
        parameters: Those that the route reads.

    Raises:
        ValidationError: Names the parameter, and the known one that is nearest.
    """
    if not request.scope["query_string"]:
        return
    known = [parameter.name for parameter in parameters]
    foreign = request.scope.get(IDENTITY_PARAMETERS, ())
    given = Counter(name for name, _value in request.query_params.multi_items())
    for name, count in given.items():
        if name in foreign:
            continue
        shown = ascii(name)[1:-1][:100]
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f": known are {', '.join(known)}" if known else ": there are none"
            hint = f": did you mean {near[0]}?" if near else hint
            raise ValidationError(
                f"{shown} is not a known query parameter here{hint}",
                field=shown,
                constraint="unknown_field",
            )
        if count > 1:
            raise ValidationError(
                f"{shown} must be given once", field=shown, constraint="given_twice"
            )


UserId = Annotated[
    int,
    Path(description=USER_ID.description, ge=1, le=MAX_ID, examples=[USER_ID.example]),
    BeforeValidator(_integer("user_id", MAX_ID)),
]
"""The path's ``user_id``, as a parameter of a FastAPI dependency."""
