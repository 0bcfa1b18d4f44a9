"""Browser sessions: a link opens one session, which reaches its user's tasks and tokens."""

import asyncio
import time
from typing import Any

import asyncpg
import pytest

from taskcore import (
    DatabaseError,
    InvalidToken,
    LinkSecret,
    OutcomeUnknown,
    SessionSecret,
    Settings,
    TaskStore,
    TokenSecret,
    ValidationError,
)
from taskcore.limits import MAX_TOKENS, SESSION_MINUTES, SIGN_IN_LINK_MINUTES
from taskcore.tokens import sessions
from tests.sessions import until_blocked
from tests.wire import Wire


async def test_a_link_opens_one_session_of_its_user(store: TaskStore) -> None:
    """ID-901; a user who does not exist is created."""
    link = await store.sessions.create_link(42)
    session = await store.sessions.open(link.get_secret_value())
    with pytest.raises(InvalidToken):
        await store.sessions.open(link)

    tasks = store.for_session(session.get_secret_value())
    assert await tasks.find_user_id() == 42
    task = await tasks.create("mine")
    assert await store.for_user(42).get(task.id) == task


async def test_links_and_sessions_end(store: TaskStore, owner: asyncpg.Connection) -> None:
    """ID-901, ID-902: after 10 minutes, and after 7 days."""

    async def lasts() -> int:
        seconds = await owner.fetchval(
            "SELECT extract(epoch FROM expires_at - created_at) FROM taskcore.tokens"
        )
        return int(seconds) // 60

    link = await store.sessions.create_link(42)
    assert await lasts() == SIGN_IN_LINK_MINUTES == 10
    async with owner.transaction():
        await owner.execute("UPDATE taskcore.tokens SET expires_at = now()")
    with pytest.raises(InvalidToken):
        await store.sessions.open(link)

    session = await store.sessions.open(await store.sessions.create_link(42))
    assert await lasts() == SESSION_MINUTES == 7 * 24 * 60
    await owner.execute("UPDATE taskcore.tokens SET expires_at = now()")
    with pytest.raises(InvalidToken):
        await store.for_session(session).list()


async def test_a_session_makes_tokens_and_is_not_accepted_as_one(store: TaskStore) -> None:
    """ID-902, ID-909."""
    session = await store.sessions.open(await store.sessions.create_link(42))
    link = await store.sessions.create_link(42)
    tokens = store.for_session(session).tokens
    token = await tokens.create("laptop")
    listed = {one.name: one for one in await tokens.list()}
    assert listed.keys() == {"laptop", "Browser", "Sign-in link"}
    assert listed["Browser"].scopes == ("tasks:read", "tasks:write", "tokens")
    assert listed["Sign-in link"].scopes == ("sign-in",)

    for secret, use in (
        (session, store.for_token),
        (link, store.for_token),
        (token.secret, store.for_session),
        (link, store.for_session),
    ):
        with pytest.raises(InvalidToken):
            use(secret)
    used = await store.sessions.create_link(42)
    await store.sessions.open(used)
    for no_link in (session, token.secret, "taskcore_link_x", LinkSecret("x"), used):
        with pytest.raises(InvalidToken, match=r"^the sign-in link is not accepted$"):
            await store.sessions.open(no_link)
    for no_session in (token.secret, "x"):
        with pytest.raises(InvalidToken, match=r"^the session is not accepted$"):
            store.for_session(no_session)
        with pytest.raises(InvalidToken, match=r"^the session is not accepted$"):
            await store.sessions.close(no_session)
    # A session can be revoked where tokens are.
    await tokens.revoke(listed["Browser"].id)
    with pytest.raises(InvalidToken):
        await tokens.list()


async def test_a_session_is_not_replaced_by_a_token(store: TaskStore) -> None:
    """ID-909: an API token must not have the rights of a session."""
    session = await store.sessions.open(await store.sessions.create_link(42))
    tokens = store.for_session(session).tokens
    (one,) = await tokens.list()
    with pytest.raises(LookupError):
        await tokens.rotate(one.id)
    with pytest.raises(ValidationError):
        await tokens.create("x", scopes=["tokens"])


async def test_a_session_ends_when_it_is_closed_or_its_user_blocked_or_deleted(
    store: TaskStore, administration: TaskStore
) -> None:
    """ID-902."""

    async def session() -> SessionSecret:
        return await store.sessions.open(await store.sessions.create_link(42))

    closed, other = await session(), await session()
    for _ in range(2):
        await store.sessions.close(closed)
    with pytest.raises(InvalidToken):
        await store.for_session(closed).list()
    assert list(await store.for_session(other).list()) == []

    unused = await store.sessions.create_link(42)
    await administration.users.block(42)
    with pytest.raises(InvalidToken):
        await store.for_session(other).list()
    with pytest.raises(InvalidToken):
        await store.sessions.open(unused)
    await administration.users.unblock(42)
    # The link that was refused was not used.
    last = await store.sessions.open(unused)
    await administration.users.delete(42)
    with pytest.raises(InvalidToken):
        await store.for_session(last).list()


