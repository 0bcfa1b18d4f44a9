"""The load that wrk makes (https://github.com/wg/wrk), in a process of its own."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from resource import RLIMIT_NOFILE, getrlimit, setrlimit

from tests.benchmarks.contents import PAGE, TASKS_EACH, USERS

_SCRIPT = Path(__file__).with_name("load.lua")
_THREADS = 2


@dataclass(frozen=True)
class Load:
    """The results of the requests.

    Attributes:
        rate: Requests a second.
        p50: The latency that half of them did not exceed, in milliseconds.
        p99: That 99 % did not exceed.
        errors: Answers other than 2xx and 3xx, connections that broke, and timeouts.
    """

    rate: float
    p50: float
    p99: float
    errors: int


async def load(
    url: str,
    requests: str,
    *,
    connections: int,
    seconds: float,
    user: int | None = None,
    token: str | None = None,
) -> Load:
    """Ask as often as answers come.

    Args:
        url: Of the server.
        requests: ``get``, ``list`` or ``create``; see ``load.lua``.
        connections: Each waits for its answer before it asks again.
        seconds: wrk knows whole ones only, and at least one.
        user: Whose tasks to ask for; None takes everybody's.
        token: A bearer token to send.
    """
    process = await asyncio.create_subprocess_exec(
        *("wrk", f"-t{_THREADS}", f"-c{connections}", f"-d{max(1, round(seconds))}s"),
        *("--latency", "-s", str(_SCRIPT)),
        *([] if token is None else ["-H", f"Authorization: Bearer {token}"]),
        url,
        *("--", requests, str(USERS), str(TASKS_EACH), str(PAGE)),
        *([] if user is None else [str(user)]),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        output, _ = await process.communicate()
    except BaseException:
        process.kill()
        raise
    assert process.returncode == 0, output
    said = json.loads(output.splitlines()[-1])
    return Load(
        rate=said["requests"] / said["microseconds"] * 1e6,
        p50=said["p50"] / 1000,
        p99=said["p99"] / 1000,
        errors=said["errors"],
    )


def allow_connections(count: int) -> None:
    """Let the processes to come have so many connections open, if they may."""
    soft, hard = getrlimit(RLIMIT_NOFILE)
    if soft < 2 * count:
        setrlimit(RLIMIT_NOFILE, (min(2 * count, hard), hard))
