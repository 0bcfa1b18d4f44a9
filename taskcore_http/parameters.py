"""Path and query parameters, parsed strictly: one spelling for each value.

A route reads its parameters from the request and describes them for OpenAPI. FastAPI's
parsing of parameters costs a request more than its SQL statement
(``specs/001-backend-core/research.md``, D24).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import parse_qsl

from fastapi import Path, Request
from pydantic import BeforeValidator, TypeAdapter

from taskcore import ValidationError
from taskcore.limits import MAX_ID, MAX_PAGE, MAX_PRIORITY, MAX_PROJECT, MAX_SEARCH, MAX_TAGS
from taskcore.tasks.fields import NOT_BLANK, Tags
from taskcore.tasks.task_order import NEWEST, ORDERS, validate_order
from taskcore.validation import validate_integer

_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)", re.ASCII)

MAX_IDS = 1_000
"""The most ids in a query. Many proxies refuse URLs of more than 8 KiB, which hold about 450."""

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


def _ids(text: str) -> list[int]:
    ids = text.split(",")
    if len(ids) > MAX_IDS:
        raise ValidationError(
            f"ids must have at most {MAX_IDS} items",
            field="ids",
            constraint="max_items",
            limits={"max": MAX_IDS},
        )
    return [_integer(f"ids[{place}]", MAX_ID)(one) for place, one in enumerate(ids)]


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


def _array(items: dict[str, Any], most: int) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": 1, "maxItems": most}


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
    """A value in the query.

    Attributes:
        name: As in the query.
        description: For OpenAPI.
        parse: Turns the text into the value, or raises a `ValidationError`.
        schema: For OpenAPI.
        required: Whether a request without it is refused.
    """

    name: str
    description: str
    parse: Callable[[str], _Value]
    schema: dict[str, Any]
    required: bool = False

    def documented(self) -> dict[str, Any]:
        """Describe it for OpenAPI."""
        described = {
            "name": self.name,
            "in": "query",
            "required": self.required,
            "schema": self.schema,
            "description": self.description,
        }
        # Commas separate the items: one parameter, not one for each.
        is_array = self.schema["type"] == "array"
        return described | {"style": "form", "explode": False} if is_array else described


USER_ID = PathParameter("user_id", "Whose tasks.", 42)
TASK_ID = PathParameter("task_id", "Which task.", 244559826733118)
TOKEN_ID = PathParameter("token_id", "Which API token.", 5263301792043113)
IDS = QueryParameter(
    "ids",
    f"The ids of at most {MAX_IDS} tasks, separated by commas. All of them are changed, or none.",
    _ids,
    _array(integer_schema(MAX_ID), MAX_IDS),
    required=True,
)
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
    "`newest` first; `due`: soonest first, tasks without a due date last; or `priority`: highest "
    "first, tasks without a priority last. Equal tasks come newest first.",
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
    "Only tasks with all of these tags, separated by commas.",
    lambda text: text.split(","),
    _array(TypeAdapter(Tags).json_schema()["items"], MAX_TAGS),
)
DUE_BEFORE = QueryParameter(
    "due_before",
    "Only tasks that are due before this day. Time zones are ignored.",
    str,
    {"type": "string", "format": "date"},
)
DUE_AFTER = QueryParameter(
    "due_after",
    "Only tasks that are due after this day. Time zones are ignored.",
    str,
    {"type": "string", "format": "date"},
)
PRIORITY_AT_LEAST = QueryParameter(
    "priority_at_least",
    "Only tasks with this priority or a higher one: 5 means 1 to 5.",
    _integer("priority_at_least", MAX_PRIORITY),
    integer_schema(MAX_PRIORITY),
)
SEARCH = QueryParameter(
    "search",
    "Only tasks whose title, description or tags contain each of these words, also as part of a "
    "longer word, in any case.",
    str,
    {"type": "string", "minLength": 1, "maxLength": MAX_SEARCH, "pattern": NOT_BLANK},
)
FILTERS: tuple[QueryParameter[Any], ...] = (
    PROJECT,
    TAGS,
    DUE_BEFORE,
    DUE_AFTER,
    PRIORITY_AT_LEAST,
    SEARCH,
)
"""The parameters by which a list is filtered."""


IDENTITY_PARAMETERS = "taskcore.query"
"""The scope's key for the names of the query parameters that dependencies read."""


def check_query(request: Request, *parameters: QueryParameter[Any]) -> dict[str, str]:
    """Return the query, and refuse parameters that nobody reads: a typo must not be ignored.

    Args:
        request: The request.
        parameters: Those that the route reads.

    Raises:
        ValidationError: A parameter is unknown, and the error names the nearest known one, or it
            is given twice.
    """
    if not request.scope["query_string"]:
        return {}
    # Parsed as Starlette does it, but without its QueryParams.
    pairs = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
    given = dict(pairs)
    known = [parameter.name for parameter in parameters]
    foreign = request.scope.get(IDENTITY_PARAMETERS, ())
    for name in given:
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
        if len(pairs) > len(given) and sum(pair[0] == name for pair in pairs) > 1:
            raise ValidationError(
                f"{shown} must be given once", field=shown, constraint="given_twice"
            )
    return given


def values_of(request: Request, *parameters: QueryParameter[Any]) -> dict[str, Any]:
    """Return the values in the query, by the names of their parameters.

    Args:
        request: The request.
        parameters: Those that the route reads.

    Raises:
        ValidationError: As in `check_query`; or a value is invalid, or a required one is absent.
    """
    given = check_query(request, *parameters)
    for each in parameters:
        if each.required and each.name not in given:
            raise ValidationError(
                f"{each.name} is required in the query", field=each.name, constraint="required"
            )
    return {each.name: each.parse(given[each.name]) for each in parameters if each.name in given}


UserId = Annotated[
    int,
    Path(description=USER_ID.description, ge=1, le=MAX_ID, examples=[USER_ID.example]),
    BeforeValidator(_integer("user_id", MAX_ID)),
]
"""The path's ``user_id``, as a parameter of a FastAPI dependency."""
