"""Reports on issuers, for the administrator of the server."""

import time
from collections.abc import Iterator
from email.utils import formatdate

import pytest

from taskcore_http import Bearer, Issuer
from tests.taskcore_http.identity.http_issuer import HttpIssuer, answer, http_issuer
from tests.taskcore_http.identity.issuing import AUDIENCE, ISSUER, Publisher, ec_key, rsa_key


@pytest.fixture
def issuer() -> Iterator[HttpIssuer]:
    with http_issuer() as one:
        _publish(one, ahead=0)
        yield one


def _publish(issuer: HttpIssuer, *, ahead: float | None) -> None:
    """Publish two keys, with the clock of the issuer ahead of ours."""
    date = () if ahead is None else (f"Date: {formatdate(time.time() + ahead, usegmt=True)}",)
    found = {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys"}
    keys = {"keys": [rsa_key().jwk(kid="r", alg="RS256"), ec_key().jwk(kid="e", alg="ES256")]}
    issuer.answers["/.well-known/openid-configuration"] = answer(found, fields=date)
    issuer.answers["/keys"] = answer(keys, fields=date)


async def _examined(issuer: HttpIssuer) -> list[tuple[str, str, str]]:
    checks = await Bearer(Issuer(issuer.url, audience=AUDIENCE)).examine()
    return [(one.name, one.status, one.finding) for one in checks]


async def test_a_healthy_issuer_is_well(issuer: HttpIssuer) -> None:
    """ID-710."""
    keys, clock = await _examined(issuer)

    assert keys == ("issuer", "ok", f"{issuer.url}: keys: 1 for ES256, 1 for RS256")
    assert clock[:2] == ("issuer's clock", "ok")


@pytest.mark.parametrize(
    ("ahead", "status", "finding"),
    [
        (3600, "failure", "ahead of"),
        (-3600, "failure", "behind"),
        (-20, "warning", "behind"),
        (None, "ok", "sends no Date"),
    ],
)
async def test_clocks_that_differ_are_told(
    issuer: HttpIssuer, ahead: float | None, status: str, finding: str
) -> None:
    """ID-710."""
    _publish(issuer, ahead=ahead)

    _keys, (name, found, text) = await _examined(issuer)

    assert (name, found) == ("issuer's clock", status)
    assert finding in text


@pytest.mark.parametrize(
    ("path", "content", "reason"),
    [
        ("/.well-known/openid-configuration", b"<html>", "is not a JSON object"),
        ("/.well-known/openid-configuration", {"issuer": "x"}, "names another issuer"),
        ("/keys", {"keys": []}, "no key that can be used"),
        ("/keys", b"", "not a JSON Web Key Set"),
    ],
)
async def test_an_issuer_without_keys_is_a_failure_with_its_reason(
    issuer: HttpIssuer, path: str, content: bytes | dict[str, object], reason: str
) -> None:
    """ID-710."""
    issuer.answers[path] = answer(content)

    ((name, status, finding),) = await _examined(issuer)

    assert (name, status) == ("issuer", "failure")
    assert finding.startswith(f"{issuer.url}: ")
    assert reason in finding


async def test_an_issuer_that_is_down_is_a_failure() -> None:
    """ID-710."""
    with http_issuer() as gone:
        url = gone.url
    (check,) = await Bearer(Issuer(url, audience=AUDIENCE)).examine()
    assert check.status == "failure"
    assert "TASKCORE_ISSUER" in check.advice


async def test_of_a_shared_secret_nothing_is_asked() -> None:
    """ID-710."""
    bearer = Bearer(Issuer.shared_secret(ISSUER, audience=AUDIENCE, secret=bytes(range(32))))
    (check,) = await bearer.examine()
    assert (check.status, check.finding) == ("ok", f"{ISSUER}: a shared secret")


async def test_a_clock_that_only_the_host_can_reach_is_not_compared() -> None:
    """ID-710: the built-in client asks nobody if the host has its own."""
    publisher = Publisher(rsa_key().jwk(kid="k", alg="RS256"))
    bearer = Bearer(
        Issuer(ISSUER, audience=AUDIENCE, jwks_url=f"{ISSUER}keys"), fetch=publisher.fetch
    )
    keys, clock = await bearer.examine()
    assert keys.status == "ok"
    assert (clock.name, clock.status) == ("issuer's clock", "ok")
    assert clock.finding == "not compared: the host's own fetch does not report the issuer's time"
