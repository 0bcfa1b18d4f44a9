"""The signature algorithms of tokens (RFC 7518, section 3.1; RFC 8037; RFC 9864)."""

RSA = ("RS256", "PS256", "RS384", "PS384", "RS512", "PS512")

CURVES = {
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("EC", "P-521"): ("ES512",),
    ("OKP", "Ed25519"): ("EdDSA", "Ed25519"),
}
"""The algorithms of each curve. EdDSA is the older name of Ed25519 (RFC 9864, section 4)."""

HMAC = {"HS256": 32, "HS384": 48, "HS512": 64}
"""The smallest secret of each algorithm, in bytes (RFC 7518, section 3.2)."""

ASYMMETRIC = frozenset(RSA).union(*CURVES.values())

DEFAULT = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
"""The algorithms of an issuer that names none."""
