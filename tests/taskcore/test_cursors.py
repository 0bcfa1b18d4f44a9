"""Cursors: what is accepted, and what is not."""

import json
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskcore import ValidationError
from taskcore.cursors import cursor_after, key_of
from taskcore.limits import MAX_ID


def encoded(document: object) -> str:
    text = json.dumps(document, separators=(",", ":"))
    return urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


@given(st.integers(1, MAX_ID))
def test_a_cursor_holds_its_key(key: int) -> None:
    assert key_of(cursor_after("newest", key), "newest") == key


def test_a_cursor_passes_through_a_url_unchanged() -> None:
    assert cursor_after("newest", MAX_ID).replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "7",
        "\u0667",
        "\ud800",
        "a" * 10_000,
        cursor_after("users", 7),
        f"{cursor_after('newest', 7)}=",
        f" {cursor_after('newest', 7)}",
        f"{cursor_after('newest', 7)}A",
        encoded(["newest", 0]),
        encoded(["newest", -1]),
        encoded(["newest", MAX_ID + 1]),
        encoded(["newest", 10**4000]),
        encoded(["newest", True]),
        encoded(["newest", 7.0]),
        encoded(["newest", "7"]),
        encoded(["newest"]),
        encoded(["newest", 7, 7]),
        encoded(["newest", 7, None]),
        encoded(["newest", 7, []]),
        encoded({"newest": 7, "x": 8}),
        encoded([None, 7]),
        encoded(7),
    ],
)
def test_anything_else_is_refused(wrong: str) -> None:
    with pytest.raises(ValidationError) as error:
        key_of(wrong, "newest")
    assert error.value.details == {"field": "after", "constraint": "cursor"}


@pytest.mark.parametrize("wrong", [7, True, b"7", ["newest", 7]])
def test_a_cursor_is_a_string(wrong: object) -> None:
    with pytest.raises(ValidationError) as error:
        key_of(wrong, "newest")
    assert error.value.details == {"field": "after", "constraint": "type"}
