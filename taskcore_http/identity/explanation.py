"""Why a token is accepted or refused, rule by rule, for whoever holds the token."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Literal, TypeVar

from taskcore_http.identity.authorization import MAX_TOKEN
from taskcore_http.identity.claims import CHECKS, ClaimCheck, principal
from taskcore_http.identity.keys import Keys
from taskcore_http.identity.refusal import KeysUnavailable, TokenRefused
from taskcore_http.identity.rules import IssuerRules
from taskcore_http.identity.token import Token, check_header, parse_token
from taskcore_http.identity.validity import validity

Outcome = Literal["passed", "failed", "skipped"]

_LONGEST = 120

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule says of a token.

    Attributes:
        rule: A short name.
        outcome: ``skipped``: the rule could not be checked.
        detail: The values of the token and of the configuration that matter. The token has not
            been trusted: the text can be anything.
    """

    rule: str
    outcome: Outcome
    detail: str


class _Findings(list[Finding]):
    def check(self, rule: str, of: Callable[[], _Value], detail: str) -> _Value | None:
        """Record whether a rule is kept, and return what it returns."""
        try:
            value = of()
        except TokenRefused as refused:
            told = f"; {detail}" if detail else ""
            self.append(Finding(rule, "failed", f"{refused.description}{told}"))
            return None
        self.append(Finding(rule, "passed", detail))
        return value


async def explain(
    token: bytes,
    issuers: Mapping[str, tuple[IssuerRules, Keys]],
    *,
    leeway: float,
    now: float,
    offline: bool = False,
) -> list[Finding]:
    """Check every rule that can be checked, not only up to the first that is broken.

    Args:
        token: The token, without ``Bearer``.
        issuers: The rules and keys of each issuer.
        leeway: Seconds by which clocks may differ.
        now: Seconds since 1970.
        offline: Do not fetch keys, and skip the signature. The token is never sent.
    """
    findings = _Findings()
    parsed = findings.check("form", lambda: _parsed(token), f"{len(token)} bytes")
    if parsed is None:
        return findings
    claims = parsed.payload
    found = findings.check(
        "issuer",
        lambda: _issuer(claims, issuers),
        f"iss {_shown(claims.get('iss'))}, configured {_shown([*issuers])}",
    )
    if found is None:
        return findings
    rules, keys = found
    findings.check(
        "header",
        lambda: check_header(parsed, rules),
        f"alg {_shown(parsed.algorithm)}, typ {_shown(parsed.header.get('typ'))}",
    )
    findings.append(await _signature(parsed, rules, keys, offline=offline))
    limits = findings.check(
        "time",
        lambda: _times(claims, rules, leeway=leeway, now=now),
        ", ".join(
            (
                *(f"{name} {_moment(claims[name])}" for name in _TIMES if name in claims),
                f"now {_moment(now)}",
            )
        ),
    )
    for check in CHECKS:
        if check.setting is not None and not getattr(rules, check.setting):
            # Not a rule of this issuer.
            continue
        findings.check(check.name, partial(check.run, claims, rules), _told(check, claims, rules))
    findings.check(
        "caller",
        lambda: principal(claims, rules, expires_at=limits or 0),
        f"sub {_shown(claims.get('sub'))}, scope {_shown(claims.get('scope', claims.get('scp')))}",
    )
    return findings


_TIMES = ("iat", "nbf", "exp")


def _parsed(token: bytes) -> Token:
    if len(token) > MAX_TOKEN:
        raise TokenRefused("size")
    return parse_token(token)


def _issuer(
    claims: Mapping[str, object], issuers: Mapping[str, tuple[IssuerRules, Keys]]
) -> tuple[IssuerRules, Keys]:
    issuer = claims.get("iss")
    if not isinstance(issuer, str) or issuer not in issuers:
        raise TokenRefused("iss")
    return issuers[issuer]


async def _signature(token: Token, rules: IssuerRules, keys: Keys, *, offline: bool) -> Finding:
    told = f"kid {_shown(token.key_id)}"
    if token.algorithm not in rules.algorithms:
        return Finding("signature", "skipped", f"the algorithm is not accepted; {told}")
    if offline:
        return Finding("signature", "skipped", told)
    try:
        key = await keys.find(token.key_id, token.algorithm)
    except KeysUnavailable as unavailable:
        return Finding("signature", "skipped", f"{unavailable}; {told}")
    if key is None:
        return Finding("signature", "failed", f"the issuer publishes no such key; {told}")
    if not key.verify(token.algorithm, token.signing_input, token.signature):
        return Finding("signature", "failed", f"the key did not make this signature; {told}")
    return Finding("signature", "passed", told)


def _told(check: ClaimCheck, claims: Mapping[str, object], rules: IssuerRules) -> str:
    accepted = getattr(rules, check.setting) if check.setting else ()
    required = rules.required_claims if check.setting == "required_claims" else ()
    names = [*check.claims, *(name for name, _value in required)]
    given = [f"{name} {_shown(claims[name])}" for name in names if name in claims]
    if not accepted:
        return ", ".join(given)
    return f"{', '.join(given) or 'no such claim'}; configured {_shown(accepted)}"


def _times(claims: dict[str, object], rules: IssuerRules, *, leeway: float, now: float) -> float:
    limits = validity(claims, leeway=leeway, max_age=rules.max_age)
    limits.check(now)
    return limits.expires


def _moment(value: object) -> str:
    """Return a NumericDate as text; anything else as JSON."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 2**33:
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return _shown(value)


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
