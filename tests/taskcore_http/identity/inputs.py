"""Tokens that must be refused, each with the reason, under the names of public reports.

All but a few are signed by the issuer's own key: the rule in question must refuse them.
"""

import json
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.taskcore_http.identity.issuing import (
    AUDIENCE,
    ISSUER,
    NOW,
    SigningKey,
    b64,
    claims,
    ec_key,
    header,
    rsa_key,
    token,
)

_PEM = rsa_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
_DER = rsa_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
_PKCS1 = rsa_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1)
_SSH = rsa_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
_JWK = json.dumps(rsa_key().jwk(kid="k", alg="RS256")).encode()

PUBLIC_KEYS_AS_SECRETS = {
    "PEM": _PEM,
    "PEM without the last line break": _PEM.strip(),
    "PEM with a byte order mark": b"\xef\xbb\xbf" + _PEM,
    "PEM in UTF-16": _PEM.decode().encode("utf-16"),
    "PEM of PKCS #1": _PKCS1,
    "PEM without its armour": b"".join(_PEM.splitlines()[1:-1]),
    "DER": _DER,
    "SSH": _SSH,
    "JWK": _JWK,
    "JWK set": b'{"keys": [' + _JWK + b"]}",
    "JWK with a byte order mark": b"\xef\xbb\xbf" + _JWK,
}


def _segments(valid: bytes) -> list[bytes]:
    return valid.split(b".")


def _changed(valid: bytes, index: int, segment: bytes) -> bytes:
    segments = _segments(valid)
    segments[index] = segment
    return b".".join(segments)


def _with_text(name: str, text: str) -> bytes:
    """A payload in which a claim is this JSON text."""
    return json.dumps(claims(**{name: "HERE"})).replace('"HERE"', text).encode()


def _next_base64(character: int) -> bytes:
    """A character whose unused bits differ from those of the given one."""
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return bytes([alphabet[alphabet.index(character) + 1]])


VALID = token()
_HEAD, _BODY, _SIGNATURE = _segments(VALID)
_ATTACKER = rsa_key("attacker")
_HS256 = header(alg="HS256")

# A signature of 256 bytes leaves four unused bits in its last character.
_NOT_CANONICAL = VALID[:-1] + _next_base64(VALID[-1])


def _none(name: str, head: dict[str, Any] | None = None, signature: bytes = b"") -> bytes:
    unsigned = token(head=(head or header()) | {"alg": name})
    return _changed(unsigned, 2, signature)


