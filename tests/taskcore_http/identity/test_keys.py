"""Keys are fetched when needed, seldom, once for all, and survive the issuer's failures."""

import asyncio
import json
import logging
import math
import secrets
from typing import Any

import pytest

from taskcore_http.identity.fetch import FetchFailed
from taskcore_http.identity.fetched_keys import COOLDOWN, MAX_AGE, REVALIDATE_AFTER, FetchedKeys
from taskcore_http.identity.issuer import Issuer
from taskcore_http.identity.refusal import KeysUnavailable, TokenRefused
from tests.taskcore_http.identity.inputs import VALID
from tests.taskcore_http.identity.issuing import (
    AUDIENCE,
    ISSUER,
    SUBJECT,
    Service,
    SigningKey,
    claims,
    header,
    headers,
    rsa_key,
    rules,
    service,
    token,
)

SECOND = rsa_key("k2")
OF_SECOND = token(head=header(kid="k2"), key=SECOND)


def _publish(tested: Service, *names: str) -> None:
    tested.publisher.keys = [rsa_key(name).jwk(kid=name, alg="RS256") for name in names]


def _cached(tested: Service) -> FetchedKeys:
    ((_rules, keys),) = tested.bearer._issuers.values()
    assert isinstance(keys, FetchedKeys)
    return keys


async def _background(tested: Service) -> None:
    """Wait for the fetch that runs in the background."""
    task = _cached(tested)._running()
    assert task is not None
    await task


def _random_kid() -> bytes:
    return token(head=header(kid=secrets.token_hex(8)))


def test_nothing_is_fetched_before_the_first_token() -> None:
    """ID-213: hasura#9613; an application without a network must start."""
    assert service().publisher.fetched == []


async def test_keys_can_be_fetched_beforehand() -> None:
    """ID-213."""
    tested = service()

    await tested.bearer.prefetch()
    await tested.bearer.prefetch()

    assert len(tested.publisher.fetched) == 1
    assert await tested.subject(VALID) == SUBJECT
    assert len(tested.publisher.fetched) == 1


async def test_a_failure_to_fetch_beforehand_is_logged_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """ID-213."""
    tested = service()
    tested.publisher.failure = OSError("down")

    await tested.bearer.prefetch()

    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert ISSUER in caplog.text


async def test_a_key_of_one_issuer_verifies_no_token_of_another() -> None:
    """ID-201."""
    other = Issuer("https://other.example", audience=AUDIENCE, jwks_url="https://other.example/k")

    async def fetch(url: str) -> tuple[bytes, float | None]:
        tested.publisher.keys = [rsa_key("k" if url.startswith(ISSUER) else "k2").jwk(kid="k")]
        return await tested.publisher.fetch(url)

    tested = service(rules(), other, fetch=fetch)
    of_other = claims(iss="https://other.example")

    assert await tested.reason(token(of_other)) == "signature"
    assert await tested.reason(token(key=SECOND)) == "signature"
    assert await tested.reason(token(of_other, key=SECOND)) is None
    assert await tested.reason(token()) is None


async def test_a_thousand_unknown_key_ids_cause_one_fetch() -> None:
    """ID-209: fastapi-zitadel-auth#149, GHSA-2gx3-rcp4-g85q."""
    tested = service()
    await tested.subject(VALID)
    tested.clock.advance(COOLDOWN)
    forged = [_random_kid() for _ in range(100)]

    reasons = [await tested.reason(forged[n % 100]) for n in range(1_000)]

    assert set(reasons) == {"kid"}
    assert len(tested.publisher.fetched) == 2


@pytest.mark.parametrize("forged", [False, True])
async def test_waiting_requests_share_one_fetch(*, forged: bool) -> None:
    """ID-209."""
    tested = service()
    given = [_random_kid() if forged else token(claims(jti=n)) for n in range(50)]

    reasons = await asyncio.gather(*(tested.reason(one) for one in given))

    assert set(reasons) == {"kid" if forged else None}
    assert len(tested.publisher.fetched) == 1


async def test_a_new_key_is_found_at_the_first_try() -> None:
    """ID-209: hasura#5552, supabase/server#165, micronaut-security#2289."""
    tested = service()
    await tested.subject(VALID)
    _publish(tested, "k", "k2")

    assert await tested.reason(OF_SECOND) == "kid"
    tested.clock.advance(COOLDOWN)

    assert await tested.subject(OF_SECOND) == SUBJECT
    assert len(tested.publisher.fetched) == 2


