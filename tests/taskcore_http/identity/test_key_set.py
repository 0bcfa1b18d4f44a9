"""Which keys of a key set are used, and for which tokens."""

import json
from typing import Any

import pytest

from taskcore_http.identity.algorithms import ASYMMETRIC, DEFAULT
from taskcore_http.identity.jwk import algorithms_of
from taskcore_http.identity.key_set import InvalidKeySet, parse_key_set
from tests.taskcore_http.identity.inputs import VALID
from tests.taskcore_http.identity.issuing import (
    SUBJECT,
    b64,
    b64_int,
    ec_key,
    ed25519_key,
    header,
    rsa_key,
    service,
    token,
)

GOOD = rsa_key().jwk(kid="k", alg="RS256")
_EC, _RSA = ec_key().jwk(kid="k"), rsa_key("bad").jwk(kid="bad")

IGNORED: dict[str, Any] = {
    "not an object": "str",
    "null": None,
    "unknown curve": {"kty": "EC", "crv": "P-999", "x": "AA", "y": "AA"},
    "unknown type": {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"},
    "no type": {"n": _RSA["n"], "e": _RSA["e"]},
    "type that is not a text": {**_RSA, "kty": ["RSA"]},
    "curve that is not a text": {**_EC, "crv": ["P-256"]},
    "type and curve that do not fit": {"kty": "EC", "crv": "Ed25519", "x": "AA", "y": "AA"},
    "use enc": {**_RSA, "use": "enc"},
    "use that is not a text": {**_RSA, "use": ["sig"]},
    "key_ops without verify": {**_RSA, "key_ops": ["sign"]},
    "key_ops that is not a list": {**_RSA, "key_ops": "verify"},
    "symmetric": {"kty": "oct", "k": b64(b"x" * 32), "alg": "HS256"},
    "symmetric with an asymmetric algorithm": {"kty": "oct", "k": b64(b"x" * 300), "alg": "RS256"},
    "private RSA": {**_RSA, "d": "AQAB"},
    "private EC": {**_EC, "d": "AQAB"},
    "RSA of 1024 bits": rsa_key("short", bits=1024).jwk(),
    "RSA of 8200 bits": {"kty": "RSA", "n": b64_int((1 << 8199) + 1), "e": "AQAB"},
    "RSA with an even exponent": {**_RSA, "e": b64_int(65536)},
    "RSA with the exponent 1": {**_RSA, "e": "AQ"},
    "RSA with a huge exponent": {**_RSA, "e": b64_int((1 << 100) + 1)},
    "RSA without a modulus": {"kty": "RSA", "e": "AQAB"},
    "RSA with a modulus that is not base64url": {**_RSA, "n": "\u00e9!"},
    "RSA with a modulus that is a number": {**_RSA, "n": 5},
    "EC point off the curve": {**_EC, "y": _EC["x"]},
    "EC without y": {name: value for name, value in _EC.items() if name != "y"},
    "Ed25519 of the wrong length": {"kty": "OKP", "crv": "Ed25519", "x": "AA"},
    "X25519": {"kty": "OKP", "crv": "X25519", "x": b64(b"x" * 32)},
    "algorithm of another type": {**_RSA, "alg": "ES256"},
    "algorithm that is not allowed": {**_RSA, "alg": "RS512"},
    "algorithm that is not a text": {**_RSA, "alg": ["RS256"]},
    "algorithm null": {**_RSA, "alg": None},
    "algorithm of encryption": {**_RSA, "alg": "RSA-OAEP"},
    "kid that is not a text": {**_RSA, "kid": 1},
}


@pytest.mark.parametrize("bad", IGNORED.values(), ids=IGNORED)
async def test_one_bad_key_does_not_disturb_the_others(bad: object) -> None:
    """ID-206: fastmcp#4515, and joserfc 1.8, whose key set fails as a whole."""
    assert await service(keys=[bad, GOOD, bad]).subject(VALID) == SUBJECT
    with pytest.raises(InvalidKeySet, match="no key that can be used"):
        parse_key_set(b'{"keys": [%s]}' % _json(bad), ASYMMETRIC - {"RS512"})


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize("name", [name for name in IGNORED if name.startswith("RSA")])
def test_weak_keys_are_ignored_before_they_are_imported(name: str) -> None:
    """ID-206: joserfc imports some of them."""
    assert algorithms_of(IGNORED[name], ASYMMETRIC) == frozenset()


@pytest.mark.parametrize(
    "members",
    [
        {"use": "sig"},
        {"key_ops": ["verify"]},
        {"key_ops": ["sign", "verify"], "use": "sig"},
        {"x5c": 5},
        {"x5t": ["x"], "ext": True},
        {"alg": "RS256"},
        {"oth2": "x"},
    ],
)
async def test_harmless_members_do_not_matter(members: dict[str, Any]) -> None:
    """ID-206."""
    assert await service(keys=[rsa_key().jwk(kid="k", **members)]).subject(VALID) == SUBJECT


@pytest.mark.parametrize(
    ("jwk", "algorithms"),
    [
        (rsa_key().jwk(), {"RS256", "PS256"}),
        (rsa_key().jwk(alg="PS256"), {"PS256"}),
        (ec_key().jwk(), {"ES256"}),
        (ec_key("P-384").jwk(), set()),
        (ed25519_key().jwk(), {"EdDSA", "Ed25519"}),
        (ed25519_key().jwk(alg="EdDSA"), {"EdDSA"}),
    ],
)
def test_a_key_serves_the_algorithms_of_its_type(jwk: object, algorithms: set[str]) -> None:
    """ID-207."""
    assert algorithms_of(jwk, DEFAULT) == algorithms


@pytest.mark.parametrize("other", [rsa_key("other").jwk(), ed25519_key().jwk()])
async def test_a_key_id_chooses_the_key(other: dict[str, Any]) -> None:
    """ID-208."""
    tested = service(keys=[other | {"kid": "other"}, GOOD])

    assert await tested.subject(VALID) == SUBJECT
    assert await tested.reason(token(head=header(kid="other"))) in ("kid", "signature")


@pytest.mark.parametrize(("length", "reason"), [(256, None), (257, "kid")])
async def test_a_key_id_has_at_most_256_characters(length: int, reason: str | None) -> None:
    """ID-208."""
    tested = service(keys=[rsa_key().jwk(kid="k" * length)])

    assert await tested.reason(token(head=header(kid="k" * length))) == reason


async def test_two_keys_with_one_id_are_told_apart_by_their_type() -> None:
    """ID-208: mcp_agent_mail#211."""
    tested = service(keys=[ec_key().jwk(kid="k"), GOOD])
    assert await tested.subject(VALID) == SUBJECT
    assert await tested.subject(token(head=header(alg="ES256"), key=ec_key())) == SUBJECT

    ambiguous = service(keys=[rsa_key("other").jwk(kid="k"), GOOD])
    assert await ambiguous.reason(VALID) == "kid"


async def test_a_key_that_is_published_twice_is_one_key() -> None:
    """ID-208."""
    assert await service(keys=[GOOD, GOOD]).subject(VALID) == SUBJECT


async def test_a_token_without_a_key_id_needs_a_single_key_that_fits() -> None:
    """ID-208."""
    without = token(head=header(kid=None))
    unnamed = rsa_key().jwk(alg="RS256")

    assert await service().subject(without) == SUBJECT
    assert await service(keys=[unnamed]).subject(without) == SUBJECT
    assert await service(keys=[ec_key().jwk(kid="e"), GOOD]).subject(without) == SUBJECT
    assert await service(keys=[rsa_key("other").jwk(kid="o"), GOOD]).reason(without) == "kid"
    assert await service(keys=[unnamed]).reason(VALID) == "kid"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"keys": {}}',
        b'{"keys": null}',
        b'{"keys": []}',
        b'{"keys": ' + b"[" * 40 + b"]" * 40 + b"}",
        b'{"keys": [' + b",".join([_json(GOOD)] * 101) + b"]}",
    ],
)
def test_a_document_that_is_not_a_key_set_is_refused(content: bytes) -> None:
    """ID-205."""
    with pytest.raises(InvalidKeySet):
        parse_key_set(content, DEFAULT)


def test_a_key_set_has_at_most_100_keys() -> None:
    """ID-205."""
    keys = [{"kty": "unknown"}] * 99 + [GOOD]

    assert parse_key_set(_json({"keys": keys}), DEFAULT).choose("k", "RS256") is not None
