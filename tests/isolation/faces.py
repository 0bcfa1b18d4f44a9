"""Faces that need the web or the command-line package."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from types import TracebackType
from typing import Annotated, Any, Self

import typer.testing
from fastapi import FastAPI, Header

from taskcore import NewToken, TaskcoreError, TaskStore, UserTasks
from taskcore.access import SCOPES
from taskcore.testing import (
    Count,
    Create,
    Delete,
    DeleteMany,
    Face,
    Get,
    LibraryFace,
    List,
    Observation,
    Operation,
    RestFace,
    Update,
    UpdateMany,
    ids,
)
from taskcore_cli.app import app
from taskcore_http import create_app, create_router
from tests.taskcore_http.client import client_of

MakeFace = Callable[[str], AbstractAsyncContextManager[Face]]
"""Makes a face of the database at a URL."""


def library(url: str) -> LibraryFace:
    return LibraryFace(TaskStore(url))


class IdentityFace(LibraryFace):
    """The library, where an issuer names the users.

    Before some of their operations a user is blocked, refused, and let in again, so that the others
    act in the middle of it.
    """

    def __init__(self, url: str, owner_url: str) -> None:
        self._store = TaskStore(url)
        super().__init__(self._store)
        self._administration = TaskStore(owner_url)
        self._acted: Counter[int] = Counter()

    async def __aenter__(self) -> Self:
        await self._administration.open()
        return await super().__aenter__()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await super().__aexit__(exc_type, exc, traceback)
        await self._administration.close()

    def tasks_of(self, user_id: int) -> UserTasks:
        return self._store.for_identity("https://issuer.example", f"user {user_id}")

    async def perform(self, user_id: int, operation: Operation, target: int | None) -> Observation:
        self._acted[user_id] += 1
        if self._acted[user_id] % 3 == 0:
            await self._blocked(user_id)
        observation = await super().perform(user_id, operation, target)
        # The user's id is random; that of another user would stay in the answer.
        own = await self.tasks_of(user_id).find_user_id()
        return replace(observation, value=renamed(observation.value, own, user_id))

    async def _blocked(self, user_id: int) -> None:
        identities = self._administration.identities
        await identities.block("https://issuer.example", f"user {user_id}")
        try:
            refused = await super().perform(user_id, List(), None)
            assert refused.outcome == "Unauthenticated"
        finally:
            await identities.unblock("https://issuer.example", f"user {user_id}")


class TokenFace(LibraryFace):
    """The library, where users act by API tokens.

    Before some of their operations a token is replaced, and the old one is revoked and refused, so
    that the others act in the middle of it.
    """

    def __init__(self, url: str) -> None:
        self._store = TaskStore(url)
        super().__init__(self._store)
        self._tokens: dict[int, NewToken] = {}
        self._acted: Counter[int] = Counter()

    def tasks_of(self, user_id: int) -> UserTasks:
        return self._store.for_token(self._tokens[user_id].secret)

    async def perform(self, user_id: int, operation: Operation, target: int | None) -> Observation:
        tokens = self._store.for_user(user_id).tokens
        self._acted[user_id] += 1
        if user_id not in self._tokens:
            self._tokens[user_id] = await tokens.create("x", scopes=SCOPES)
        elif self._acted[user_id] % 3 == 0:
            old = self._tokens[user_id]
            self._tokens[user_id] = await tokens.rotate(old.id)
            await tokens.revoke(old.id)
            refused = await _outcome(self._store.for_token(old.secret))
            assert refused == "InvalidToken"
        return await super().perform(user_id, operation, target)


async def _outcome(tasks: UserTasks) -> str:
    try:
        await tasks.list()
    except TaskcoreError as exc:
        return type(exc).__name__
    return "returned"


def renamed(value: Any, old: int | None, new: int) -> Any:
    """Return an observed value with another id for its user."""
    match value:
        case dict():
            return {key: renamed(each, old, new) for key, each in value.items()}
        case list():
            return [renamed(each, old, new) for each in value]
    return new if value == old and type(value) is int else value


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

    operations: Collection[type[Operation]] = frozenset(
        {Create, Get, List, Count, Update, UpdateMany, Delete, DeleteMany}
    )

    def __init__(self, url: str, *options: str) -> None:
        self._environment = {"TASKCORE_DATABASE_URL": url}
        self._options = options
        # The runner replaces sys.stdout, of which there is one.
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_raised: object) -> None:
        pass

    async def perform(self, user_id: int, operation: Operation, target: int | None) -> Observation:
        match operation:
            case Create(new):
                title = str(new["title"])
                # A "-" alone means standard input; the space is removed.
                words = ["--", " -" if title == "-" else title]
                if (description := new.get("description")) is not None:
                    words[:0] = [f"--description={description}"]
                words[:0] = _options_of(new)
                return await self._run(user_id, "add", words)
            case Get():
                return await self._run(user_id, "show", ["--", str(target)])
            case List(completed=completed) | Count(completed=completed):
                words = _words_of(operation)
                if completed is not None:
                    words.append("--done" if completed else "--open")
                return await self._run(user_id, type(operation).__name__.lower(), words)
            case Update(_, changes):
                return await self._update(user_id, operation, changes, target)
            case UpdateMany(_, changes):
                # Only this field can be changed in several tasks.
                command = "done" if changes.get("completed", True) else "reopen"
                return await self._run(user_id, command, ["--", *map(str, ids(operation))])
            case DeleteMany():
                words = ["--yes", "--", *map(str, ids(operation))]
                return await self._run(user_id, "delete", words)
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
        words += _options_of(changes)
        words += (
            option for name, option in _CLEARING.items() if name in changes and not changes[name]
        )
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


_CLEARING = {
    "due": "--clear-due",
    "due_zone": "--clear-zone",
    "project": "--clear-project",
    "tags": "--clear-tags",
}


def _words_of(operation: List | Count) -> list[str]:
    words = [] if operation.search is None else [f"--search={operation.search}"]
    if isinstance(operation, Count):
        return words if operation.project is None else [*words, f"--project={operation.project}"]
    return [*words, "--all" if operation.limit is None else f"--limit={operation.limit}"]


def _options_of(fields: Mapping[str, Any]) -> list[str]:
    """Return the options of fields that have a value."""
    names = {"due": "due", "due_zone": "zone"} | {
        name: name for name in ("priority", "project", "key")
    }
    words = [
        f"--{option}={fields[name]}"
        for name, option in names.items()
        if fields.get(name) not in (None, "")
    ]
    if fields.get("extra") is not None:
        words.append(f"--extra={json.dumps(fields['extra'])}")
    tags = fields.get("tags") or ()
    return words + [f"--tag={tag}" for tag in (tags if isinstance(tags, list) else [tags])]


def _guard(if_version: int | None) -> list[str]:
    return [] if if_version is None else [f"--if-version={if_version}"]


def _defect(exc: BaseException | None) -> str | None:
    return None if exc is None or isinstance(exc, SystemExit) else repr(exc)
