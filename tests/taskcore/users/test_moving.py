"""Identities that move to another issuer."""

import asyncio
from typing import Any

import asyncpg
import pytest

from taskcore import IdentityMove, PermissionDenied, TaskStore, Unauthenticated, ValidationError
from taskcore.database.database import Database as Statements
from taskcore.limits import MAX_PAGE
from taskcore.users import identities
from tests.databases import Database
from tests.sessions import until_blocked
from tests.wire import Wire

OLD, NEW = "https://old.example/", "https://new.example/"


async def users_of(owner: asyncpg.Connection, issuer: str) -> dict[str, int | None]:
    rows = await owner.fetch(
        "SELECT subject, user_id FROM taskcore.identities WHERE issuer = $1", issuer
    )
    return {row["subject"]: row["user_id"] for row in rows}


async def sign_up(store: TaskStore, issuer: str, *subjects: str) -> dict[str, int]:
    return {
        subject: (await store.for_identity(issuer, subject).create("mine")).user_id
        for subject in subjects
    }


async def test_all_identities_of_an_issuer_move_with_their_users(
    store: TaskStore, administration: TaskStore, owner: asyncpg.Connection
) -> None:
    """ID-614: others stay."""
    users = await sign_up(store, OLD, "ann", "bob")
    others = await sign_up(store, "https://old.example/a", "ann")
    outcome = await administration.identities.move(OLD, NEW, dry_run=True)
    assert outcome == IdentityMove(moved=2)
    assert await users_of(owner, OLD) == users

    assert await administration.identities.move(OLD, NEW) == IdentityMove(moved=2)
    assert await users_of(owner, NEW) == users
    assert await users_of(owner, OLD) == {}
    assert await users_of(owner, "https://old.example/a") == others
    assert len(await store.for_identity(NEW, "ann").list()) == 1
    assert len(await store.for_identity(OLD, "ann").list()) == 0
    assert await administration.identities.move(OLD, NEW) == IdentityMove()


async def test_a_map_gives_new_subjects(
    store: TaskStore, administration: TaskStore, owner: asyncpg.Connection
) -> None:
    """ID-614: identities that it does not name stay."""
    users = await sign_up(store, OLD, "1", "2", "3")
    subjects = {"1": "ann", "2": "1", "9": "nobody"}
    outcome = await administration.identities.move(OLD, NEW, subjects)
    assert outcome == IdentityMove(moved=2, unknown=1)
    assert await users_of(owner, NEW) == {"ann": users["1"], "1": users["2"]}
    assert await users_of(owner, OLD) == {"3": users["3"]}
    # Again, as after a lost answer.
    outcome = await administration.identities.move(OLD, NEW, subjects)
    assert outcome == IdentityMove(done=2, unknown=1)


async def test_a_block_moves_too(store: TaskStore, administration: TaskStore) -> None:
    """ID-614: of a user, and of somebody who is none yet."""
    await sign_up(store, OLD, "ann")
    for subject in ("ann", "eve"):
        await administration.identities.block(OLD, subject)
    assert await administration.identities.move(OLD, NEW) == IdentityMove(moved=2)
    for subject in ("ann", "eve"):
        with pytest.raises(Unauthenticated):
            await store.for_identity(NEW, subject).list()


async def test_one_conflict_keeps_everything_where_it_is(
    store: TaskStore, administration: TaskStore, owner: asyncpg.Connection
) -> None:
    """ID-614."""
    users = await sign_up(store, OLD, "ann", "bob")
    there = await sign_up(store, NEW, "bob")
    outcome = await administration.identities.move(OLD, NEW, dry_run=True)
    assert outcome == IdentityMove(moved=1, conflicts=("bob",))
    assert "bob" not in repr(outcome)
    with pytest.raises(ValidationError, match="1 new identity exists already") as caught:
        await administration.identities.move(OLD, NEW)
    assert (caught.value.field, caught.value.constraint) == ("to_issuer", "exists")
    assert await users_of(owner, OLD) == users
    assert await users_of(owner, NEW) == there


