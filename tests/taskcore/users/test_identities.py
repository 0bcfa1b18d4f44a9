"""The users of identities: who they are, when they begin, and how they are kept out."""

import asyncio
from typing import Any

import asyncpg
import pytest

from taskcore import (
    DatabaseError,
    Forbidden,
    NotFound,
    PermissionDenied,
    TaskNotFound,
    TaskStore,
    Unauthenticated,
    UserNotFound,
    ValidationError,
)
from taskcore.tasks.importing import Tasks
from tests.databases import Database
from tests.sessions import until_blocked
from tests.wire import Wire

ISSUER = "https://issuer.example/"
FIRST = 2**52


async def rows(owner: asyncpg.Connection) -> list[tuple[Any, ...]]:
    found = await owner.fetch("SELECT issuer, subject, user_id FROM taskcore.identities ORDER BY 2")
    return [tuple(row) for row in found]


async def test_a_read_of_an_unknown_identity_finds_nothing_and_leaves_no_trace(
    store: TaskStore, owner: asyncpg.Connection
) -> None:
    """ID-601."""
    tasks = store.for_identity(ISSUER, "new")

    assert list(await tasks.list()) == []
    assert [task async for task in tasks.iterate()] == []
    assert await tasks.find_user_id() is None
    for call in (tasks.get(1), tasks.update(1, title="x"), tasks.delete(1)):
        with pytest.raises(TaskNotFound):
            await call
    with pytest.raises(TaskNotFound):
        await tasks.update_many([1, 2], completed=True)
    with pytest.raises(TaskNotFound):
        await tasks.delete_many([1, 2])
    assert tasks.user_id is None
    assert await rows(owner) == []
    assert await owner.fetchval("SELECT count(*) FROM taskcore.users") == 0


async def test_the_first_task_makes_the_user_and_tells_who_it_is(
    store: TaskStore, owner: asyncpg.Connection
) -> None:
    """ID-602: a random id, above those of hosts."""
    tasks = store.for_identity(ISSUER, "new")

    first = await tasks.create("first")

    assert FIRST <= first.user_id < 2 * FIRST
    assert tasks.user_id == first.user_id == await tasks.find_user_id()
    assert await rows(owner) == [(ISSUER, "new", first.user_id)]
    again = store.for_identity(ISSUER, "new")
    assert [task.id for task in await again.list()] == [first.id]
    assert again.user_id == first.user_id
    assert (await store.for_user(first.user_id).get(first.id)) == first


@pytest.mark.parametrize("batch", [[{"title": "x"}], [{"title": "x"}, {"title": "y"}]])
async def test_a_batch_and_an_import_make_the_user_too(store: TaskStore, batch: Tasks) -> None:
    """ID-602."""
    created = await store.for_identity(ISSUER, "a").create_many(batch)  # type: ignore[arg-type]
    imported = store.for_identity(ISSUER, "b")
    await imported.import_tasks(batch)

    assert created[0].user_id >= FIRST
    assert len(await imported.list()) == len(created)
    assert imported.user_id not in (None, created[0].user_id)


async def test_first_tasks_at_the_same_time_make_one_user(
    store: TaskStore, owner: asyncpg.Connection
) -> None:
    """ID-603."""
    created = await asyncio.gather(
        *(store.for_identity(ISSUER, "new").create(str(number)) for number in range(30))
    )

    assert len({task.user_id for task in created}) == 1
    assert len({task.id for task in created}) == 30
    assert await owner.fetchval("SELECT count(*) FROM taskcore.users") == 1


async def test_a_first_task_whose_answer_is_lost_is_there_once(
    wire: Wire, owner: asyncpg.Connection
) -> None:
    """ID-603."""
    async with TaskStore(wire.url) as store:
        await store.for_user(1).list()
        wire.lose_answers()
        task = await store.for_identity(ISSUER, "new").create("once")
        listed = await store.for_identity(ISSUER, "new").list()

    assert list(listed) == [task]
    assert await owner.fetchval("SELECT count(*) FROM taskcore.users") == 1


