"""The claims of tokens, under different rules; what no rules accept is in `inputs`."""

from typing import Any

import pytest

from taskcore_http.identity.refusal import TokenRefused
from tests.taskcore_http.identity.issuing import (
    AUDIENCE,
    NOW,
    claims,
    headers,
    rules,
    service,
    token,
)


async def _reason(payload: dict[str, Any], **changes: Any) -> str | None:
    return await service(rules(**changes)).reason(token(payload))


@pytest.mark.parametrize(
    ("audience", "aud"),
    [
        (AUDIENCE, AUDIENCE),
        (AUDIENCE, [AUDIENCE]),
        (AUDIENCE, ["https://idp.example/userinfo", AUDIENCE]),
        ([AUDIENCE, "other"], "other"),
    ],
)
async def test_a_token_names_this_api(audience: object, aud: object) -> None:
    """ID-308."""
    assert await _reason(claims(aud=aud), audience=audience) is None


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (claims(aud=None, azp="https://app.example"), None),
        (claims(aud=None), "azp"),
        (claims(aud=None, azp="https://evil.example"), "azp"),
        (claims(aud=None, azp=["https://app.example"]), "azp"),
        (claims(aud="other", azp="https://app.example"), "aud"),
    ],
)
async def test_the_authorized_party_can_stand_for_the_audience(
    payload: dict[str, Any], reason: str | None
) -> None:
    """ID-308: a token that names only other recipients is refused all the same."""
    assert await _reason(payload, audience=(), authorized_parties="https://app.example") == reason


async def test_a_party_is_checked_beside_the_audience() -> None:
    """ID-308."""
    both = {"authorized_parties": "https://app.example", "client_ids": ["c1", "c2"]}

    assert await _reason(claims(azp="https://app.example", client_id="c2"), **both) is None
    assert await _reason(claims(azp="https://app.example"), **both) == "azp"
    assert await _reason(claims(client_id="c2"), **both) == "azp"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"exp": NOW + 0.5}, None),
        ({"exp": NOW - 29}, None),
        ({"exp": NOW - 30}, "exp"),
        ({"nbf": NOW + 30}, None),
        ({"nbf": NOW + 31}, "nbf"),
        ({"nbf": 0, "iat": 0}, None),
    ],
)
async def test_times_have_a_leeway_of_30_seconds(
    changes: dict[str, Any], reason: str | None
) -> None:
    """ID-309, ID-310, ID-312."""
    assert await service().reason(token(claims(**changes))) == reason


@pytest.mark.parametrize(("leeway", "reason"), [(0, "exp"), (9, "exp"), (10.5, None), (300, None)])
async def test_the_leeway_can_be_chosen(leeway: float, reason: str | None) -> None:
    """ID-312."""
    assert await service(leeway=leeway).reason(token(claims(exp=NOW - 10))) == reason


@pytest.mark.parametrize(
    ("iat", "reason"),
    [(NOW - 60, None), (NOW - 600, None), (NOW - 630, "iat"), (NOW + 600, None), (None, "iat")],
)
async def test_tokens_can_have_a_maximum_age(iat: float | None, reason: str | None) -> None:
    """ID-311."""
    assert await _reason(claims(iat=iat), max_age=600) == reason


async def test_a_cached_token_gets_too_old() -> None:
    """ID-311, ID-401."""
    tested = service(rules(max_age=600))
    given = token(claims(iat=NOW, exp=NOW + 3600))
    assert await tested.reason(given) is None

    tested.clock.advance(629)
    assert await tested.reason(given) is None
    tested.clock.advance(1)
    assert await tested.reason(given) == "iat"


async def test_a_cached_token_is_refused_if_the_clock_is_put_back() -> None:
    """ID-310, ID-401."""
    tested = service()
    given = token(claims(nbf=NOW))
    assert await tested.reason(given) is None

    tested.clock.advance(-31)
    assert await tested.reason(given) == "nbf"


@pytest.mark.parametrize(
    "sub", ["x" * 255, "\U0001f600" * 255, "\u00e9", "a b", "0", "-", "\u2028"]
)
async def test_a_subject_has_at_most_255_characters(sub: str) -> None:
    """ID-313."""
    assert await service().subject(token(claims(sub=sub))) == sub


@pytest.mark.parametrize("name", ["nonce", "at_hash", "c_hash", "s_hash"])
async def test_id_tokens_are_accepted_by_choice_only(name: str) -> None:
    """ID-306."""
    payload = claims(**{name: "x", "token_use": "id"})

    assert await _reason(payload) == "id_token"
    assert await _reason(payload, accept_id_tokens=True) is None


@pytest.mark.parametrize("value", [None, "Refresh", ["Bearer"], "bearer"])
async def test_claims_can_be_required(value: object) -> None:
    """ID-306."""
    required = {"required_claims": {"typ": "Bearer"}}

    assert await _reason(claims(typ=value), **required) == "claim"
    assert await _reason(claims(typ="Bearer"), **required) is None


@pytest.mark.parametrize(
    ("changes", "scopes"),
    [
        ({"scope": "tasks:read tasks:write"}, {"tasks:read", "tasks:write"}),
        ({"scope": " tasks:read  "}, {"tasks:read"}),
        ({"scope": ""}, set()),
        ({"scope": None}, set()),
        ({"scope": None, "scp": "tasks:read openid"}, {"tasks:read", "openid"}),
        ({"scope": None, "scp": ["tasks:read", "openid"]}, {"tasks:read", "openid"}),
        ({"scope": None, "scp": []}, set()),
        ({"scope": "tasks:read", "scp": ["tasks:write"]}, {"tasks:read"}),
    ],
)
async def test_scopes_come_from_scope_or_scp(changes: dict[str, Any], scopes: set[str]) -> None:
    """ID-316."""
    principal = await service().principal(token(claims(**changes)))

    assert principal.scopes == scopes


@pytest.mark.parametrize(
    ("scope", "status"), [("tasks:write x", None), ("tasks:read", 403), (None, 403)]
)
async def test_scopes_are_required_by_choice_only(scope: str | None, status: int | None) -> None:
    """ID-107, ID-316."""
    tested = service(rules(required_scopes="tasks:write"))
    try:
        await tested.bearer.authenticate(headers(token(claims(scope=scope))))
    except TokenRefused as refused:
        assert (refused.status, refused.scope) == (status, "tasks:write")  # noqa: PT017
    else:
        assert status is None


async def test_the_principal_is_what_the_token_says() -> None:
    """ID-314."""
    principal = await service().principal(token())

    assert principal.issuer == "https://idp.example/"
    assert principal.subject == claims()["sub"]
    assert principal.expires_at == claims()["exp"]
    assert principal.subject not in repr(principal)


async def test_a_bound_token_is_not_a_bearer_token() -> None:
    """ID-315: it would be usable without the proof that it asks for."""
    assert await _reason(claims(cnf={"jkt": "x"})) == "cnf"
