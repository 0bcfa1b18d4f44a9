"""``taskctl`` against a fresh database, as a function and as a process."""

import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer.testing

from taskcore.embedded import EmbeddedServer
from taskcore_cli.app import app
from tests.databases import Database
from tests.router.plproxy import RouterServer
from tests.router.routed import created
from tests.taskcore_cli.terminal import Terminal, at_terminal

Run = Callable[..., typer.testing.Result]
_users = itertools.count(1000)

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def run() -> Run:
    """Run ``taskctl`` in this process; ``env`` adds to the environment."""

    def invoke(*words: str, env: dict[str, str] | None = None) -> typer.testing.Result:
        return typer.testing.CliRunner().invoke(app, list(words), env=env, prog_name="taskctl")

    return invoke


@pytest.fixture(scope="session")
def shared(server: EmbeddedServer, router_server: RouterServer | None) -> Iterator[Database]:
    """One migrated database for tests that keep to their own user."""
    with created(server, router_server, "test_cli") as database:
        yield database


@pytest.fixture
def user() -> int:
    """A user whom no other test knows."""
    return next(_users)


@pytest.fixture
def environment(shared: Database, user: int) -> dict[str, str]:
    """The application's URL, and the user."""
    return {"TASKCORE_DATABASE_URL": shared.url, "TASKCTL_USER": str(user)}


@pytest.fixture
def taskctl(run: Run, environment: dict[str, str]) -> Run:
    """Run ``taskctl`` as a user of their own, through the application's role."""

    def invoke(*words: str, **env: str) -> typer.testing.Result:
        return run(*words, env=environment | env)

    return invoke


@pytest.fixture
def administer(run: Run, database: Database) -> Run:
    """Run ``taskctl`` through the role that migrated."""

    def invoke(*words: str) -> typer.testing.Result:
        return run(*words, env={"TASKCORE_DATABASE_URL": database.administrator_url})

    return invoke


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Start ``taskctl`` as a process of its own."""

    def popen(*words: str, **env: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "taskcore_cli", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env=dict(os.environ) | env,
        )

    return popen


@pytest.fixture
def terminal(environment: dict[str, str]) -> Terminal:
    """Run ``taskctl`` at a terminal."""

    def invoke(*words: str, until: str = "", answer: str = "", **env: str) -> tuple[int, str]:
        return at_terminal(*words, until=until, answer=answer, env=environment | env)

    return invoke
