"""API tokens of the library: what a token reaches, and how it is made and ended."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from traceback import TracebackException
from typing import Any

import asyncpg
import pytest

from taskcore import (
    InsufficientScope,
    InvalidToken,
    LinkSecret,
    SessionSecret,
    Settings,
    TaskNotFound,
    TaskStore,
    Token,
    TokenCreate,
    TokenNotFound,
    TokenSecret,
    Unauthenticated,
    UserNotFound,
    UserTasks,
    ValidationError,
    sync,
)
from taskcore.limits import MAX_TOKENS
from tests.databases import Database
from tests.sessions import until_blocked
from tests.wire import Wire

ISSUER = "https://issuer.example/"
BOTH = ("tasks:read", "tasks:write")
Calls = Callable[[], Awaitable[object]]
NOT_ACCEPTED = r"^the API token or session is not accepted$"


async def tokens_of(owner: asyncpg.Connection) -> list[asyncpg.Record]:
    return await owner.fetch("SELECT * FROM taskcore.tokens ORDER BY created_at")


async def test_a_token_reaches_the_tasks_of_its_user(store: TaskStore) -> None:
    """ID-801: whoever made it, by id or by identity."""
    for tasks in (store.for_user(42), store.for_identity(ISSUER, "me")):
        mine = await tasks.create("mine")
        token = await tasks.tokens.create("laptop", scopes=BOTH)
        through = store.for_token(token.secret.get_secret_value())

        assert through.user_id is None
        assert list(await through.list()) == [mine]
        assert through.user_id == mine.user_id == await through.find_user_id()
        made = await through.create("made")
        assert made.user_id == mine.user_id
        assert await tasks.get(made.id) == made
        await through.delete(made.id)
        with pytest.raises(TaskNotFound):
            await tasks.get(made.id)


async def test_the_database_has_the_hash_and_nothing_else_of_a_secret(
    store: TaskStore, owner: asyncpg.Connection
) -> None:
    """ID-802."""
    token = await store.for_user(42).tokens.create("x")
    (row,) = await tokens_of(owner)

    assert row["hash"] == token.secret.digest
    secret = token.secret.get_secret_value()
    assert secret not in str(row)
    assert secret[-6:] not in str(row)
    listed = await owner.fetch("SELECT * FROM taskcore.token_list_v1(42)")
    assert "hash" not in listed[0].keys()  # noqa: SIM118  (a record is a sequence of values)


@pytest.mark.parametrize("scope", BOTH)
async def test_a_token_allows_what_its_scopes_say(store: TaskStore, scope: str) -> None:
    """ID-804: writing does not include reading."""
    task, other = await store.for_user(42).create_many([{"title": "x"}, {"title": "x"}])
    token = await store.for_user(42).tokens.create("x", scopes=[scope])
    tasks = store.for_token(token.secret)
    reads: list[Calls] = [tasks.list, lambda: tasks.get(task.id), tasks.find_user_id]
    writes: list[Calls] = [
        lambda: tasks.create("y"),
        lambda: tasks.create_many([{"title": "y"}]),
        lambda: tasks.import_tasks([{"title": "y"}]),
        lambda: tasks.update(task.id, title="y"),
        lambda: tasks.update_many([task.id], title="z"),
        lambda: tasks.delete(task.id),
        lambda: tasks.delete_many([other.id]),
    ]
    allowed, refused = (reads, writes) if scope == "tasks:read" else (writes, reads)
    (needed,) = set(BOTH) - {scope}

    for call in refused:
        with pytest.raises(
            InsufficientScope, match=f"^the API token lacks the scope {needed}$"
        ) as caught:
            await call()
        assert caught.value.scope == needed
    for call in allowed:
        await call()


async def test_a_write_shows_its_task_and_a_call_for_no_task_needs_no_scope(
    store: TaskStore,
) -> None:
    """ID-804."""
    tasks = store.for_user(42)
    task = await tasks.create("x")
    writing = await tasks.tokens.create("w", scopes=["tasks:write"])
    assert await store.for_token(writing.secret).update(task.id, completed=False) == task

    reading = store.for_token((await tasks.tokens.create("r")).secret)
    assert await reading.create_many([]) == ()
    assert await reading.update_many([], completed=True) == ()
    await reading.delete_many([])


async def test_a_token_makes_shows_and_ends_no_token(store: TaskStore) -> None:
    """ID-805."""
    token = await store.for_user(42).tokens.create("x", scopes=BOTH)
    tokens = store.for_token(token.secret).tokens

    for call in (
        tokens.create("y"),
        tokens.list(),
        tokens.rotate(token.id),
        tokens.revoke(token.id),
    ):
        with pytest.raises(InsufficientScope, match="cannot be done with an API token") as caught:
            await call
        assert caught.value.scope is None
    assert [one.id for one in await store.for_user(42).tokens.list()] == [token.id]


async def _unusable(
    store: TaskStore, administration: TaskStore, owner: asyncpg.Connection, how: str
) -> TokenSecret:
    token = await store.for_user(42).tokens.create("x", scopes=BOTH)
    match how:
        case "unknown":
            return TokenSecret.random()
        case "expired":
            await owner.execute("UPDATE taskcore.tokens SET expires_at = clock_timestamp()")
        case "revoked":
            await store.for_user(42).tokens.revoke(token.id)
        case "blocked":
            await administration.users.block(42)
        case "deleted":
            await administration.users.delete(42)
    return token.secret


@pytest.mark.parametrize("how", ["unknown", "expired", "revoked", "blocked", "deleted"])
async def test_a_token_that_is_not_accepted_has_one_answer(
    store: TaskStore, administration: TaskStore, owner: asyncpg.Connection, how: str
) -> None:
    """ID-806: also for another user's path, and before the scope is looked at."""
    secret = await _unusable(store, administration, owner, how)
    for tasks in (store.for_token(secret), store.for_token(secret).of_user(7)):
        for call in (
            tasks.list(),
            tasks.get(1),
            tasks.create("x"),
            tasks.update(1, title="x"),
            tasks.delete(1),
            tasks.find_user_id(),
            tasks.tokens.list(),
            tasks.tokens.create("x"),
        ):
            with pytest.raises(InvalidToken, match=NOT_ACCEPTED):
                await call


