"""The pool: who gets which connection, and that no place is ever lost."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress

import asyncpg
import pytest

from taskcore import PoolExhausted, StoreNotOpen
from taskcore.database.pool import Connection, Pool
from taskcore.database.url import connect_arguments
from tests.databases import Database
from tests.sessions import terminate, until_disconnected

MakePool = Callable[..., Pool]
SOON = 0.02


@pytest.fixture
async def make_pool(database: Database) -> AsyncIterator[MakePool]:
    """Make pools of real connections, closed at the end."""

    async def connect() -> Connection:
        return await asyncpg.connect(**connect_arguments(database.url), connection_class=Connection)

    async with AsyncExitStack() as stack:

        def make(
            max_size: int = 2,
            idle_lifetime: float = 60,
            connect: Callable[[], Awaitable[Connection]] = connect,
        ) -> Pool:
            pool = Pool(connect, max_size=max_size, idle_lifetime=idle_lifetime)
            # Most tests end with connections in use, which are waited for.
            stack.push_async_callback(pool.close, 0.1)
            return pool

        yield make


def within(seconds: float = 30) -> float:
    return asyncio.get_running_loop().time() + seconds


async def waiting(pool: Pool) -> asyncio.Task[Connection]:
    """Ask for a connection and wait for one's turn."""
    task = asyncio.ensure_future(pool.acquire(within()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not task.done()
    return task


async def test_the_connection_used_last_is_used_first(make_pool: MakePool) -> None:
    """So that those not needed become idle, and are closed."""
    pool = make_pool()
    first, second = await pool.acquire(within()), await pool.acquire(within())
    pool.release(second)
    pool.release(first)

    assert [await pool.acquire(within()) for _ in range(2)] == [first, second]


async def test_those_who_wait_are_served_in_turn_and_nobody_overtakes(make_pool: MakePool) -> None:
    pool = make_pool(max_size=1)
    connection = await pool.acquire(within())
    first, second = await waiting(pool), await waiting(pool)
    pool.release(connection)
    late = asyncio.ensure_future(pool.acquire(within()))

    for turn in (first, second, late):
        assert await turn is connection
        others = [other for other in (first, second, late) if not other.done()]
        pool.release(connection)
        assert not any(other.done() for other in others)


async def test_whoever_waits_in_vain_is_told_and_loses_nothing(make_pool: MakePool) -> None:
    pool = make_pool(max_size=1)
    connection = await pool.acquire(within())
    with pytest.raises(PoolExhausted, match="pool_max_size is 1"):
        await pool.acquire(within(SOON))
    pool.release(connection)

    assert await pool.acquire(within()) is connection


async def test_a_turn_that_is_cancelled_as_it_comes_is_the_next_ones(make_pool: MakePool) -> None:
    pool = make_pool(max_size=1)
    connection = await pool.acquire(within())
    first, second = await waiting(pool), await waiting(pool)
    pool.release(connection)
    first.cancel()

    assert await second is connection
    assert first.cancelled()


async def test_a_place_that_is_cancelled_as_it_comes_is_the_next_ones(make_pool: MakePool) -> None:
    pool = make_pool(max_size=1)
    connection = await pool.acquire(within())
    first, second = await waiting(pool), await waiting(pool)
    pool.discard(connection)
    first.cancel()

    assert await second is not connection
    assert pool.size == 1


async def test_a_place_that_becomes_free_is_used_by_whoever_waits(make_pool: MakePool) -> None:
    pool = make_pool(max_size=1)
    connection = await pool.acquire(within())
    turn = await waiting(pool)
    pool.discard(connection)
    # Twice is harmless: no second place comes of it.
    pool.discard(connection)

    assert await turn is not connection
    assert pool.size == 1


async def test_a_connection_that_cannot_be_made_takes_no_place(make_pool: MakePool) -> None:
    async def refuse() -> Connection:
        await asyncio.sleep(0)
        raise ConnectionRefusedError

    pool = make_pool(max_size=1, connect=refuse)
    for call in [asyncio.ensure_future(pool.acquire(within())) for _ in range(3)]:
        with pytest.raises(ConnectionRefusedError):
            await call

    assert pool.size == 0


async def test_a_connection_that_is_not_made_in_time_takes_no_place(make_pool: MakePool) -> None:
    async def hang() -> Connection:
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    pool = make_pool(max_size=1, connect=hang)
    with pytest.raises(TimeoutError):
        await pool.acquire(within(SOON))

    assert pool.size == 0


async def test_whoever_waits_for_a_connection_that_is_being_made_waits_for_the_server(
    make_pool: MakePool,
) -> None:
    """That more connections would help is said only when all of them are in use."""

    async def hang() -> Connection:
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    pool = make_pool(max_size=1, connect=hang)
    connecting = asyncio.ensure_future(pool.acquire(within()))
    with pytest.raises(TimeoutError) as raised:
        await pool.acquire(within(SOON))

    assert not isinstance(raised.value, PoolExhausted)
    connecting.cancel()
    await asyncio.gather(connecting, return_exceptions=True)


async def test_a_connection_that_was_lost_while_idle_is_replaced(
    make_pool: MakePool, owner: asyncpg.Connection
) -> None:
    pool = make_pool()
    connections = [await pool.acquire(within()) for _ in range(2)]
    for connection in connections:
        pool.release(connection)
    # The driver notes it in its own time.
    await terminate(owner)
    while not all(connection.is_closed() for connection in connections):  # noqa: ASYNC110
        await asyncio.sleep(0.001)

    assert await (await pool.acquire(within())).fetchval("SELECT 1") == 1
    assert pool.size == 1


async def test_connections_that_are_not_trusted_any_more_are_not_used_again(
    make_pool: MakePool,
) -> None:
    """The idle one at once, the one in use when it comes back."""
    pool = make_pool()
    busy, idle = await pool.acquire(within()), await pool.acquire(within())
    pool.release(idle)
    pool.retire()
    assert idle.is_closed()
    assert not busy.is_closed()
    pool.release(busy)

    assert busy.is_closed()
    assert await pool.acquire(within()) not in (busy, idle)


async def test_idle_connections_are_closed_and_used_ones_are_kept(make_pool: MakePool) -> None:
    pool = make_pool(max_size=3, idle_lifetime=1)
    used, busy, idle = [await pool.acquire(within()) for _ in range(3)]
    pool.release(idle)
    pool.release(used)
    while not idle.is_closed():
        await asyncio.sleep(0.05)
        pool.release(await pool.acquire(within()))

    assert (used.is_closed(), busy.is_closed()) == (False, False)
    assert pool.size == 2


async def test_each_idle_connection_has_a_lifetime_of_its_own(make_pool: MakePool) -> None:
    """Also when nobody asks for one any more."""
    lifetime = 0.1
    pool = make_pool(idle_lifetime=lifetime)
    first, second = await pool.acquire(within()), await pool.acquire(within())
    pool.release(first)
    await asyncio.sleep(lifetime / 2)
    pool.release(second)
    while not second.is_closed():  # noqa: ASYNC110  (the driver tells nobody)
        await asyncio.sleep(0.001)

    # The clock's resolution: the loop may call a thousandth too early.
    assert within(0) - second.idle_since > lifetime - 0.01
    assert first.is_closed()
    assert pool.size == 0


async def test_closing_refuses_those_who_wait_and_whoever_comes(
    make_pool: MakePool, owner: asyncpg.Connection
) -> None:
    pool = make_pool()
    busy, late = await pool.acquire(within()), await pool.acquire(within())
    turn = await waiting(pool)
    closing = asyncio.ensure_future(pool.close(1))
    await asyncio.sleep(0)
    pool.release(late)
    assert late.is_closed()
    for call in (turn, pool.acquire(within())):
        with pytest.raises(StoreNotOpen):
            await call
    await closing

    assert busy.is_closed()
    pool.release(busy)
    assert pool.size == 0
    await until_disconnected(owner)


async def test_closing_says_goodbye_to_idle_connections(
    make_pool: MakePool, owner: asyncpg.Connection
) -> None:
    pool = make_pool()
    busy, idle = await pool.acquire(within()), await pool.acquire(within())
    pool.release(idle)
    closing = asyncio.ensure_future(pool.close(1))
    await asyncio.sleep(0)
    # While one waits for the answer the other comes back.
    assert not closing.done()
    pool.release(busy)

    assert busy.is_closed()
    await closing
    assert pool.size == 0
    await until_disconnected(owner)


async def test_a_connection_that_is_made_while_the_pool_is_closed_is_not_kept(
    make_pool: MakePool, database: Database, owner: asyncpg.Connection
) -> None:
    go = asyncio.Event()

    async def connect() -> Connection:
        await go.wait()
        return await asyncpg.connect(**connect_arguments(database.url), connection_class=Connection)

    pool = make_pool(connect=connect)
    call = asyncio.ensure_future(pool.acquire(within()))
    await asyncio.sleep(0)
    await pool.close(1)
    go.set()

    with pytest.raises(StoreNotOpen):
        await call
    assert pool.size == 0
    await until_disconnected(owner)


async def test_whatever_happens_no_place_is_lost(
    make_pool: MakePool, database: Database, owner: asyncpg.Connection
) -> None:
    """Refusals, cancellations, lost connections, in any order: all places are there at the end."""
    chance = random.Random(20261124)  # noqa: S311
    numbers = itertools.count(1)

    async def connect() -> Connection:
        await asyncio.sleep(0)
        if next(numbers) % 3 == 0:
            raise ConnectionRefusedError
        return await asyncpg.connect(**connect_arguments(database.url), connection_class=Connection)

    pool = make_pool(max_size=4, connect=connect)
    in_use = 0

    async def use() -> None:
        nonlocal in_use
        connection = await pool.acquire(within(chance.choice((SOON, 30))))
        in_use += 1
        assert in_use <= 4
        try:
            await asyncio.sleep(chance.choice((0, 0, 0.001, 0.005)))
        finally:
            in_use -= 1
            give_back = chance.choice((pool.release,) * 6 + (pool.discard,))
            give_back(connection)
        if chance.random() < 0.02:
            pool.retire()

    async def user() -> None:
        for _ in range(60):
            call = asyncio.ensure_future(use())
            if chance.random() < 0.3:
                for _ in range(chance.randrange(6)):
                    await asyncio.sleep(0)
                call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            assert call.cancelled() or not isinstance(call.exception(), AssertionError)

    await asyncio.gather(*(user() for _ in range(12)))

    held = set[Connection]()
    while len(held) < 4:
        with suppress(ConnectionRefusedError):
            held.add(await pool.acquire(within()))
    assert pool.size == 4
    await pool.close(1)
    assert pool.size == 0
    await until_disconnected(owner)
