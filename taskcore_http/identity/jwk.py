"""A JSON Web Key: whether it may verify signatures, and by which algorithms (RFC 7517)."""

from collections.abc import Collection

from taskcore_http.identity import base64url
from taskcore_http.identity.algorithms import CURVES, RSA

_PRIVATE = frozenset(("d", "p", "q", "dp", "dq", "qi", "oth", "k"))

# The members that hold the public key (RFC 7518, section 6; RFC 8037, section 2).
_PUBLIC = {"RSA": ("kty", "n", "e"), "EC": ("kty", "crv", "x", "y"), "OKP": ("kty", "crv", "x")}

_MIN_RSA_BITS, _MAX_RSA_BITS = 2048, 8192
_MAX_EXPONENT = 2**64


def algorithms_of(jwk: object, allowed: Collection[str]) -> frozenset[str]:
    """Return the algorithms that a key of a key set serves; none if it is to be ignored.

    A key with ``alg`` serves that algorithm. Another key serves the allowed algorithms of its
    type and curve. Symmetric and private keys, keys for encryption, and weak keys are ignored.
    """
    if not isinstance(jwk, dict) or not _PRIVATE.isdisjoint(jwk) or not _is_for_signatures(jwk):
        return frozenset()
    possible = _possible(jwk)
    if "alg" in jwk:
        possible = tuple(name for name in possible if name == jwk["alg"])
    return frozenset(possible).intersection(allowed)


def public_members(jwk: dict[str, object]) -> dict[str, str | list[str]]:
    """Return the members that hold the public key, so that no other can disturb its import."""
    return {name: str(jwk.get(name, "")) for name in _PUBLIC[str(jwk["kty"])]}


def _is_for_signatures(jwk: dict[str, object]) -> bool:
    operations = jwk.get("key_ops", ["verify"])
    return (
        jwk.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations
    )


def _possible(jwk: dict[str, object]) -> tuple[str, ...]:
    """Return the algorithms that fit the type, the curve and the strength of the key."""
    kind, curve = jwk.get("kty"), jwk.get("crv")
    if kind == "RSA":
        return RSA if _is_strong(jwk) else ()
    if isinstance(kind, str) and isinstance(curve, str):
        return CURVES.get((kind, curve), ())
    return ()


def _is_strong(jwk: dict[str, object]) -> bool:
    modulus, exponent = _integer(jwk.get("n")), _integer(jwk.get("e"))
    return (
        _MIN_RSA_BITS <= modulus.bit_length() <= _MAX_RSA_BITS
        and exponent % 2 == 1
        and 3 <= exponent < _MAX_EXPONENT
    )


def _integer(value: object) -> int:
    """Return a Base64urlUInt (RFC 7518, section 2); 0 if it is malformed."""
    text = value.encode(errors="replace") if isinstance(value, str) else b""
    return int.from_bytes(base64url.decode(text) or b"")