@pytest.mark.parametrize(
    "other",
    [
        ("https://issuer.example", "Ann"),
        ("https://Issuer.example/", "Ann"),
        (ISSUER, "ann"),
        (ISSUER, "Ann "),
        (ISSUER, "Änn"),
        (ISSUER, "A\u0308nn"),
        ("Ann", ISSUER),
    ],
)
async def test_issuer_and_subject_are_compared_byte_by_byte(
    store: TaskStore, other: tuple[str, str]
) -> None:
    """ID-604."""
    mine = await store.for_identity(ISSUER, "Ann").create("mine")
    await store.for_identity(ISSUER, "\u00c4nn" if other[1] == "A\u0308nn" else "Bob").create("x")

    theirs = store.for_identity(*other)

    assert mine not in (await theirs.list()).items
    assert (await theirs.create("theirs")).user_id != mine.user_id


async def test_a_path_of_another_user_is_not_found_whether_or_not_they_exist(
    store: TaskStore, owner: asyncpg.Connection
) -> None:
    """ID-605."""
    mine = await store.for_identity(ISSUER, "me").create("mine")
    theirs = await store.for_identity(ISSUER, "them").create("theirs")
    before = await rows(owner)

    for subject in ("me", "new"):
        for user_id in (theirs.user_id, 7):
            tasks = store.for_identity(ISSUER, subject, user_id=user_id)
            for call in (
                tasks.list(),
                tasks.get(theirs.id),
                tasks.create("x"),
                tasks.update(theirs.id, title="x"),
                tasks.delete(theirs.id),
                tasks.find_user_id(),
            ):
                with pytest.raises(UserNotFound, match=r"^user not found$"):
                    await call
    assert await rows(owner) == before
    own = store.for_identity(ISSUER, "me", user_id=mine.user_id)
    assert await own.get(mine.id) == mine


async def test_provision_never_lets_only_known_identities_in(
    store: TaskStore, owner: asyncpg.Connection
) -> None:
    """ID-606."""
    known = await store.for_identity(ISSUER, "known").create("x")

    for user_id in (None, known.user_id):
        unknown = store.for_identity(ISSUER, "new", user_id=user_id, provision="never")
        for call in (unknown.list(), unknown.create("x"), unknown.find_user_id()):
            with pytest.raises(Forbidden):
                await call
    assert list(await store.for_identity(ISSUER, "known", provision="never").list()) == [known]
    assert len(await rows(owner)) == 1


async def test_a_subject_can_be_the_users_id(
    store: TaskStore, administration: TaskStore, owner: asyncpg.Connection
) -> None:
    """ID-613: one user, whether an issuer or the caller names them; no identity is stored."""
    tasks = store.for_identity(ISSUER, "42", subject_is_user_id=True)
    assert (list(await tasks.list()), await tasks.find_user_id()) == ([], 42)
    assert await rows(owner) == []
    mine = await tasks.create("mine")
    also_mine = await store.for_user(42).create("also mine")

    assert mine.user_id == 42
    assert list(await tasks.list()) == [also_mine, mine]
    assert [one async for one in administration.identities.iterate()] == []
    strict: dict[str, Any] = {"provision": "never", "subject_is_user_id": True}
    assert await store.for_identity(ISSUER, "42", user_id=42, **strict).get(mine.id) == mine
    for other, error in (
        (store.for_identity(ISSUER, "42", user_id=43, subject_is_user_id=True), UserNotFound),
        (store.for_identity(ISSUER, "43", **strict), Forbidden),
    ):
        for call in (other.list(), other.create("x"), other.find_user_id()):
            with pytest.raises(error):
                await call
    assert list(await store.for_identity(ISSUER, "42").list()) == []


@pytest.mark.parametrize("what", ["user", "identity"])
async def test_a_subject_that_is_the_users_id_is_blocked_as_others_are(
    store: TaskStore, administration: TaskStore, what: str
) -> None:
    """ID-613, ID-608."""
    tasks = store.for_identity(ISSUER, "42", subject_is_user_id=True)
    task = await tasks.create("mine")
    if what == "user":
        await administration.users.block(42)
    else:
        await administration.identities.block(ISSUER, "42")

    for call in (tasks.list(), tasks.create("x"), tasks.delete(task.id)):
        with pytest.raises(Unauthenticated):
            await call

    if what == "user":
        await administration.users.unblock(42)
    else:
        await administration.identities.unblock(ISSUER, "42")
    assert list(await tasks.list()) == [task]


