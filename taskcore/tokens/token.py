"""An API token: as the database returns it, as it is just made, and a request for one."""

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict
from pydantic_core import PydanticCustomError

from taskcore.access import SCOPES, Right
from taskcore.errors import ValidationError
from taskcore.limits import DEFAULT_TOKEN_DAYS, MAX_ID, MAX_TOKEN_DAYS, MAX_TOKEN_NAME
from taskcore.tokens.secret import TokenSecret
from taskcore.validation import validate_name


def _name(value: str) -> str:
    try:
        return validate_name(value.strip(), field="name", longest=MAX_TOKEN_NAME)
    except ValidationError as exc:
        text: Any = str(exc).removeprefix("name ")
        constraint: Any = exc.constraint
        raise PydanticCustomError(constraint, text, dict(exc.limits)) from None


def _scopes(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        raise PydanticCustomError("non_empty", "must name at least one scope")
    for scope in value:
        if scope not in SCOPES:
            raise PydanticCustomError("scope", "must be tasks:read, tasks:write or both")
    return tuple(sorted(set(value)))


class TokenCreate(BaseModel):
    """An API token to create."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", revalidate_instances="subclass-instances"
    )

    name: Annotated[
        str,
        Strict(),
        AfterValidator(_name),
        Field(
            description="For people: where the token is used. White space at both ends is removed.",
            json_schema_extra={"minLength": 1, "maxLength": MAX_TOKEN_NAME},
        ),
    ]
    scopes: Annotated[
        tuple[Annotated[str, Strict()], ...],
        AfterValidator(_scopes),
        Field(
            description="What the token allows. Writing does not include reading.",
            json_schema_extra={
                "type": "array",
                "items": {"type": "string", "enum": list(SCOPES)},
                "minItems": 1,
            },
        ),
    ] = ("tasks:read",)
    expires_in_days: Annotated[
        Annotated[int, Strict(), Field(ge=1, le=MAX_TOKEN_DAYS)] | None,
        Field(
            description="How many days the token lasts; null: until it is revoked.",
            json_schema_extra={
                "anyOf": [
                    {
                        "type": "integer",
                        "format": "int32",
                        "minimum": 1,
                        "maximum": MAX_TOKEN_DAYS,
                    },
                    {"type": "null"},
                ]
            },
        ),
    ] = DEFAULT_TOKEN_DAYS


class Token(BaseModel):
    """An API token of a user. Browser sessions and unused sign-in links are listed too.

    Attributes:
        id: Names the token, to revoke or rotate it.
        name: For people.
        scopes: What it allows. A browser session has ``tokens`` too, a sign-in link ``sign-in``.
        created_at: When it was made.
        expires_at: When it ends; None: not before it is revoked.
        last_used_on: The day it was last used, in UTC; None: never.
    """

    model_config = ConfigDict(frozen=True)

    id: Annotated[int, Field(ge=1, le=MAX_ID, json_schema_extra={"format": "int64"})]
    name: str
    # No enum in the OpenAPI document: later releases may add scopes.
    scopes: Annotated[tuple[Right, ...], Field(json_schema_extra={"items": {"type": "string"}})]
    created_at: datetime
    expires_at: datetime | None
    last_used_on: date | None


class NewToken(Token):
    """An API token that was just made.

    Attributes:
        secret: The secret. It is stored nowhere, so this is the only time it is seen.
    """

    secret: TokenSecret
