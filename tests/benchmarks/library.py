"""The library against the driver alone and against what tutorials teach."""

from itertools import islice

from tests.benchmarks.contents import refill
from tests.benchmarks.figures import Bar, Results
from tests.benchmarks.operations import LIST, operations
from tests.benchmarks.peers import open_peers, open_wired
from tests.benchmarks.plan import Plan
from tests.benchmarks.sample import sample, warm_up
from tests.benchmarks.server import Server

_CLIENTS = (1, 16, 100)
_POOL = 16
_CALLS_ON_THE_WIRE = 100

_LEAST_OF_RAW = {"get": 0.95, LIST: 0.9, "create": 0.8, "update": 0.75, "delete": 0.75}
_LEAST_OF_TEXTBOOK = {"create": 10, "get": 8, LIST: 7}


async def measure(server: Server, plan: Plan) -> Results:
    """Measure throughput, the client's CPU, and bytes on the wire."""
    results = Results()
    for clients in _CLIENTS:
        await _throughput(server, plan, results, clients)
    await _traffic(server, results)
    at_16 = _rate(16)
    for operation, least in _LEAST_OF_RAW.items():
        ratio = results.ratio(at_16, operation, "ours", "raw")
        results.bars.append(Bar(f"{operation}, 16 at once: ours / raw", ratio, least=least))
    for operation, least in _LEAST_OF_TEXTBOOK.items():
        ratio = results.ratio(at_16, operation, "ours", "textbook")
        results.bars.append(Bar(f"{operation}, 16 at once: ours / textbook", ratio, least=least))
    return results


async def _throughput(server: Server, plan: Plan, results: Results, clients: int) -> None:
    dispensable = plan.dispensable(clients)
    async with open_peers(server.url, size=min(clients, _POOL)) as peers:
        for turn in plan.turns(peers):
            await refill(server, dispensable=dispensable)
            for operation, calls_of in operations(dispensable).items():
                for peer in turn:
                    calls = calls_of(peer)
                    await warm_up(calls, clients=clients)
                    taken = await sample(calls, clients=clients, seconds=plan.seconds)
                    results.add(_rate(clients), operation, peer.name, taken.rate)
                    results.add(
                        f"client CPU, µs an operation, {clients} at once",
                        operation,
                        peer.name,
                        taken.cpu / taken.count * 1e6,
                    )


async def _traffic(server: Server, results: Results) -> None:
    """Count bytes; time does not matter here."""
    dispensable = 2 * _CALLS_ON_THE_WIRE
    await refill(server, dispensable=dispensable)
    async with open_wired(server) as wired:
        for peer, wire in wired:
            for operation, calls_of in operations(dispensable).items():
                calls = calls_of(peer)
                await warm_up(calls)
                before = wire.sent + wire.received
                await sample(islice(calls, _CALLS_ON_THE_WIRE))
                each = (wire.sent + wire.received - before) / _CALLS_ON_THE_WIRE
                results.add("bytes on the wire an operation", operation, peer.name, each)


def _rate(clients: int) -> str:
    return f"operations/s, {clients} at once"
