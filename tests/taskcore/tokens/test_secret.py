"""The form of an API token's secret."""

import json
import re
import string
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskcore import InvalidToken, TaskStore, TokenSecret, ValidationError
from taskcore.tokens.secret import PATTERN

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase


def number(text: str) -> int:
    value = 0
    for character in text:
        value = value * 62 + ALPHABET.index(character)
    return value


def test_a_secret_is_a_prefix_256_random_bits_a_place_and_a_checksum() -> None:
    """ID-802."""
    secrets = [TokenSecret.random().at(1023).get_secret_value() for _ in range(200)]

    for secret in secrets:
        assert re.fullmatch(PATTERN, secret)
        body, check = secret[:-6], secret[-6:]
        assert number(body[:-2].removeprefix("taskcore_pat_")) < 2**256
        assert number(body[-2:]) == 1023
        assert number(check) == crc32(body.encode())
    assert len(set(secrets)) == len(secrets)
    # Each of the 256 bits is one in some secret and zero in another.
    numbers = [number(secret[13:-8]) for secret in secrets]
    assert not any(all(one >> bit & 1 for one in numbers) for bit in range(256))
    assert all(any(one >> bit & 1 for one in numbers) for bit in range(256))


def test_a_secret_is_recognised_and_hashed() -> None:
    """ID-802."""
    # The form must not change.
    text = "taskcore_pat_" + "0" * 43 + "GV" + "2zSTxK"
    secret = TokenSecret.parse(text)
    assert secret.place == 1023
    assert secret.at(0).digest == secret.digest
    assert secret.digest.hex() == "b512fec308065c0dc61dd927e1f2c9123899418d1570de3c41a3f959767188eb"


@given(st.integers(0, 63), st.sampled_from(ALPHABET))
def test_a_typo_is_found_without_the_database(place: int, other: str) -> None:
    """ID-802: the store is not open, so it could not be asked."""
    text = TokenSecret.random().get_secret_value()
    typo = text[:place] + other + text[place + 1 :]
    if typo == text:
        return
    with pytest.raises(InvalidToken, match=r"^the API token is not accepted$"):
        TaskStore("postgresql://localhost/x").for_token(typo)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:0],
        lambda text: text[:-1],
        lambda text: text + "0",
        lambda text: f"{text}\n",
        lambda text: f" {text}",
        lambda text: text.upper(),
        lambda text: text.replace("pat", "PAT"),
        lambda text: text[:20] + "\u0661" + text[21:],
        lambda text: text[:20] + "\ud800" + text[21:],
    ],
)
def test_another_form_is_not_accepted(change: object) -> None:
    """ID-802."""
    assert callable(change)
    with pytest.raises(InvalidToken) as caught:
        TokenSecret.parse(change(TokenSecret.random().get_secret_value()))
    assert caught.value.__context__ is None


@pytest.mark.parametrize("token", [None, 42, b"taskcore_pat_"])
def test_a_token_is_a_string(token: object) -> None:
    with pytest.raises(ValidationError):
        TokenSecret.parse(token)


def test_a_dump_of_a_new_token_has_no_secret() -> None:
    """ID-813."""
    secret = TokenSecret.random()
    shown = json.dumps({"secret": str(secret)}) + f"{secret} {secret!r} {[secret]}"
    assert secret.get_secret_value() not in shown