async def test_the_session_of_a_blocked_user_is_closed_for_good(
    store: TaskStore, administration: TaskStore
) -> None:
    """ID-902."""
    session = await store.sessions.open(await store.sessions.create_link(42))
    await administration.users.block(42)
    await store.sessions.close(session)
    await administration.users.unblock(42)
    with pytest.raises(InvalidToken):
        await store.for_session(session).list()
    assert await store.for_user(42).tokens.list() == ()


async def test_a_lost_answer_costs_no_sign_in(wire: Wire) -> None:
    """ID-903: the second attempt finds what the first has done."""
    async with TaskStore(wire.url) as store:

        async def prepared() -> LinkSecret:
            """Return a link, on a connection that has prepared every statement."""
            link, other = [await store.sessions.create_link(42) for _ in range(2)]
            await store.sessions.close(await store.sessions.open(other))
            return link

        link = await prepared()
        wire.lose_answers()
        session = await store.sessions.open(link)
        assert await store.for_session(session).find_user_id() == 42
        await prepared()
        wire.lose_answers()
        await store.sessions.close(session)
        with pytest.raises(InvalidToken):
            await store.for_session(session).list()


async def test_a_lost_answer_is_told_when_nothing_can_be_checked(wire: Wire) -> None:
    """ID-903: the link was used, and the session has ended. Checking takes no more time."""
    settings = Settings(operation_timeout=1, pool_max_size=1, retry_wait_max=0.05)
    async with TaskStore(wire.url, settings=settings) as store:
        links = [await store.sessions.create_link(42) for _ in range(2)]
        session = await store.sessions.open(links[0])
        await store.sessions.close(await store.sessions.open(await store.sessions.create_link(42)))
        for call, secret in ((store.sessions.open, links[1]), (store.sessions.close, session)):
            wire.lose_answers()
            asked = asyncio.ensure_future(call(secret))
            await wire.lost.wait()
            wire.refuse()
            begun = time.monotonic()
            with pytest.raises(OutcomeUnknown):
                await asked
            assert time.monotonic() - begun < 1.5
            wire.start()
            # On a connection that has prepared the next statement.
            await store.sessions.close(SessionSecret.random())


async def test_each_step_is_one_round_trip(wire: Wire) -> None:
    """ID-903."""
    async with TaskStore(wire.url) as store:
        for _ in range(2):  # the first time prepares the statements
            before = wire.round_trips
            link = await store.sessions.create_link(42)
            session = await store.sessions.open(link)
            await store.for_session(session).list()
            await store.sessions.close(session)
            count = wire.round_trips - before
        assert count == 4


async def test_links_have_the_limit_of_tokens(store: TaskStore) -> None:
    """ID-901."""
    for _ in range(MAX_TOKENS):
        await store.sessions.create_link(42)
    with pytest.raises(ValidationError):
        await store.sessions.create_link(42)


@pytest.mark.parametrize("user_id", [0, 2**53, "42", None, True])
async def test_a_link_needs_the_id_of_a_user(store: TaskStore, user_id: Any) -> None:
    with pytest.raises(ValidationError):
        await store.sessions.create_link(user_id)


def test_a_secret_of_one_kind_is_not_accepted_as_another_and_does_not_show_itself() -> None:
    """ID-909, ID-813."""
    kinds = (LinkSecret, SessionSecret, TokenSecret)
    for kind in kinds:
        secret = kind.random()
        text = secret.get_secret_value()
        assert text not in f"{secret} {secret!r}"
        assert [other for other in kinds if other.find(text)] == [kind]


async def test_of_two_who_open_a_link_at_once_one_gets_in(
    store: TaskStore, owner: asyncpg.Connection
) -> None:
    """ID-901: both have passed the look-up when the first deletes the link."""
    link = await store.sessions.create_link(42)
    async with owner.transaction():
        await owner.execute("SELECT FROM taskcore.tokens FOR UPDATE")
        both = [asyncio.ensure_future(store.sessions.open(link)) for _ in range(2)]
        await until_blocked(owner, 2)
    opened = await asyncio.gather(*both, return_exceptions=True)
    assert sorted((type(one) for one in opened), key=str) == [InvalidToken, SessionSecret]
    assert len(await store.for_user(42).tokens.list()) == 1


async def test_a_link_whose_id_is_taken_is_no_link(
    store: TaskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ID-901: a secret that opens nothing must not be given to anybody."""
    monkeypatch.setattr(sessions, "new_id", lambda: 7)
    await store.sessions.create_link(42)
    with pytest.raises(DatabaseError, match="no free token id"):
        await store.sessions.create_link(42)
