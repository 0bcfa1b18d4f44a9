"""Does the time of an answer reveal whether the database has a thing?

A benchmark, not a test: nothing is asserted about time. It asks for things of two kinds that
get the same answer, in random order, one at a time, on the embedded server in a folder of its
own: another user's task and nobody's, the path of another user and of nobody, an identity with
a user and an unknown one, an API token that has expired and an unknown one. Two things are
computed of the two samples of latencies, each with a bootstrap interval:

* AUC: how often a random answer for the one kind takes longer than a random answer
  for the other (Mann and Whitney's U, scaled). 0.5: no power at all.
* accuracy: how often the best threshold, chosen on one half of the answers, is right
  on the other half. 0.5: no better than guessing.

The same is computed of two samples of one kind, as a control: what noise looks like.

    python -m tests.benchmarks.timing --rounds 5000 --question tokens --face library
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from statistics import NormalDist, median, quantiles

from taskcore import TaskStore
from taskcore.embedded import EmbeddedServer
from tests.benchmarks.timing_questions import QUESTIONS, Question

_RESAMPLES = 300


async def measured(question: Question, rounds: int) -> tuple[list[int], list[int], list[int]]:
    """Return nanoseconds for the known, the unknown, and once more the unknown; rounds shuffled."""
    times: tuple[list[int], list[int], list[int]] = ([], [], [])
    for turn in range(-rounds // 10, rounds):
        asked = [(taken, question.draw(taken is times[0])) for taken in times]
        random.shuffle(asked)
        for taken, thing in asked:
            start = time.perf_counter_ns()
            await question.ask(thing)
            end = time.perf_counter_ns()
            # The first tenth warms caches and plans up.
            if turn >= 0:
                taken.append(end - start)
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


def report(question: Question, times: tuple[list[int], list[int], list[int]]) -> None:
    known, unknown, again = times
    say(f"\n{question.name}: {len(known)} answers of each kind, microseconds")
    say(f"{'':16}{'median':>9}{'5 %':>9}{'25 %':>9}{'75 %':>9}{'95 %':>9}{'99 %':>9}")
    kinds = (question.known, question.unknown, f"{question.unknown} again")
    for kind, taken in zip(kinds, times, strict=True):
        cuts = quantiles(taken, n=100)
        shown = (median(taken), *(cuts[place - 1] for place in (5, 25, 75, 95, 99)))
        say(f"{kind:16}" + "".join(f"{value / 1000:9.1f}" for value in shown))
    for name, first, second in (
        (f"{question.known} against {question.unknown}", known, unknown),
        (f"control: {question.unknown} twice", again, unknown),
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
    return f"about {answers:.0f} answers for each to be right 95 % of the time"


async def run(rounds: int, questions: Collection[str], faces: Collection[str], count: int) -> None:
    for name in questions:
        # Each has a server of its own: the things of one question are not in the way of another.
        with tempfile.TemporaryDirectory(
            prefix="taskcore-timing-", ignore_cleanup_errors=True
        ) as folder:
            Path(folder).chmod(0o755)
            server = await EmbeddedServer(Path(folder)).start()
            try:
                async with TaskStore(server.application_url) as store:
                    async for question in QUESTIONS[name](server, store, count):
                        if question.name.partition(",")[0] in faces:
                            report(question, await measured(question, rounds))
            finally:
                await server.stop()


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5000, help="answers of each kind")
    parser.add_argument("--count", type=int, default=1000, help="known things")
    parser.add_argument("--question", action="append", choices=tuple(QUESTIONS))
    parser.add_argument("--face", action="append", choices=("library", "http"))
    arguments = parser.parse_args()
    questions, faces = arguments.question or QUESTIONS, arguments.face or ("library", "http")
    asyncio.run(run(arguments.rounds, questions, faces, arguments.count))


if __name__ == "__main__":
    main()
