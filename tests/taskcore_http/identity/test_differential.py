"""Two other libraries accept each token that is accepted here; the reverse has known reasons.

`pytest` tries some hundred tokens. ``pytest -m thorough`` tries ``TESTS_EXAMPLES``, and
``--hypothesis-profile=thorough`` as many as that profile says.
"""

import asyncio
import json
import os
import time
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import jwt as pyjwt
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from joserfc import jwt as joserfc_jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import import_key
from joserfc.jws import JWSRegistry
from jwt.algorithms import OKPAlgorithm

from taskcore_http.identity.algorithms import DEFAULT
from tests.taskcore_http.identity.issuing import (
    AUDIENCE,
    ISSUER,
    SigningKey,
    b64,
    claims,
    ec_key,
    ed25519_key,
    header,
    rsa_key,
    rules,
    service,
)

# PyJWT reads the real clock. All times are far from it, so that its speed does not matter.
NOW = int(time.time())
PAST, FUTURE = NOW - 100_000, NOW + 100_000

KEYS = {"r": rsa_key(), "e": ec_key(), "o": ed25519_key()}
_KIDS = {"RS256": "r", "PS256": "r", "ES256": "e", "EdDSA": "o", "Ed25519": "o"}
_PUBLISHED = {kid: key.jwk(kid=kid) for kid, key in KEYS.items()}

EXPLAINED = {
    "PyJWT": {
        "aud": "an array may hold values that are not strings",
        "cnf": "proof of possession is not its subject",
        "crit": "it supports the extension b64 (RFC 7797)",
        "exp": "a number may be in a string, or beyond the range of a date",
        "form": "it allows duplicate members, deep nesting, and encodings with a second text",
        "header": "it ignores jku, jwk, x5u, zip, enc and cty",
        "iat": "the check is off, because it refuses times in the future",
        "id_token": "it does not tell ID tokens from access tokens",
        "nbf": "a number may be in a string",
        "scopes": "scopes are not its subject",
        "size": "it has no limit",
        "sub": "it may be empty or long, or have control characters and surrogates",
        "typ": "it does not check the type",
    },
    "joserfc": {
        "cnf": "proof of possession is not its subject",
        "crit": "an empty list is allowed",
        "exp": "a number may be beyond the range of a date",
        "form": "it allows duplicate members, deep nesting, and encodings with a second text",
        "header": "it ignores jku, jwk, x5u, zip, enc and cty",
        "iat": "the check is off, because it refuses times in the future",
        "id_token": "it does not tell ID tokens from access tokens",
        "nbf": "a number may be far below the range of a date",
        "scopes": "scopes are not its subject",
        "size": "its limits are higher",
        "sub": "it may be long, or have control characters and surrogates",
        "typ": "it does not check the type",
    },
}
"""For each library the reasons for which we refuse tokens that it accepts."""

_odd = st.sampled_from(
    [None, True, 0, -1, 1.5, 1e300, "", "x", "JWT", [], ["x"], {}, {"x": 1}, "a\u0000", "\ud800"]
)

_HEADERS: dict[str, st.SearchStrategy[Any]] = {
    "alg": st.sampled_from([*DEFAULT, "none", "HS256", "RS512", "rs256"]) | _odd,
    "typ": st.sampled_from(["JWT", "jwt", "at+jwt", "application/at+jwt", "logout+jwt"]) | _odd,
    "kid": st.sampled_from(["r", "e", "o", "R", "r "]) | _odd,
    "crit": st.sampled_from([[], ["exp"], ["b64"], "exp"]) | _odd,
    "cty": st.sampled_from(["JWT", "json"]) | _odd,
    # Only joserfc looks at the form of certificates, which nobody uses.
    "x5c": st.just(["AA"]),
    **dict.fromkeys(("b64", "zip", "enc", "jku", "jwk", "x5u", "nonce"), _odd),
}

_times = st.sampled_from([PAST, FUTURE, float(FUTURE), str(FUTURE), 1e18, -0.0]) | _odd
_CLAIMS: dict[str, st.SearchStrategy[Any]] = {
    "iss": st.sampled_from([ISSUER, ISSUER.rstrip("/"), [ISSUER]]) | _odd,
    "aud": st.sampled_from([AUDIENCE, [AUDIENCE, "x"], [AUDIENCE, 1], [[AUDIENCE]]]) | _odd,
    "sub": st.text(max_size=300) | _odd,
    "exp": _times,
    "nbf": _times,
    "iat": _times,
    "scope": st.sampled_from(["a b", "a  b", 'a"', ["a"]]) | _odd,
    "scp": st.sampled_from([["a", "b"], "a b"]) | _odd,
    "azp": _odd,
    "token_use": st.sampled_from(["access", "id"]) | _odd,
    **dict.fromkeys(("nonce", "at_hash", "cnf", "events", "x"), _odd),
}


