"""Operations through a router: which database they reach, and at what cost."""

import asyncio

import pytest

from taskcore import InvalidToken, TaskStore, UserNotFound, ValidationError
from tests.router.conftest import Bench
from tests.wire import Wire

ISSUER = "https://issuer.example"


async def test_users_are_spread_and_stay_where_they_are(bench: Bench, routed: TaskStore) -> None:
    """SO-101, SO-202."""
    for _ in range(2):
        for user in range(1, 41):
            await routed.for_user(user).create("x")
        here, there = await bench.users()
        assert here | there == set(range(1, 41))
        assert not here & there
        assert len(here) > 8
        assert len(there) > 8


async def test_identities_and_tokens_are_with_their_users(bench: Bench, routed: TaskStore) -> None:
    """SO-102."""
    for number in range(20):
        tasks = routed.for_identity(ISSUER, f"subject {number}")
        task = await tasks.create("x")
        token = await routed.for_user(task.user_id).tokens.create("t", scopes=["tasks:read"])
        assert await routed.for_token(token.secret).get(task.id) == task
        session = await routed.sessions.open(await routed.sessions.create_link(task.user_id))
        assert await routed.for_session(session).get(task.id) == task
    assert all(await bench.users())
    # A foreign key of each database says that every token has its user there.


async def test_a_secret_with_another_place_finds_nobody(routed: TaskStore) -> None:
    """SO-102: it is not more than a wrong secret."""
    token = await routed.for_user(1).tokens.create("t")
    wrong = token.secret.at((token.secret.place + 512) % 1024)
    with pytest.raises(InvalidToken):
        await routed.for_token(wrong).list()


async def test_lists_of_administrators_are_merged_in_order(bench: Bench, routed: TaskStore) -> None:
    """SO-207."""
    subjects = sorted(f"subject {number}" for number in range(12))
    ids = {(await routed.for_identity(ISSUER, one).create("x")).user_id for one in subjects}
    for user in range(1, 31):
        await routed.for_user(user).create("x")
    async with TaskStore(bench.url) as administration:
        first = await administration.users.list(limit=7)
        assert [user.id for user in first.items] == list(range(1, 8))
        second = await administration.users.list(limit=7, after=first.next)
        assert [user.id for user in second.items] == list(range(8, 15))
        found = [user.id async for user in administration.users.iterate()]
        assert found == [*range(1, 31), *sorted(ids)]
        listed = [one async for one in administration.identities.iterate()]
        assert [one.subject for one in listed] == subjects
        user_id = listed[3].user_id
        own = [one async for one in administration.identities.iterate(user_id=user_id)]
        assert [one.subject for one in own] == [subjects[3]]
        await administration.users.delete(17)
        with pytest.raises(UserNotFound):
            await administration.users.get(17)
        assert len(await administration.users.list(limit=100)) == 41


async def test_an_issuer_is_renamed_and_a_subject_is_not(bench: Bench, routed: TaskStore) -> None:
    """SO-208."""
    for subject in ("ann", "bob"):
        await routed.for_identity(ISSUER, subject).create(subject)
    new = "https://new.example"
    async with TaskStore(bench.url) as administration:
        await administration.identities.move(ISSUER, new)
        with pytest.raises(ValidationError, match="not to another subject"):
            await administration.identities.move(new, ISSUER, subjects={"ann": "anna"})
    assert (await routed.for_identity(new, "ann").list())[0].title == "ann"


@pytest.mark.parametrize("way", ["user", "identity", "token"])
async def test_an_operation_is_one_round_trip_of_the_client(
    bench: Bench, routed: TaskStore, way: str
) -> None:
    """SO-209."""
    task = await routed.for_identity(ISSUER, "ann").create("x")
    made = await routed.for_user(task.user_id).tokens.create(
        "t", scopes=["tasks:read", "tasks:write"]
    )
    async with Wire(bench.application_url) as wire, TaskStore(wire.url) as store:
        tasks = {
            "user": store.for_user(task.user_id),
            "identity": store.for_identity(ISSUER, "ann"),
            "token": store.for_token(made.secret),
        }[way]

        async def all_operations() -> None:
            new = await tasks.create("y")
            await tasks.get(new.id)
            await tasks.list()
            await tasks.count()
            await tasks.update(new.id, title="z")
            await tasks.update_many([new.id], completed=True)
            await tasks.delete(new.id)

        await all_operations()
        before = wire.round_trips
        await all_operations()
        assert wire.round_trips - before == 7


async def test_nobody_who_was_erased_comes_back(bench: Bench, routed: TaskStore) -> None:
    """SO-210: the user of a credential is found in the transaction that stores the task."""
    async with TaskStore(bench.url) as administration:
        writing = True

        async def create(subject: str) -> None:
            while writing:
                await routed.for_identity(ISSUER, subject).create("x")

        async def erase(subject: str) -> None:
            for _ in range(100):
                for task in await routed.for_identity(ISSUER, subject).list(limit=1):
                    await administration.users.delete(task.user_id)

        creating = [asyncio.ensure_future(create(subject)) for subject in "abab"]
        await asyncio.gather(erase("a"), erase("b"))
        writing = False
        await asyncio.gather(*creating)
        users = {user.id async for user in administration.users.iterate()}
        known = {one.user_id async for one in administration.identities.iterate()}
        assert users == known
        assert len(users) <= 2
