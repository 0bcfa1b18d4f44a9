"""How fast taskcore is, beside others: ``python -m tests.benchmarks``, from the repository's root.

A benchmark, not a test: it needs a quiet machine and says what that was. Those that
are compared take turns in each round, so that noise hits all of them; what counts is
the median over the rounds.

    python -m tests.benchmarks library http --rounds 5 --seconds 2

Needs ``wrk`` for the groups http, mounted and identity, and matplotlib for the charts.
"""

import argparse
import asyncio
import json
import signal
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console

from tests.benchmarks import (
    bulk,
    growth,
    http,
    identity,
    library,
    lists,
    machine,
    mounted,
    network,
    page,
    router,
    startup,
)
from tests.benchmarks.contents import make_twins
from tests.benchmarks.plan import Plan
from tests.benchmarks.report import show
from tests.benchmarks.server import running_server

_GROUPS = {
    "library": library.measure,
    "network": network.measure,
    "http": http.measure,
    "mounted": mounted.measure,
    "identity": identity.measure,
    "growth": growth.measure,
    "lists": lists.measure,
    "bulk": bulk.measure,
    "page": page.measure,
    "router": router.measure,
    "startup": startup.measure,
}
_RESULTS = Path(__file__).with_name("results")
_ROUNDS, _ROUNDS_WHEN_QUICK = 5, 2
_SECONDS, _SECONDS_WHEN_QUICK = 2.0, 0.3


async def run(groups: Sequence[str], plan: Plan, output: Path) -> None:
    """Measure the groups one after the other; print, write and draw each."""
    # Imported on use: --help needs none of it.
    from tests.benchmarks.chart import draw  # noqa: PLC0415

    console = Console()
    output.mkdir(parents=True, exist_ok=True)
    async with running_server() as server:
        await make_twins(server)
        ran_on = machine.describe(server.version)
        said = ", ".join(f"{name} {value}" for name, value in ran_on.items())
        console.print(said)
        for group in groups:
            with console.status(f"{group} …"):
                results = await _GROUPS[group](server, plan)
            show(console, group, results)
            document = {
                "group": group,
                "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
                "rounds": plan.rounds,
                "seconds": plan.seconds,
                "quick": plan.quick,
                "machine": ran_on,
                **results.as_json(),
            }
            (output / f"{group}.json").write_text(json.dumps(document, indent=2) + "\n")
            draw(output / f"{group}.svg", group, results)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description=(__doc__ or "").partition("\n")[0],
        epilog="Needs pip install -e '.[bench]', and wrk where requests are measured.",
    )
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=", ".join(_GROUPS))
    parser.add_argument("--rounds", type=int, help=f"turns of each peer ({_ROUNDS})")
    parser.add_argument("--seconds", type=float, help=f"for one turn ({_SECONDS:g})")
    parser.add_argument("--quick", action="store_true", help="see that it works; figures mean less")
    parser.add_argument("--huge", action="store_true", help="growth: 10,000,000 tasks too")
    parser.add_argument("--output", type=Path, default=_RESULTS, metavar="DIR")
    given = parser.parse_args()
    if unknown := set(given.groups) - _GROUPS.keys():
        parser.error(f"no such group: {', '.join(sorted(unknown))}")
    plan = Plan(
        rounds=given.rounds or (_ROUNDS_WHEN_QUICK if given.quick else _ROUNDS),
        seconds=given.seconds or (_SECONDS_WHEN_QUICK if given.quick else _SECONDS),
        quick=given.quick,
        huge=given.huge,
    )
    if find_spec("matplotlib") is None:
        parser.error("the charts need matplotlib: pip install -e '.[bench]'")
    # As Ctrl-C: the servers that were started have to be stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    asyncio.run(run(given.groups or list(_GROUPS), plan, given.output))


if __name__ == "__main__":
    main()
