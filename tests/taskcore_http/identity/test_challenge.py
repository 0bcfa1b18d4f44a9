"""``WWW-Authenticate`` says how to authenticate, and nothing that came from the request."""

import re
from typing import get_args

import pytest

from taskcore.errors import ConfigurationError
from taskcore_http.identity.challenge import challenge, metadata_url
from taskcore_http.identity.refusal import Reason, TokenRefused
from tests.taskcore_http.identity.issuing import claims, headers, rules, service, token


def test_a_request_without_a_token_gets_no_error_code() -> None:
    """ID-105 (RFC 6750, section 3.1)."""
    assert challenge(TokenRefused("missing")) == 'Bearer realm="taskcore"'
    assert challenge(TokenRefused("scheme")) == 'Bearer realm="taskcore"'


def test_a_bad_token_gets_an_error_code_and_a_fixed_text() -> None:
    """ID-106."""
    assert challenge(TokenRefused("exp")) == (
        'Bearer realm="taskcore", error="invalid_token", '
        'error_description="the token has expired, or has no valid expiration time"'
    )


def test_an_unknown_key_and_a_wrong_signature_look_the_same() -> None:
    """ID-317."""
    assert challenge(TokenRefused("kid")) == challenge(TokenRefused("signature"))


async def test_a_missing_scope_is_named() -> None:
    """ID-107."""
    tested = service(rules(required_scopes=["tasks:read", "tasks:write"]))

    with pytest.raises(TokenRefused) as refused:
        await tested.bearer.authenticate(headers(token(claims(scope="tasks:read other"))))

    assert refused.value.status == 403
    assert tested.bearer.challenge(refused.value) == (
        'Bearer realm="taskcore", error="insufficient_scope", '
        'error_description="the token lacks a scope", scope="tasks:read tasks:write"'
    )


@pytest.mark.parametrize(
    ("resource", "metadata"),
    [
        ("https://a.example", "https://a.example/.well-known/oauth-protected-resource"),
        ("https://a.example/", "https://a.example/.well-known/oauth-protected-resource"),
        (
            "https://a.example:8443/v1/tasks",
            "https://a.example:8443/.well-known/oauth-protected-resource/v1/tasks",
        ),
        ("https://a.example/x?y=z", "https://a.example/.well-known/oauth-protected-resource/x?y=z"),
    ],
)
def test_every_refusal_leads_to_the_metadata_of_the_resource(resource: str, metadata: str) -> None:
    """ID-109 (RFC 9728, sections 3.1 and 5.1)."""
    assert metadata_url(resource) == metadata
    bearer = service(resource=resource).bearer
    for reason in get_args(Reason):
        value = bearer.challenge(TokenRefused(reason))
        assert value.startswith('Bearer realm="taskcore"')
        assert value.endswith(f', resource_metadata="{metadata}"')


@pytest.mark.parametrize(
    "resource", ["http://a.example", 'https://a.example/"', "https://a.example/#x", "a.example", ""]
)
def test_a_resource_is_a_safe_url(resource: str) -> None:
    """ID-502."""
    with pytest.raises(ConfigurationError, match="resource"):
        service(resource=resource)


@pytest.mark.parametrize("reason", get_args(Reason))
def test_every_reason_has_an_answer_in_the_allowed_characters(reason: Reason) -> None:
    """ID-106 (RFC 6750, section 3)."""
    refused = TokenRefused(reason)

    assert refused.status in (400, 401, 403)
    assert re.fullmatch(r"[\x20-\x21\x23-\x5b\x5d-\x7e]+", refused.description)
    assert str(refused) == refused.description