async def test_an_identity_that_signs_up_while_others_move_is_not_replaced(
    store: TaskStore, administration: TaskStore, owner: asyncpg.Connection
) -> None:
    """ID-614: between the check and the move."""
    users = await sign_up(store, OLD, "ann", "bob")
    async with owner.transaction():
        await owner.execute("SELECT FROM taskcore.identities FOR UPDATE")
        moving = asyncio.ensure_future(administration.identities.move(OLD, NEW))
        await until_blocked(owner)
        there = await sign_up(store, NEW, "bob")
    with pytest.raises(ValidationError, match="check again"):
        await moving
    assert await users_of(owner, OLD) == users
    assert await users_of(owner, NEW) == there


async def test_more_than_a_batch_moves(
    administration: TaskStore, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ID-614."""
    monkeypatch.setattr(identities, "MAX_PAGE", 10)
    for count in (0, 10, 25):
        await owner.execute("TRUNCATE taskcore.users CASCADE")
        await owner.execute("INSERT INTO taskcore.users (id) VALUES (1)")
        await owner.execute(
            "INSERT INTO taskcore.identities (issuer, subject, user_id)"
            " SELECT $1, 's' || n, 1 FROM generate_series(1, $2) AS n",
            OLD,
            count,
        )
        before = await users_of(owner, OLD)
        assert await administration.identities.move(OLD, NEW) == IdentityMove(moved=count)
        assert await users_of(owner, NEW) == before
    assert MAX_PAGE == 1_000


@pytest.mark.one_server
async def test_a_move_whose_answer_is_lost_is_done_once(database: Database) -> None:
    """ID-614."""
    async with TaskStore(database.url) as store:
        users = await sign_up(store, OLD, "ann")
    async with Wire(database.administrator_url) as wire, TaskStore(wire.url) as administration:
        await administration.identities.move(NEW, OLD)
        await administration.identities.move(OLD, NEW, {"x": "y"})
        wire.lose_answers(keep=1)
        await administration.identities.move(OLD, NEW)
        (one,) = [identity async for identity in administration.identities.iterate()]
        assert (one.issuer, one.user_id) == (NEW, users["ann"])


async def test_what_a_lost_attempt_has_moved_is_counted(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ID-614: but not what was moved by an earlier call."""
    async with TaskStore(database.url) as store:
        await sign_up(store, OLD, "ann", "bob")
    async with Wire(database.administrator_url) as wire, TaskStore(wire.url) as administration:
        moving, write = administration.identities.move, Statements.write

        async def lossy(self: Statements, *args: Any) -> object:
            wire.lose_answers(keep=1)
            return await write(self, *args)

        assert await moving(OLD, NEW, {"ann": "ann"}) == IdentityMove(moved=1)
        monkeypatch.setattr(Statements, "write", lossy)
        outcome = await moving(OLD, NEW, {"ann": "ann", "bob": "bob", "eve": "eve"})
        assert outcome == IdentityMove(moved=1, done=1, unknown=1)
        assert await moving(NEW, OLD) == IdentityMove(moved=2)


async def test_issuers_are_listed_once_each(store: TaskStore, administration: TaskStore) -> None:
    """ID-710: whatever the subjects."""
    assert await administration.identities.issuers() == ()
    for issuer in (NEW, OLD):
        await sign_up(store, issuer, "a", "b", "\U0010ffff" * 255)
    assert await administration.identities.issuers() == (NEW, OLD)
    for call in (store.identities.issuers(), store.identities.move(OLD, NEW)):
        with pytest.raises(PermissionDenied):
            await call


@pytest.mark.parametrize(
    ("arguments", "field", "constraint"),
    [
        (("", NEW), "from_issuer", "non_empty"),
        ((OLD, 7), "to_issuer", "type"),
        ((OLD, OLD), "to_issuer", "other"),
        ((OLD, NEW, {"a": "x", "b": "x"}), "subjects", "unique"),
        ((OLD, NEW, {"a": ""}), "subjects", "non_empty"),
        ((OLD, NEW, {"a\0": "b"}), "subjects", "no_control"),
    ],
)
async def test_a_move_that_makes_no_sense_is_explained(
    administration: TaskStore, arguments: Any, field: str, constraint: str
) -> None:
    """ID-614."""
    with pytest.raises(ValidationError) as caught:
        await administration.identities.move(*arguments)
    assert (caught.value.field, caught.value.constraint) == (field, constraint)