@pytest.mark.parametrize(
    "subject",
    ["0", "-1", "+42", " 42", "42\n", "4_2", "042", "٤٢", "4.2", "me", str(2**52), "9" * 16],
)
async def test_what_is_not_a_user_id_names_nobody(store: TaskStore, subject: str) -> None:
    """ID-613: `int` takes most of these. Above are the users of other issuers."""
    with pytest.raises(ValidationError) as caught:
        store.for_identity(ISSUER, subject, subject_is_user_id=True)
    assert caught.value.field == "subject"
    look_up = "taskcore.identity_user_v1($1, $2, NULL, 'empty', false, true)"
    call = f"SELECT taskcore.user_id_v1({look_up})"
    with pytest.raises(DatabaseError, match="22023"):
        await store._database.fetch(call, ISSUER, subject)


async def test_a_deleted_user_begins_anew(administration: TaskStore, store: TaskStore) -> None:
    """ID-607: the old tasks are gone, and the new user has another id."""
    tasks = store.for_identity(ISSUER, "me")
    old = await tasks.create("old")
    await administration.users.delete(old.user_id)

    assert list(await store.for_identity(ISSUER, "me").list()) == []
    new = await tasks.create("new")
    assert new.user_id != old.user_id
    assert list(await tasks.list()) == [new]


async def test_a_task_is_not_stored_for_a_user_who_is_being_deleted(
    store: TaskStore, owner: asyncpg.Connection
) -> None:
    """ID-607: it would be acknowledged, and no identity would reach it."""
    old = await store.for_identity(ISSUER, "me").create("old")
    tasks = store.for_identity(ISSUER, "me", provision="never")
    async with owner.transaction():
        await owner.execute("DELETE FROM taskcore.users WHERE id = $1", old.user_id)
        calls = [
            asyncio.create_task(tasks.create("x")),
            asyncio.create_task(tasks.create_many([{"title": "x"}])),
            asyncio.create_task(tasks.import_tasks([{"id": 1, "title": "x"}])),
        ]
        await until_blocked(owner, 3)

    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {Forbidden}
    assert await owner.fetchval("SELECT count(*) FROM taskcore.users") == 0


async def test_a_handle_follows_its_identity_to_another_user(
    administration: TaskStore, store: TaskStore
) -> None:
    """ID-605, ID-607: the user that it has seen before is not trusted."""
    tasks = store.for_identity(ISSUER, "me")
    old = (await tasks.create("old")).user_id
    await administration.users.delete(old)
    new = await tasks.create("new")

    assert tasks.user_id == new.user_id != old
    assert list(await tasks.of_user(new.user_id).list()) == [new]
    with pytest.raises(UserNotFound):
        await tasks.of_user(old).list()


async def test_a_create_waits_for_a_deletion_and_starts_anew(
    store: TaskStore, owner: asyncpg.Connection
) -> None:
    """ID-607."""
    old = await store.for_identity(ISSUER, "me").create("old")
    async with owner.transaction():
        await owner.execute("DELETE FROM taskcore.users WHERE id = $1", old.user_id)
        creating = asyncio.create_task(store.for_identity(ISSUER, "me").create("new"))
        await until_blocked(owner)

    new = await creating
    assert new.user_id != old.user_id
    assert list(await store.for_identity(ISSUER, "me").list()) == [new]


async def test_a_blocked_user_is_refused_and_their_tasks_stay(
    store: TaskStore, administration: TaskStore
) -> None:
    """ID-608."""
    tasks = store.for_identity(ISSUER, "me")
    task = await tasks.create("mine")

    blocked = await administration.users.block(task.user_id)

    assert blocked.blocked_at is not None
    for call in (tasks.list(), tasks.get(task.id), tasks.create("x"), tasks.delete(task.id)):
        with pytest.raises(Unauthenticated, match=r"^the caller is blocked$"):
            await call
    assert await administration.users.block(task.user_id) == blocked
    assert (await administration.users.get(task.user_id)).blocked_at == blocked.blocked_at
    unblocked = await administration.users.unblock(task.user_id)
    assert unblocked.blocked_at is None
    assert unblocked.updated_at > blocked.updated_at
    assert await administration.users.unblock(task.user_id) == unblocked
    assert list(await tasks.list()) == [task]
    for change in (administration.users.block, administration.users.unblock):
        with pytest.raises(UserNotFound):
            await change(7)


