"""``taskctl auth explain``."""

import json
import time
from collections.abc import Iterator

import pytest
import typer.testing

from taskcore import TokenSecret
from taskcore_cli.app import app
from tests.taskcore_cli.conftest import Run
from tests.taskcore_http.identity.http_issuer import HttpIssuer, answer, http_issuer
from tests.taskcore_http.identity.issuing import claims, rsa_key, token


@pytest.fixture
def issuer(monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpIssuer]:
    """An issuer that the settings name."""
    with http_issuer() as one:
        one.answers["/keys"] = answer({"keys": [rsa_key().jwk(kid="k", alg="RS256")]})
        monkeypatch.setenv("TASKCORE_ISSUER", one.url)
        monkeypatch.setenv("TASKCORE_AUDIENCE", "tasks")
        monkeypatch.setenv("TASKCORE_JWKS_URL", f"{one.url}/keys")
        yield one


def _token(issuer: HttpIssuer, **changes: object) -> str:
    now = int(time.time())
    usual = {"iss": issuer.url, "aud": "tasks", "iat": now, "exp": now + 600}
    return token(claims(**usual | changes)).decode()


@pytest.mark.parametrize("scheme", ["", "Bearer ", "bearer  "])
def test_a_token_from_standard_input_is_explained(issuer: HttpIssuer, scheme: str) -> None:
    """ID-709."""
    result = typer.testing.CliRunner().invoke(
        app, ["auth", "explain"], input=f"{scheme}{_token(issuer)}\n"
    )
    assert (result.exit_code, result.stderr) == (0, "")
    assert {line.split()[0] for line in result.stdout.splitlines()} == {"passed"}
    assert all(_token(issuer)[-20:] not in sent for sent in issuer.requests)


def test_a_token_that_is_refused_fails_with_what_is_wrong(issuer: HttpIssuer, run: Run) -> None:
    """ID-709."""
    bad = _token(issuer, aud="\x1b[31mother", exp=1)
    result = run("auth", "explain", bad)
    assert (result.exit_code, result.stderr) == (1, "The token is refused: time, audience.\n")
    assert "\x1b" not in result.stdout

    findings = json.loads(run("auth", "explain", bad, "--json", "--offline").stdout)
    assert [one["rule"] for one in findings if one["outcome"] == "failed"] == ["time", "audience"]
    assert [one["rule"] for one in findings if one["outcome"] == "skipped"] == ["signature"]
    assert len(issuer.requests) == 1


@pytest.mark.usefixtures("issuer")
def test_what_is_no_text_is_explained_too() -> None:
    """ID-709."""
    result = typer.testing.CliRunner().invoke(app, ["auth", "explain"], input=b"\xff\xfe\n")
    assert (result.exit_code, result.stderr) == (1, "The token is refused: form.\n")


def test_a_server_that_is_not_configured_is_explained(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ID-709: it takes API tokens, as `taskctl serve` does."""
    secret = TokenSecret.random().get_secret_value()
    result = run("auth", "explain", secret)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("passed   API token")
    monkeypatch.setenv("TASKCORE_API_TOKENS", "false")
    result = run("auth", "explain", secret)
    assert (result.exit_code, result.stderr) == (1, "The token is refused: API token.\n")


def test_without_a_way_in_nothing_can_be_explained(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ID-709."""
    monkeypatch.setenv("TASKCORE_API_TOKENS", "false")
    monkeypatch.setenv("TASKCORE_SESSIONS", "false")
    result = run("auth", "explain", "x")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "TASKCORE_ISSUER" in result.stderr
    monkeypatch.setenv("TASKCORE_TRUST_CALLERS", "true")
    result = run("auth", "explain", "x")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "error: callers are trusted: no token is checked\n"
