"""The token is taken from one ``Authorization`` field, and from nowhere else."""

import pytest

from taskcore_http.identity.authorization import MAX_TOKEN, bearer_token
from taskcore_http.identity.refusal import TokenRefused


def _reason(*values: bytes) -> str:
    with pytest.raises(TokenRefused) as refused:
        bearer_token([(b"authorization", value) for value in values])
    return refused.value.reason


@pytest.mark.parametrize(
    "value",
    [b"Bearer x.y.z", b"bearer x.y.z", b"BEARER   x.y.z", b" Bearer x.y.z", b"Bearer x.y.z \t"],
)
def test_the_scheme_is_compared_without_case(value: bytes) -> None:
    """ID-102: and one or more spaces follow it (RFC 9110, sections 5.5 and 11.4)."""
    assert bearer_token([(b"host", b"a"), (b"authorization", value)]) == b"x.y.z"


@pytest.mark.parametrize(
    "name", [b"cookie", b"x-authorization", b"proxy-authorization", b"x-forwarded-user"]
)
def test_other_fields_are_not_looked_at(name: bytes) -> None:
    """ID-101."""
    with pytest.raises(TokenRefused, match="a bearer token is required") as refused:
        bearer_token([(name, b"Bearer x.y.z"), (b"host", b"a")])
    assert refused.value.reason == "missing"
    assert (refused.value.status, refused.value.error) == (401, None)


@pytest.mark.parametrize("value", [b"Basic dTpw", b"DPoP x.y.z", b"x.y.z", b"", b"Bearer\tx.y.z"])
def test_other_schemes_are_not_credentials(value: bytes) -> None:
    """ID-105."""
    assert _reason(value) == "scheme"


@pytest.mark.parametrize(
    "values",
    [
        (b"Bearer x.y.z", b"Bearer x.y.z"),
        (b"Bearer x.y.z", b"Basic dTpw"),
        (b"Basic dTpw", b"Bearer x.y.z"),
        (b"Bearer x.y.z, Bearer a.b.c",),
        (b"Bearer x.y.z,a.b.c",),
        (b"Bearer x.y.z", b""),
    ],
)
def test_two_credentials_are_a_malformed_request(values: tuple[bytes, ...]) -> None:
    """ID-103: quater#29; the first field, or the last, must not win silently."""
    with pytest.raises(TokenRefused) as refused:
        bearer_token([(b"authorization", value) for value in values])
    assert refused.value.reason == "several"
    assert (refused.value.status, refused.value.error) == (400, "invalid_request")


def test_a_token_has_at_most_8_kib() -> None:
    """ID-104."""
    assert bearer_token([(b"authorization", b"Bearer " + b"x" * MAX_TOKEN)]) == b"x" * MAX_TOKEN
    assert _reason(b"Bearer " + b"x" * (MAX_TOKEN + 1)) == "size"
