"""The keys of one issuer at one moment, by their ids."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

from taskcore_http.identity.json_object import json_object
from taskcore_http.identity.jwk import algorithms_of, public_members
from taskcore_http.identity.signatures import VerificationKey, public_key

_MAX_KEYS = 100


class InvalidKeySet(Exception):
    """A document is not a key set with usable keys. The text says why, without its content."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A key, and what makes it the same key in another key set."""

    identity: tuple[object, ...]
    algorithms: frozenset[str]
    key: VerificationKey


@dataclass(frozen=True, slots=True)
class KeySet:
    """Usable keys by their ids. Keys without an id have the id None."""

    _entries: dict[str | None, list[_Entry]] = field(repr=False)

    def choose(self, key_id: str | None, algorithm: str) -> VerificationKey | None:
        """Return the one key with this id that serves the algorithm, or None.

        A token without a key id can be verified only if a single key of the set fits it: the
        alternative would be to try them all.
        """
        if key_id is None:
            candidates = [one for entries in self._entries.values() for one in entries]
        else:
            candidates = self._entries.get(key_id, [])
        fitting = [one for one in candidates if algorithm in one.algorithms]
        return fitting[0].key if len(fitting) == 1 else None

    def counts(self) -> dict[str, int]:
        """Return how many keys serve each algorithm."""
        found: Counter[str] = Counter()
        for entries in self._entries.values():
            for entry in entries:
                found.update(entry.algorithms)
        return dict(found)

    def identities(self) -> frozenset[tuple[object, ...]]:
        """Return values by which keys of two sets are compared: id, use and public members."""
        return frozenset(one.identity for entries in self._entries.values() for one in entries)


def parse_key_set(content: bytes, allowed: Collection[str]) -> KeySet:
    """Return the usable keys of a JWK set (RFC 7517, section 5). Others are ignored.

    Args:
        content: The document.
        allowed: The algorithms that the issuer may use.

    Raises:
        InvalidKeySet: The document is not a key set, has too many keys, or none can be used.
    """
    document = json_object(content)
    keys = document.get("keys") if document else None
    if not isinstance(keys, list):
        raise InvalidKeySet("the document is not a JSON Web Key Set")
    if len(keys) > _MAX_KEYS:
        raise InvalidKeySet(f"the set has more than {_MAX_KEYS} keys")
    entries: dict[str | None, list[_Entry]] = {}
    known: set[tuple[object, ...]] = set()
    for jwk in keys:
        algorithms = algorithms_of(jwk, allowed)
        key_id = jwk.get("kid") if algorithms else None
        if not algorithms or not isinstance(key_id, str | None):
            continue
        members = public_members(jwk)
        identity = (key_id, algorithms, *map(str, members.values()))
        key = public_key(members)
        if key is not None and identity not in known:
            known.add(identity)
            entries.setdefault(key_id, []).append(_Entry(identity, algorithms, key))
    if not entries:
        raise InvalidKeySet("the set has no key that can be used")
    return KeySet(entries)
