"""Liveness and readiness, for probes such as those of Kubernetes."""

import logging
from typing import Any

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from taskcore import TaskcoreError, TaskStore
from taskcore_http.errors import NOT_STORED, RETRY_AFTER, error_response
from taskcore_http.openapi import errors

logger = logging.getLogger("taskcore.http")


def create_health_router(store: TaskStore[Any]) -> APIRouter:
    """Make ``/health/live`` and ``/health/ready``."""
    router = APIRouter(prefix="/health", tags=["health"])

    @router.get("/live", operation_id="live", responses=_status("live"))
    async def live() -> Response:
        """Tell whether the process serves requests. The database is not asked."""
        return JSONResponse({"status": "live"}, headers=NOT_STORED)

    @router.get("/ready", operation_id="ready", responses=_status("ready") | errors(503))
    async def ready() -> Response:
        """Tell whether the database answered last time.

        The database is asked only before the first success, after a failure, and while it
        refuses writes, so that probes let a suspended database sleep.
        """
        try:
            await store.ready()
        except TaskcoreError as exc:
            logger.warning("not ready: %s", exc)
            return error_response(
                503, "the database cannot be used yet", headers={"Retry-After": RETRY_AFTER}
            )
        return JSONResponse({"status": "ready"}, headers=NOT_STORED)

    for path, endpoint in (("/live", live), ("/ready", ready)):
        router.add_api_route(path, endpoint, methods=["HEAD"], include_in_schema=False)
    return router


def _status(status: str) -> dict[int | str, dict[str, object]]:
    schema = {
        "type": "object",
        "properties": {"status": {"const": status}},
        "required": ["status"],
    }
    content = {"application/json": {"schema": schema, "example": {"status": status}}}
    return {200: {"description": f"The service is {status}.", "content": content}}