class _Held:
    """A fetch that answers when it is told to."""

    def __init__(self, tested: Service) -> None:
        self.release = asyncio.Event()
        self._tested = tested

    async def __call__(self, url: str) -> tuple[bytes, float | None]:
        await self.release.wait()
        return await self._tested.publisher.fetch(url)


async def _held() -> tuple[Service, _Held]:
    tested = service()
    held = _Held(tested)
    _cached(tested)._fetch = held
    return tested, held


async def test_known_keys_work_while_a_fetch_is_running() -> None:
    """ID-209: valid tokens do not wait for the fetch that a forged one causes."""
    tested, held = await _held()
    held.release.set()
    await tested.subject(VALID)
    held.release.clear()
    tested.clock.advance(COOLDOWN)
    waiting = asyncio.create_task(tested.reason(_random_kid()))
    await asyncio.sleep(0)

    assert await tested.subject(VALID) == SUBJECT
    assert await tested.subject(token(claims(jti="new"))) == SUBJECT
    assert not waiting.done()

    held.release.set()
    assert await waiting == "kid"


async def test_a_fetch_that_takes_long_is_not_started_twice() -> None:
    """ID-209."""
    tested, held = await _held()
    waiting = [asyncio.create_task(tested.subject(VALID))]
    await asyncio.sleep(0)
    tested.clock.advance(COOLDOWN)
    waiting.append(asyncio.create_task(tested.subject(VALID)))
    await asyncio.sleep(0)
    held.release.set()

    assert await asyncio.gather(*waiting) == [SUBJECT, SUBJECT]
    assert len(tested.publisher.fetched) == 1


async def test_a_cancelled_request_does_not_cancel_the_fetch() -> None:
    """ID-209."""
    tested, held = await _held()
    cancelled, waiting = (asyncio.create_task(tested.subject(VALID)) for _ in range(2))
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.wait((cancelled,))
    held.release.set()

    assert await waiting == SUBJECT
    assert cancelled.cancelled()
    assert len(tested.publisher.fetched) == 1


@pytest.mark.parametrize("failure", ["exception", "no keys", "no usable key", "too many bytes"])
async def test_known_keys_survive_a_failed_fetch(failure: str) -> None:
    """ID-209: they are never dropped by a fetch that failed or was empty."""
    tested = service()
    await tested.subject(VALID)
    _publish(tested)
    if failure == "exception":
        tested.publisher.failure = RuntimeError("the host's own")
    elif failure == "no usable key":
        tested.publisher.keys = [{"kty": "oct", "k": "x"}]
    elif failure == "too many bytes":
        tested.publisher.keys = ["x" * 65_536]
    tested.clock.advance(REVALIDATE_AFTER)
    await tested.subject(VALID)
    await _background(tested)

    assert await tested.subject(VALID) == SUBJECT
    assert await tested.subject(token(claims(jti="new"))) == SUBJECT
    assert len(tested.publisher.fetched) == 2


@pytest.mark.parametrize(
    ("max_age", "seconds"),
    [
        (None, 600),
        (0, 60),
        (59, 60),
        (60, 60),
        (3600, 3600),
        (86_400, 12 * 3600),
        (math.inf, 12 * 3600),
    ],
)
async def test_keys_are_revalidated_in_the_background(
    max_age: float | None, seconds: float
) -> None:
    """ID-210: PyJWT#1162; also if every token comes from the cache."""
    tested = service()
    tested.publisher.max_age = max_age
    long = token(claims(exp=tested.clock() + 1e6))
    await tested.subject(long)

    tested.clock.advance(seconds - 1)
    await tested.subject(long)
    assert _cached(tested)._running() is None
    tested.clock.advance(1)
    await tested.subject(long)
    await _background(tested)

    assert len(tested.publisher.fetched) == 2
    await tested.subject(long)
    assert _cached(tested)._running() is None


async def test_uncached_tokens_revalidate_keys_too() -> None:
    """ID-210."""
    tested = service(verified_cache=0)
    await tested.subject(VALID)
    tested.clock.advance(REVALIDATE_AFTER)
    await tested.subject(VALID)
    await _background(tested)

    assert len(tested.publisher.fetched) == 2


