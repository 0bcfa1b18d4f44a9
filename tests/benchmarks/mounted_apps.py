"""Our API with an identity that costs nothing, and inside a host's application."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI, Request

from taskcore import TaskStore, UserTasks
from taskcore_http import create_app, create_router
from taskcore_http.identity.identify import Identity
from tests.benchmarks.contents import ONE_USER
from tests.benchmarks.freezing import frozen


def identified() -> FastAPI:
    """Make our application with an identity, for ``uvicorn --factory``."""
    store = TaskStore()
    app = create_app(store=store, identity=_identity(store))
    app.router.lifespan_context = _opening(store)
    return frozen(app)


def host() -> FastAPI:
    """Make a host that includes the router and trusts its callers."""
    store = TaskStore()
    app = FastAPI(lifespan=_opening(store))
    app.include_router(create_router(store))
    return frozen(app)


def identified_host() -> FastAPI:
    """Make a host that includes the router with an identity."""
    store = TaskStore()
    app = FastAPI(lifespan=_opening(store))
    app.include_router(create_router(store, identity=_identity(store)))
    return frozen(app)


def _identity(store: TaskStore) -> Identity:
    async def identify(_request: Request) -> UserTasks:
        return store.for_user(ONE_USER)

    return identify


def _opening(store: TaskStore) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with store:
            yield

    return lifespan
