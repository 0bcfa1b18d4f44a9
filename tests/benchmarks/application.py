"""The applications that are compared, each served by uvicorn in processes of its own."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.identity_apps import Signer
from tests.benchmarks.server import APPLICATION, OWNER, Server
from tests.ports import free_port

_ROOT = Path(__file__).parents[2]
_POOL = 16
_SECONDS_TO_START, _SECONDS_TO_STOP = 30, 15


@dataclass(frozen=True)
class Application:
    """The application that is served.

    Attributes:
        name: In tables and charts.
        factory: For ``uvicorn --factory``.
        environment: Where it finds its database.
    """

    name: str
    factory: str
    environment: dict[str, str]


_BARE = Application("bare", "tests.benchmarks.bare_app:create_app", {})


def applications(server: Server) -> list[Application]:
    """Return all of them; each worker of each has a pool of the same size."""
    return [
        _ours(server, "ours", "taskcore_http.app:app_from_environment"),
        Application(
            "textbook",
            "tests.benchmarks.textbook_app:create_app",
            {"BENCH_DATABASE_URL": server.url(OWNER), "BENCH_POOL_SIZE": str(_POOL)},
        ),
        _BARE,
    ]


def mounted_applications(server: Server) -> list[Application]:
    """Return ours alone and in a host's application, each without and with an identity."""
    return [
        _ours(server, "ours", "taskcore_http.app:app_from_environment"),
        _ours(server, "ours, identity", "tests.benchmarks.mounted_apps:identified"),
        _ours(server, "host", "tests.benchmarks.mounted_apps:host"),
        _ours(server, "host, identity", "tests.benchmarks.mounted_apps:identified_host"),
        _BARE,
    ]


def identified_applications(server: Server, signers: Sequence[Signer]) -> list[Application]:
    """Return ours with trusted callers, and with each kind of token, cached and not."""

    def ours(name: str, signer: Signer, cache: int) -> Application:
        found = _ours(server, name, "tests.benchmarks.identity_apps:identified")
        key = {"BENCH_JWK": json.dumps(signer.jwk), "BENCH_VERIFIED_CACHE": str(cache)}
        return Application(name, found.factory, found.environment | key)

    return [
        _ours(server, "trusted", "taskcore_http.app:app_from_environment"),
        ours(f"{signers[0].name}, cached", signers[0], 10_000),
        _ours(server, "API token", "tests.benchmarks.identity_apps:with_api_tokens"),
        *(ours(f"{signer.name}, not cached", signer, 0) for signer in signers),
    ]


def _ours(server: Server, name: str, factory: str) -> Application:
    environment = {
        "TASKCORE_DATABASE_URL": server.url(APPLICATION),
        "TASKCORE_TRUST_CALLERS": "true",
        "TASKCORE_POOL_MAX_SIZE": str(_POOL),
    }
    return Application(name, factory, environment)


@asynccontextmanager
async def served(application: Application, *, workers: int) -> AsyncIterator[str]:
    """Serve an application and yield its URL."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "uvicorn", "--factory", application.factory),
        *("--host", "127.0.0.1", "--port", str(port), "--workers", str(workers)),
        *("--no-access-log", "--log-level", "warning"),
        cwd=_ROOT,
        env=os.environ | application.environment,
        # Ctrl-C is for this process, which stops the servers in order.
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(_SECONDS_TO_START):
            while not await _answers(port):
                assert process.returncode is None, f"{application.name} did not start"
                await asyncio.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(_SECONDS_TO_STOP):
                    await process.wait()
            except TimeoutError:
                os.killpg(process.pid, 9)
                await process.wait()


async def _answers(port: int) -> bool:
    """Ask for what every FastAPI application has; a socket alone may have no worker yet."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    try:
        writer.write(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return (await reader.read()).startswith(b"HTTP/1.1 200")
    except OSError:
        return False
    finally:
        writer.close()
