"""Task ids: time-ordered, rising for each user, telling nothing of another."""

import os
import time
from collections.abc import Hashable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskcore import DatabaseError, TaskStore
from taskcore.limits import MAX_ID
from taskcore.tasks.ids import (
    _REMEMBERED,
    COUNTER_BITS,
    EPOCH_MS,
    LAST_MS,
    IdGenerator,
    new_write_id,
)


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self, millisecond: int) -> None:
        self.millisecond = millisecond

    def time_ns(self) -> int:
        return (self.millisecond + EPOCH_MS) * 1_000_000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock(1000)
    monkeypatch.setattr(time, "time_ns", clock.time_ns)
    return clock


def test_an_id_is_an_integer_that_javascript_can_carry() -> None:
    """FR-002."""
    assert 1 <= IdGenerator().next(1) <= MAX_ID


def test_ids_last_until_the_41_bits_are_used_up(clock: Clock) -> None:
    clock.millisecond = 2**41 - 2**24 - 1
    assert IdGenerator().next(1).bit_length() == 53


@pytest.mark.usefixtures("clock")
def test_the_upper_bits_are_the_milliseconds_since_2025() -> None:
    assert IdGenerator().next(1) >> COUNTER_BITS == 1000


def test_ids_of_a_user_rise_strictly() -> None:
    """FR-002, and more of them than one millisecond holds."""
    ids = IdGenerator()
    made = [ids.next(1) for _ in range(20_000)]
    assert made == sorted(set(made))


@pytest.mark.usefixtures("clock")
def test_a_full_millisecond_flows_over_into_the_next() -> None:
    ids = IdGenerator()
    made = [ids.next(1) for _ in range(3 * 2**COUNTER_BITS)]

    assert made == sorted(set(made))
    assert made[-1] >> COUNTER_BITS > 1000


@pytest.mark.usefixtures("clock")
def test_after_an_overflow_the_count_starts_at_random_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ids = IdGenerator()
    starts = iter([2**COUNTER_BITS - 1, 77])
    monkeypatch.setattr("secrets.randbits", lambda _bits: next(starts))

    assert ids.next(1) == (1000 << COUNTER_BITS) + 2**COUNTER_BITS - 1
    assert ids.next(1) == (1001 << COUNTER_BITS) + 77


def test_a_later_millisecond_makes_larger_ids(clock: Clock) -> None:
    ids = IdGenerator()
    first = ids.next(1)
    clock.millisecond += 1

    assert ids.next(1) > first
    assert IdGenerator().next(2) > first


@pytest.mark.usefixtures("clock")
def test_the_count_starts_at_random() -> None:
    starts = {IdGenerator().next(1) for _ in range(50)}
    assert len(starts) > 25


@pytest.mark.usefixtures("clock")
def test_ids_tell_nothing_of_another_user() -> None:
    """FR-018: the ids of one user are consecutive, whatever another does between them."""
    ids = IdGenerator()
    mine = []
    for _ in range(10):
        mine.append(ids.next(1))
        for _ in range(100):
            ids.next(2)

    same_millisecond = [task_id for task_id in mine if task_id >> COUNTER_BITS == 1000]
    assert same_millisecond == list(
        range(same_millisecond[0], same_millisecond[0] + len(same_millisecond))
    )


