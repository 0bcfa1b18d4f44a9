"""How long `taskctl --help` takes, against the import of what it is made with."""

import subprocess
import sys
import time
from pathlib import Path

from tests.benchmarks.figures import Bar, Results
from tests.benchmarks.plan import Plan
from tests.benchmarks.server import Server

_RUNS, _RUNS_WHEN_QUICK = 15, 3
_MOST = 1.5

_COMMANDS = {
    "taskctl --help": [str(Path(sys.executable).parent / "taskctl"), "--help"],
    "import typer": [sys.executable, "-c", "import typer"],
}


async def measure(_server: Server, plan: Plan) -> Results:
    """Run both, in turn, as often as it takes."""
    results = Results()
    panel, case = "wall time, ms", "start to end"
    for turn in range(-1, _RUNS_WHEN_QUICK if plan.quick else _RUNS):
        for name, command in _COMMANDS.items():
            taken = _run(command)
            # The first one compiles and fills caches.
            if turn >= 0:
                results.add(panel, case, name, taken * 1000)
    ratio = results.ratio(panel, case, *_COMMANDS)
    results.bars.append(Bar(" / ".join(_COMMANDS), ratio, most=_MOST))
    return results


def _run(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start
