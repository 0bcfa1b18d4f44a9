"""The built-in client, and an issuer on a real port that is slow, silent, huge or wrong."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import trustme

from taskcore_http.identity import fetch as fetch_module
from taskcore_http.identity.bearer import Bearer
from taskcore_http.identity.fetch import MAX_CONTENT, FetchFailed, fetch_url
from taskcore_http.identity.fetched_keys import COOLDOWN, REVALIDATE_AFTER, FetchedKeys
from taskcore_http.identity.issuer import Issuer
from taskcore_http.identity.refusal import KeysUnavailable
from tests.ports import free_port
from tests.taskcore_http.identity.http_issuer import HttpIssuer, answer, http_issuer
from tests.taskcore_http.identity.issuing import (
    AUDIENCE,
    SUBJECT,
    Clock,
    Publisher,
    Service,
    claims,
    header,
    rsa_key,
    token,
)

CONFIGURATION = "/.well-known/openid-configuration"


@pytest.fixture
def issuer() -> Iterator[HttpIssuer]:
    with http_issuer() as running:
        running.answers[CONFIGURATION] = answer(
            {"issuer": running.url, "jwks_uri": f"{running.url}/keys"}
        )
        _publish(running, "k")
        yield running


def _publish(issuer: HttpIssuer, *names: str) -> None:
    keys = [rsa_key(name).jwk(kid=name, alg="RS256") for name in names]
    issuer.answers["/keys"] = answer({"keys": keys})


def _service(issuer: HttpIssuer, **arguments: Any) -> Service:
    bearer, clock = Bearer(Issuer(issuer.url, audience=AUDIENCE), **arguments), Clock()
    bearer._clock = clock
    _cached(bearer)._clock = clock
    return Service(bearer, Publisher(), clock)


def _cached(bearer: Bearer) -> FetchedKeys:
    ((_rules, keys),) = bearer._issuers.values()
    assert isinstance(keys, FetchedKeys)
    return keys


def _token(issuer: HttpIssuer, name: str = "k", **changes: Any) -> bytes:
    payload = claims(iss=issuer.url, **changes)
    return token(payload, header(kid=name), key=rsa_key(name))


def _fetches(issuer: HttpIssuer) -> int:
    return sum(CONFIGURATION in request.split("\r\n")[0] for request in issuer.requests)


async def test_keys_are_fetched_over_http(issuer: HttpIssuer) -> None:
    """ID-203."""
    assert await _service(issuer).subject(_token(issuer)) == SUBJECT

    first, second = issuer.requests
    assert first.startswith(f"GET {CONFIGURATION} HTTP/1.1\r\n")
    assert second.startswith("GET /keys HTTP/1.1\r\n")
    assert "User-Agent: taskcore/" in first


LIES: dict[str, bytes] = {
    "empty": answer(b""),
    "not HTTP": b"220 smtp.example ESMTP\r\n\r\n",
    "nothing": b"",
    "status 500": answer(b"{}", "500 Internal Server Error"),
    "status 302 with keys": answer({"keys": [rsa_key().jwk(kid="k")]}, "302 Found"),
    "status 203 with keys": answer(
        {"keys": [rsa_key().jwk(kid="k")]}, "203 Non-Authoritative Information"
    ),
    "status 204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "HTML": answer(b"<html>"),
    "cut off": answer(b'{"keys": [')[:-4],
    "not keys": answer({"keys": "x"}),
    "no keys": answer({"keys": []}),
    "bad keys": answer({"keys": ["x", {"kty": "EC", "crv": "P-999"}, {"kty": "oct", "k": "x"}]}),
    "JSON of 100,000 levels": answer(b"[" * 60_000),
    "huge": answer(b" " * (MAX_CONTENT + 1)),
    "huge by its word": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n{}",
    "bad chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}",
    "long header": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n{}",
    "many headers": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1_000 + b"\r\n{}",
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
async def test_a_wrong_answer_leaves_the_keys_as_they_are(issuer: HttpIssuer, lie: bytes) -> None:
    """ID-205, ID-209, ID-210: known keys are kept; without any, the service is unavailable."""
    tested, given = _service(issuer, verified_cache=0), _token(issuer)
    assert await tested.subject(given) == SUBJECT
    issuer.answers["/keys"] = lie
    tested.clock.advance(REVALIDATE_AFTER)
    await tested.subject(given)
    task = _cached(tested.bearer)._running()
    assert task is not None
    await task

    assert await tested.subject(given) == SUBJECT
    with pytest.raises(KeysUnavailable):
        await _service(issuer).subject(given)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 T", "308 P"])
async def test_redirects_are_not_followed(issuer: HttpIssuer, status: str) -> None:
    """ID-203: PyJWT GHSA-9v7f-9g4p-ffgj."""
    with http_issuer() as attacker:
        attacker.answers["/keys"] = answer({"keys": [rsa_key("k2").jwk(kid="k")]})
        issuer.answers["/keys"] = answer(b"", status, (f"Location: {attacker.url}/keys",))

        with pytest.raises(KeysUnavailable):
            await _service(issuer).subject(_token(issuer))

        assert attacker.requests == []


async def test_a_document_has_at_most_64_kib(issuer: HttpIssuer) -> None:
    """ID-205."""
    issuer.answers["/keys"] = answer(b" " * MAX_CONTENT)
    assert await fetch_url(f"{issuer.url}/keys") == (b" " * MAX_CONTENT, None)

    issuer.answers["/keys"] = answer(b" " * (MAX_CONTENT + 1))
    with pytest.raises(FetchFailed, match="more than 65536 bytes"):
        await fetch_url(f"{issuer.url}/keys")


async def test_proxies_of_the_environment_are_not_used(
    issuer: HttpIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ID-203."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")

    assert await _service(issuer).subject(_token(issuer)) == SUBJECT


# Each byte must come within the time, also on a busy machine.
@pytest.mark.parametrize(("drip", "time"), [(None, 0.1), (0.02, 1.0)], ids=["silent", "slow"])
async def test_an_issuer_that_does_not_end_its_answer_is_cut_off(
    issuer: HttpIssuer, monkeypatch: pytest.MonkeyPatch, drip: float | None, time: float
) -> None:
    """ID-205: the thread ends with the connection, and the service goes on."""
    monkeypatch.setattr(fetch_module, "TIMEOUT", time)
    issuer.drip = drip
    issuer.answers["/keys"] = answer(b" " * 10_000) if drip else None
    threads = set(threading.enumerate())

    with pytest.raises(FetchFailed, match=f"no answer within {time:g} seconds"):
        await fetch_url(f"{issuer.url}/keys")

    assert await asyncio.to_thread(issuer.hung_up.wait, 30)
    for thread in set(threading.enumerate()) - threads:
        if thread.name == "taskcore-fetch":
            await asyncio.to_thread(thread.join)


async def test_an_issuer_that_is_down_makes_the_service_unavailable() -> None:
    """ID-108."""
    url = f"http://127.0.0.1:{free_port()}"
    bearer = Bearer(Issuer(url, audience=AUDIENCE))

    with pytest.raises(KeysUnavailable):
        await bearer.authenticate([(b"authorization", b"Bearer " + token(claims(iss=url)))])


async def test_a_connection_that_comes_too_late_is_not_used(issuer: HttpIssuer) -> None:
    """ID-205."""
    exchange = fetch_module._Exchange(f"{issuer.url}/keys")
    exchange.cut_off()

    exchange.run()

    with pytest.raises(FetchFailed, match="too late"):
        exchange.answer.result()
    assert issuer.requests == []


@pytest.mark.parametrize(
    ("field", "max_age"),
    [
        ("max-age=3600", 3600),
        ("public, Max-Age=60, must-revalidate", 60),
        ("s-maxage=10", None),
        ("no-store", None),
        ("max-age=-1", None),
        ("max-age=1e9", None),
        ("max-age=99999999999999999999", None),
        ("x-max-age=5", None),
    ],
)
async def test_the_freshness_lifetime_is_read(
    issuer: HttpIssuer, field: str, max_age: float | None
) -> None:
    """ID-210 (RFC 9111, section 5.2.2.1)."""
    issuer.answers["/keys"] = answer(b"{}", fields=(f"Cache-Control: {field}",))

    assert await fetch_url(f"{issuer.url}/keys") == (b"{}", max_age)


async def test_a_query_is_sent(issuer: HttpIssuer) -> None:
    """ID-203: some key sets have one."""
    issuer.answers["/keys?a=b"] = answer(b"{}")

    assert await fetch_url(f"{issuer.url}/keys?a=b") == (b"{}", None)


async def test_certificates_are_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    """ID-203."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer(b"{}"))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys"
    async with server:
        with pytest.raises(FetchFailed, match="CERTIFICATE_VERIFY_FAILED"):
            await fetch_url(url)

        trusting = ssl.create_default_context()
        authority.configure_trust(trusting)
        monkeypatch.setattr(ssl, "create_default_context", lambda: trusting)
        assert await fetch_url(url) == (b"{}", None)


async def test_no_valid_token_is_refused_while_keys_rotate(issuer: HttpIssuer) -> None:
    """ID-209, ID-210: an issuer publishes each key before it signs, and rotates under load."""
    tested = _service(issuer)
    names = [f"rotating{n}" for n in range(6)]
    previous = "k"
    for rounds, name in enumerate(names, start=1):
        _publish(issuer, previous, name)
        tested.clock.advance(COOLDOWN)
        given = [
            _token(issuer, key, jti=f"{name}{n}", exp=tested.clock() + 60)
            for n in range(8)
            for key in (previous, name)
        ]
        forged = [_token(issuer, "k", jti=n)[:-4] + b"AAAA" for n in range(8)]
        unknown = [token(claims(iss=issuer.url, jti=n), header(kid=f"{name}{n}")) for n in range(8)]

        reasons = await asyncio.gather(*(tested.reason(one) for one in given))
        bad = await asyncio.gather(*(tested.reason(one) for one in forged + unknown))

        assert reasons == [None] * len(given)
        assert None not in bad
        assert _fetches(issuer) <= rounds
        previous = name
    await tested.bearer.close()
