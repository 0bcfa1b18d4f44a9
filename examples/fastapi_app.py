"""A FastAPI application with the task API at ``/api``, and an identity of its own.

    pip install 'taskcore[embedded,http]'
    uvicorn examples.fastapi_app:app

``POST /tokens/42`` signs user 42 in; a real application asks for a password.
"""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Request

from taskcore import TaskStore, UserTasks
from taskcore_http import create_router


def create_app(store: TaskStore | None = None) -> FastAPI:
    """Make the application; a store that is given is opened by the caller."""
    tasks = store or TaskStore()
    users: dict[str, int] = {}

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        if store is not None:
            yield
            return
        async with tasks:
            yield

    async def identify(request: Request) -> UserTasks:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or token not in users:
            raise HTTPException(401, "sign in", {"WWW-Authenticate": "Bearer"})
        return tasks.for_user(users[token])

    app = FastAPI(lifespan=lifespan)
    app.include_router(create_router(tasks, identity=identify), prefix="/api")

    @app.post("/tokens/{user_id}")
    async def sign_in(user_id: int) -> dict[str, str]:
        token = secrets.token_urlsafe()
        users[token] = user_id
        return {"token": token}

    return app


app = create_app()