async def test_a_user_who_is_let_in_again_has_their_tokens(
    store: TaskStore, administration: TaskStore
) -> None:
    """ID-806."""
    token = await store.for_user(42).tokens.create("x")
    await administration.users.block(42)
    await administration.users.unblock(42)
    assert list(await store.for_token(token.secret).list()) == []


async def test_a_path_of_another_user_is_not_found(store: TaskStore) -> None:
    """ID-807: whether or not that user exists."""
    task = await store.for_user(43).create("theirs")
    token = await store.for_user(42).tokens.create("x", scopes=BOTH)

    for user_id in (43, 7):
        tasks = store.for_token(token.secret).of_user(user_id)
        for call in (tasks.list(), tasks.get(task.id), tasks.create("x"), tasks.find_user_id()):
            with pytest.raises(UserNotFound, match=r"^user not found$"):
                await call
    assert await store.for_token(token.secret).of_user(42).find_user_id() == 42


async def test_the_day_of_the_last_use_is_written_once_a_day(
    store: TaskStore, owner: asyncpg.Connection
) -> None:
    """ID-808."""
    token = await store.for_user(42).tokens.create("x")
    assert token.last_used_on is None
    tasks = store.for_token(token.secret)

    await asyncio.gather(*(tasks.list() for _ in range(20)))
    (row,) = await owner.fetch("SELECT *, xmin::text FROM taskcore.tokens")
    assert row["last_used_on"] == datetime.now(UTC).date()
    await asyncio.gather(*(tasks.list() for _ in range(20)))
    assert await owner.fetchval("SELECT xmin::text FROM taskcore.tokens") == row["xmin"]

    await owner.execute("UPDATE taskcore.tokens SET last_used_on = last_used_on - 1")
    await tasks.list()
    (listed,) = await store.for_user(42).tokens.list()
    assert listed.last_used_on == row["last_used_on"]


async def test_a_call_does_not_wait_for_another_use_of_the_token(
    store: TaskStore, owner: asyncpg.Connection
) -> None:
    """ID-808: gitea#39174, skypilot#10391."""
    token = await store.for_user(42).tokens.create("x")
    async with owner.transaction():
        await owner.execute("SELECT FROM taskcore.tokens FOR UPDATE")
        assert list(await store.for_token(token.secret).list()) == []
    assert (await store.for_user(42).tokens.list())[0].last_used_on is None


