"""Tokens of public vulnerability reports are refused, each by the rule it tries to pass."""

import time

import pytest

from taskcore_http.identity.authorization import MAX_TOKEN
from taskcore_http.identity.refusal import TokenRefused
from tests.taskcore_http.identity.inputs import REFUSED, VALID
from tests.taskcore_http.identity.issuing import (
    NOW,
    SUBJECT,
    Service,
    claims,
    headers,
    rsa_key,
    service,
    token,
)


@pytest.mark.parametrize(("credentials", "reason"), REFUSED.values(), ids=REFUSED)
async def test_a_token_of_a_report_is_refused(credentials: bytes, reason: str) -> None:
    """ID-106, ID-202, ID-301, ID-302, ID-304, ID-305, ID-317."""
    tested = service()
    await tested.subject(VALID)

    with pytest.raises(TokenRefused) as refused:
        await tested.bearer.authenticate(headers(credentials))

    assert refused.value.reason == reason
    assert refused.value.status == 401
    assert refused.value.error == "invalid_token"


async def _seconds(tested: Service, credentials: bytes) -> float:
    """The processor time of a request: the best of a few, as others share the machine."""
    seconds = []
    for _ in range(5):
        start = time.thread_time()
        await tested.reason(credentials)
        seconds.append(time.thread_time() - start)
    return min(seconds)


async def test_a_large_token_costs_no_more_than_a_few_signatures() -> None:
    """ID-104: CVE-2025-61920."""
    tested = service(verified_cache=0)
    await tested.subject(VALID)
    usual = await _seconds(tested, VALID)
    large = {
        name: credentials
        for name, (credentials, _reason) in REFUSED.items()
        if len(credentials) > MAX_TOKEN // 2
    }

    assert len(large) >= 5
    for name, credentials in large.items():
        assert await _seconds(tested, credentials) < 50 * usual, name


@pytest.mark.parametrize("first", ["valid", "forged"])
async def test_litellm_cve_2026_35030(first: str) -> None:
    """ID-402: the cache is not keyed by a part of the token, in whatever order they come."""
    tested = service()
    forged, _ = REFUSED["CVE-2026-35030: header of a valid token, other payload"]
    for _ in range(2):
        if first == "valid":
            assert await tested.subject(VALID) == SUBJECT
        assert await tested.reason(forged) == "signature"
        assert await tested.subject(VALID) == SUBJECT


async def test_mod_oauth2_14() -> None:
    """ID-401: a token that was accepted is refused after its expiration."""
    tested = service(leeway=0)
    short = token(claims(exp=NOW + 1))
    assert await tested.subject(short) == SUBJECT

    tested.clock.advance(1)

    assert await tested.reason(short) == "exp"
    assert await tested.reason(short) == "exp"


async def _revalidated(tested: Service) -> None:
    """Let ten minutes pass, and the fetch that the next request starts."""
    tested.clock.advance(600)
    await tested.reason(VALID)
    await tested.bearer._issuers["https://idp.example/"][1]._task  # type: ignore[attr-defined]


async def test_postgrest_4014() -> None:
    """ID-211: a key that is withdrawn verifies nothing, also not from the cache."""
    tested = service()
    assert await tested.subject(VALID) == SUBJECT
    tested.publisher.keys = [rsa_key("other").jwk(kid="other")]

    await _revalidated(tested)

    assert await tested.reason(VALID) == "kid"


@pytest.mark.parametrize("issued", [0, 20, 3600])
async def test_postgrest_5196(issued: int) -> None:
    """ID-311, ID-312: a time of issue in the future, right after an idle hour."""
    tested = service()
    await tested.subject(VALID)
    tested.clock.advance(3600)

    now = tested.clock.now
    assert await tested.subject(token(claims(iat=now + issued, exp=now + 7200))) == SUBJECT


@pytest.mark.parametrize("payload", [{"sub": "42"}, {"exp": 1.8e9 + 1}, {"scope": ""}])
async def test_values_beside_the_reported_ones_are_accepted(payload: dict[str, object]) -> None:
    """ID-309, ID-313, ID-316: a string of digits, a number with a fraction, no scope."""
    assert await service().reason(token(claims(**payload))) is None


async def test_grafana_cve_2023_3128() -> None:
    """ID-314: the user is issuer and subject, whatever the other claims say."""
    attacker = claims(
        sub="attacker",
        email="victim@example.com",
        email_verified=True,
        preferred_username="victim",
        upn="victim",
        name="victim",
        oid="victim",
        uid="victim",
    )

    principal = await service().principal(token(attacker))

    assert (principal.issuer, principal.subject) == ("https://idp.example/", "attacker")


@pytest.mark.parametrize(
    ("one", "other"),
    [("Abc", "abc"), ("u", " u"), ("u", "u "), ("\u00e9", "e\u0301"), ("\u00df", "ss")],
)
async def test_subjects_are_compared_as_bytes(one: str, other: str) -> None:
    """ID-313: they are not folded, trimmed or normalized."""
    tested = service()

    assert await tested.subject(token(claims(sub=one))) == one
    assert await tested.subject(token(claims(sub=other))) == other


async def test_fastapi_2026() -> None:
    """ID-102, ID-105: the status of requests without a usable token."""
    bearer = service().bearer
    for given, status, error in [
        ([], 401, None),
        ([(b"authorization", b"Basic dXNlcjpwYXNz")], 401, None),
        ([(b"authorization", b"Bearer")], 401, "invalid_token"),
        ([(b"authorization", b"Bearer ")], 401, "invalid_token"),
    ]:
        with pytest.raises(TokenRefused) as refused:
            await bearer.authenticate(given)
        assert (refused.value.status, refused.value.error) == (status, error)
    assert await bearer.authenticate([(b"authorization", b"bearer  " + VALID)])
