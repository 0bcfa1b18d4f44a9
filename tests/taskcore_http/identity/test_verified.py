"""The cache of verified tokens: what it holds, and what it must not."""

import gc

import pytest

from taskcore_http.identity.signatures import VerificationKey
from taskcore_http.identity.verified import VerifiedTokens
from tests.taskcore_http.identity.inputs import REFUSED, VALID
from tests.taskcore_http.identity.issuing import SUBJECT, claims, service, token


@pytest.fixture
def verifications(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The signatures that were verified."""
    verified: list[bytes] = []
    verify = VerificationKey.verify

    def counted(self: VerificationKey, algorithm: str, message: bytes, signature: bytes) -> bool:
        verified.append(signature)
        return verify(self, algorithm, message, signature)

    monkeypatch.setattr(VerificationKey, "verify", counted)
    return verified


@pytest.mark.parametrize(("limit", "times"), [(10, 1), (0, 3)])
async def test_a_signature_is_verified_once(
    verifications: list[bytes], limit: int, times: int
) -> None:
    """ID-403."""
    tested = service(verified_cache=limit)
    for _ in range(3):
        assert await tested.subject(VALID) == SUBJECT

    assert len(verifications) == times
    assert len(tested.bearer._verified) == min(limit, 1)


async def test_the_oldest_token_makes_room(verifications: list[bytes]) -> None:
    """ID-403."""
    tested = service(verified_cache=2)
    first, second, third = (token(claims(jti=n)) for n in range(3))
    for one in (first, second, third, second, third):
        await tested.subject(one)
    assert len(verifications) == 3
    assert len(tested.bearer._verified) == 2

    await tested.subject(first)

    assert len(verifications) == 4
    assert len(tested.bearer._verified) == 2


async def test_refused_tokens_do_not_enter() -> None:
    """ID-403."""
    tested = service()
    for credentials, _reason in REFUSED.values():
        await tested.reason(credentials)

    assert len(tested.bearer._verified) == 0


async def test_an_entry_holds_neither_the_token_nor_its_claims() -> None:
    """ID-404."""
    tested = service()
    given = token(claims(email="someone@example.com"))
    await tested.subject(given)
    ((digest, entry),) = tested.bearer._verified._entries.items()

    assert len(digest) == 32
    held = gc.get_referents(entry, entry.principal, entry.validity)
    assert given not in held
    assert "someone@example.com" not in held
    assert not any(isinstance(one, dict) for one in held)
    assert repr(tested.bearer._verified) == "VerifiedTokens(limit=10000)"


def test_an_entry_that_is_renewed_becomes_the_newest() -> None:
    """ID-403."""
    cache = VerifiedTokens(2)
    entries = [object() for _ in range(4)]
    for digest, entry in zip((b"1", b"2", b"1", b"3"), entries, strict=True):
        cache.add(digest, entry)  # type: ignore[arg-type]

    assert cache.get(b"1") is entries[2]
    assert cache.get(b"2") is None
    cache.discard(b"1")
    cache.discard(b"1")
    assert len(cache) == 1
