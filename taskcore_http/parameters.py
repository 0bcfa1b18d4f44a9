"""Path and query parameters, parsed strictly: one spelling for each value.

A route reads its parameters from the request and describes them for OpenAPI. FastAPI's
parsing of parameters costs a request more than its SQL statement
(``specs/001-backend-core/research.md``, D24).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Path, Request
from pydantic import BeforeValidator

from taskcore import ValidationError
from taskcore.limits import MAX_ID, MAX_PAGE
from taskcore.validation import validate_integer

_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)", re.ASCII)

_Value = TypeVar("_Value", int, bool, str)


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
        schema = {"type": "integer", "minimum": 1, "maximum": MAX_ID, "examples": [self.example]}
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
        """Return the request's value, the last of several, or None if it is absent."""
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
LIMIT = QueryParameter(
    "limit",
    "Tasks in a page; absent: every task.",
    _integer("limit", MAX_PAGE),
    {"type": "integer", "minimum": 1, "maximum": MAX_PAGE},
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

UserId = Annotated[
    int,
    Path(description=USER_ID.description, ge=1, le=MAX_ID, examples=[USER_ID.example]),
    BeforeValidator(_integer("user_id", MAX_ID)),
]
"""The path's ``user_id``, as a parameter of a FastAPI dependency."""
