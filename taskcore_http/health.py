"""Liveness and readiness, for orchestrators (Kubernetes: Liveness and Readiness Probes)."""

import logging

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from taskcore import TaskcoreError, TaskStore
from taskcore_http.documentation import errors
from taskcore_http.errors import RETRY_AFTER, error_response

logger = logging.getLogger("taskcore.http")


def create_health_router(store: TaskStore) -> APIRouter:
    """Make ``/health/live`` and ``/health/ready``."""
    router = APIRouter(prefix="/health", tags=["health"])

    @router.get("/live", operation_id="live", responses=_status("live"))
    async def live() -> Response:
        """Tell that the process serves requests, whatever the database does."""
        return JSONResponse({"status": "live"})

    @router.get("/ready", operation_id="ready", responses=_status("ready") | errors(503))
    async def ready() -> Response:
        """Tell whether the database answered last time.

        It is asked only before the first success and after a failure, so that
        probing lets a suspended database sleep.
        """
        try:
            await store.ready()
        except TaskcoreError as exc:
            logger.warning("not ready: %s", exc)
            return error_response(
                503, "the database cannot be used yet", headers={"Retry-After": RETRY_AFTER}
            )
        return JSONResponse({"status": "ready"})

    return router


def _status(status: str) -> dict[int | str, dict[str, object]]:
    schema = {
        "type": "object",
        "properties": {"status": {"const": status}},
        "required": ["status"],
    }
    content = {"application/json": {"schema": schema, "example": {"status": status}}}
    return {200: {"description": f"The service is {status}.", "content": content}}
