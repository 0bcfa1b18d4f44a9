"""The questions of the timing comparison: two kinds of things that get the same answer."""

import random
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from taskcore import InvalidToken, TaskNotFound, TaskStore, TokenSecret, UserNotFound
from taskcore.embedded import EmbeddedServer
from taskcore_http import Bearer, Identity, create_app
from tests.databases import execute
from tests.taskcore_http.client import client_of
from tests.taskcore_http.identity.issuing import (
    ISSUER,
    Publisher,
    claims,
    ec_key,
    header,
    rules,
    token,
)

ASKING, OTHER = 1, 2
_SUBJECT = "asking"


@dataclass(frozen=True)
class Question:
    """Can a caller tell one kind of thing from another by the time that the answer takes?

    Attributes:
        name: The face and the subject.
        known: The kind of things that the database has.
        unknown: The kind that it does not have.
        draw: Returns one of the known things, or with False an unknown one. It is not timed.
        ask: The call, which checks that the answer is the same for both.
    """

    name: str
    known: str
    unknown: str
    draw: Callable[[bool], Any]
    ask: Callable[[Any], Awaitable[None]]


MakeQuestions = Callable[[EmbeddedServer, TaskStore, int], AsyncIterator[Question]]


async def of_tasks(
    _server: EmbeddedServer, store: TaskStore, count: int
) -> AsyncIterator[Question]:
    """Tell another user's task from one that nobody has."""
    titles = [{"title": f"task {number}"} for number in range(count)]
    await store.for_user(ASKING).create_many(titles)
    foreign = [task.id for task in await store.for_user(OTHER).create_many(titles)]
    taken = set(foreign)

    def draw(known: bool) -> int:  # noqa: FBT001
        # From the same range: an id's size must not be what is measured.
        return secrets.choice(foreign) if known else _outside(taken)

    mine = store.for_user(ASKING)

    async def by_library(task_id: int) -> None:
        try:
            await mine.get(task_id)
        except TaskNotFound:
            return
        raise AssertionError("another user's task was found")

    kinds = "another's", "nobody's"
    yield Question("library, tasks", *kinds, draw, by_library)
    async with _client(store) as client:

        async def by_http(task_id: int) -> None:
            answer = await client.get(f"/users/{ASKING}/tasks/{task_id}")
            assert answer.status_code == 404, answer.text

        yield Question("http, tasks", *kinds, draw, by_http)


async def of_paths(server: EmbeddedServer, store: TaskStore, count: int) -> AsyncIterator[Question]:
    """Tell the path of another user from that of nobody, as an identity."""
    await execute(
        server.owner_url,
        "INSERT INTO taskcore.users (id)"  # noqa: S608  (a number)
        f" SELECT 2 * n + 1000 FROM generate_series(1, {count}) AS n",
    )
    await store.for_identity(ISSUER, _SUBJECT).create("mine")

    def draw(known: bool) -> int:  # noqa: FBT001
        return 2 * random.randint(1, count) + (1000 if known else 1001)  # noqa: S311

    async def by_library(user_id: int) -> None:
        try:
            await store.for_identity(ISSUER, _SUBJECT, user_id=user_id).list()
        except UserNotFound:
            return
        raise AssertionError("another user was found")

    kinds = "another's", "nobody's"
    yield Question("library, paths", *kinds, draw, by_library)
    async with _client(store, _bearer()) as client:
        fields = _field(_signed(_SUBJECT))

        async def by_http(user_id: int) -> None:
            answer = await client.get(f"/users/{user_id}/tasks", headers=fields)
            assert answer.status_code == 404, answer.text

        yield Question("http, paths", *kinds, draw, by_http)


async def of_identities(
    server: EmbeddedServer, store: TaskStore, count: int
) -> AsyncIterator[Question]:
    """Tell an identity that has a user, but no task, from one that nobody has signed in with."""
    await execute(
        server.owner_url,
        f"INSERT INTO taskcore.users (id) SELECT n + 1000000 FROM generate_series(1, {count}) AS n",  # noqa: S608
        "INSERT INTO taskcore.identities (issuer, subject, user_id)"  # noqa: S608
        f" SELECT '{ISSUER}', 'user ' || 2 * n, n + 1000000 FROM generate_series(1, {count}) AS n",
    )

    def draw(known: bool) -> int:  # noqa: FBT001
        return 2 * random.randint(1, count) + (0 if known else 1)  # noqa: S311

    async def by_library(number: int) -> None:
        assert not (await store.for_identity(ISSUER, f"user {number}").list()).items

    kinds = "known", "unknown"
    yield Question("library, identities", *kinds, draw, by_library)
    fields = {number: _field(_signed(f"user {number}")) for number in range(2, 2 * count + 2)}
    async with _client(store, _bearer()) as client:

        async def by_http(number: int) -> None:
            answer = await client.get("/me/tasks", headers=fields[number])
            assert (answer.status_code, answer.content) == (200, b"[]")

        # The verification of each is then in the cache.
        for number in fields:
            await by_http(number)
        yield Question("http, identities", *kinds, draw, by_http)


async def of_tokens(
    server: EmbeddedServer, store: TaskStore, count: int
) -> AsyncIterator[Question]:
    """Tell an API token that has expired from one that never existed."""
    known = [TokenSecret.random() for _ in range(count)]
    hashes = ", ".join(f"'\\x{secret.digest.hex()}'" for secret in known)
    await execute(
        server.owner_url,
        f"INSERT INTO taskcore.users (id) VALUES ({ASKING}) ON CONFLICT DO NOTHING",  # noqa: S608
        "INSERT INTO taskcore.tokens (hash, user_id, id, name, scopes, minutes, expires_at)"  # noqa: S608
        f" SELECT hash, {ASKING}, n, 'x', ARRAY['tasks:read'], 1, '2026-01-01'"
        f" FROM unnest(ARRAY[{hashes}]::bytea[]) WITH ORDINALITY AS h(hash, n)",
    )

    def draw(is_known: bool) -> str:  # noqa: FBT001
        secret = secrets.choice(known) if is_known else TokenSecret.random()
        return secret.get_secret_value()

    async def by_library(secret: str) -> None:
        try:
            await store.for_token(secret).list()
        except InvalidToken:
            return
        raise AssertionError("the token was accepted")

    kinds = "expired", "unknown"
    yield Question("library, tokens", *kinds, draw, by_library)
    async with _client(store, Bearer(api_tokens=True)) as client:

        async def by_http(secret: str) -> None:
            answer = await client.get("/me/tasks", headers=_field(secret))
            assert answer.status_code == 401, answer.text

        yield Question("http, tokens", *kinds, draw, by_http)


QUESTIONS: dict[str, MakeQuestions] = {
    "tasks": of_tasks,
    "paths": of_paths,
    "identities": of_identities,
    "tokens": of_tokens,
}


def _outside(taken: set[int]) -> int:
    lowest, highest = min(taken), max(taken)
    while (number := random.randint(lowest, highest)) in taken:  # noqa: S311
        pass
    return number


def _bearer() -> Bearer:
    publisher = Publisher(ec_key().jwk(kid="k", alg="ES256"))
    return Bearer(rules(), fetch=publisher.fetch)


def _signed(subject: str) -> str:
    now = int(time.time())
    payload = claims(sub=subject, iat=now, exp=now + 24 * 3600)
    return token(payload, header(alg="ES256"), key=ec_key()).decode()


def _field(credentials: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {credentials}"}


@asynccontextmanager
async def _client(
    store: TaskStore, identity: Identity | None = None
) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(create_app(store=store, identity=identity)) as client:
        yield client
