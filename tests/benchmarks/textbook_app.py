"""The REST API that tutorials teach: a session a request, and a response model."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict
from sqlmodel.ext.asyncio.session import AsyncSession

from tests.benchmarks import textbook
from tests.benchmarks.textbook import TextbookTask, textbook_engine


class TaskCreate(BaseModel):
    title: str
    description: str | None = None


class TaskRead(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    user_id: int
    title: str
    description: str | None
    completed: bool
    version: int
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None


def create_app() -> FastAPI:
    """Make the application, for ``uvicorn --factory``."""
    engine = textbook_engine(os.environ["BENCH_DATABASE_URL"], int(os.environ["BENCH_POOL_SIZE"]))

    async def get_session() -> AsyncIterator[AsyncSession]:
        async with AsyncSession(engine) as session:
            yield session

    session_of_request = Annotated[AsyncSession, Depends(get_session)]

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await engine.dispose()

    app = FastAPI(lifespan=lifespan)

    @app.post("/users/{user_id}/tasks", response_model=TaskRead, status_code=201)
    async def create_task(
        user_id: int, new: TaskCreate, session: session_of_request
    ) -> TextbookTask:
        return await textbook.create(session, user_id, new.title, new.description)

    @app.get("/users/{user_id}/tasks/{task_id}", response_model=TaskRead)
    async def get_task(user_id: int, task_id: int, session: session_of_request) -> TextbookTask:
        task = await textbook.get(session, user_id, task_id)
        if task is None:
            raise HTTPException(404, "task not found")
        return task

    @app.get("/users/{user_id}/tasks", response_model=list[TaskRead])
    async def list_tasks(
        user_id: int, session: session_of_request, limit: int = 100
    ) -> Sequence[TextbookTask]:
        return await textbook.newest(session, user_id, limit)

    return app
