"""Small proofs of isolation at the faces: the library, the REST API, the command line.

As in ``probes``: each fails, or raises, where one user reaches another.
"""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import patch

import httpx2
import typer.testing

from taskcore import (
    SessionSecret,
    Settings,
    TaskNotFound,
    TaskStore,
    TokenSecret,
    VersionConflict,
)
from taskcore.tasks import ids
from taskcore.tokens.secret import Secret
from taskcore_cli.app import app as taskctl
from taskcore_http import Bearer, Issuer, create_app
from taskcore_http.identity.session import COOKIE
from tests.cursors import cursor
from tests.isolation.probes import (
    HIGH,
    IDENTITIES,
    ISSUER,
    LOW,
    ME,
    MISSING,
    MY_DONE,
    MY_OPEN,
    NOT_MINE,
    OTHERS,
    SHARED,
    Place,
    Probe,
)
from tests.sessions import until_blocked
from tests.taskcore_http.client import client_of
from tests.taskcore_http.identity.issuing import AUDIENCE, Publisher, claims, rsa_key, token


@asynccontextmanager
async def _face(place: Place) -> AsyncIterator[TaskStore]:
    """Open a store on the three users, and hold that nothing of the others changes."""
    await place.seed()
    before = await place.others()
    # Do not retry for long if a deliberate break makes a call fail.
    settings = Settings(operation_timeout=5.0)
    async with TaskStore(place.database.url, settings=settings) as store:
        yield store
    assert await place.others() == before


async def _error(call: Awaitable[object]) -> tuple[object, ...]:
    try:
        return ("no error", await call)
    except Exception as exc:  # noqa: BLE001  (whatever it is, it is compared)
        return (type(exc), exc.args, vars(exc), repr(exc.__cause__))


async def the_library_tells_foreign_from_missing_nowhere(place: Place) -> None:
    async with _face(place) as store:
        for user in OTHERS:
            # The store's memory holds what it has seen of others.
            for task in (await store.for_user(user).list()).items:
                assert await store.for_user(user).get(task.id) == task
        tasks = store.for_user(ME)
        for call in (
            tasks.get,
            tasks.delete,
            lambda task: tasks.delete(task, if_version=1),
            lambda task: tasks.update(task, title="x", description="y", completed=True),
            lambda task: tasks.update(task, if_version=9, completed=True),
        ):
            missing = await _error(call(MISSING))
            assert missing[0] is TaskNotFound
            for task_id in NOT_MINE:
                assert await _error(call(task_id)) == missing


async def the_library_answers_with_the_users_own(place: Place) -> None:
    async with _face(place) as store:
        # All three at the same ids, in turns: nothing of one call is left for the next.
        for user in (LOW, ME, HIGH, ME, LOW):
            tasks = store.for_user(user)
            assert tasks.user_id == user
            listed = [task async for task in tasks.iterate()]
            assert [task.title for task in listed] == [f"{user}/{task.id}" for task in listed]
            assert len(listed) == 3
            assert (await tasks.get(SHARED)).title == f"{user}/{SHARED}"
            done = (await tasks.list(completed=True)).items
            assert [task.user_id for task in done] == [user]
        mine, theirs = store.for_user(ME), store.for_user(HIGH)
        pages = [await tasks.list(limit=1) for tasks in (mine, theirs)]
        assert [page.next for page in pages] == [cursor(MY_OPEN), cursor(SHARED)]
        following = [
            await tasks.list(limit=1, after=page.next)
            for tasks, page in zip((mine, theirs), pages, strict=True)
        ]
        assert [page.items[0].id for page in following] == [MY_DONE, NOT_MINE[1]]


async def the_library_writes_for_its_user_only(place: Place) -> None:
    async with _face(place) as store:
        assert await store.for_user(HIGH).get(SHARED)
        tasks = store.for_user(ME)
        created = [await tasks.create("x"), *(await tasks.create_many([{"title": "y"}] * 3))]
        assert {task.user_id for task in created} == {ME}
        imported = await tasks.import_tasks([{"id": SHARED, "title": "q"}, {"title": "w"}])
        assert (imported.imported, imported.present) == (1, 1)
        assert [task.title for task in (await tasks.list()).items if task.title in "qw"] == ["w"]
        assert {task.id for task in (await tasks.list()).items} >= {task.id for task in created}
        assert (await tasks.update(SHARED, title="z")).user_id == ME
        assert isinstance(
            (await _raised(tasks.update(SHARED, title="q", if_version=1))), VersionConflict
        )
        await tasks.delete(SHARED)


async def _raised(call: Awaitable[object]) -> BaseException | None:
    try:
        await call
    except Exception as exc:  # noqa: BLE001  (the caller judges)
        return exc
    return None


async def calls_at_once_get_answers_of_their_own(place: Place) -> None:
    async with _face(place) as store:

        async def work(user: int) -> None:
            tasks = store.for_user(user)
            one, page = await asyncio.gather(tasks.get(SHARED), tasks.list())
            assert one.title == f"{user}/{SHARED}"
            assert {task.user_id for task in page.items} == {user}

        await asyncio.gather(*(work(user) for _ in range(8) for user in (LOW, ME, HIGH)))


