"""The form and the header of tokens; refused forms are in `inputs`."""

import json

import pytest

from taskcore_http.identity import base64url
from taskcore_http.identity.json_object import json_object
from taskcore_http.identity.token import parse_token
from tests.taskcore_http.identity.inputs import VALID
from tests.taskcore_http.identity.issuing import (
    SUBJECT,
    SigningKey,
    claims,
    ec_key,
    ed25519_key,
    header,
    rsa_key,
    rules,
    service,
    token,
)


def test_a_token_is_parsed_into_its_parts() -> None:
    """ID-301."""
    parsed = parse_token(VALID)

    assert parsed.header == header()
    assert parsed.payload == claims()
    assert parsed.signing_input + b"." + base64url.encode(parsed.signature) == VALID
    assert (parsed.algorithm, parsed.key_id) == ("RS256", "k")


@pytest.mark.parametrize("size", range(9))
def test_base64url_has_one_text_for_each_value(size: int) -> None:
    """ID-301 (RFC 4648, section 3.5)."""
    value = bytes(range(250, 250 - size, -1))
    text = base64url.encode(value)

    assert base64url.decode(text) == (value or None)
    accepted = [last for last in range(256) if base64url.decode(text[:-1] + bytes([last])) == value]
    assert accepted == ([text[-1]] if text else [])


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"{}", {}),
        (b' {"a": [1, 2.5, "\\ud800"]}\n', {"a": [1, 2.5, "\ud800"]}),
        (b'{"a": ' + b"[" * 31 + b"]" * 31 + b"}", None),
        (b'{"a": "' + b"[{" * 500 + b'"}', {"a": "[{" * 500}),
        (b'{"a": "\\"' + b"[{" * 500 + b'"}', {"a": '"' + "[{" * 500}),
        (
            json.dumps({str(n): [{}] for n in range(100)}).encode(),
            {str(n): [{}] for n in range(100)},
        ),
    ],
)
def test_json_is_read_up_to_32_levels(content: bytes, value: object) -> None:
    """ID-302: brackets in strings do not count."""
    read = json_object(content)

    assert read is not None
    assert value is None or read == value


@pytest.mark.parametrize(
    "content",
    [
        b'{"a": ' + b"[" * 32 + b"]" * 32 + b"}",
        b'{"a": ' * 33 + b"1" + b"}" * 33,
        b'{"a": 1, "a": 1}',
        b'{"a": 1, "\\u0061": 1}',
        b'{"a": -Infinity}',
        b'{"a": -1e999}',
        b"[]",
        b"",
        b"{",
        b'"\\',
        b"[" * 40 + b'"\\',
    ],
)
def test_json_that_parsers_disagree_about_is_refused(content: bytes) -> None:
    """ID-302."""
    assert json_object(content) is None


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("RS256", rsa_key()),
        ("PS256", rsa_key()),
        ("ES256", ec_key()),
        ("EdDSA", ed25519_key()),
        ("Ed25519", ed25519_key()),
    ],
)
async def test_the_default_algorithms_verify(algorithm: str, key: SigningKey) -> None:
    """ID-303: a key without alg serves the algorithms of its type."""
    tested = service(keys=[key.jwk(kid="k")])
    valid = token(head=header(alg=algorithm), key=key)

    assert await tested.subject(valid) == SUBJECT
    changed = valid[:-20] + b"AAAA" + valid[-16:]
    assert await tested.reason(changed) == "signature"


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("RS384", rsa_key()),
        ("RS512", rsa_key()),
        ("PS384", rsa_key()),
        ("PS512", rsa_key()),
        ("ES384", ec_key("P-384")),
        ("ES512", ec_key("P-521")),
    ],
)
async def test_other_algorithms_verify_by_choice_only(algorithm: str, key: SigningKey) -> None:
    """ID-303."""
    valid = token(head=header(alg=algorithm), key=key)
    keys = [key.jwk(kid="k"), rsa_key("default").jwk(kid="default")]

    assert await service(keys=keys).reason(valid) == "alg"
    chosen = service(rules(algorithms=algorithm), keys=keys)
    assert await chosen.subject(valid) == SUBJECT


@pytest.mark.parametrize(
    ("kind", "strict"),
    [
        ("JWT", "typ"),
        ("jwt", "typ"),
        (None, "typ"),
        ("at+jwt", None),
        ("AT+JWT", None),
        ("application/at+jwt", None),
    ],
)
async def test_the_type_of_an_access_token(kind: str | None, strict: str | None) -> None:
    """ID-305: RFC 9068 requires one; other issuers may leave it out."""
    given = token(head=header(typ=kind))

    assert await service().reason(given) is None
    assert await service(rules(rfc9068=True)).reason(given) == strict


@pytest.mark.parametrize(
    "extra",
    [{"nonce": "x"}, {"x5t": "x"}, {"x5c": ["x"]}, {"cty": "JWT"}, {"cty": "jwt"}, {"ver": "1"}],
)
async def test_harmless_header_parameters_are_ignored(extra: dict[str, object]) -> None:
    """ID-304: RFC 7515, section 4, says so of parameters that are not understood."""
    assert await service().reason(token(head=header(**extra))) is None
