"""The cost of distance: round trips, and their latency."""

import asyncio
from asyncio import SelectorEventLoop
from collections.abc import Coroutine
from selectors import SelectSelector
from typing import Any

from tests.benchmarks.contents import refill
from tests.benchmarks.figures import Bar, Results
from tests.benchmarks.operations import operations
from tests.benchmarks.peers import open_wired
from tests.benchmarks.plan import Plan
from tests.benchmarks.sample import sample, warm_up
from tests.benchmarks.server import Server

_ADDED_MS = (0, 5, 20)
_FAR = _ADDED_MS[-1]
_MOST_MS_AT_20 = 22

_ROUND_TRIPS = "round trips an operation"


async def measure(server: Server, plan: Plan) -> Results:
    """Measure each operation, one at a time, with milliseconds added to each round trip."""
    return await asyncio.to_thread(_on_precise_loop, _measure(server, plan))


def _on_precise_loop(measuring: Coroutine[Any, Any, Results]) -> Results:
    """Run on a loop that sleeps to the microsecond: epoll's sleep is up to a millisecond late."""
    with asyncio.Runner(loop_factory=lambda: SelectorEventLoop(SelectSelector())) as runner:
        return runner.run(measuring)


async def _measure(server: Server, plan: Plan) -> Results:
    results = Results()
    for added in _ADDED_MS:
        await _at_distance(server, plan, results, added)
    for operation in operations(0):
        trips = results.of(_ROUND_TRIPS, operation, "ours")
        results.bars.append(Bar(f"{operation}: our round trips", trips, least=1, most=1))
    for operation in operations(0):
        latency = results.of(_latency(_FAR), operation, "ours")
        name = f"{operation}: our p50 in ms, {_FAR} ms added"
        results.bars.append(Bar(name, latency, most=_MOST_MS_AT_20))
    return results


async def _at_distance(server: Server, plan: Plan, results: Results, added: int) -> None:
    dispensable = plan.dispensable()
    async with open_wired(server, delay=added / 2 / 1000) as wired:
        for turn in plan.turns(wired):
            await refill(server, dispensable=dispensable)
            for operation, calls_of in operations(dispensable).items():
                for peer, wire in turn:
                    calls = calls_of(peer)
                    await warm_up(calls)
                    before = wire.round_trips
                    taken = await sample(calls, seconds=plan.seconds)
                    trips = (wire.round_trips - before) / taken.count
                    results.add(_latency(added), operation, peer.name, taken.median * 1000)
                    results.add(_ROUND_TRIPS, operation, peer.name, trips)


def _latency(added: int) -> str:
    return f"p50, ms, {added} ms added"