def _changes(values: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """No change, or changes of up to three members; the value ... takes a member away."""
    one = st.sampled_from(sorted(values)).flatmap(
        lambda name: st.tuples(st.just(name), values[name] | st.just(...))
    )
    return st.just({}) | st.lists(one, max_size=3).map(dict)


_TEXTS: dict[str, Callable[[bytes], bytes]] = {
    "as it is": lambda text: text,
    "white space": lambda text: b" \n" + text + b"\t",
    "duplicate": lambda text: text[:-1] + b',"exp":%d}' % FUTURE,
    "not a number": lambda text: text[:-1] + b',"y":NaN}',
    "infinite": lambda text: text[:-1] + b',"y":1e999}',
    "deep": lambda text: text[:-1] + b',"y":' + b"[" * 40 + b"]" * 40 + b"}",
    "deepest": lambda text: text[:-1] + b',"y":' + b"[" * 2_000 + b"]" * 2_000 + b"}",
    "large": lambda text: text[:-1] + b',"y":"' + b"y" * 5_500 + b'"}',
    "larger": lambda text: text[:-1] + b',"y":"' + b"y" * 9_000 + b'"}',
    "byte order mark": lambda text: b"\xef\xbb\xbf" + text,
    "UTF-16": lambda text: text.decode().encode("utf-16"),
    "not UTF-8": lambda text: text[:-1] + b',"y":"\xff"}',
    "an array": lambda text: b"[" + text + b"]",
    "cut off": lambda text: text[:-1],
}

_SURGERIES: dict[str, Callable[[bytes, int, int], bytes]] = {
    "none": lambda token, _place, _byte: token,
    "replace": lambda token, place, byte: token[:place] + bytes([byte]) + token[place + 1 :],
    "insert": lambda token, place, byte: token[:place] + bytes([byte]) + token[place:],
    "remove": lambda token, place, _byte: token[:place] + token[place + 1 :],
    "pad": lambda token, _place, byte: token + b"=" * (byte % 3 + 1),
    "append": lambda token, _place, byte: token + b"." + bytes([byte]),
    "last": lambda token, _place, byte: token[:-1] + bytes([byte]),
    "cut": lambda token, place, _byte: token[:place],
}

_usually = st.just("as it is") | st.just("as it is") | st.sampled_from(sorted(_TEXTS))


@st.composite
def tokens(draw: st.DrawFn) -> bytes:
    """A valid token of a published key, with a few changes at any level."""
    algorithm = draw(st.sampled_from(["ES256", "EdDSA", "Ed25519", "RS256", "PS256"]))
    kid = _KIDS[algorithm]
    signer = draw(st.just(kid) | st.just(kid) | st.sampled_from(sorted(KEYS)))
    changed = (
        (header(alg=algorithm, kid=kid), draw(_changes(_HEADERS))),
        (claims(iat=NOW - 60, exp=FUTURE), draw(_changes(_CLAIMS))),
    )
    segments = []
    for usual, changes in changed:
        merged = {name: value for name, value in (usual | changes).items() if value is not ...}
        text = json.dumps(merged, separators=draw(st.sampled_from([None, (",", ":")]))).encode()
        segments.append(b64(_TEXTS[draw(_usually)](text)).encode())
    signing_input = b".".join(segments)
    method = {"r": draw(st.sampled_from(["RS256", "PS256"])), "e": "ES256", "o": "EdDSA"}[signer]
    if _KIDS[algorithm] == signer:
        method = algorithm
    token = signing_input + b"." + b64(KEYS[signer].sign(method, signing_input)).encode()
    surgery = draw(st.just("none") | st.just("none") | st.sampled_from(sorted(_SURGERIES)))
    place = draw(st.integers(0, len(token) - 1))
    byte = draw(st.integers(0, 255) | st.sampled_from(list(b"AZaz09-_.=+/ ,")))
    return _SURGERIES[surgery](token, place, byte)


def _keys_of(token: bytes) -> list[dict[str, Any]]:
    """The keys that a careful user of the other libraries would try.

    It is the one of the ``kid``, or without one that of the type which ``alg`` needs.
    """
    try:
        head = pyjwt.get_unverified_header(token)
    except Exception:  # noqa: BLE001  (some tokens cause a TypeError)
        # joserfc may read the header.
        return list(_PUBLISHED.values())
    kid = head["kid"] if "kid" in head else _KIDS.get(str(head.get("alg")))
    return [_PUBLISHED[kid]] if isinstance(kid, str) and kid in _PUBLISHED else []


_PYJWT = pyjwt.PyJWT()
# It knows this algorithm by its older name only.
_PYJWT._jws.register_algorithm("Ed25519", OKPAlgorithm())


def _accepted_by_pyjwt(token: bytes, jwk: dict[str, Any]) -> bool:
    key = pyjwt.PyJWK(jwk, algorithm={"RSA": None, "EC": "ES256", "OKP": "EdDSA"}[jwk["kty"]])
    try:
        _PYJWT.decode(
            token,
            key.key,
            algorithms=[*DEFAULT],
            audience=AUDIENCE,
            issuer=ISSUER,
            leeway=30,
            # A time of issue in the future is not refused here, on purpose.
            options={"require": ["iss", "aud", "exp", "sub"], "verify_iat": False},
        )
    except Exception:  # noqa: BLE001  (some tokens cause a TypeError)
        return False
    return True


class _Registry(JWSRegistry):
    """joserfc without its own limits, which are not those of the rules."""

    max_header_length = 10_000


class _Claims(joserfc_jwt.JWTClaimsRegistry):
    def validate_iat(self, value: object) -> None:
        """Accept a time of issue in the future; see `_accepted_by_pyjwt`."""


_REGISTRY = _Registry(algorithms=[*DEFAULT], strict_check_header=False)
_REQUIRED = _Claims(
    now=NOW,
    leeway=30,
    iss={"essential": True, "value": ISSUER},
    aud={"essential": True, "value": AUDIENCE},
    sub={"essential": True},
    exp={"essential": True},
)


def _accepted_by_joserfc(token: bytes, jwk: dict[str, Any]) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)
            decoded = joserfc_jwt.decode(token, import_key(jwk), registry=_REGISTRY)
            _REQUIRED.validate(decoded.claims)
    except Exception:  # noqa: BLE001  (some tokens cause a TypeError)
        return False
    return True


