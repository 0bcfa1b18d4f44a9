"""The REST API against one that tutorials teach, and against a route that does nothing."""

from contextlib import AsyncExitStack

from tests.benchmarks.application import applications, served
from tests.benchmarks.contents import refill
from tests.benchmarks.figures import Bar, Results
from tests.benchmarks.operations import LIST
from tests.benchmarks.plan import Plan
from tests.benchmarks.server import Server
from tests.benchmarks.wrk import allow_connections, load

_WORKERS = (1, 2)
_FEW, _MANY = 32, 1_000
_SECONDS_TO_WARM_UP = 1

_CROWD = f"get, {_MANY:,} connections"
_CASES = {
    "get": ("get", _FEW, {"ours", "textbook", "bare"}),
    LIST: ("list", _FEW, {"ours", "textbook"}),
    "create": ("create", _FEW, {"ours", "textbook"}),
    _CROWD: ("get", _MANY, {"ours", "bare"}),
}
"""The measurements: the request, the number of connections, and the peers."""

_Least = dict[int, dict[str, float]]
_LEAST_OF_TEXTBOOK: _Least = {
    1: {"get": 4, LIST: 7, "create": 4},
    2: {"get": 4, LIST: 4, "create": 4},
}
_LEAST_OF_BARE: _Least = {1: {"get": 0.45, LIST: 0.48}, 2: {"get": 0.45}}
"""The least ratios, by the number of workers. Get and list are compared with one bare route."""
_LEAST_OF_FEW = 0.8


async def measure(server: Server, plan: Plan) -> Results:
    """Measure requests a second and their latencies, with one worker and with two."""
    allow_connections(_MANY)
    results = Results()
    for workers in _WORKERS:
        errors = await _load_all(server, plan, results, workers)
        panel = f"requests/s, workers: {workers}"
        for case, least in _LEAST_OF_TEXTBOOK[workers].items():
            ratio = results.ratio(panel, case, "ours", "textbook")
            name = f"{case}: ours / textbook, workers: {workers}"
            results.bars.append(Bar(name, ratio, least=least))
        for case, least in _LEAST_OF_BARE[workers].items():
            ratio = results.of(panel, case, "ours") / results.of(panel, "get", "bare")
            name = f"{case}: ours / bare, workers: {workers}"
            results.bars.append(Bar(name, ratio, least=least))
        # The framework's own loss stands beside ours.
        for peer, bar in (("ours", _LEAST_OF_FEW), ("bare", None)):
            ratio = results.of(panel, _CROWD, peer) / results.of(panel, "get", peer)
            name = f"get: {peer}, {_MANY:,} connections / {_FEW}, workers: {workers}"
            results.bars.append(Bar(name, ratio, least=bar))
        for name, count in errors.items():
            results.bars.append(Bar(f"errors of {name}, workers: {workers}", count, most=0))
    return results


async def _load_all(server: Server, plan: Plan, results: Results, workers: int) -> dict[str, int]:
    """Serve all applications, load one after the other; return how many errors each made."""
    async with AsyncExitStack() as stack:
        urls = {
            application.name: await stack.enter_async_context(served(application, workers=workers))
            for application in applications(server)
        }
        errors = dict.fromkeys(urls, 0)
        for url in urls.values():
            await load(url, "get", connections=_FEW, seconds=_SECONDS_TO_WARM_UP)
        for turn in plan.turns(list(urls.items())):
            await refill(server)
            for case, (requests, connections, asked) in _CASES.items():
                for name, url in turn:
                    if name in asked:
                        loaded = await load(
                            url, requests, connections=connections, seconds=plan.seconds
                        )
                        results.add(f"requests/s, workers: {workers}", case, name, loaded.rate)
                        results.add(f"p50, ms, workers: {workers}", case, name, loaded.p50)
                        results.add(f"p99, ms, workers: {workers}", case, name, loaded.p99)
                        errors[name] += loaded.errors
        return errors
