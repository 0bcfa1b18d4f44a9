"""The API as an application: tasks, health, documentation, and one shape for all errors."""

import gc
import logging
import multiprocessing
import multiprocessing.process
import os
import signal
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from taskcore import ConfigurationError, TaskStore, Unavailable, __version__
from taskcore.settings import load_settings
from taskcore_http.docs.routes import docs_routes
from taskcore_http.errors import closed_if_unread, error_response, response_for
from taskcore_http.health import create_health_router
from taskcore_http.identity.bearer import Bearer
from taskcore_http.identity.configured import bearer_of
from taskcore_http.identity.identify import Identity
from taskcore_http.identity.metadata import metadata_routes
from taskcore_http.identity.security import document_security
from taskcore_http.observability import REQUEST_ID, add_metrics, add_request_ids, add_tracing
from taskcore_http.page.routes import page_routes
from taskcore_http.server.compression import Compression
from taskcore_http.server.hosts import AllowedHosts
from taskcore_http.tasks.route import TaskRoute
from taskcore_http.tasks.router import ME, create_router

logger = logging.getLogger("taskcore.http")

_DESCRIPTION = """\
Tasks of many users, kept apart by the database itself.
"""
_TRUSTING = """
**The caller is trusted to name the user**: no identity is configured, so whoever can
reach this API can name any user in the path. Serve it to trusted callers only.
"""


def create_app(
    database_url: str | None = None,
    *,
    store: TaskStore[Any] | None = None,
    identity: Identity | None = None,
    cors_origins: Sequence[str] = (),
) -> FastAPI:
    """Make the API as an ASGI application of its own.

    It also starts without a reachable database, and then answers 503 until there is one.

    Args:
        database_url: As for `TaskStore`.
        store: A store that the caller opens and closes. It replaces the URL. An
            application that is mounted inside another needs it, because the lifespan of a
            mounted application does not run.
        identity: As for `create_router`.
        cors_origins: Origins of web pages that may call the API, such as
            ``https://app.example.org``; ``*`` for every page. Without one no page may.

    Raises:
        ConfigurationError: The URL or a setting cannot be used, or both a URL and a
            store are given.
    """
    if database_url is not None and store is not None:
        raise ConfigurationError("give create_app a database_url or a store, not both")
    tasks = store or TaskStore(database_url)

    bearer = identity if isinstance(identity, Bearer) else None

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
            if bearer is not None:
                await bearer.close()
            await tasks.close()

    app = FastAPI(
        title="taskcore",
        version=__version__,
        description=_DESCRIPTION + (_TRUSTING if identity is None else ""),
        lifespan=lifespan,
        # Do not redirect `/path/` to `/path`: answer 404.
        redirect_slashes=False,
        # FastAPI's pages load their scripts from another host.
        docs_url=None,
        redoc_url=None,
    )
    router = create_router(tasks, identity=identity)
    if any(route.dependencies for route in router.routes if isinstance(route, TaskRoute)):
        app.include_router(router)
    else:
        # Not included: a route of the application itself skips FastAPI's solving.
        app.router.routes.extend(router.routes)
    app.include_router(create_health_router(tasks))
    sessions = bearer is not None and bearer.sessions
    # The page asks for the caller's tasks, so an identity has to tell who that is.
    if any(getattr(route, "path", None) == ME for route in router.routes):
        app.router.routes.extend(page_routes(api=".", sessions=sessions))
    app.router.routes.extend(docs_routes(sessions=sessions))
    if bearer is not None:
        app.router.routes.extend(metadata_routes(bearer))
        document_security(app, bearer)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _error)
    app.add_exception_handler(Exception, _error)
    if cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(cors_origins),
            allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=[
                "Authorization",
                "Content-Type",
                "Idempotency-Key",
                "If-Match",
                "If-None-Match",
            ],
            expose_headers=["ETag", "Link", "Location", "Retry-After", REQUEST_ID],
        )
    return app


def app_from_environment() -> FastAPI:
    """Make the application from the settings, for ``uvicorn --factory``.

    It assumes that the process does nothing else. It freezes the objects loaded so far,
    because collecting them makes the slowest answers
    (https://docs.python.org/3/library/gc.html#gc.freeze). A worker process ends when its
    parent ends or is killed; otherwise it would keep the port and the database.

    Raises:
        ConfigurationError: The settings say neither whose tokens are accepted
            (``TASKCORE_ISSUER``) nor that callers are trusted (``TASKCORE_TRUST_CALLERS``).
    """
    if (parent := multiprocessing.parent_process()) is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    settings = load_settings()
    app = create_app(identity=bearer_of(settings), cors_origins=settings.cors_origins)
    if settings.compression:
        app.add_middleware(Compression)
    if settings.metrics:
        add_metrics(app)
    if settings.tracing:
        add_tracing(app)
    if settings.request_ids:
        add_request_ids(app)
    if settings.allowed_hosts:
        app.add_middleware(AllowedHosts, hosts=settings.allowed_hosts)
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
    if exc.status_code == 405 and (exc.headers or {}).get("Allow", "GET") == "GET":
        # HEAD has a route of its own, which Starlette does not count, and files name none.
        exc.headers = {"Allow": "GET, HEAD"}
    return closed_if_unread(request, response_for(exc))


async def _error(request: Request, exc: Exception) -> Response:
    return closed_if_unread(request, response_for(exc))