async def test_a_database_that_takes_no_writes_serves_reads(
    store: TaskStore, application: asyncpg.Connection, owner: asyncpg.Connection
) -> None:
    """ID-808: as in a standby, where transaction_read_only is on too."""
    await store.for_user(42).create("x")
    token = await store.for_user(42).tokens.create("x")
    call = (
        "SELECT * FROM taskcore.task_list_v1(taskcore.token_user_v1($1, $2, NULL), NULL, 9, NULL)"
    )
    async with application.transaction(readonly=True):
        assert len(await application.fetch(call, token.secret.digest, "tasks:read")) == 1
    assert (await tokens_of(owner))[0]["last_used_on"] is None


async def test_a_token_lasts_90_days_unless_it_is_told_otherwise(store: TaskStore) -> None:
    """ID-803."""
    tokens = store.for_user(42).tokens
    for days, token in (
        (90, await tokens.create("x")),
        (1, await tokens.create("x", expires_in_days=1)),
        (366, await tokens.create("x", expires_in_days=366)),
    ):
        assert token.expires_at == token.created_at + timedelta(days=days)
        assert token.scopes == ("tasks:read",)
    assert (await tokens.create("x", expires_in_days=None)).expires_at is None


@pytest.mark.parametrize(
    ("fields", "field", "constraint"),
    [
        ({"name": ""}, "name", "non_empty"),
        ({"name": " \n"}, "name", "non_empty"),
        ({"name": "x" * 101}, "name", "max_length"),
        ({"name": "a\nb"}, "name", "no_control"),
        ({"name": "\ud800"}, "name", "unicode"),
        ({"name": 1}, "name", "type"),
        ({"scopes": []}, "scopes", "non_empty"),
        ({"scopes": ["tasks"]}, "scopes", "scope"),
        ({"scopes": ["tasks:read", "*"]}, "scopes", "scope"),
        ({"scopes": "tasks:read"}, "scopes", "type"),
        ({"scopes": [None]}, "scopes", "not_null"),
        ({"expires_in_days": 0}, "expires_in_days", "min"),
        ({"expires_in_days": 367}, "expires_in_days", "max"),
        ({"expires_in_days": True}, "expires_in_days", "type"),
        ({"expires_in_days": 1.0}, "expires_in_days", "type"),
        ({"expires_in_days": "9"}, "expires_in_days", "type"),
    ],
)
async def test_a_token_that_cannot_be_made_is_explained(
    store: TaskStore, fields: dict[str, Any], field: str, constraint: str
) -> None:
    """ID-803: no empty list means all scopes."""
    with pytest.raises(ValidationError) as caught:
        await store.for_user(42).tokens.create(**({"name": "x"} | fields))
    assert (caught.value.field, caught.value.constraint) == (field, constraint)


async def test_a_create_whose_answer_is_lost_makes_one_token(
    wire: Wire, owner: asyncpg.Connection
) -> None:
    """ID-809."""
    async with TaskStore(wire.url) as store:
        tokens = store.for_user(42).tokens
        await tokens.revoke((await tokens.create("other")).id)
        wire.lose_answers()
        token = await tokens.create("once")
        assert [one.id for one in await tokens.list()] == [token.id]
        assert list(await store.for_token(token.secret).list()) == []
    assert len(await tokens_of(owner)) == 1


async def test_a_rotation_whose_answer_is_lost_makes_one_token(wire: Wire) -> None:
    """ID-809."""
    async with TaskStore(wire.url) as store:
        tokens = store.for_user(42).tokens
        other = await tokens.create("other")
        await tokens.revoke((await tokens.rotate(other.id)).id)
        await tokens.revoke(other.id)
        old = await tokens.create("once")
        wire.lose_answers()
        new = await tokens.rotate(old.id)
        assert {one.id for one in await tokens.list()} == {old.id, new.id}
        assert list(await store.for_token(new.secret).list()) == []


async def test_a_revocation_whose_answer_is_lost_is_done(wire: Wire) -> None:
    """ID-809."""
    async with TaskStore(wire.url) as store:
        tokens = store.for_user(42).tokens
        old = await tokens.create("once")
        # The first time prepares the statement.
        await tokens.revoke((await tokens.create("other")).id)
        wire.lose_answers()
        await tokens.revoke(old.id)
        assert await tokens.list() == ()


