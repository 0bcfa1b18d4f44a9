"""How other code uses taskcore: never run, checked by mypy in strict mode."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, assert_type

from fastapi import FastAPI, Header, HTTPException

from taskcore import (
    JsonPage,
    Task,
    TaskCreate,
    TaskNotFound,
    TaskPage,
    TaskStore,
    TaskUpdate,
    User,
    UserDetail,
    UserTasks,
    VersionConflict,
)
from taskcore_http import UserId, create_app, create_router


async def library() -> int | None:
    async with TaskStore("postgresql://localhost/tasks") as store:
        tasks = store.for_user(42)
        assert_type(tasks, UserTasks)
        task = await tasks.create("Buy groceries", description="Milk and eggs")
        assert_type(task, Task)
        assert_type(await tasks.create(TaskCreate(title="Buy groceries")), Task)
        assert_type(
            await tasks.create_many([{"title": "one"}, TaskCreate(title="two")]),
            tuple[Task, ...],
        )
        assert_type(await tasks.list(completed=False, limit=50), TaskPage)
        assert_type(await tasks.list_json(completed=False, limit=50), JsonPage)
        async for each in tasks.iterate():
            assert_type(each, Task)
        try:
            await tasks.update(task.id, title="x", description=None, if_version=task.version)
            await tasks.update(task.id, TaskUpdate(completed=True), if_version=2)
            TaskUpdate(titel="x")  # type: ignore[call-arg]
            await tasks.update(task.id, titel="x")  # type: ignore[call-arg]
            await tasks.update(task.id, completed="yes")  # type: ignore[arg-type]
            await tasks.delete(task.id)
        except TaskNotFound:
            return None
        except VersionConflict as conflict:
            return conflict.current
        assert_type((await store.users.list()).items, tuple[User, ...])
        assert_type(await store.users.get(42), UserDetail)
        task.title = "frozen"  # type: ignore[misc]
    return None


def web() -> FastAPI:
    store = TaskStore()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with store:
            yield

    async def identify(user_id: UserId, user: Annotated[int, Header()]) -> UserTasks:
        if user != user_id:
            raise HTTPException(403)
        return store.for_user(user_id)

    app = FastAPI(lifespan=lifespan)
    app.include_router(create_router(store, identity=identify), prefix="/api")
    app.mount("/tasks", create_app(store=store))
    return app
