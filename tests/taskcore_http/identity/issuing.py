"""An issuer of the tests' own: keys, tokens and a key set. It signs without joserfc."""

import base64
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from taskcore_http.identity.bearer import Bearer
from taskcore_http.identity.issuer import Issuer
from taskcore_http.identity.principal import Principal
from taskcore_http.identity.refusal import TokenRefused
from taskcore_http.identity.rules import IssuerRules

ISSUER = "https://idp.example/"
AUDIENCE = "https://api.example"
SUBJECT = "auth0|5f7c8ec7c33c6c004bbafe82"
NOW = 1_800_000_000.0

_HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
_CURVES = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | bytes
Json = dict[str, Any]


def b64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def b64_int(value: int, size: int | None = None) -> str:
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8))


@dataclass(frozen=True)
class SigningKey:
    """A private key, or a secret."""

    private: Private

    def sign(self, algorithm: str, message: bytes) -> bytes:
        key, digest = self.private, _HASHES.get(algorithm[2:], hashes.SHA256())
        if isinstance(key, bytes):
            return hmac.new(key, message, f"sha{algorithm[2:]}").digest()
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return key.sign(message)
        if isinstance(key, ec.EllipticCurvePrivateKey):
            size = (key.curve.key_size + 7) // 8
            r, s = decode_dss_signature(key.sign(message, ec.ECDSA(digest)))
            return r.to_bytes(size) + s.to_bytes(size)
        if algorithm.startswith("PS"):
            pss = padding.PSS(padding.MGF1(digest), salt_length=digest.digest_size)
            return key.sign(message, pss, digest)
        return key.sign(message, padding.PKCS1v15(), digest)

    def jwk(self, **members: Any) -> Json:
        """The public key, with other members; None takes one away."""
        return {
            name: value for name, value in (self._public() | members).items() if value is not None
        }

    def _public(self) -> Json:
        key = self.private
        assert not isinstance(key, bytes)
        if isinstance(key, rsa.RSAPrivateKey):
            numbers = key.public_key().public_numbers()
            return {"kty": "RSA", "n": b64_int(numbers.n), "e": b64_int(numbers.e)}
        if isinstance(key, ec.EllipticCurvePrivateKey):
            point, size = key.public_key().public_numbers(), (key.curve.key_size + 7) // 8
            (curve,) = (name for name, one in _CURVES.items() if one.name == key.curve.name)
            return {
                "kty": "EC",
                "crv": curve,
                "x": b64_int(point.x, size),
                "y": b64_int(point.y, size),
            }
        raw = key.public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw
        )
        return {"kty": "OKP", "crv": "Ed25519", "x": b64(raw)}

    def public_bytes(
        self, encoding: serialization.Encoding, form: serialization.PublicFormat
    ) -> bytes:
        assert not isinstance(self.private, bytes)
        return self.private.public_key().public_bytes(encoding, form)


def rsa_key(name: str = "k", bits: int = 2048) -> SigningKey:
    """The RSA key of this name."""
    return _made(name, lambda: rsa.generate_private_key(65537, bits), ("RSA", bits))


def ec_key(curve: str = "P-256", name: str = "k") -> SigningKey:
    return _made(name, lambda: ec.generate_private_key(_CURVES[curve]), ("EC", curve))


def ed25519_key(name: str = "k") -> SigningKey:
    return _made(name, ed25519.Ed25519PrivateKey.generate, ("OKP",))


_made_keys: dict[tuple[object, ...], SigningKey] = {}


def _made(name: str, make: Callable[[], Private], kind: tuple[object, ...]) -> SigningKey:
    """Make each key once: an RSA key takes a tenth of a second."""
    if (name, *kind) not in _made_keys:
        _made_keys[name, *kind] = SigningKey(make())
    return _made_keys[name, *kind]


def claims(**changes: Any) -> Json:
    """The claims of a valid token, with changes; None takes a claim away."""
    usual = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": SUBJECT,
        "iat": int(NOW) - 60,
        "exp": int(NOW) + 3600,
        "scope": "tasks:read",
    }
    return {name: value for name, value in (usual | changes).items() if value is not None}


def header(**changes: Any) -> Json:
    usual = {"alg": "RS256", "typ": "JWT", "kid": "k"}
    return {name: value for name, value in (usual | changes).items() if value is not None}


def token(
    payload: Mapping[str, Any] | bytes | None = None,
    head: Mapping[str, Any] | bytes | None = None,
    *,
    key: SigningKey | None = None,
    algorithm: str | None = None,
) -> bytes:
    """A signed token. Header and payload may be bytes that are not JSON."""
    payload = claims() if payload is None else payload
    head = header() if head is None else head
    parts = [
        part if isinstance(part, bytes) else json.dumps(part).encode() for part in (head, payload)
    ]
    if algorithm is None:
        named = head.get("alg") if isinstance(head, Mapping) else None
        algorithm = named if isinstance(named, str) else "RS256"
    signing_input = ".".join(b64(part) for part in parts).encode()
    signature = (key or rsa_key()).sign(algorithm, signing_input)
    return signing_input + b"." + b64(signature).encode()


def headers(credentials: bytes, scheme: bytes = b"Bearer ") -> list[tuple[bytes, bytes]]:
    """The header list of a request, as an ASGI server makes it."""
    return [
        (b"host", b"api.example"),
        (b"user-agent", b"curl/8.5.0"),
        (b"accept", b"*/*"),
        (b"authorization", scheme + credentials),
    ]


class Publisher:
    """An issuer's key set, and how often it was fetched."""

    def __init__(self, *keys: object) -> None:
        self.keys = list(keys)
        self.fetched: list[str] = []
        self.max_age: float | None = None
        self.failure: Exception | None = None

    async def fetch(self, url: str) -> tuple[bytes, float | None]:
        self.fetched.append(url)
        if self.failure is not None:
            raise self.failure
        return json.dumps({"keys": self.keys}).encode(), self.max_age


class Clock:
    """A clock that is moved by hand."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Service:
    """A `Bearer` with an issuer and clocks that the test controls."""

    bearer: Bearer
    publisher: Publisher
    clock: Clock

    async def principal(self, credentials: bytes) -> Principal:
        principal = await self.bearer.authenticate(headers(credentials))
        assert isinstance(principal, Principal)
        return principal

    async def subject(self, credentials: bytes) -> str:
        return (await self.principal(credentials)).subject

    async def reason(self, credentials: bytes) -> str | None:
        """The reason for which a token is refused; None if it is accepted."""
        try:
            await self.bearer.authenticate(headers(credentials))
        except TokenRefused as refused:
            return refused.reason
        return None


def rules(**changes: Any) -> Issuer:
    return Issuer(ISSUER, **{"audience": AUDIENCE, "jwks_url": f"{ISSUER}keys"} | changes)


def service(
    *issuers: IssuerRules,
    keys: list[Any] | None = None,
    fetch: Callable[..., Any] | None = None,
    **arguments: Any,
) -> Service:
    """A service whose issuer publishes the RSA key ``k``, unless told otherwise."""
    publisher = Publisher(*([rsa_key().jwk(kid="k", alg="RS256")] if keys is None else keys))
    bearer = Bearer(*(issuers or (rules(),)), fetch=fetch or publisher.fetch, **arguments)
    clock = Clock()
    bearer._clock = clock
    for _rules, cached in bearer._issuers.values():
        if hasattr(cached, "_clock"):
            cached._clock = clock
    return Service(bearer, publisher, clock)