@pytest.mark.parametrize("verified_cache", [0, 10])
async def test_keys_are_used_for_a_day_without_their_issuer(verified_cache: int) -> None:
    """ID-108, ID-210: and not longer."""
    tested = service(verified_cache=verified_cache)
    long = token(claims(exp=tested.clock() + 1e6))
    await tested.subject(long)
    tested.publisher.failure = OSError("down")

    tested.clock.advance(MAX_AGE - 1)
    assert await tested.subject(long) == SUBJECT
    await _background(tested)
    tested.clock.advance(COOLDOWN)
    with pytest.raises(KeysUnavailable):
        await tested.subject(long)

    tested.publisher.failure = None
    tested.clock.advance(COOLDOWN)
    assert await tested.subject(long) == SUBJECT


async def test_without_keys_the_service_is_unavailable() -> None:
    """ID-108: not unauthorized, which would make clients discard their login."""
    tested = service()
    tested.publisher.failure = FetchFailed("down")
    for attempt in range(3):
        with pytest.raises(KeysUnavailable) as unavailable:
            await tested.subject(VALID)
        assert unavailable.value.issuer == ISSUER
        assert unavailable.value.retry_after == 30 - 10 * attempt
        tested.clock.advance(10)
    assert len(tested.publisher.fetched) == 1

    tested.publisher.failure = None
    assert await tested.subject(VALID) == SUBJECT


async def test_a_withdrawn_key_ends_the_tokens_it_verified() -> None:
    """ID-211: PostgREST#4014; tokens of other keys are only verified again."""
    tested = service()
    _publish(tested, "k", "k2")
    assert await tested.subject(VALID) == await tested.subject(OF_SECOND) == SUBJECT
    _publish(tested, "k2")
    tested.clock.advance(REVALIDATE_AFTER)
    await tested.subject(VALID)
    await _background(tested)

    assert await tested.reason(VALID) == "kid"
    assert await tested.reason(OF_SECOND) is None


async def test_a_key_that_is_replaced_under_its_id_verifies_nothing() -> None:
    """ID-211."""
    tested = service()
    await tested.subject(VALID)
    tested.publisher.keys = [SECOND.jwk(kid="k", alg="RS256")]
    tested.clock.advance(REVALIDATE_AFTER)
    await tested.subject(VALID)
    await _background(tested)

    assert await tested.reason(VALID) == "signature"
    assert await tested.reason(token(key=SECOND)) is None


async def test_an_added_key_leaves_the_cache_alone() -> None:
    """ID-211."""
    tested = service()
    await tested.subject(VALID)
    generation = _cached(tested).generation()
    _publish(tested, "k", "k2")
    tested.clock.advance(REVALIDATE_AFTER)
    await tested.subject(VALID)
    await _background(tested)

    assert _cached(tested).generation() == generation


async def test_closing_stops_a_fetch() -> None:
    """ID-209: requests that wait for it end; a later one may fetch again."""
    tested, held = await _held()
    waiting = asyncio.create_task(tested.subject(VALID))
    await asyncio.sleep(0)

    await tested.bearer.close()
    await tested.bearer.close()

    with pytest.raises(KeysUnavailable):
        await waiting
    held.release.set()
    assert await tested.subject(VALID) == SUBJECT


def test_a_fetch_that_ended_with_its_event_loop_is_started_again() -> None:
    """ID-209: test clients of applications use a new event loop for each request."""
    tested = service()

    async def abandon() -> None:
        _cached(tested)._start()

    loop = asyncio.new_event_loop()
    loop.run_until_complete(abandon())
    task = _cached(tested)._task
    assert task is not None

    assert asyncio.run(tested.subject(VALID)) == SUBJECT

    task.cancel()
    loop.run_until_complete(asyncio.wait((task,)))
    loop.close()


def _secret_service() -> tuple[Service, bytes]:
    secret = bytes(range(40))
    issuer = Issuer.shared_secret(ISSUER, audience=AUDIENCE, secret=secret)
    return service(issuer), secret


