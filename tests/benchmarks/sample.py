"""One peer at one operation, for a while: how many, how long each, how much of the CPU."""

import asyncio
import gc
import time
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass
from itertools import islice
from statistics import median

Calls = Iterator[Awaitable[object]]
"""Calls to come; each is made when its turn has come."""

_CALLS_TO_WARM_UP = 10


@dataclass(frozen=True)
class Sample:
    """The samples of one measurement.

    Attributes:
        latencies: Seconds of each call.
        seconds: From the first call's beginning to the last one's end.
        cpu: Seconds of the CPU that this process used in that time.
    """

    latencies: list[float]
    seconds: float
    cpu: float

    @property
    def count(self) -> int:
        return len(self.latencies)

    @property
    def rate(self) -> float:
        """Calls a second."""
        return self.count / self.seconds

    @property
    def median(self) -> float:
        """The latency that half of the calls do not exceed, in seconds."""
        return median(self.latencies)


async def warm_up(calls: Calls, *, clients: int = 1) -> None:
    """Connect, prepare statements and plan them, before it counts."""
    await sample(islice(calls, _CALLS_TO_WARM_UP * clients), clients=clients)


async def sample(calls: Calls, *, clients: int = 1, seconds: float = float("inf")) -> Sample:
    """Make calls until there are no more, or time is over.

    Args:
        calls: What is measured.
        clients: How many calls are under way at once.
        seconds: Make no new call after so many.
    """
    clock = time.perf_counter
    latencies: list[float] = []

    async def client() -> None:
        for call in calls:
            begun = clock()
            await call
            ended = clock()
            latencies.append(ended - begun)
            if ended >= end:
                return

    settle()
    cpu, start = time.process_time(), clock()
    end = start + seconds
    await asyncio.gather(*(client() for _ in range(clients)))
    return Sample(latencies, clock() - start, time.process_time() - cpu)


def settle() -> None:
    """Leave what is there so far out of garbage collection.

    It belongs to the benchmark and to all peers: walking over it would be charged to
    whoever makes most objects.
    """
    gc.collect()
    gc.freeze()