@pytest.mark.parametrize("days", [None, 90, 1])
async def test_rotation_makes_a_token_that_lasts_as_long_and_ends_the_old_one(
    store: TaskStore, owner: asyncpg.Connection, days: int | None
) -> None:
    """ID-810."""

    def lasts(token: Token) -> int | None:
        return None if token.expires_at is None else (token.expires_at - token.created_at).days

    tokens = store.for_user(42).tokens
    old = await tokens.create("x", scopes=BOTH, expires_in_days=days)
    new = await tokens.rotate(old.id)

    assert (new.name, new.scopes, lasts(new)) == (old.name, old.scopes, days)
    assert new.id != old.id
    assert new.secret.digest != old.secret.digest
    kept = {one.id: one for one in await tokens.list()}[old.id]
    in_a_day = new.created_at + timedelta(hours=24)
    assert kept.expires_at == min(in_a_day, old.expires_at or in_a_day)
    for secret in (old.secret, new.secret):
        assert list(await store.for_token(secret).list()) == []
    # A token has one successor, which can be replaced too.
    with pytest.raises(ValidationError) as caught:
        await tokens.rotate(old.id)
    assert (caught.value.field, caught.value.constraint) == ("token_id", "replaced")
    newest = await tokens.rotate(new.id)
    assert lasts(newest) == days

    await owner.execute("UPDATE taskcore.tokens SET expires_at = now() WHERE id = $1", newest.id)
    with pytest.raises(TokenNotFound):
        await tokens.rotate(newest.id)


async def test_a_token_of_another_user_is_not_found(store: TaskStore) -> None:
    """ID-811."""
    token = await store.for_user(42).tokens.create("x")
    for user in (43, 7):
        tokens = store.for_user(user).tokens
        assert await tokens.list() == ()
        for call in (tokens.rotate(token.id), tokens.revoke(token.id)):
            with pytest.raises(TokenNotFound, match=r"^token not found$"):
                await call
    assert list(await store.for_token(token.secret).list()) == []


async def test_a_user_has_a_limit_of_tokens_that_calls_at_once_keep(
    database: Database, owner: asyncpg.Connection
) -> None:
    """ID-812."""
    async with TaskStore(database.url, settings=Settings(pool_max_size=20)) as store:
        tokens = store.for_user(42).tokens
        first = await tokens.create("first")
        for _ in range(MAX_TOKENS - 6):
            await tokens.create("x")
        outcomes = await asyncio.gather(
            *(tokens.create("x") for _ in range(20)), return_exceptions=True
        )
        refused = [one for one in outcomes if isinstance(one, ValidationError)]
        assert len(refused) == 15
        assert str(refused[0]) == (
            "a user has at most 100 API tokens, sessions and sign-in links: revoke one first"
        )
        assert refused[0].limits == {"max": MAX_TOKENS}
        assert len(await tokens.list()) == MAX_TOKENS
        with pytest.raises(ValidationError):
            await tokens.rotate(first.id)
        # Others have limits of their own, and expired tokens make room.
        await store.for_user(43).tokens.create("x")
        await owner.execute("UPDATE taskcore.tokens SET expires_at = now() WHERE id = $1", first.id)
        await tokens.create("x")
        assert first.id not in {one.id for one in await tokens.list()}


async def test_a_task_is_not_stored_for_a_user_who_is_being_deleted(
    store: TaskStore, owner: asyncpg.Connection
) -> None:
    """ID-806."""
    token = await store.for_user(42).tokens.create("x", scopes=BOTH)
    tasks = store.for_token(token.secret)
    async with owner.transaction():
        await owner.execute("DELETE FROM taskcore.users WHERE id = 42")
        calls = [
            asyncio.create_task(tasks.create("x")),
            asyncio.create_task(tasks.create_many([{"title": "x"}])),
            asyncio.create_task(tasks.import_tasks([{"id": 1, "title": "x"}])),
        ]
        await until_blocked(owner, 3)

    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {InvalidToken}
    assert await owner.fetchval("SELECT count(*) FROM taskcore.users") == 0


