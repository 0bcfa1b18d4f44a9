"""What each rule says of a token."""

import pytest

from taskcore import LinkSecret, SessionSecret, TokenSecret
from taskcore_http import Bearer, Issuer
from taskcore_http.identity.explanation import Finding
from tests.taskcore_http.identity.inputs import REFUSED, VALID
from tests.taskcore_http.identity.issuing import (
    AUDIENCE,
    ISSUER,
    NOW,
    Service,
    claims,
    ec_key,
    header,
    rsa_key,
    rules,
    service,
    token,
)


async def _failed(tested: Service, credentials: bytes) -> dict[str, str]:
    explained = await tested.bearer.explain(credentials)
    return {one.rule: one.detail for one in explained if one.outcome == "failed"}


async def test_a_valid_token_keeps_every_rule() -> None:
    """ID-709: with the values that count."""
    explained = await service().bearer.explain(VALID)

    assert {one.outcome for one in explained} == {"passed"}
    assert Finding("issuer", "passed", f'iss "{ISSUER}", configured ["{ISSUER}"]') in explained
    (time,) = [one.detail for one in explained if one.rule == "time"]
    assert time.endswith("exp 2027-01-15T09:00:00Z, now 2027-01-15T08:00:00Z")


@pytest.mark.parametrize("credentials", [one for one, _ in REFUSED.values()], ids=REFUSED)
async def test_a_token_that_is_refused_breaks_a_rule(credentials: bytes) -> None:
    """ID-709."""
    assert await _failed(service(), credentials)


async def test_all_broken_rules_are_named_and_not_only_the_first() -> None:
    """ID-709."""
    credentials = token(
        claims(aud="other", exp=NOW - 3600, sub="", azp="x", cnf={}, nonce="n", tenant="b"),
        header(typ="logout+jwt"),
        key=rsa_key("another"),
    )
    issuer = rules(authorized_parties="mine", client_ids="c", required_claims={"tenant": "a"})

    broken = await _failed(service(issuer), credentials)

    assert [*broken] == [
        "header",
        "signature",
        "time",
        "kind",
        "audience",
        "authorized party",
        "client",
        "required claims",
        "possession",
        "caller",
    ]
    assert broken["audience"].endswith('; aud "other"; configured ["https://api.example"]')
    assert broken["client"].endswith('; no such claim; configured ["c"]')
    assert broken["required claims"].endswith('; tenant "b"; configured [["tenant", "a"]]')


async def test_without_keys_the_signature_is_skipped_and_the_others_are_checked() -> None:
    """ID-709."""
    tested = service()
    tested.publisher.keys = []

    online = await tested.bearer.explain(VALID)
    offline = await service().bearer.explain(VALID, offline=True)

    for explained in (online, offline):
        assert [one.rule for one in explained if one.outcome != "passed"] == ["signature"]
        assert "skipped" in {one.outcome for one in explained}
        assert explained[-1].rule == "caller"


async def test_a_key_that_is_not_published_is_not_taken_for_a_wrong_signature() -> None:
    """ID-709: whoever holds the token may know which it is; the API says it to nobody."""
    unknown = await _failed(service(), token(claims(), header(kid="x")))
    wrong = await _failed(service(), token(claims(), header(), key=rsa_key("another")))

    assert unknown == {"signature": 'the issuer publishes no such key; kid "x"'}
    assert wrong == {"signature": 'the key did not make this signature; kid "k"'}


async def test_a_long_value_is_cut() -> None:
    """ID-709."""
    broken = await _failed(service(), token(claims(aud=["x" * 5000])))
    assert len(broken["audience"]) < 300


async def test_the_algorithm_of_another_key_is_named() -> None:
    """ID-709."""
    broken = await _failed(service(), token(claims(), header(alg="ES256"), key=ec_key()))
    assert "signature" in broken


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA", "HS1", "none"])
async def test_an_algorithm_that_a_secret_does_not_serve_is_named(algorithm: str) -> None:
    """ID-709: the usual mistake is a secret where the issuer has keys."""
    secret = Issuer.shared_secret(ISSUER, audience=AUDIENCE, secret=bytes(range(32)))
    credentials = token(claims(), header(alg=algorithm), algorithm="RS256")

    assert [*await _failed(service(secret), credentials)] == ["header"]


async def test_of_an_api_token_the_form_is_explained() -> None:
    """ID-709, ID-802."""
    secret = TokenSecret.random().get_secret_value().encode()
    taking, other = Bearer(api_tokens=True), service().bearer

    async def outcome(bearer: Bearer, credentials: bytes) -> tuple[str, bool]:
        (one,) = await bearer.explain(credentials)
        assert secret[20:].decode() not in one.detail
        return one.outcome, "not accepted" in one.detail

    assert await outcome(taking, secret) == ("passed", False)
    assert (await outcome(taking, secret[:-1]))[0] == "failed"
    assert await outcome(other, secret) == ("failed", True)


@pytest.mark.parametrize("bearer", [Bearer(api_tokens=True, sessions=True), service().bearer])
@pytest.mark.parametrize("kind", [SessionSecret, LinkSecret])
async def test_a_secret_of_another_kind_is_named(
    bearer: Bearer, kind: type[SessionSecret | LinkSecret]
) -> None:
    """ID-709, ID-909: it is no token, also where it works as what it is."""
    secret = kind.random().get_secret_value()
    (one,) = await bearer.explain(secret.encode())
    assert (one.rule, one.outcome) == (kind.noun, "failed")
    assert one.detail.startswith(f"this is the secret of a {kind.noun}")
    assert secret[20:] not in one.detail
