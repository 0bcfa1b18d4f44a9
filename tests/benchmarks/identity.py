"""The cost of a verified token: the same requests as where callers are trusted, in one run.

Every application gets the same header fields, so that their size counts for all.
"""

import time
from contextlib import AsyncExitStack

from taskcore import TokenSecret
from tests.benchmarks.application import identified_applications, served
from tests.benchmarks.contents import ONE_USER, refill
from tests.benchmarks.figures import Bar, Results
from tests.benchmarks.identity_apps import AUDIENCE, ISSUER, SUBJECT, Signer
from tests.benchmarks.plan import Plan
from tests.benchmarks.server import Server
from tests.benchmarks.wrk import load
from tests.taskcore_http.identity.issuing import ec_key, ed25519_key, rsa_key, token

_CONNECTIONS = 32
_SECONDS_TO_WARM_UP = 1
_RATE = "get, requests/s, workers: 1"
_SIGNERS = {
    "RS256": rsa_key(),
    "ES256": ec_key(),
    "Ed25519": ed25519_key(),
}
_TRUSTED = "trusted"
_MOST = {"RS256, cached": 1.15, "API token": 1.5}
"""How many times as long a request may take as with trusted callers."""
_IDENTITY = f"""
INSERT INTO taskcore.identities (issuer, subject, user_id)
VALUES ('{ISSUER}', '{SUBJECT}', {ONE_USER});
INSERT INTO taskcore.tokens (hash, user_id, id, name, scopes)
VALUES ('\\x{{digest}}', {ONE_USER}, 1, 'benchmark', '{{{{tasks:read}}}}')
"""  # noqa: S608  (our own words)


async def measure(server: Server, plan: Plan) -> Results:
    """Measure requests a second for one user's tasks, with one worker each."""
    signers = {name: Signer(name, key.jwk(alg=name)) for name, key in _SIGNERS.items()}
    secret = TokenSecret.random()
    tokens = {name: _token(name) for name in _SIGNERS}
    tokens["API token"] = secret.get_secret_value()
    results = Results()
    async with AsyncExitStack() as stack:
        loads = [
            (application.name, await stack.enter_async_context(served(application, workers=1)))
            for application in identified_applications(server, list(signers.values()))
        ]
        for name, url in loads:
            await _load(url, tokens[_signer(name)], _SECONDS_TO_WARM_UP)
        for turn in plan.turns(loads):
            await refill(server)
            await server.execute(_IDENTITY.format(digest=secret.digest.hex()))
            for name, url in turn:
                rate, errors = await _load(url, tokens[_signer(name)], plan.seconds)
                assert not errors, f"{errors} errors of {name}"
                results.add(_RATE, "get", name, rate)
    for name, _url in loads:
        if name != _TRUSTED:
            ratio = results.ratio(_RATE, "get", _TRUSTED, name)
            results.bars.append(
                Bar(f"get: time with {name} / {_TRUSTED}", ratio, most=_MOST.get(name))
            )
    return results


def _signer(application: str) -> str:
    return "RS256" if application == _TRUSTED else application.partition(",")[0]


def _token(algorithm: str) -> str:
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": SUBJECT,
        "iat": now,
        "exp": now + 86_400,
        "scope": "tasks:read tasks:write",
    }
    head = {"alg": algorithm, "typ": "at+jwt", "kid": "k"}
    return token(claims, head, key=_SIGNERS[algorithm]).decode()


async def _load(url: str, credentials: str, seconds: float) -> tuple[float, int]:
    loaded = await load(
        url, "get", connections=_CONNECTIONS, seconds=seconds, user=ONE_USER, token=credentials
    )
    return loaded.rate, loaded.errors
