"""API tokens on the command line."""

import asyncio
import json
import signal
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from taskcore import TaskStore, TokenSecret
from taskcore.access import SCOPES
from taskcore_cli.commands.tokens import Scope
from tests.databases import Database
from tests.taskcore_cli.conftest import Run, Start
from tests.taskcore_cli.test_serve import served


async def _tasks(database: Database, secret: str) -> int:
    async with TaskStore(database.url) as store:
        return len(await store.for_token(secret).list())


def test_tokens_are_made_listed_replaced_and_revoked(taskctl: Run, shared: Database) -> None:
    """ID-821, ID-810."""
    assert "No tokens." in taskctl("tokens", "list").stderr

    result = taskctl("tokens", "create", "laptop\u202e")
    assert result.exit_code == 0
    assert "not shown again" in result.stderr
    fields = dict(line.split(maxsplit=1) for line in result.stdout.splitlines())
    assert fields.keys() == {
        *("id", "name", "scopes", "created_at", "expires_at", "last_used_on", "token")
    }
    assert fields["scopes"] == "tasks:read"
    assert "\u202e" not in result.output
    assert asyncio.run(_tasks(shared, fields["token"])) == 0

    table = taskctl("tokens", "list").stdout.splitlines()
    assert len(table) == 2
    assert table[1].split()[0] == fields["id"]
    assert fields["token"] not in table[1]
    today = datetime.now(UTC).date()
    days = {str(today - timedelta(1)), str(today)}
    assert days & set(table[1].split()), table[1]
    new = json.loads(taskctl("tokens", "rotate", fields["id"], "--json").stdout)
    assert asyncio.run(_tasks(shared, new["token"])) == 0
    quiet = taskctl("tokens", "rotate", str(new["id"]), "--quiet")
    assert quiet.stderr == ""
    assert asyncio.run(_tasks(shared, quiet.stdout.strip())) == 0
    again = taskctl("tokens", "rotate", fields["id"])
    assert (again.exit_code, again.stdout) == (2, "")
    assert "the token was replaced before" in again.stderr
    listed = json.loads(taskctl("tokens", "list", "--json").stdout)
    assert [one["id"] for one in listed[1:]] == [new["id"], int(fields["id"])]
    assert "token" not in listed[0]

    assert "revoked" in taskctl("tokens", "revoke", fields["id"]).stdout
    revoked = taskctl("tokens", "revoke", str(new["id"]), "--json")
    assert json.loads(revoked.stdout) == {"revoked": new["id"]}
    assert taskctl("tokens", "revoke", fields["id"]).exit_code == 3
    assert taskctl("tokens", "rotate", fields["id"]).exit_code == 3


def test_scopes_and_expiry_are_chosen(taskctl: Run) -> None:
    """ID-803, ID-821: no expiry only if it is asked for."""
    scopes = ("--scope", "tasks:write", "--scope", "tasks:read")
    result = taskctl("tokens", "create", "x", *scopes, "--no-expiry", "--json")
    token = json.loads(result.stdout)
    assert (token["scopes"], token["expires_at"]) == (["tasks:read", "tasks:write"], None)
    assert "never" in taskctl("tokens", "list").stdout
    assert tuple(Scope) == SCOPES


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--days", "0"), "expires_in_days must be at least 1"),
        (("--days", "367"), "expires_in_days must be at most 366"),
        (("--days", "1", "--no-expiry"), "--days and --no-expiry exclude each other"),
        (("--scope", "all"), "tasks:read"),
    ],
)
def test_what_cannot_be_made_is_wrong_usage(
    taskctl: Run, words: tuple[str, ...], message: str
) -> None:
    """ID-821."""
    result = taskctl("tokens", "create", "x", *words)
    assert result.exit_code == 2
    assert message in result.stderr


def test_serve_takes_the_tokens_that_taskctl_makes(
    taskctl: Run, start: Start, environment: dict[str, str]
) -> None:
    """ID-820: without an issuer, also from other machines."""
    secret = json.loads(taskctl("tokens", "create", "x", "--json").stdout)["token"]
    settings = environment | {"TASKCORE_API_TOKENS": "true"}
    options = ("--host", "0.0.0.0", "--log-level", "debug")  # noqa: S104
    with served(start, *options, ended_by=signal.SIGTERM, env=settings, trusting=False) as server:
        url = f"http://127.0.0.1:{server.port}/me/tasks"
        assert httpx2.get(url).status_code == 401
        assert httpx2.get(url, headers={"Authorization": f"Bearer {secret}"}).json() == []
        wrong = {"Authorization": f"Bearer {secret[:-1]}-"}
        assert httpx2.get(url, headers=wrong).status_code == 401
    assert "Callers need an API token" in server.errors
    assert secret[13:-6] not in server.errors


def test_a_secret_is_whole_on_one_line_of_a_narrow_terminal(
    taskctl: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ID-813: it is not shown again, so that a secret that is cut is lost."""
    monkeypatch.setenv("COLUMNS", "40")
    lines = taskctl("tokens", "create", "x" * 90).stdout.splitlines()
    secrets = [line for line in lines if line.startswith("token  taskcore_pat_")]
    assert [TokenSecret.find(line.split()[1]) is None for line in secrets] == [False]
    assert "".join(lines).count("x") >= 90
