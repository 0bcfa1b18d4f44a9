"""``/me``: the caller's user id and tasks."""

from fastapi import Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from taskcore.limits import MAX_ID
from taskcore_http.errors import NOT_STORED
from taskcore_http.identity.identify import Identify
from taskcore_http.parameters import check_query


class Me(BaseModel):
    """The caller."""

    user_id: int | None = Field(
        ge=1,
        le=MAX_ID,
        json_schema_extra={"format": "int64"},
        description="The user, as in `/users/{user_id}`; null before the first task.",
    )


class MyEndpoints:
    """The operations on the caller.

    Args:
        identify: Returns the caller's tasks.
    """

    def __init__(self, identify: Identify) -> None:
        self._identify = identify

    async def get_me(self, request: Request) -> Response:
        """Read who the caller is.

        The paths below `/me` need no id: they are those of `/users/{user_id}`.
        """
        tasks = await self._identify(request)
        check_query(request)
        me = Me(user_id=await tasks.find_user_id())
        return Response(me.model_dump_json(), 200, NOT_STORED, "application/json")