async def a_call_that_waits_holds_up_nobody_else(place: Place) -> None:
    """Calls at once have connections of their own: waiting, too, tells of others."""
    async with _face(place) as store:
        async with asyncio.timeout(3), place.owner.transaction():
            await place.owner.execute(
                "SELECT FROM taskcore.tasks WHERE user_id = $1 AND id = $2 FOR UPDATE", LOW, SHARED
            )
            waiting = asyncio.ensure_future(store.for_user(LOW).update(SHARED, title="waits"))
            try:
                await until_blocked(place.owner)
                task = await store.for_user(ME).update(SHARED, completed=True)
            finally:
                waiting.cancel()
                await asyncio.gather(waiting, return_exceptions=True)
        assert task.user_id == ME


async def ids_of_one_user_do_not_depend_on_others(_place: Place) -> None:
    def generated(*others: int) -> Iterator[int]:
        randoms = iter(range(100, 4000, 500))
        with (
            patch.object(time, "time_ns", lambda: (ids.EPOCH_MS + 10) * 1_000_000),
            patch.object(secrets, "randbits", lambda _bits: next(randoms)),
        ):
            generator = ids.IdGenerator()
            yield generator.next(ME)
            for user in others:
                generator.next(user)
            yield generator.next(ME)

    alone = list(generated())
    assert list(generated(LOW)) == alone
    assert list(generated(HIGH, LOW, HIGH)) == alone


def _exact(response: httpx2.Response) -> tuple[object, ...]:
    return (response.status_code, sorted(response.headers.multi_items()), response.content)


async def rest_tells_foreign_from_missing_nowhere(place: Place) -> None:
    async with _face(place) as store, client_of(create_app(store=store)) as client:
        for user in OTHERS:
            for task in (*NOT_MINE, SHARED):
                assert (await client.get(f"/users/{user}/tasks/{task}")).status_code == 200
        for method, body in (
            ("GET", None),
            ("PUT", {"title": "x"}),
            ("PATCH", {"completed": True}),
            ("DELETE", None),
        ):
            missing = await client.request(method, f"/users/{ME}/tasks/{MISSING}", json=body)
            assert missing.status_code == 404
            for task in NOT_MINE:
                foreign = await client.request(method, f"/users/{ME}/tasks/{task}", json=body)
                assert _exact(foreign) == _exact(missing)


async def rest_answers_for_the_user_in_the_path(place: Place) -> None:
    async with _face(place) as store, client_of(create_app(store=store)) as client:
        elsewhere: dict[str, Any] = {
            "headers": {"X-User-Id": str(LOW), "Cookie": f"user_id={LOW}"},
        }
        for user in (HIGH, ME, LOW, ME):
            path = f"/users/{user}/tasks"
            listed = (await client.get(path, **elsewhere)).json()
            assert [task["title"] for task in listed] == [f"{user}/{t['id']}" for t in listed]
            one = (await client.get(f"{path}/{SHARED}", **elsewhere)).json()
            assert one["title"] == f"{user}/{SHARED}"
            for name in ("user", "user_id"):
                assert (await client.get(f"{path}?{name}={LOW}")).status_code == 400
            page = await client.get(path, params={"limit": 1}, **elsewhere)
            assert [task["user_id"] for task in page.json()] == [user]
            assert page.headers["link"].startswith(f"<{path}?")
        created = await client.post(f"/users/{ME}/tasks", json={"title": "x"}, **elsewhere)
        assert created.status_code == 201
        assert created.json()["user_id"] == ME
        assert created.headers["location"] == f"/users/{ME}/tasks/{created.json()['id']}"


async def _reaches(client: httpx2.AsyncClient, user: int) -> None:
    """Check that these credentials reach the tasks of this user, and of nobody else."""
    assert (await client.get("/me")).json() == {"user_id": user}
    for path in ("/me/tasks", f"/users/{user}/tasks"):
        tasks = (await client.get(path)).json()
        assert [task["title"] for task in tasks] == [f"{user}/{task['id']}" for task in tasks]
        assert len(tasks) == 3
    nobodys = await client.get("/users/999/tasks")
    assert nobodys.status_code == 404
    for other in {LOW, ME, HIGH} - {user}:
        for path in (f"/users/{other}/tasks", f"/users/{other}/tasks/{SHARED}"):
            answer = await client.get(path)
            assert (answer.status_code, answer.content) == (404, nobodys.content)


async def a_token_reaches_its_own_users_tasks_only(place: Place) -> None:
    rules = Issuer(ISSUER, audience=AUDIENCE, jwks_url=f"{ISSUER}/keys")
    bearer = Bearer(rules, fetch=Publisher(rsa_key().jwk(kid="k", alg="RS256")).fetch)
    async with _face(place) as store, client_of(create_app(store=store, identity=bearer)) as client:
        now = int(time.time())
        callers = {
            subject: user for (issuer, subject), user in IDENTITIES.items() if issuer == ISSUER
        }
        for subject, user in [*callers.items()] * 2:
            signed = token(claims(iss=ISSUER, sub=subject, iat=now, exp=now + 600)).decode()
            client.headers["Authorization"] = f"Bearer {signed}"
            await _reaches(client, user)


