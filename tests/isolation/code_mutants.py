"""Deliberate breaks of isolation in the code of the library and its faces."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from fastapi import Request
from starlette.responses import Response

import taskcore_cli.exit_codes
import taskcore_cli.session
import taskcore_http.parameters
import taskcore_http.tasks.route
import taskcore_http.tasks.router
from taskcore import JsonPage, Task, TaskNotFound, TaskPage, TaskStore, UserTasks
from taskcore.access import Access
from taskcore.database.database import Database
from taskcore.database.driver import Driver
from taskcore.database.failures import DRIVER_ERRORS, while_executing
from taskcore.database.pool import Connection
from taskcore.operation import Operation
from taskcore.owner import IdentityOwner, Owner, TokenOwner, UserOwner
from taskcore.tasks import importing as imports
from taskcore.tasks import user_tasks
from taskcore.tasks.ids import IdGenerator
from taskcore_http.identity.bearer import Bearer
from taskcore_http.identity.identify import Identify
from taskcore_http.parameters import USER_ID
from taskcore_http.tasks.route import Endpoint

Patch = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class CodeMutant:
    """A break of the code: what it is, and how it is made."""

    name: str
    patch: Patch


def _seen(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Make the process remember the id of every task it has read."""
    seen: set[int] = set()
    one, several = UserTasks._task, UserTasks._tasks

    def remember_one(tasks: UserTasks, row: Any) -> Task:
        made = one(tasks, row)
        seen.add(made.id)
        return made

    def remember(tasks: UserTasks, rows: Any) -> tuple[Task, ...]:
        made = several(tasks, rows)
        seen.update(task.id for task in made)
        return made

    monkeypatch.setattr(UserTasks, "_task", remember_one)
    monkeypatch.setattr(UserTasks, "_tasks", remember)
    return seen


def _foreign_raises(method: str, make: Callable[[], Exception]) -> Patch:
    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        seen, call = _seen(monkeypatch), getattr(UserTasks, method)

        async def told(tasks: UserTasks, task_id: int, **options: Any) -> Any:
            try:
                return await call(tasks, task_id, **options)
            except TaskNotFound:
                if task_id in seen:
                    raise make() from None
                raise

        monkeypatch.setattr(UserTasks, method, told)

    return patch


def _rest_foreign(change: Callable[[Response], None]) -> Patch:
    """Change the REST API's answer about a task that somebody has, and only that."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        seen = _seen(monkeypatch)
        answer = taskcore_http.tasks.route.answered

        async def changed(handler: Endpoint, request: Request) -> Response:
            response: Response = await answer(handler, request)
            task = request.path_params.get("task_id")
            if response.status_code == 404 and task is not None and int(task) in seen:
                change(response)
            return response

        monkeypatch.setattr(taskcore_http.tasks.route, "answered", changed)

    return patch


def _forbid(response: Response) -> None:
    response.status_code = 403


def _reword(response: Response) -> None:
    response.body = bytes(response.body).replace(b"not found", b"is not y")


def _mark(response: Response) -> None:
    response.headers["X-Reason"] = "foreign"


def _taskctl_foreign(name: str, changed: object) -> Patch:
    """Change what ``taskctl`` makes of the error about a task that somebody has."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        seen, show = _seen(monkeypatch), UserTasks.get
        translate = getattr(taskcore_cli.exit_codes, name)
        foreign: list[Exception] = []

        async def get(tasks: UserTasks, task_id: int) -> Task:
            try:
                return await show(tasks, task_id)
            except TaskNotFound as exc:
                foreign.extend([exc] if task_id in seen else [])
                raise

        monkeypatch.setattr(UserTasks, "get", get)
        monkeypatch.setattr(
            taskcore_cli.exit_codes,
            name,
            lambda exc: changed if exc in foreign else translate(exc),
        )

    return patch


def _identity(make: Callable[[TaskStore], Identify]) -> Patch:
    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(taskcore_http.tasks.router, "identify_by_path", make)

    return patch


def _first_user(store: TaskStore) -> Identify:
    kept: list[UserTasks] = []

    async def tasks_of(request: Request) -> UserTasks:
        user_id = USER_ID.of(request)
        kept.append(store.for_user(user_id))
        return kept[0]

    return tasks_of


def _last_user(store: TaskStore) -> Identify:
    kept: list[UserTasks] = []

    async def tasks_of(request: Request) -> UserTasks:
        user_id = USER_ID.of(request)
        kept.append(store.for_user(user_id))
        return kept[-2] if len(kept) > 1 else kept[0]

    return tasks_of


