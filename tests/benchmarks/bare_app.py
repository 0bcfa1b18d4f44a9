"""A route that does nothing: as fast as FastAPI answers at all."""

from fastapi import FastAPI


def create_app() -> FastAPI:
    """Make the application, for ``uvicorn --factory``."""
    app = FastAPI()

    @app.get("/users/{user_id}/tasks/{task_id}")  # noqa: FAST003  (nobody reads them)
    async def nothing() -> dict[str, str]:
        return {}

    return app