async def an_api_token_reaches_its_own_users_tasks_only(place: Place) -> None:
    secrets = {user: TokenSecret.random() for user in (LOW, ME, HIGH)}
    fields = {
        user: ("Authorization", f"Bearer {secrets[user].get_secret_value()}") for user in secrets
    }
    await _reaches_only_its_own(place, secrets, fields)


async def a_session_reaches_its_own_users_tasks_only(place: Place) -> None:
    secrets = {user: SessionSecret.random() for user in (LOW, ME, HIGH)}
    fields = {user: ("Cookie", f"{COOKIE}={secrets[user].get_secret_value()}") for user in secrets}
    await _reaches_only_its_own(place, secrets, fields)


async def _reaches_only_its_own(
    place: Place, secrets: Mapping[int, Secret], fields: Mapping[int, tuple[str, str]]
) -> None:
    bearer = Bearer(api_tokens=True, sessions=True)
    async with _face(place) as store, client_of(create_app(store=store, identity=bearer)) as client:
        for user, secret in secrets.items():
            await place.owner.execute(
                "INSERT INTO taskcore.tokens (hash, user_id, id, name, scopes)"
                " VALUES ($1, $2, 99, 'x', ARRAY['tasks:read'])",
                secret.digest,
                user,
            )
        for user, (name, value) in [*fields.items()] * 2:
            client.headers[name] = value
            await _reaches(client, user)
        # They were made in between, for the others too.
        await place.owner.execute("DELETE FROM taskcore.tokens WHERE id = 99")


async def rest_streams_each_users_own(place: Place) -> None:
    async with _face(place) as store, client_of(create_app(store=store)) as client:
        await place.owner.execute(
            "INSERT INTO taskcore.tasks (user_id, id, write_id, title) "
            "SELECT $1, n, 1, 'x' FROM generate_series(1000, 2500) AS n",
            ME,
        )
        await client.get(f"/users/{LOW}/tasks")
        mine, theirs = await asyncio.gather(
            client.get(f"/users/{ME}/tasks"), client.get(f"/users/{HIGH}/tasks")
        )
        assert {task["user_id"] for task in mine.json()} == {ME}
        assert {task["user_id"] for task in theirs.json()} == {HIGH}
        assert (len(mine.json()), len(theirs.json())) == (1504, 3)


async def _taskctl(place: Place, *words: str, user: int = ME) -> tuple[int, str, str]:
    # The user in the environment is another: the option has the last word.
    environment = {"TASKCORE_DATABASE_URL": place.database.url, "TASKCTL_USER": str(LOW)}

    def invoke() -> tuple[int, str, str]:
        result = typer.testing.CliRunner().invoke(
            taskctl, ["tasks", *words, "--user", str(user)], env=environment
        )
        return (result.exit_code, result.stdout, result.stderr)

    return await asyncio.to_thread(invoke)


async def taskctl_tells_foreign_from_missing_nowhere(place: Place) -> None:
    async with _face(place):
        for user in OTHERS:
            assert (await _taskctl(place, "show", str(NOT_MINE[0]), user=user))[0] == 0
        for command, *options in (
            ("show",),
            ("edit", "--title", "x"),
            ("done",),
            ("delete", "--yes"),
        ):
            missing = await _taskctl(place, command, str(MISSING), *options)
            assert missing[0] == 3
            for task in NOT_MINE:
                assert await _taskctl(place, command, str(task), *options) == missing


async def taskctl_works_for_the_user_named(place: Place) -> None:
    async with _face(place):
        for user in (HIGH, ME):
            _code, listed, _said = await _taskctl(place, "list", "--json", user=user)
            titles = [task["title"] for task in json.loads(listed)]
            assert len(titles) == 3
            assert all(title.startswith(f"{user}/") for title in titles)
            _code, shown, _said = await _taskctl(place, "show", str(SHARED), "--json", user=user)
            assert json.loads(shown)["title"] == f"{user}/{SHARED}"
        for command, *words in (("add", "x"), ("done", str(SHARED))):
            _code, written, _said = await _taskctl(place, command, *words, "--json")
            assert json.loads(written)["user_id"] == ME
        assert (await _taskctl(place, "delete", str(SHARED), "--yes"))[0] == 0


FACES: tuple[Probe, ...] = (
    the_library_tells_foreign_from_missing_nowhere,
    the_library_answers_with_the_users_own,
    the_library_writes_for_its_user_only,
    calls_at_once_get_answers_of_their_own,
    a_call_that_waits_holds_up_nobody_else,
    ids_of_one_user_do_not_depend_on_others,
    rest_tells_foreign_from_missing_nowhere,
    rest_answers_for_the_user_in_the_path,
    a_token_reaches_its_own_users_tasks_only,
    an_api_token_reaches_its_own_users_tasks_only,
    a_session_reaches_its_own_users_tasks_only,
    rest_streams_each_users_own,
    taskctl_tells_foreign_from_missing_nowhere,
    taskctl_works_for_the_user_named,
)
