"""The cost of an identity, and of a host's application around the router."""

from contextlib import AsyncExitStack

from tests.benchmarks.application import mounted_applications, served
from tests.benchmarks.contents import ONE_USER, refill
from tests.benchmarks.figures import Bar, Results
from tests.benchmarks.plan import Plan
from tests.benchmarks.server import Server
from tests.benchmarks.wrk import load

_CONNECTIONS = 32
_SECONDS_TO_WARM_UP = 1
_RATE = "get, requests/s, workers: 1"
_BARS = (
    ("ours", "bare", 0.7),
    ("ours, identity", "bare", 0.7),
    ("host", "ours", 0.75),
    ("host, identity", "ours", 0.7),
)
"""Peer, what it is compared with, and the least ratio of their rates."""


async def measure(server: Server, plan: Plan) -> Results:
    """Measure requests a second for one user's tasks, with one worker each."""
    results = Results()
    async with AsyncExitStack() as stack:
        urls = {
            application.name: await stack.enter_async_context(served(application, workers=1))
            for application in mounted_applications(server)
        }
        for url in urls.values():
            await _load(url, _SECONDS_TO_WARM_UP)
        for turn in plan.turns(list(urls.items())):
            await refill(server)
            for name, url in turn:
                rate, errors = await _load(url, plan.seconds)
                assert not errors, f"{errors} errors of {name}"
                results.add(_RATE, "get", name, rate)
    for peer, other, least in _BARS:
        ratio = results.ratio(_RATE, "get", peer, other)
        results.bars.append(Bar(f"get: {peer} / {other}", ratio, least=least))
    return results


async def _load(url: str, seconds: float) -> tuple[float, int]:
    loaded = await load(url, "get", connections=_CONNECTIONS, seconds=seconds, user=ONE_USER)
    return loaded.rate, loaded.errors