async def test_tokens_of_an_identity_follow_its_rules(
    store: TaskStore, administration: TaskStore
) -> None:
    """ID-801: the first token makes the user, as the first task does."""
    tasks = store.for_identity(ISSUER, "new")
    assert await tasks.tokens.list() == ()
    with pytest.raises(TokenNotFound):
        await tasks.tokens.rotate(1)
    assert await tasks.find_user_id() is None

    token = await tasks.tokens.create("x")
    user = await tasks.find_user_id()
    assert user == await store.for_token(token.secret).find_user_id()
    await administration.identities.block(ISSUER, "new")
    with pytest.raises(Unauthenticated):
        await tasks.tokens.list()


async def test_readiness_outlives_a_refused_token(wire: Wire) -> None:
    async with TaskStore(wire.url) as through:
        await through.for_user(1).create("x")
        with pytest.raises(InvalidToken):
            await through.for_token(TokenSecret.random()).list()
        before = wire.round_trips
        await through.ready()
        assert wire.round_trips == before


def test_a_secret_is_in_no_repr(database: Database) -> None:
    """ID-813."""
    secret = TokenSecret.random()
    text = secret.get_secret_value()
    tasks: UserTasks = TaskStore(database.url).for_token(text)
    for shown in (repr(tasks), repr(tasks._owner), repr(secret), str(secret)):
        assert text not in shown
        assert secret.digest.hex() not in shown
        assert str(secret.digest) not in shown
    assert repr(secret) == f"TokenSecret('taskcore_pat_…{text[-4:]}')"
    assert str(secret) == f"taskcore_pat_…{text[-4:]}"


@pytest.mark.parametrize("scopes", [None, 5])
async def test_scopes_of_another_type_are_invalid(store: TaskStore, scopes: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        await store.for_user(1).tokens.create("x", scopes=scopes)
    assert caught.value.field == "scopes"


@pytest.mark.parametrize("scope", ["tokens", "sign-in", "tasks:*"])
async def test_a_token_whose_model_was_not_validated_is(
    store: TaskStore, owner: asyncpg.Connection, scope: str
) -> None:
    """ID-909: it must not get the rights of a session."""
    new = TokenCreate.model_construct(name="x", scopes=("tasks:read", scope))
    with pytest.raises(ValidationError) as caught:
        await store.for_user(1).tokens.create(new)
    assert caught.value.field == "scopes"
    assert await tokens_of(owner) == []


@pytest.mark.parametrize("kind", [TokenSecret, SessionSecret, LinkSecret])
async def test_no_frame_of_a_refusal_holds_the_secret(
    store: TaskStore, database: Database, kind: type[TokenSecret | SessionSecret | LinkSecret]
) -> None:
    """ID-813: a secret with a typing error, or as bytes, or one that the database refuses."""
    secret = kind.random().get_secret_value()
    with sync.TaskStore(database.url) as blocking:

        async def used(use: Callable[[Any], object], text: object) -> None:
            result = use(text)
            if inspect.isawaitable(result):
                await result

        async def refused(use: Callable[[Any], object], text: object) -> None:
            with pytest.raises((InvalidToken, ValidationError)) as caught:
                await used(use, text)
            assert shown_by(caught.value, secret[:-1]) == []

        for text in (secret[:-1], f"{secret[:-1]}!", secret.encode()):
            await refused(kind.parse, text)
            for each in (store, blocking):
                await refused(each.for_token, text)
                await refused(each.for_session, text)
                await refused(each.sessions.open, text)
                await refused(each.sessions.close, text)
        if kind is LinkSecret:
            await refused(store.sessions.open, secret)
            await refused(blocking.sessions.open, secret)
        elif kind is SessionSecret:
            await refused(lambda text: store.for_session(text).list(), secret)
            await refused(lambda text: blocking.for_session(text).list(), secret)
        else:
            await refused(lambda text: store.for_token(text).list(), secret)
            await refused(lambda text: blocking.for_token(text).list(), secret)


def shown_by(exc: BaseException, secret: str) -> list[str]:
    """Return the frames that show a secret: error trackers store the variables of frames."""
    told = TracebackException.from_exception(exc, capture_locals=True)
    frames = [frame for frame in told.stack if "/tests/" not in frame.filename]
    assert frames
    assert secret not in "".join(told.format_exception_only())
    return [frame.name for frame in frames if secret in str(frame.locals)]