def _of_user(user_of: Callable[[Request, int], int]) -> Callable[[TaskStore], Identify]:
    """Make an identity of the user that a function finds, given the one in the path."""

    def make(store: TaskStore) -> Identify:
        async def tasks_of(request: Request) -> UserTasks:
            return store.for_user(user_of(request, USER_ID.of(request)))

        return tasks_of

    return make


_next_user = _of_user(lambda _, user: user + 1)
_user_in_header = _of_user(lambda request, user: int(request.headers.get("X-User-Id", user)))
_user_in_query = _of_user(lambda request, user: int(request.query_params.get("user", user)))
_user_in_cookie = _of_user(lambda request, user: int(request.cookies.get("user_id", user)))


def _believes_the_query(monkeypatch: pytest.MonkeyPatch) -> None:
    _identity(_user_in_query)(monkeypatch)
    for module in (taskcore_http.parameters, taskcore_http.tasks.endpoints):
        monkeypatch.setattr(
            module, "check_query", lambda request, *_known: dict(request.query_params)
        )


def _streams_of_the_last_user(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = taskcore_http.tasks.endpoints._stream

    def mixed(request: Request, tasks: UserTasks, first: JsonPage, options: Any) -> Any:
        assert tasks.user_id is not None
        owner = UserOwner(tasks.user_id + 1)
        other = UserTasks(tasks._database, tasks._ids, owner, tasks._rows)
        return stream(request, other, first, options)

    monkeypatch.setattr(taskcore_http.tasks.endpoints, "_stream", mixed)


class _StoreOf:
    """A store that gives everybody the same user's tasks."""

    def __init__(self, store: TaskStore, user: int | None) -> None:
        self._store, self._user = store, user

    def for_user(self, user: int) -> UserTasks:
        return self._store.for_user(user + 1 if self._user is None else self._user)


def _taskctl_user(user: int | None) -> Patch:
    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        begin = taskcore_cli.session.OpenStore.__init__

        def beginning(opened: Any, runner: asyncio.Runner, store: Any) -> None:
            begin(opened, runner, _StoreOf(store, user))  # type: ignore[arg-type]

        monkeypatch.setattr(taskcore_cli.session.OpenStore, "__init__", beginning)

    return patch


def _first_handle(monkeypatch: pytest.MonkeyPatch) -> None:
    for_user, kept = TaskStore.for_user, list[UserTasks]()

    def first(store: TaskStore, user_id: int) -> UserTasks:
        kept.append(for_user(store, user_id))
        return next(tasks for tasks in kept if tasks._database is kept[-1]._database)

    monkeypatch.setattr(TaskStore, "for_user", first)


def _handle_of_the_last_user(monkeypatch: pytest.MonkeyPatch) -> None:
    last: list[Owner] = []
    # One for the class, where each handle ought to have its own.
    shared = property(lambda _tasks: last[-1], lambda _tasks, owner: last.append(owner))
    monkeypatch.setattr(UserTasks, "_owner", shared, raising=False)


def _cached_answers(*, key: Callable[[str, tuple[object, ...]], object], reads: str) -> Patch:
    """Answer a read from a cache whose key leaves something out."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        fetch, cache = Database.fetch, dict[object, list[Any]]()

        async def cached(database: Database, statement: str, *args: object) -> list[Any]:
            if reads not in statement:
                return await fetch(database, statement, *args)
            place = (id(database), key(statement, args))
            if place not in cache:
                cache[place] = await fetch(database, statement, *args)
            return cache[place]

        monkeypatch.setattr(Database, "fetch", cached)

    return patch


def _shared_flights(monkeypatch: pytest.MonkeyPatch) -> None:
    fetch, flights = Database.fetch, dict[object, asyncio.Task[list[Any]]]()

    async def joined(database: Database, statement: str, *args: object) -> list[Any]:
        place = (id(database), statement, args[1:])
        if place not in flights:
            flight = asyncio.ensure_future(fetch(database, statement, *args))
            flights[place] = flight
            flight.add_done_callback(lambda _done: flights.pop(place))
        return await flights[place]

    monkeypatch.setattr(Database, "fetch", joined)


def _answers_of_another_call(monkeypatch: pytest.MonkeyPatch) -> None:
    fetch, last = Database.fetch, dict[object, list[Any]]()

    async def swapped(database: Database, statement: str, *args: object) -> list[Any]:
        rows = await fetch(database, statement, *args)
        before = last.get((id(database), statement))
        last[id(database), statement] = rows
        return rows if before is None or not rows else before

    monkeypatch.setattr(Database, "fetch", swapped)


def _one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    close, kept = Driver.close, dict[int, Connection]()

    async def shared(
        driver: Driver, statement: str, args: tuple[object, ...], deadline: float
    ) -> list[Any]:
        assert driver._pool is not None
        if id(driver) not in kept:
            kept[id(driver)] = await driver._pool.acquire(deadline)
        try:
            rows: list[Any] = await kept[id(driver)].fetch(statement, *args)
        except DRIVER_ERRORS as exc:
            raise while_executing(exc) from exc
        return rows

    async def closing(driver: Driver) -> None:
        if id(driver) in kept and driver._pool is not None:
            driver._pool.release(kept.pop(id(driver)))
        await close(driver)

    monkeypatch.setattr(Driver, "fetch", shared)
    monkeypatch.setattr(Driver, "close", closing)


def _one_argument_list(monkeypatch: pytest.MonkeyPatch) -> None:
    fetch = Database.fetch
    shared: list[object] = []

    async def late(database: Database, statement: str, *args: object) -> list[Any]:
        shared[:] = args
        await asyncio.sleep(0)
        user, *rest = args
        return await fetch(database, statement, *shared[: 1 if user else 0], *rest)

    monkeypatch.setattr(Database, "fetch", late)


def _one_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    listed, last = UserTasks.list, list[str | None]()

    async def listing(tasks: UserTasks, *, after: str | None = None, **options: Any) -> TaskPage:
        page = await listed(tasks, after=last[-1] if after and last else after, **options)
        last.append(page.next)
        return page

    monkeypatch.setattr(UserTasks, "list", listing)


def _one_identity_map(monkeypatch: pytest.MonkeyPatch) -> None:
    one, several, known = UserTasks._task, UserTasks._tasks, dict[int, Task]()

    def the_same(task: Task) -> Task:
        return known.setdefault(task.id, task)

    monkeypatch.setattr(UserTasks, "_task", lambda tasks, row: the_same(one(tasks, row)))
    monkeypatch.setattr(
        UserTasks, "_tasks", lambda tasks, rows: tuple(map(the_same, several(tasks, rows)))
    )


def _ids_in_common(monkeypatch: pytest.MonkeyPatch) -> None:
    following = IdGenerator.next
    monkeypatch.setattr(IdGenerator, "next", lambda generator, _user: following(generator, 0))


def _ids_that_skip(monkeypatch: pytest.MonkeyPatch) -> None:
    """No id is made twice in a store: whose gap is it?"""
    following, made = IdGenerator.next, dict[int, int]()

    def skipping(generator: IdGenerator, user: int) -> int:
        made[id(generator)] = made.get(id(generator), 0) + 1
        return following(generator, user) + made[id(generator)]

    monkeypatch.setattr(IdGenerator, "next", skipping)


class _OfTheNextUser(Operation):
    def statement(self, owner: type[Owner]) -> str:
        statement = Operation.statement(self, owner)
        assert "($1" in statement
        return statement.replace("($1", "($1 + 1")


def _of_the_next_user(name: str, module: Any = user_tasks) -> Patch:
    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        operation: Operation = getattr(module, name)
        changed = _OfTheNextUser(
            operation.function, operation.arguments, operation.columns, operation.access
        )
        monkeypatch.setattr(module, name, changed)

    return patch


def _path_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taskcore_http.tasks.router, "require_path_user", lambda identify: identify)


def _named_user_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = IdentityOwner.parameters

    def forgetful(owner: IdentityOwner, access: Access) -> tuple[object, ...]:
        issuer, subject, _user, *rest = parameters(owner, access)
        return issuer, subject, None, *rest

    monkeypatch.setattr(IdentityOwner, "parameters", forgetful)


def _named_user_not_sent_with_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = TokenOwner.parameters

    def forgetful(owner: TokenOwner, access: Access) -> tuple[object, ...]:
        digest, scope, _user, creates = parameters(owner, access)
        return digest, scope, None, creates

    monkeypatch.setattr(TokenOwner, "parameters", forgetful)


def _first_token(monkeypatch: pytest.MonkeyPatch) -> None:
    first: list[bytes] = []

    def parameters(owner: TokenOwner, access: Access) -> tuple[object, ...]:
        first.append(owner.digest)
        return first[0], access.scope, owner.user_id, access.creates

    monkeypatch.setattr(TokenOwner, "parameters", parameters)


def _caller(change: Callable[[list[Any]], Any]) -> Patch:
    """Take another caller for that of the token, given all callers so far."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        authenticate, callers = Bearer.authenticate, list[Any]()

        async def authenticated(bearer: Bearer, headers: Any) -> Any:
            callers.append(await authenticate(bearer, headers))
            return change(callers)

        monkeypatch.setattr(Bearer, "authenticate", authenticated)

    return patch


CODE_MUTANTS: tuple[CodeMutant, ...] = (
    *(
        CodeMutant(f"UserTasks.{method}: {what}", _foreign_raises(method, make))
        for method in ("get", "update", "delete")
        for what, make in (
            ("another message for foreign", lambda: TaskNotFound("task of another user")),
            ("another error for foreign", lambda: PermissionError("task not found")),
        )
    ),
    CodeMutant("REST: 403 for foreign", _rest_foreign(_forbid)),
    CodeMutant("REST: another message for foreign", _rest_foreign(_reword)),
    CodeMutant("REST: another header for foreign", _rest_foreign(_mark)),
    CodeMutant("REST: the identity keeps the first user", _identity(_first_user)),
    CodeMutant("REST: the identity is that of the request before", _identity(_last_user)),
    CodeMutant("REST: the identity is the next user's", _identity(_next_user)),
    CodeMutant("REST: the identity believes a header", _identity(_user_in_header)),
    CodeMutant("REST: the identity believes the query", _believes_the_query),
    CodeMutant("REST: the identity believes a cookie", _identity(_user_in_cookie)),
    CodeMutant("REST: a stream goes on with another user", _streams_of_the_last_user),
    CodeMutant("taskctl: another exit code for foreign", _taskctl_foreign("_exit_code", 1)),
    CodeMutant(
        "taskctl: another message for foreign", _taskctl_foreign("_one_line", "not your task")
    ),
    CodeMutant("taskctl: --user ignored", _taskctl_user(122)),
    CodeMutant("taskctl: --user mistaken", _taskctl_user(None)),
    CodeMutant("TaskStore.for_user: keeps the first user", _first_handle),
    CodeMutant("UserTasks: one user for all handles", _handle_of_the_last_user),
    CodeMutant(
        "Database.fetch: a cache of tasks without the user",
        _cached_answers(key=lambda _statement, args: args[1:], reads="task_get_v1"),
    ),
    CodeMutant(
        "Database.fetch: a cache of lists without the user",
        _cached_answers(key=lambda _statement, args: args[1:], reads="task_list_v1"),
    ),
    CodeMutant("Database.fetch: calls at once share an answer", _shared_flights),
    CodeMutant("Database.fetch: the answer of the call before", _answers_of_another_call),
    CodeMutant("Database.fetch: the arguments of another call", _one_argument_list),
    CodeMutant("Database: a connection shared by two calls", _one_connection),
    CodeMutant("UserTasks.list: one cursor for everybody", _one_cursor),
    CodeMutant("UserTasks: tasks kept by id alone", _one_identity_map),
    CodeMutant("IdGenerator: one counter for everybody", _ids_in_common),
    CodeMutant("IdGenerator: gaps where others were", _ids_that_skip),
    *(
        CodeMutant(f"UserTasks: {name} for the next user", _of_the_next_user(name))
        for name in ("_CREATE", "_CREATE_MANY", "_GET", "_LIST", "_UPDATE", "_DELETE")
    ),
    CodeMutant(
        "UserTasks: _IMPORT for the next user", _of_the_next_user("_IMPORT", module=imports)
    ),
    CodeMutant("REST: the path is not compared with the token", _path_not_compared),
    CodeMutant("UserTasks: the user that is named is not sent", _named_user_not_sent),
    CodeMutant("TokenOwner: the user that is named is not sent", _named_user_not_sent_with_a_token),
    CodeMutant("TokenOwner: keeps the first token", _first_token),
    CodeMutant("Bearer: keeps the first caller", _caller(lambda callers: callers[0])),
    CodeMutant(
        "Bearer: the caller of the request before", _caller(lambda callers: callers[-2:][0])
    ),
    CodeMutant(
        "Bearer: subjects in small letters",
        _caller(lambda callers: replace(callers[-1], subject=callers[-1].subject.lower())),
    ),
)