async def test_a_shared_secret_verifies_hs256_only() -> None:
    """ID-212: and nothing is fetched for it."""
    tested, secret = _secret_service()
    await tested.bearer.prefetch()
    key = SigningKey(secret)

    for kid in ("k", None):
        head = header(alg="HS256", kid=kid)
        assert await tested.subject(token(head=head, key=key)) == SUBJECT
    assert await tested.reason(token(head=header(alg="HS256"), key=SigningKey(b"x" * 40))) == (
        "signature"
    )
    assert await tested.reason(token(head=header(alg="HS512"), key=key)) == "alg"
    assert await tested.reason(VALID) == "alg"
    assert tested.publisher.fetched == []
    await tested.bearer.close()


def _discovering(document: dict[str, Any]) -> Service:
    tested: Service

    async def fetch(url: str) -> tuple[bytes, float | None]:
        if url.endswith("/.well-known/openid-configuration"):
            tested.publisher.fetched.append(url)
            return json.dumps(document).encode(), None
        return await tested.publisher.fetch(url)

    tested = service(Issuer(ISSUER, audience=AUDIENCE), fetch=fetch)
    return tested


async def test_the_key_set_is_found_by_discovery() -> None:
    """ID-203."""
    tested = _discovering({"issuer": ISSUER, "jwks_uri": f"{ISSUER}jwks?x=y"})

    assert await tested.subject(VALID) == SUBJECT
    assert tested.publisher.fetched == [
        "https://idp.example/.well-known/openid-configuration",
        "https://idp.example/jwks?x=y",
    ]


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://idp.example", "jwks_uri": f"{ISSUER}jwks"},
        {"issuer": "https://evil.example/", "jwks_uri": f"{ISSUER}jwks"},
        {"issuer": [ISSUER], "jwks_uri": f"{ISSUER}jwks"},
        {"jwks_uri": f"{ISSUER}jwks"},
        {"issuer": ISSUER},
        {"issuer": ISSUER, "jwks_uri": 5},
        {"issuer": ISSUER, "jwks_uri": "file:///etc/passwd"},
        {"issuer": ISSUER, "jwks_uri": "http://idp.example/jwks"},
        {"issuer": ISSUER, "jwks_uri": "http://127.0.0.1:9/jwks"},
        {"issuer": ISSUER, "jwks_uri": "https://user:password@idp.example/jwks"},
        {"issuer": ISSUER, "jwks_uri": "https://idp.example/\r\nx"},
        {"issuer": ISSUER, "jwks_uri": "//idp.example/jwks"},
    ],
)
async def test_a_discovery_document_cannot_lead_elsewhere(document: dict[str, Any]) -> None:
    """ID-203, ID-204: PyJWT GHSA-993g-76c3-p5m4; OIDC Discovery, section 4.3."""
    tested = _discovering(document)

    with pytest.raises(KeysUnavailable):
        await tested.subject(VALID)
    assert tested.publisher.fetched == ["https://idp.example/.well-known/openid-configuration"]


async def test_a_discovery_document_must_be_json() -> None:
    """ID-204."""

    async def fetch(url: str) -> tuple[bytes, float | None]:
        del url
        return b"<html>", None

    with pytest.raises(KeysUnavailable):
        await service(Issuer(ISSUER, audience=AUDIENCE), fetch=fetch).subject(VALID)


@pytest.mark.parametrize("path", ["keys", ".well-known/openid-configuration"])
async def test_a_fetch_of_the_host_has_the_same_limit(path: str) -> None:
    """ID-205."""

    async def fetch(url: str) -> tuple[bytes, float | None]:
        document: dict[str, Any] = {"keys": [rsa_key().jwk(kid="k")]}
        if url.endswith("configuration"):
            document = {"issuer": ISSUER, "jwks_uri": f"{ISSUER}keys"}
        padding = 65_537 if url.endswith(path) else 0
        return json.dumps(document).encode().ljust(padding), None

    with pytest.raises(KeysUnavailable):
        await service(Issuer(ISSUER, audience=AUDIENCE), fetch=fetch).subject(VALID)


async def test_a_fetch_of_the_host_has_five_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """ID-205."""
    monkeypatch.setattr("taskcore_http.identity.fetched_keys.TIMEOUT", 0.01)
    tested, _held_fetch = await _held()

    with pytest.raises(KeysUnavailable):
        await tested.subject(VALID)


async def test_a_token_of_an_unknown_issuer_causes_no_fetch() -> None:
    """ID-307."""
    tested = service()

    with pytest.raises(TokenRefused):
        await tested.bearer.authenticate(headers(token(claims(iss="https://evil.example"))))

    assert tested.publisher.fetched == []
