"""A whole application: the task routes, health, documentation, one shape for all errors."""

import gc
import logging
import multiprocessing
import multiprocessing.process
import os
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from taskcore import ConfigurationError, TaskStore, Unavailable, __version__
from taskcore_http.errors import closed_if_unread, error_response, response_for
from taskcore_http.health import create_health_router
from taskcore_http.identity import Identity
from taskcore_http.route import DirectRoute, TaskRoute
from taskcore_http.router import create_router, task_router

logger = logging.getLogger("taskcore.http")

_DESCRIPTION = """\
Tasks of many users, kept apart by the database itself.
"""
_TRUSTING = """
**In this release the caller is trusted to name the user**: whoever can reach this
API can name any user in the path. Serve it to trusted callers only.
"""


def create_app(
    database_url: str | None = None,
    *,
    store: TaskStore | None = None,
    identity: Identity | None = None,
) -> FastAPI:
    """Make the API as an ASGI application of its own.

    It starts while the database is away, and answers 503 until it is back.

    Args:
        database_url: As for `TaskStore`.
        store: A store that the caller opens and closes, in place of a URL. Needed
            when the application is mounted inside another: a mounted application's
            lifespan does not run.
        identity: As for `create_router`.

    Raises:
        ConfigurationError: The URL or a setting cannot be used, or both a URL and a
            store are given.
    """
    if database_url is not None and store is not None:
        raise ConfigurationError("give create_app a database_url or a store, not both")
    tasks = store or TaskStore(database_url)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        if store is not None:
            yield
            return
        await tasks.open(connect=False)
        try:
            try:
                await tasks.ready()
            except Unavailable as exc:
                logger.warning("started without a database: %s", exc)
            yield
        finally:
            await tasks.close()

    app = FastAPI(
        title="taskcore",
        version=__version__,
        description=_DESCRIPTION + (_TRUSTING if identity is None else ""),
        lifespan=lifespan,
        # A second spelling of a path is no path of ours: 404, not 307.
        redirect_slashes=False,
        routes=task_router(tasks, None, DirectRoute).routes if identity is None else None,
    )
    for route in app.routes:
        if isinstance(route, DirectRoute):
            route.application = app
    if identity is not None:
        app.include_router(create_router(tasks, identity=identity))
    app.include_router(create_health_router(tasks))
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _error)
    app.add_exception_handler(Exception, _error)
    return app


def app_from_environment() -> FastAPI:
    """Make the application from the settings, for ``uvicorn --factory``.

    The process is taken to serve it and do nothing else: what has been loaded so far is
    taken out of garbage collection, whose pauses are the slowest answers otherwise
    (https://docs.python.org/3/library/gc.html#gc.freeze). A worker ends with its parent,
    also one that was killed: it would keep the port and the database to itself.
    """
    if (parent := multiprocessing.parent_process()) is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    app = create_app()
    gc.collect()
    gc.freeze()
    return app


def _end_with(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


async def _http_error(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)
    found = isinstance(request.scope.get("route"), TaskRoute)
    if exc.status_code == 404 and not found:
        return closed_if_unread(request, error_response(404, "no such path"))
    return closed_if_unread(request, response_for(exc))


async def _error(request: Request, exc: Exception) -> Response:
    return closed_if_unread(request, response_for(exc))