async def test_an_identity_is_blocked_before_and_after_it_has_a_user(
    store: TaskStore, administration: TaskStore
) -> None:
    """ID-608."""
    tasks = store.for_identity(ISSUER, "me")
    for user_id in (None, "known"):
        blocked = await administration.identities.block(ISSUER, "me")
        assert blocked.blocked_at is not None
        assert (blocked.user_id is None) == (user_id is None)
        for call in (tasks.list(), tasks.create("x")):
            with pytest.raises(Unauthenticated):
                await call
        await administration.identities.unblock(ISSUER, "me")
        assert len(await tasks.list()) == (0 if user_id is None else 1)
        if user_id is None:
            await tasks.create("x")
    await administration.identities.unblock(ISSUER, "me")
    with pytest.raises(NotFound, match=r"^identity not found$"):
        await administration.identities.unblock(ISSUER, "nobody")
    assert [one.blocked_at async for one in administration.identities.iterate()] == [None]


async def test_administrators_list_identities(store: TaskStore, administration: TaskStore) -> None:
    """ID-609: all in the order of their bytes, or those of one user."""
    me = await store.for_identity(ISSUER, "me").create("x")
    await store.for_identity(ISSUER, "ME").create("x")
    await administration.identities.block("https://a.example", "me")

    every = [one async for one in administration.identities.iterate()]
    mine = [one async for one in administration.identities.iterate(user_id=me.user_id)]

    assert [(one.issuer, one.subject) for one in every] == [
        ("https://a.example", "me"),
        (ISSUER, "ME"),
        (ISSUER, "me"),
    ]
    assert [one.subject for one in mine] == ["me"]
    assert "'me'" not in repr(mine)


async def test_more_identities_than_a_page_are_listed_once_each(
    administration: TaskStore, owner: asyncpg.Connection
) -> None:
    """ID-609."""
    await owner.execute(
        "INSERT INTO taskcore.identities (issuer, subject, blocked_at)"
        " SELECT 'i' || n % 3, 's' || n, now() FROM generate_series(1, 2500) AS n"
    )

    listed = [(one.issuer, one.subject) async for one in administration.identities.iterate()]

    assert len(set(listed)) == len(listed) == 2500
    assert listed == sorted(listed)


async def test_the_applications_role_administers_no_identity(store: TaskStore) -> None:
    """ID-609."""
    for call in (
        store.identities.block(ISSUER, "me"),
        store.identities.unblock(ISSUER, "me"),
        store.users.block(1),
    ):
        with pytest.raises(PermissionDenied, match="the role that migrated"):
            await call
    with pytest.raises(PermissionDenied):
        _ = [one async for one in store.identities.iterate()]


@pytest.mark.parametrize(
    ("value", "constraint"),
    [
        (None, "type"),
        (42, "type"),
        (b"me", "type"),
        ("", "non_empty"),
        ("x" * 256, "max_length"),
        ("a\x00b", "no_control"),
        ("a\nb", "no_control"),
        ("\x9f", "no_control"),
        ("\ud800", "unicode"),
    ],
)
async def test_an_issuer_or_subject_that_cannot_be_one_is_named(
    store: TaskStore, value: Any, constraint: str
) -> None:
    """ID-604: before anything is sent."""
    for field in ("issuer", "subject"):
        names = {"issuer": ISSUER, "subject": "me"} | {field: value}
        with pytest.raises(ValidationError) as caught:
            store.for_identity(**names)
        assert (caught.value.field, caught.value.constraint) == (field, constraint)
        with pytest.raises(ValidationError):
            await store.identities.block(**names)


async def test_names_of_the_longest_length_are_kept(store: TaskStore) -> None:
    """ID-604: 255 characters of four bytes each, in both columns of one index."""
    longest = "\U0001f600" * 255
    task = await store.for_identity(longest, longest).create("x")

    assert (await store.for_identity(longest, longest).get(task.id)) == task


async def test_provision_must_be_known(store: TaskStore) -> None:
    with pytest.raises(ValidationError, match="provision must be on_write or never"):
        store.for_identity(ISSUER, "me", provision="always")  # type: ignore[arg-type]


async def test_readiness_outlives_refused_callers(wire: Wire) -> None:
    """A refusal is an answer: no probe has to ask the database after it."""
    async with TaskStore(wire.url) as through:
        await through.for_identity(ISSUER, "me").create("x")
        for user_id in (7, 8):
            with pytest.raises(UserNotFound):
                await through.for_identity(ISSUER, "me", user_id=user_id).list()
        before = wire.round_trips
        await through.ready()
        assert wire.round_trips == before


def test_a_subject_is_in_no_repr(database: Database) -> None:
    """ID-610."""
    tasks = TaskStore(database.url).for_identity(ISSUER, "secret-subject")
    assert "secret-subject" not in repr(tasks)
    assert "secret-subject" not in repr(tasks._owner)
