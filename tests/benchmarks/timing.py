"""Can one tell "another user's task" from "no such task" by the time the answer takes?

A benchmark, not a test: nothing is asserted of time. One user asks for tasks that
another user has and for tasks that nobody has, in random order, one at a time, on the
embedded server in a folder of its own. Two things are computed of the two samples of
latencies, each with a bootstrap interval:

* AUC: how often a random answer for the one kind takes longer than a random answer
  for the other (Mann and Whitney's U, scaled). 0.5: no power at all.
* accuracy: how often the best threshold, chosen on one half of the answers, is right
  on the other half. 0.5: no better than guessing.

The same is computed of two samples of one kind, as a control: what noise looks like.

    python -m tests.benchmarks.timing --rounds 5000 --face library --face http
"""

import argparse
import asyncio
import random
import secrets
import sys
import tempfile
import time
from bisect import bisect_left, bisect_right
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from statistics import NormalDist, median, quantiles

from taskcore import TaskNotFound, TaskStore
from taskcore.embedded import EmbeddedServer
from taskcore_http import create_app
from tests.taskcore_http.client import client_of

ASKING, OTHER = 1, 2
KINDS = ("another's", "nobody's", "nobody's again")
_RESAMPLES = 300

Ask = Callable[[int], Awaitable[None]]


async def measured(ask: Ask, foreign: Sequence[int], rounds: int) -> dict[str, list[int]]:
    """Return nanoseconds for each kind of id; each round asks once for each, shuffled."""
    taken = set(foreign)
    lowest, highest = min(foreign), max(foreign)

    def nobodys() -> int:
        # From the same range: an id's size must not be what is measured.
        while (task_id := random.randint(lowest, highest)) in taken:  # noqa: S311
            pass
        return task_id

    times: dict[str, list[int]] = {kind: [] for kind in KINDS}
    for turn in range(-rounds // 10, rounds):
        asked = [(KINDS[0], secrets.choice(foreign))]
        asked += [(kind, nobodys()) for kind in KINDS[1:]]
        random.shuffle(asked)
        for kind, task_id in asked:
            start = time.perf_counter_ns()
            await ask(task_id)
            end = time.perf_counter_ns()
            # The first tenth warms caches and plans up.
            if turn >= 0:
                times[kind].append(end - start)
    return times


def auc(first: Sequence[int], second: Sequence[int]) -> float:
    """Return the probability that a value of the second sample is the greater one."""
    ordered = sorted(first)
    below = sum(bisect_left(ordered, x) + bisect_right(ordered, x) for x in second)
    return below / (2 * len(first) * len(second))


def accuracy(first: Sequence[int], second: Sequence[int]) -> float:
    """Return how often the threshold that is best on even places is right on odd ones."""
    one, two = sorted(first[::2]), sorted(second[::2])
    threshold, gain = max(
        (
            (value, bisect_right(one, value) / len(one) - bisect_right(two, value) / len(two))
            for value in (*one, *two)
        ),
        key=lambda pair: abs(pair[1]),
    )
    left, right = sorted(first[1::2]), sorted(second[1::2])
    gained = bisect_right(left, threshold) / len(left) - bisect_right(right, threshold) / len(right)
    return (1 + (gained if gain >= 0 else -gained)) / 2


def interval(
    statistic: Callable[[Sequence[int], Sequence[int]], float],
    first: Sequence[int],
    second: Sequence[int],
) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of a statistic of two samples."""
    values = [
        statistic(random.choices(first, k=len(first)), random.choices(second, k=len(second)))  # noqa: S311
        for _ in range(_RESAMPLES)
    ]
    cuts = quantiles(values, n=40)
    return cuts[0], cuts[-1]


def report(face: str, times: dict[str, list[int]]) -> None:
    say(f"\n{face}: {len(times[KINDS[0]])} answers of each kind, microseconds")
    say(f"{'':16}{'median':>9}{'5 %':>9}{'25 %':>9}{'75 %':>9}{'95 %':>9}{'99 %':>9}")
    for kind, taken in times.items():
        cuts = quantiles(taken, n=100)
        shown = (median(taken), *(cuts[place - 1] for place in (5, 25, 75, 95, 99)))
        say(f"{kind:16}" + "".join(f"{value / 1000:9.1f}" for value in shown))
    foreign, missing, again = (times[kind] for kind in KINDS)
    for name, first, second in (
        ("another's against nobody's", foreign, missing),
        ("control: nobody's twice", again, missing),
    ):
        low, high = interval(auc, first, second)
        power = auc(first, second)
        lowest, highest = interval(accuracy, first, second)
        say(
            f"{name:28}AUC {power:.4f} [{low:.4f}, {high:.4f}]   "
            f"accuracy {accuracy(first, second):.4f} [{lowest:.4f}, {highest:.4f}]"
            f"   {_verdict(power, low, high)}"
        )


def _verdict(power: float, low: float, high: float) -> str:
    if low <= 0.5 <= high:
        return "no difference found"
    # Averaging n answers moves two normal distributions apart by the root of n.
    distance = 2**0.5 * abs(NormalDist().inv_cdf(power))
    answers = (2 * NormalDist().inv_cdf(0.95) / distance) ** 2
    return f"about {answers:.0f} answers for each id to be right 95 % of the time"


async def run(rounds: int, faces: Sequence[str], tasks: int) -> None:
    with tempfile.TemporaryDirectory(prefix="taskcore-timing-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        server = await EmbeddedServer(Path(name)).start()
        try:
            async with TaskStore(server.application_url) as store:
                titles = [{"title": f"task {number}"} for number in range(tasks)]
                await store.for_user(ASKING).create_many(titles)
                foreign = [task.id for task in await store.for_user(OTHER).create_many(titles)]
                for face in faces:
                    times = await {"library": _by_library, "http": _by_http}[face](
                        store, foreign, rounds
                    )
                    report(face, times)
        finally:
            await server.stop()


async def _by_library(
    store: TaskStore, foreign: Sequence[int], rounds: int
) -> dict[str, list[int]]:
    mine = store.for_user(ASKING)

    async def ask(task_id: int) -> None:
        try:
            await mine.get(task_id)
        except TaskNotFound:
            return
        raise AssertionError("another user's task was found")

    return await measured(ask, foreign, rounds)


async def _by_http(store: TaskStore, foreign: Sequence[int], rounds: int) -> dict[str, list[int]]:
    async with client_of(create_app(store=store)) as client:

        async def ask(task_id: int) -> None:
            answer = await client.get(f"/users/{ASKING}/tasks/{task_id}")
            assert answer.status_code == 404, answer.text

        return await measured(ask, foreign, rounds)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5000, help="answers of each kind")
    parser.add_argument("--tasks", type=int, default=1000, help="tasks of each user")
    parser.add_argument("--face", action="append", choices=("library", "http"))
    arguments = parser.parse_args()
    asyncio.run(run(arguments.rounds, arguments.face or ("library", "http"), tasks=arguments.tasks))


if __name__ == "__main__":
    main()