@pytest.mark.usefixtures("clock")
def test_two_users_start_independently(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = IdGenerator()
    starts = iter([5, 4000])
    monkeypatch.setattr("secrets.randbits", lambda _bits: next(starts))

    assert ids.next(1) & (2**COUNTER_BITS - 1) == 5
    assert ids.next(2) & (2**COUNTER_BITS - 1) == 4000


def test_ids_rise_when_the_clock_steps_back(clock: Clock) -> None:
    ids = IdGenerator()
    made = [ids.next(1)]
    for step in (-500, 1, -100, 3, 0):
        clock.millisecond += step
        made += [ids.next(1) for _ in range(5)]

    assert made == sorted(set(made))


@pytest.mark.parametrize("users", [_REMEMBERED + 1, 3 * _REMEMBERED])
@pytest.mark.parametrize("step", [1, 0])
def test_what_is_known_of_users_is_bounded(clock: Clock, users: int, step: int) -> None:
    """Also with a clock that stands still, before which every user is ahead."""
    ids = IdGenerator()
    for user in range(1, users + 1):
        clock.millisecond += step
        ids.next(user)

    assert len(ids._last) <= _REMEMBERED


def test_a_user_ahead_of_the_clock_is_not_forgotten(clock: Clock) -> None:
    ids = IdGenerator()
    made = [ids.next(1) for _ in range(3 * 2**COUNTER_BITS)]
    clock.millisecond += 1
    made.append(ids.next(1))

    assert made == sorted(set(made))


CLOCKS = {
    "1969": -(10**13),
    "1970": -EPOCH_MS,
    "the end of 2024": -1,
    "the start of 2025": 0,
    "one millisecond later": 1,
    "2026": 2**35,
    "the last millisecond of all ids": LAST_MS,
    "one millisecond later than all ids": LAST_MS + 1,
    "the last of time_ns": 2**63 // 1_000_000 - EPOCH_MS,
}


@pytest.mark.parametrize("at", CLOCKS.values(), ids=CLOCKS)
def test_ids_are_valid_and_rise_whatever_the_clock_says(clock: Clock, at: int) -> None:
    """FR-002; bwmarrin/snowflake#20."""
    clock.millisecond = at
    made = [task_id for ids in [IdGenerator()] for task_id in (ids.next(1) for _ in range(9000))]

    assert all(1 <= task_id <= MAX_ID for task_id in made)
    assert len(set(made)) == len(made)
    assert made == sorted(made)


@given(
    steps=st.lists(
        st.sampled_from(list(CLOCKS.values())) | st.integers(-EPOCH_MS, 2 * LAST_MS), min_size=1
    )
)
def test_ids_rise_over_any_sequence_of_clocks(steps: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        clock = Clock(0)
        patch.setattr(time, "time_ns", clock.time_ns)
        ids = IdGenerator()
        made = []
        for clock.millisecond in steps:
            made += [ids.next(1), ids.next(1)]
    assert all(1 <= task_id <= MAX_ID for task_id in made)
    assert len(set(made)) == len(made)
    assert made == sorted(made)


@given(
    newest=st.integers(1, MAX_ID),
    now=st.sampled_from(list(CLOCKS.values())),
    server=st.none() | st.sampled_from(list(CLOCKS.values())),
)
def test_ids_rise_above_what_the_user_has_if_there_is_one_above(
    newest: int, now: int, server: int | None
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time_ns", Clock(now).time_ns)
        ids = IdGenerator()
        before = ids.next(1)
        ids.rise(1, newest, None if server is None else server + EPOCH_MS)
        made = [ids.next(1) for _ in range(10)]

    assert all(1 <= task_id <= MAX_ID for task_id in made)
    assert len({before, *made}) == 11
    if newest >> COUNTER_BITS < LAST_MS and before >> COUNTER_BITS < LAST_MS:
        assert newest < made[0]
        assert made == sorted({before, *made})[1:]


def test_a_clock_that_steps_back_ends_the_reliance_on_what_was_made_before(clock: Clock) -> None:
    """The state of other users may have been dropped, so the database must compare."""
    ids = IdGenerator()
    ids.next(1)
    mark = ids.write_id(1) >> 32
    clock.millisecond += 1
    ids.next(1)
    assert ids.write_id(1) >> 32 == mark
    clock.millisecond -= 2
    ids.next(2)
    assert ids.write_id(1) >> 32 != mark


def test_write_ids_of_a_store_are_random_and_fit_a_bigint() -> None:
    ids = IdGenerator()
    made = {ids.write_id(1) for _ in range(1000)}

    assert len(made) == 1000
    assert len({write_id >> 32 for write_id in made}) == 1
    assert all(0 <= write_id < 2**63 for write_id in made)


def test_write_ids_are_random_and_fit_a_bigint() -> None:
    made = {new_write_id() for _ in range(1000)}

    assert len(made) == 1000
    assert all(0 <= write_id < 2**63 for write_id in made)


# Two stores may make the same id for one user.


class Repeating(IdGenerator):
    """Gives out some ids that are in use already, then its own."""

    def __init__(self, *used: int) -> None:
        super().__init__()
        self.used = list(used)

    def next(self, user: Hashable) -> int:
        return self.used.pop(0) if self.used else super().next(user)


async def test_a_create_whose_id_is_taken_takes_another(store: TaskStore) -> None:
    """FR-002; edge case: two creates at once never collide or get lost."""
    first = await store.for_user(1).create("first")
    store._ids = Repeating(first.id, first.id)

    second = await store.for_user(1).create("second")

    assert second.id > first.id
    assert (await store.for_user(1).list()).items == (second, first)


async def test_another_users_id_is_not_taken(store: TaskStore) -> None:
    """FR-018."""
    first = await store.for_user(1).create("first")
    store._ids = Repeating(first.id)

    assert (await store.for_user(2).create("second")).id == first.id


@pytest.mark.parametrize("places", [(0,), (1,), (4,), (0, 1), (1, 3), (0, 1, 2, 3, 4)])
async def test_a_batch_with_taken_ids_keeps_its_order(
    store: TaskStore, places: tuple[int, ...]
) -> None:
    """Edge case: no collision, nothing lost."""
    tasks = store.for_user(1)
    used = await tasks.create_many([{"title": f"old {n}"} for n in range(5)])
    ids = [used[n].id if n in places else used[n].id - 2**30 for n in range(5)]
    store._ids = Repeating(*ids)

    created = await store.for_user(1).create_many([{"title": f"new {n}"} for n in range(5)])

    assert [task.title for task in created] == [f"new {n}" for n in range(5)]
    assert [task.id for task in created] == sorted({task.id for task in created})
    assert not {task.id for task in created} & {task.id for task in used}
    listed = (await tasks.list()).items
    assert set(listed) == {*used, *created}


async def test_a_generator_that_never_finds_a_free_id_is_an_error(store: TaskStore) -> None:
    used = await store.for_user(1).create("first")
    store._ids = Repeating(*[used.id] * 100)

    with pytest.raises(DatabaseError):
        await store.for_user(1).create("second")
    with pytest.raises(DatabaseError):
        await store.for_user(1).create_many([{"title": "second"}])
    assert (await store.for_user(1).list()).items == (used,)


def test_a_forked_process_is_a_store_of_its_own() -> None:
    """As `gunicorn --preload` makes workers: their ids do not rise together."""
    ids = IdGenerator()
    read, write = os.pipe()
    if not os.fork():
        os.write(write, str(ids.write_id(1)).encode())
        os._exit(0)
    os.wait()
    theirs = int(os.read(read, 100))
    os.close(read)
    os.close(write)
    assert ids.write_id(1) >> 32 == ids.write_id(1) >> 32
    assert theirs >> 32 != ids.write_id(1) >> 32
