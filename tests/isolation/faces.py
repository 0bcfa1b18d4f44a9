"""Faces that need the web or the command-line package."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import Annotated, Any, Self

import typer.testing
from fastapi import FastAPI, Header

from taskcore import TaskStore, UserTasks
from taskcore.testing import (
    Create,
    Delete,
    Face,
    Get,
    LibraryFace,
    List,
    Observation,
    Operation,
    RestFace,
    Update,
)
from taskcore_cli.app import app
from taskcore_http import create_app, create_router
from tests.taskcore_http.client import client_of

MakeFace = Callable[[str], AbstractAsyncContextManager[Face]]
"""Makes a face of the database at a URL."""


def library(url: str) -> LibraryFace:
    return LibraryFace(TaskStore(url))


def rest(url: str) -> RestFace:
    """The API as an application of its own."""
    app = create_app(url)
    return RestFace(client_of(app), app=app)


def mounted(url: str) -> RestFace:
    """The routes in a host that knows its users by a header."""
    store = TaskStore(url)

    async def identify(x_user: Annotated[int, Header()]) -> UserTasks:
        return store.for_user(x_user)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with store:
            yield

    host = FastAPI(lifespan=lifespan)
    host.include_router(create_router(store, identity=identify), prefix="/api/v1")
    return RestFace(
        client_of(host), app=host, prefix="/api/v1", headers=lambda user: {"X-User": str(user)}
    )


def cli_json(url: str) -> "CliFace":
    return CliFace(url, "--json")


def cli_text(url: str) -> "CliFace":
    return CliFace(url)


class CliFace:
    """``taskctl`` in this process, one invocation at a time; each opens a store of its own.

    Args:
        url: The database.
        options: Given to every command.
    """

    operations: Collection[type[Operation]] = frozenset({Create, Get, List, Update, Delete})

    def __init__(self, url: str, *options: str) -> None:
        self._environment = {"TASKCORE_DATABASE_URL": url}
        self._options = options
        # The runner replaces sys.stdout, of which there is one.
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass

    async def perform(self, user_id: int, operation: Operation, target: int | None) -> Observation:
        match operation:
            case Create(new):
                title = str(new["title"])
                # A "-" alone means standard input; the space is removed.
                words = ["--", " -" if title == "-" else title]
                if (description := new.get("description")) is not None:
                    words[:0] = [f"--description={description}"]
                return await self._run(user_id, "add", words)
            case Get():
                return await self._run(user_id, "show", ["--", str(target)])
            case List(limit, _, completed):
                words = ["--all"] if limit is None else [f"--limit={limit}"]
                if completed is not None:
                    words.append("--done" if completed else "--open")
                return await self._run(user_id, "list", words)
            case Update(_, changes):
                return await self._update(user_id, operation, changes, target)
            case Delete(_, if_version):
                words = ["--yes", *_guard(if_version), "--", str(target)]
                return await self._run(user_id, "delete", words)
        raise NotImplementedError(type(operation).__name__)

    async def _update(
        self, user_id: int, operation: Update, changes: Mapping[str, Any], target: int | None
    ) -> Observation:
        """Edit the texts, then mark the task, as these are two commands."""
        words = list(_guard(operation.if_version))
        if changes.get("title") is not None:
            words.append(f"--title={changes['title']}")
        if changes.get("description") is not None:
            words.append(f"--description={changes['description']}")
        elif "description" in changes:
            words.append("--clear-description")
        told = [await self._run(user_id, "edit", [*words, "--", str(target)])]
        if "completed" in changes:
            command = "done" if changes["completed"] else "reopen"
            told.append(await self._run(user_id, command, ["--", str(target)]))
        return Observation(told[-1].outcome, [(each.outcome, each.value) for each in told])

    async def _run(self, user_id: int, command: str, words: list[str]) -> Observation:
        line = ["tasks", command, f"--user={user_id}", *self._options, *words]
        async with self._turn:
            # A command has an event loop of its own.
            result = await asyncio.to_thread(self._invoke, line)
        stdout: Any = result.stdout
        created = []
        if result.exit_code == 0:
            if self._options:
                stdout = json.loads(stdout)
            if command == "add":
                created = [stdout["id"] if self._options else int(stdout.split()[1])]
        return Observation(
            f"exit code {result.exit_code}",
            {"stdout": stdout, "stderr": result.stderr, "raised": _defect(result.exception)},
            tuple(created),
        )

    def _invoke(self, line: list[str]) -> typer.testing.Result:
        runner = typer.testing.CliRunner()
        return runner.invoke(app, line, env=self._environment, prog_name="taskctl")


def _guard(if_version: int | None) -> list[str]:
    return [] if if_version is None else [f"--if-version={if_version}"]


def _defect(exc: BaseException | None) -> str | None:
    return None if exc is None or isinstance(exc, SystemExit) else repr(exc)
