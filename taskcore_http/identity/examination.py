"""The state of issuers now: their documents, their keys and their clocks."""

from collections.abc import Mapping

from taskcore.doctor.check import Check, failure, ok, warning
from taskcore_http.identity.discovery import discovery_url
from taskcore_http.identity.fetch import FetchFailed, clock_of
from taskcore_http.identity.fetched_keys import FetchedKeys
from taskcore_http.identity.key_set import InvalidKeySet
from taskcore_http.identity.keys import Keys
from taskcore_http.identity.rules import IssuerRules

_LATE = 10.0
"""Seconds by which clocks differ only if one of them is wrong."""


async def examine(issuers: Mapping[str, tuple[IssuerRules, Keys]], *, leeway: float) -> list[Check]:
    """Ask every issuer for its keys and its time.

    Args:
        issuers: The rules and keys of each issuer.
        leeway: Seconds by which the clocks may differ.
    """
    checks: list[Check] = []
    for rules, keys in issuers.values():
        if isinstance(keys, FetchedKeys):
            checks += await _examine(rules, keys, leeway=leeway)
        else:
            checks.append(ok("issuer", f"{rules.issuer}: a shared secret"))
    return checks


async def _examine(rules: IssuerRules, keys: FetchedKeys, *, leeway: float) -> list[Check]:
    try:
        found = await keys.download()
    except (FetchFailed, InvalidKeySet) as exc:
        advice = (
            "no token of this issuer can be verified: compare TASKCORE_ISSUER byte for byte with "
            "the iss of a token, and set TASKCORE_JWKS_URL if the issuer has no discovery document"
        )
        return [failure("issuer", [f"{rules.issuer}: {exc}"], advice)]
    described = ", ".join(f"{count} for {name}" for name, count in sorted(found.counts().items()))
    return [
        ok("issuer", f"{rules.issuer}: keys: {described}"),
        await _examine_clock(rules, keys, leeway=leeway),
    ]


async def _examine_clock(rules: IssuerRules, keys: FetchedKeys, *, leeway: float) -> Check:
    name = "issuer's clock"
    if not keys.uses_built_in_client:
        # This machine may not be able to reach the issuer.
        return ok(name, "not compared: the host's own fetch does not report the issuer's time")
    try:
        ahead = await clock_of(rules.jwks_url or discovery_url(rules.issuer))
    except FetchFailed as exc:
        return warning(name, [str(exc)], "the clocks cannot be compared")
    if ahead is None:
        return ok(name, "not compared: the issuer sends no Date")
    told = f"{abs(ahead):.0f} seconds {'ahead of' if ahead > 0 else 'behind'} this machine's"
    if abs(ahead) > leeway:
        advice = "set this machine's clock: tokens are refused too early, or accepted too long"
        return failure(name, [told], advice)
    if abs(ahead) > _LATE:
        return warning(name, [told], "set this machine's clock")
    return ok(name, told)