REFUSED: dict[str, tuple[bytes, str]] = {
    # LiteLLM CVE-2026-35030
    "CVE-2026-35030: header of a valid token, other payload": (
        b".".join((_HEAD, b64(json.dumps(claims(sub="victim")).encode()).encode(), b"AAAA")),
        "signature",
    ),
    "CVE-2026-35030: signature of another token": (
        _changed(token(claims(sub="victim")), 2, _SIGNATURE),
        "signature",
    ),
    # python-jose and many others
    "CVE-2015-9235: none": (_none("none", signature=b"AAAA"), "alg"),
    "CVE-2015-9235: none without a signature": (_none("none"), "form"),
    "CVE-2015-9235: noNE": (_none("noNE", signature=b"AAAA"), "alg"),
    "CVE-2015-9235: signature left out": (_changed(VALID, 2, b""), "form"),
    # Authlib CVE-2026-27962, CVE-2018-0114
    "CVE-2018-0114: jwk of the attacker": (
        token(head=header(jwk=_ATTACKER.jwk()), key=_ATTACKER),
        "header",
    ),
    "CVE-2026-27962: jwk of the attacker without kid": (
        token(head=header(jwk=_ATTACKER.jwk(), kid=None), key=_ATTACKER),
        "header",
    ),
    "CVE-2026-27962: x5c of the attacker": (
        token(head=header(x5c=[b64(_DER)], kid=None), key=_ATTACKER),
        "signature",
    ),
    "RFC 8725, section 3.10: jku": (token(head=header(jku="https://evil.example/keys")), "header"),
    "RFC 8725, section 3.10: x5u": (token(head=header(x5u="https://evil.example/x")), "header"),
    # PyJWT GHSA-xgmm-8j9v-c9wx, CVE-2022-29217; python-jose, DER
    **{
        f"CVE-2022-29217: HS256 with the public key as {form}": (
            token(head=_HS256, key=SigningKey(value)),
            "alg",
        )
        for form, value in PUBLIC_KEYS_AS_SECRETS.items()
    },
    # PyJWT GHSA-jq35-7prp-9v3f; python-jose#274, jwcrypto#235
    "GHSA-jq35-7prp-9v3f: ES256 under the id of an RSA key": (
        token(head=header(alg="ES256"), key=ec_key()),
        "kid",
    ),
    "python-jose#274: PS256 by an RS256 key": (token(head=header(alg="PS256")), "kid"),
    "python-jose#274: RS512": (token(head=header(alg="RS512")), "alg"),
    **{
        f"jwcrypto#235: alg {alg!a}": (
            token(head=header() | {"alg": alg}, algorithm="RS256"),
            "alg",
        )
        for alg in ("Rs256", "RS256 ", ["RS256"], None, 256, "", "RS256\u0000", {"RS256": 1})
    },
    # argo-cd CVE-2023-22482; mcp-gateway-registry#1533
    **{
        f"CVE-2023-22482: aud {aud!a}": (token(claims() | {"aud": aud}), "aud")
        for aud in (
            "account",
            ["other"],
            [[AUDIENCE]],
            {AUDIENCE: 1},
            [],
            "",
            None,
            True,
            [AUDIENCE, 1],
            [None],
            f"{AUDIENCE}/",
            f" {AUDIENCE}",
            AUDIENCE.upper(),
            f"{AUDIENCE} other",
        )
    },
    "CVE-2023-22482: no aud": (token(claims(aud=None)), "aud"),
    # wso2/api-manager#2948, fhir-server#2477, anvilresearch/connect#244
    "wso2/api-manager#2948: nonce": (token(claims(nonce="n-0S6_WzA2Mj")), "id_token"),
    "fhir-server#2477: at_hash": (token(claims(at_hash="77QmUPtjPfzWtF2AnpK9RQ")), "id_token"),
    "connect#244: c_hash": (token(claims(c_hash="LDktKdoQak3Pk0cnXxCltA")), "id_token"),
    "wso2/api-manager#2948: s_hash": (token(claims(s_hash="x")), "id_token"),
    "wso2/api-manager#2948: nonce null": (token(claims() | {"nonce": None}), "id_token"),
    "fhir-server#2477: token_use id": (token(claims() | {"token_use": "id"}), "id_token"),
    "connect#244: events": (
        token(claims(events={"http://schemas.openid.net/event/backchannel-logout": {}})),
        "typ",
    ),
    **{
        f"RFC 8725, section 3.11: typ {kind!a}": (token(head=header() | {"typ": kind}), "typ")
        for kind in (
            "logout+jwt",
            "dpop+jwt",
            "secevent+jwt",
            "id_token+jwt",
            "token-introspection+jwt",
            "application/logout+jwt",
            "JWE",
            "",
            None,
            1,
            ["JWT"],
            "JWT ",
            "at+jwt;x",
        )
    },
    # PyJWT GHSA-752w-5fwx-jx9f; joserfc 1.8
    **{
        f"GHSA-752w-5fwx-jx9f: crit {crit!a}": (token(head=header() | {"crit": crit}), "crit")
        for crit in (["x"], [], "exp", ["exp"], None, ["b64"], ["kid"])
    },
    "GHSA-752w-5fwx-jx9f: b64 false with crit": (
        token(head=header(b64=False, crit=["b64"])),
        "crit",
    ),
    **{
        f"RFC 7797: {name} {value!a}": (token(head=header() | {name: value}), "header")
        for name, value in (
            ("b64", False),
            ("b64", True),
            ("zip", "DEF"),
            ("enc", "A256GCM"),
            ("cty", "text"),
            ("cty", None),
            ("cty", ["JWT"]),
        )
    },
    # b2-mcp#172, PyJWT 2.15.1
    **{
        f"b2-mcp#172: exp {text}": (token(_with_text("exp", text)), reason)
        for text, reason in {
            '"1999999999"': "exp",
            "true": "exp",
            "null": "exp",
            "1e999": "form",
            "NaN": "form",
            "-0": "exp",
            "Infinity": "form",
            "-Infinity": "form",
            "[1999999999]": "exp",
            "1e300": "exp",
            "9" * 400: "exp",
            "9" * 5000: "form",
            "0x7fffffff": "form",
            "01999999999": "form",
            "1_999_999_999": "form",
            "1999999999.": "form",
            "": "form",
            "\u0661\u0669": "form",
            "+1999999999": "form",
        }.items()
    },
    **{
        f"b2-mcp#172: {name} {text}": (token(_with_text(name, text)), name)
        for name in ("nbf", "iat")
        for text in ('"1799999999"', "true", "null", "[]", "-1e300")
    },
    "RFC 7519, section 4.1.4: no exp": (token(claims(exp=None)), "exp"),
    "RFC 7519, section 4.1.4: expired": (token(claims(exp=NOW - 31)), "exp"),
    "RFC 7519, section 4.1.4: expired at this moment": (token(claims(exp=NOW - 30)), "exp"),
    "RFC 7519, section 4.1.5: not yet valid": (token(claims(nbf=NOW + 31)), "nbf"),
    # pyjwt#1017, simplejwt#831
    "pyjwt#1017: integer sub": (token(claims(sub=42)), "sub"),
    # Texts that PostgreSQL cannot store.
    **{
        f"unusable subject {sub!a}": (token(claims() | {"sub": sub}), "sub")
        for sub in (
            "u\u0000",
            "\ud800",
            "u\udfff",
            "\ude00\ud83d",
            "x" * 256,
            "",
            None,
            True,
            ["u"],
            {"id": "u"},
            1.0,
            "u\n",
            "\x1b[31mu",
            "u\x7f",
            "\u0085",
            "\u009bu",
        )
    },
    "no sub": (token(claims(sub=None)), "sub"),
    # CVE-2024-53861
    **{
        f"CVE-2024-53861: iss {iss!a}": (token(claims() | {"iss": iss}), "iss")
        for iss in (
            "https://idp.example",
            "https://idp.example/x",
            "HTTPS://idp.example/",
            [ISSUER],
            None,
            "",
            {ISSUER: 1},
            f"{ISSUER} ",
            "https://idp",
            1,
            True,
            "https://evil.example/",
        )
    },
    "CVE-2024-53861: no iss": (token(claims(iss=None)), "iss"),
    # RFC 9449, RFC 8705
    "RFC 9449: bound by DPoP": (token(claims(cnf={"jkt": "x"})), "cnf"),
    "RFC 8705: bound to a certificate": (token(claims(cnf={"x5t#S256": "x"})), "cnf"),
    "RFC 9449: cnf null": (token(claims() | {"cnf": None}), "cnf"),
    # Authlib CVE-2025-61920; PyJWT GHSA-w7vc-732c-9m39, GHSA-8wjv-2p76-3863
    "CVE-2025-61920: token of 1 MB": (b"A" * 1_000_000, "size"),
    "CVE-2025-61920: header of 1 MB": (b64(b"{" + b" " * 1_000_000).encode() + b".e30.AA", "size"),
    "CVE-2025-61920: token above 8 KiB": (token(claims(x="y" * 6_000)), "size"),
    "CVE-2025-61920: header above 4 KiB": (token(head=header(x="y" * 4096)), "form"),
    "GHSA-w7vc-732c-9m39: 100,000 arrays": (token(b"[" * 100_000), "size"),
    "GHSA-w7vc-732c-9m39: 5,000 arrays": (token(b"[" * 5_000), "form"),
    "GHSA-w7vc-732c-9m39: 5,000 objects": (token(b'{"a":' * 1_000), "form"),
    "GHSA-w7vc-732c-9m39: 33 levels": (
        token(_with_text("x", "[" * 32 + "]" * 32)),
        "form",
    ),
    "GHSA-8wjv-2p76-3863: 1,000 dots": (b"." * 1_000, "form"),
    "GHSA-8wjv-2p76-3863: quotes": (token(b"{" + b'\\"' * 2_500 + b"[" * 40), "form"),
    # ruby-jwt#713
    "ruby-jwt#713: sub twice": (token(_with_text("x", '1, "sub": "victim"')), "form"),
    "ruby-jwt#713: alg twice": (
        token(head=b'{"alg":"none","alg":"RS256","kid":"k","typ":"JWT"}'),
        "form",
    ),
    "ruby-jwt#713: nested twice": (token(_with_text("x", '{"a": 1, "a": 2}')), "form"),
    # GHSA-hxm8-2xgr-2p9m
    "GHSA-hxm8-2xgr-2p9m: unused bits of the signature": (_NOT_CANONICAL, "form"),
    "GHSA-hxm8-2xgr-2p9m: padding": (VALID + b"==", "form"),
    "GHSA-hxm8-2xgr-2p9m: character outside of the alphabet": (
        VALID[:-3] + b"!" + VALID[-2:],
        "form",
    ),
    "GHSA-hxm8-2xgr-2p9m: base64 instead of base64url": (_changed(VALID, 0, b"+/+/"), "form"),
    "GHSA-hxm8-2xgr-2p9m: space in the token": (VALID[:50] + b" " + VALID[50:], "form"),
    "GHSA-hxm8-2xgr-2p9m: line break in the token": (VALID[:50] + b"\n" + VALID[50:], "form"),
    "two segments": (b".".join((_HEAD, _BODY)), "form"),
    "four segments": (VALID + b".AA", "form"),
    "five segments, as of a JWE": (b"eyJhbGciOiJSU0EtT0FFUCJ9.AA.AA.AA.AA", "form"),
    "opaque token": (b"ory_at_k1zPa0m2", "form"),
    "no token after the scheme": (b"", "form"),
    "empty header": (_changed(VALID, 0, b""), "form"),
    "empty payload": (_changed(VALID, 1, b""), "form"),
    "JSON serialization": (b'{"payload":"e30"}', "form"),
    "not UTF-8": (token(b'{"iss":"\xff"}'), "form"),
    "UTF-16": (token(json.dumps(claims()).encode("utf-16")), "form"),
    "byte order mark in the payload": (
        token(b"\xef\xbb\xbf" + json.dumps(claims()).encode()),
        "form",
    ),
    "payload is a list": (token(b"[]"), "form"),
    "payload is a string": (token(b'"sub"'), "form"),
    "header is null": (token(head=b"null"), "form"),
    "header is a number": (token(head=b"1"), "form"),
    "text after the object": (token(json.dumps(claims()).encode() + b"{}"), "form"),
    # mcp_agent_mail#211 and other unknown keys
    "mcp_agent_mail#211: unknown kid": (token(head=header(kid="other")), "kid"),
    **{
        f"mcp_agent_mail#211: kid {kid!a}"[:60]: (token(head=header() | {"kid": kid}), "kid")
        for kid in (
            "",
            "K",
            "k ",
            " k",
            1,
            None,
            ["k"],
            {"k": 1},
            "k" * 257,
            "../../dev/null",
            "k' OR '1'='1",
        )
    },
    "key of another": (token(key=_ATTACKER), "signature"),
    # Scopes
    **{
        f"RFC 9068, section 2.2.3: scope {value!a}": (token(claims() | {"scope": value}), "scopes")
        for value in (1, None, ["tasks:read"], "tasks:read\ntasks:write", 'a"b', "a\\b", "\u00e9")
    },
    **{
        f"RFC 6749, section 3.3: scp {value!a}": (
            token(claims(scope=None) | {"scp": value}),
            "scopes",
        )
        for value in (1, None, [1], ["a b"], [""], {"a": 1}, [["a"]])
    },
}
"""The credentials after ``Bearer``, and the reason for which they are refused."""