_PEERS = {"PyJWT": _accepted_by_pyjwt, "joserfc": _accepted_by_joserfc}


def _compare(max_examples: int, phases: tuple[Phase, ...] = tuple(Phase)) -> Counter[object]:
    """Compare the libraries over many tokens. Returns how often each outcome was seen."""
    tested = service(rules(), keys=list(_PUBLISHED.values()))
    tested.clock.now = NOW
    seen: Counter[object] = Counter()

    @settings(max_examples=max_examples, database=None, print_blob=True, phases=phases)
    @given(tokens())
    def check(token: bytes) -> None:
        reason = loop.run_until_complete(tested.reason(token))
        # White space around the token belongs to the header field.
        token = token.lstrip(b" ").rstrip(b" \t")
        explained = loop.run_until_complete(tested.bearer.explain(token))
        assert any(one.outcome == "failed" for one in explained) == (reason is not None)
        keys = _keys_of(token)
        others = {name: any(peer(token, jwk) for jwk in keys) for name, peer in _PEERS.items()}
        seen[reason] += 1
        for name, accepted in others.items():
            if reason is None:
                assert accepted, f"{name} refuses a token that is accepted here"
            elif accepted:
                assert reason in EXPLAINED[name], f"{name} accepts a token refused for {reason}"
                seen[name, reason] += 1

    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        check()
    return seen


def test_other_libraries_accept_what_is_accepted_here() -> None:
    """ID-504, ID-709."""
    seen = _compare(300)

    assert seen[None] > 10
    assert sum(seen.values()) - seen[None] > 10


def _total() -> int:
    if settings.get_current_profile_name() == "thorough":
        return settings().max_examples
    return int(os.environ.get("TESTS_EXAMPLES", "10000"))


@pytest.mark.thorough
@pytest.mark.timeout(7200)
def test_other_libraries_accept_what_is_accepted_here_of_many_tokens() -> None:
    """ID-504."""
    total = _total()
    seen = _compare(total)

    # Hypothesis may stop early, which would look like success.
    assert sum(times for outcome, times in seen.items() if not isinstance(outcome, tuple)) >= total
    assert seen[None] > total // 100


def _signed_by(key: SigningKey, head: dict[str, Any]) -> bytes:
    signing_input = (
        f"{b64(json.dumps(head).encode())}.{b64(json.dumps(_PAYLOAD).encode())}".encode()
    )
    return signing_input + b"." + b64(key.sign(head["alg"], signing_input)).encode()


_PAYLOAD = claims(iat=NOW, exp=FUTURE)


@pytest.mark.parametrize(("algorithm", "kid"), _KIDS.items())
def test_the_comparison_sees_what_all_accept(algorithm: str, kid: str) -> None:
    """ID-504: otherwise it would compare nothing."""
    valid = _signed_by(KEYS[kid], header(alg=algorithm, kid=kid))

    assert _accepted_by_joserfc(valid, _PUBLISHED[kid])
    assert _accepted_by_pyjwt(valid, _PUBLISHED[kid])
