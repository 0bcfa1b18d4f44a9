"""Users as administrators see them, through a role that may list them."""

import pytest

from taskcore import NotFound, PermissionDenied, TaskStore, UserNotFound, ValidationError
from tests.cursors import cursor


async def test_a_user_is_described_with_counts(administration: TaskStore) -> None:
    one, _ = await administration.for_user(7).create_many([{"title": "a"}, {"title": "b"}])
    await administration.for_user(7).update(one.id, completed=True)
    await administration.for_user(8).create("another's")

    user = await administration.users.get(7)

    assert (user.id, user.task_count, user.open_count) == (7, 2, 1)


async def test_a_change_of_a_task_is_no_change_of_its_user(administration: TaskStore) -> None:
    task = await administration.for_user(7).create("t")
    before = await administration.users.get(7)

    await administration.for_user(7).update(task.id, title="u")
    await administration.for_user(7).create("t")

    assert (await administration.users.get(7)).updated_at == before.updated_at


async def test_users_are_listed_by_rising_id_with_a_cursor(administration: TaskStore) -> None:
    for user_id in (30, 10, 20):
        await administration.for_user(user_id).create("t")

    first = await administration.users.list(limit=2)
    second = await administration.users.list(limit=2, after=first.next)

    assert [user.id for user in first.items] == [10, 20]
    assert ([user.id for user in second.items], second.next) == ([30], None)
    assert [user.id async for user in administration.users.iterate()] == [10, 20, 30]


async def test_an_erased_user_takes_every_task_along(administration: TaskStore) -> None:
    await administration.for_user(7).create_many([{"title": "t"}] * 5)
    kept = await administration.for_user(8).create("kept")

    await administration.users.delete(7)

    assert (await administration.for_user(7).list()).items == ()
    assert (await administration.for_user(8).list()).items == (kept,)
    with pytest.raises(UserNotFound):
        await administration.users.get(7)


async def test_an_unknown_user_is_not_found(administration: TaskStore) -> None:
    for call in (administration.users.get(7), administration.users.delete(7)):
        with pytest.raises(NotFound, match="user 7 not found"):
            await call


async def test_a_user_whose_tasks_are_gone_is_still_known(administration: TaskStore) -> None:
    task = await administration.for_user(7).create("t")
    await administration.for_user(7).delete(task.id)

    assert (await administration.users.get(7)).task_count == 0


async def test_bad_ids_and_limits_are_refused(administration: TaskStore) -> None:
    """SC-006."""
    for call in (
        administration.users.get(0),
        administration.users.delete(-1),
        administration.users.list(limit=0),
        administration.users.list(limit=1001),
        administration.users.list(after=7),  # type: ignore[arg-type]
        administration.users.list(after=cursor(10)),
    ):
        with pytest.raises(ValidationError):
            await call


async def test_the_application_role_may_not_look_at_users(store: TaskStore) -> None:
    """FR-018."""
    for call in (store.users.get(1), store.users.list(), store.users.delete(1)):
        with pytest.raises(PermissionDenied, match="URL of the role that migrated"):
            await call
