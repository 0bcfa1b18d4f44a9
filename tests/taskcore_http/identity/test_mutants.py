"""Each rule is taken away in turn, and a test must miss it.

``pytest -m mutants`` runs the tests of this folder, and those of API tokens in the library, once
for each mutant.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FOLDER = Path(__file__).parent.relative_to(ROOT)
OF_TOKENS = "tests/taskcore/tokens"

# For each mutant: the module (of identity, or its path), a text that occurs once in it, and what
# replaces it.
MUTANTS: dict[str, tuple[str, str, str]] = {
    "ID-101: look at another field": (
        "authorization",
        'name == b"authorization"',
        'name in (b"authorization", b"x-authorization")',
    ),
    "ID-102: compare the scheme with case": ("authorization", "scheme.lower()", "scheme"),
    "ID-102: allow one space only": ("authorization", 'token.lstrip(b" ")', "token"),
    "ID-103: take the first field": ("authorization", "len(fields) > 1", "False"),
    "ID-103: allow a list": ("authorization", 'b"," in token', "False"),
    "ID-104: no limit": ("authorization", "len(token) > MAX_TOKEN", "False"),
    "ID-105: an error code without credentials": (
        "refusal",
        '"missing": (401, None',
        '"missing": (401, "invalid_token"',
    ),
    "ID-107: scopes are not required": (
        "claims",
        "not scopes.issuperset(rules.required_scopes)",
        "False",
    ),
    "ID-108: refuse a token if there are no keys": (
        "fetched_keys",
        "raise KeysUnavailable(self._rules.issuer, retry_after=math.ceil(wait))",
        "return None",
    ),
    "ID-109: leave the metadata out": ("challenge", "    if resource:", "    if False:"),
    "ID-110: keep the traceback": ("bearer", "refused.with_traceback(None) from None", "refused"),
    "ID-110: keep the headers": (
        "bearer",
        "            del headers\n            raise refused",
        "            raise refused",
    ),
    "ID-110: show the subject": ("principal", "subject: str = field(repr=False)", "subject: str"),
    "ID-110: log the token": (
        "bearer",
        "log_refusal(refused.reason, ",
        "log_refusal(str(headers), ",
    ),
    "ID-111: never name the issuer": ("refusal", 'issuer or "unknown"', '"unknown"'),
    "ID-201: one key set for all issuers": (
        "bearer",
        "self._issuers[issuer]\n",
        "next(iter(self._issuers.values()))\n",
    ),
    "ID-202: let the key of the token in": ("token", '"jku", "jwk", "x5u", ', ""),
    "ID-203: accept http": (
        "url",
        'parts.scheme == "http" and is_loopback(parts)',
        'parts.scheme == "http"',
    ),
    "ID-203: discovery may lead to this machine": (
        "discovery",
        'issuer.startswith("https:") and',
        "False and",
    ),
    "ID-203: follow an answer that is not 200": (
        "fetch",
        "response.status != 200",
        "response.status >= 400",
    ),
    "ID-203: do not verify certificates": (
        "fetch",
        "context = ssl.create_default_context()",
        "context = ssl._create_unverified_context()",
    ),
    "ID-204: any issuer in the discovery document": (
        "discovery",
        'document.get("issuer") != issuer',
        "False",
    ),
    "ID-205: documents of any size": ("fetch", "len(content) > MAX_CONTENT", "False"),
    "ID-205: documents of any size from a host": (
        "fetched_keys",
        "len(content) > MAX_CONTENT",
        "False",
    ),
    "ID-205: any number of keys": ("key_set", "len(keys) > _MAX_KEYS", "False"),
    "ID-205: any time": ("fetched_keys", "asyncio.timeout(TIMEOUT)", "asyncio.timeout(None)"),
    "ID-205: never cut off": (
        "fetch",
        "self._socket.shutdown(socket.SHUT_RDWR)",
        "self._socket.fileno()",
    ),
    "ID-206: keys for encryption": ("jwk", 'jwk.get("use", "sig") == "sig" and', "True and"),
    "ID-206: keys without the operation": ("jwk", 'and "verify" in operations', ""),
    "ID-206: private keys": ("jwk", "not _PRIVATE.isdisjoint(jwk) or", "False or"),
    "ID-206: weak RSA keys": (
        "jwk",
        "_MIN_RSA_BITS <= modulus.bit_length()",
        "0 < modulus.bit_length()",
    ),
    "ID-206: enormous RSA keys": ("jwk", " <= _MAX_RSA_BITS", ""),
    "ID-206: even exponents": ("jwk", "and exponent % 2 == 1", ""),
    "ID-206: huge exponents": ("jwk", "3 <= exponent < _MAX_EXPONENT", "3 <= exponent"),
    "ID-206: the exponent 1": ("jwk", "3 <= exponent <", "1 <= exponent <"),
    "ID-206: a bad key fails all": ("signatures", "        return None\n", "        raise\n"),
    "ID-207: a key serves more than its alg": ("jwk", 'if "alg" in jwk:', "if False:"),
    "ID-208: the first of several keys": (
        "key_set",
        "if len(fitting) == 1 else None",
        "if fitting else None",
    ),
    "ID-208: any key for a token with kid": (
        "key_set",
        "if key_id is None:",
        "if key_id not in self._entries:",
    ),
    "ID-208: kid of any length": ("token", "len(key_id) > _MAX_KID", "False"),
    "ID-209: fetch for each unknown kid": (
        "fetched_keys",
        "self._attempted >= COOLDOWN",
        "self._attempted >= 0",
    ),
    "ID-209: never fetch for an unknown kid": (
        "fetched_keys",
        "            if key is not None:\n                return key\n",
        "            return key\n",
    ),
    "ID-209: a fetch for each waiting request": (
        "fetched_keys",
        "if self._running() is None and ",
        "if ",
    ),
    "ID-209: a cancelled request cancels the fetch": (
        "fetched_keys",
        "await asyncio.wait((task,))\n\n    def _start",
        "await task\n\n    def _start",
    ),
    "ID-209: an empty set replaces the keys": ("key_set", "if not entries:", "if False:"),
    "ID-210: never revalidate": (
        "fetched_keys",
        "self._due = self._fetched + wait",
        "self._due = math.inf",
    ),
    "ID-210: never revalidate in the background": (
        "fetched_keys",
        "        self._start()\n        return self._generation\n",
        "        return self._generation\n",
    ),
    "ID-210: use keys of any age": (
        "fetched_keys",
        "return self._keys if self._clock() - self._fetched < MAX_AGE else None",
        "return self._keys",
    ),
    "ID-210: any max-age": ("fetched_keys", "min(max(max_age, _SHORTEST), _LONGEST)", "max_age"),
    "ID-211: the same generation for ever": ("fetched_keys", "self._generation += 1", "pass"),
    "ID-211: use an entry of another generation": (
        "verified",
        "self.keys.generation() == self.generation",
        "True",
    ),
    "ID-211: compare keys by their ids only": (
        "key_set",
        "identity = (key_id, algorithms, *map(str, members.values()))",
        "identity = (key_id, algorithms)",
    ),
    "ID-211: an added key ends the cache": (
        "fetched_keys",
        "not self._keys.identities() <= keys.identities()",
        "self._keys.identities() != keys.identities()",
    ),
    "ID-212: short secrets": ("secret", "len(value) < needed", "False"),
    "ID-212: keys as secrets": (
        "secret",
        "any(mark in text for mark in _KEY_MARKS) or _is_jwk(text) or _is_sequence(value)",
        "False",
    ),
    "ID-212: JWK as secrets": ("secret", "or _is_jwk(text)", ""),
    "ID-212: DER as secrets": ("secret", "or _is_sequence(value)", ""),
    "ID-212: base64 of a key as a secret": ("secret", "(value, _decoded(value))", "(value,)"),
    "ID-212: a repeated text as a secret": ("secret", "        repeats\n        or ", "        "),
    "ID-212: placeholders as secrets": (
        "secret",
        "or any(word in text for word in _PLACEHOLDERS)",
        "",
    ),
    "ID-212: HMAC beside public keys": (
        "rules",
        "if symmetric and len(symmetric) < len(set(algorithms)):",
        "if False:",
    ),
    "ID-213: fetch the keys twice": (
        "fetched_keys",
        "        if self._current() is None:\n            await self._refresh()\n",
        "        self._attempted = -math.inf\n        await self._refresh()\n",
    ),
    "ID-301: other encodings": ("base64url", "value and encode(value) == text", "value"),
    "ID-301: a fourth segment": ("token", "len(segments) != 3", "len(segments) < 3"),
    "ID-302: duplicate names": ("json_object", "len(members) != len(pairs)", "False"),
    "ID-302: infinite numbers": ("json_object", "not math.isfinite(number)", "False"),
    "ID-302: NaN": ("json_object", "parse_constant=_refuse", "parse_constant=None"),
    "ID-302: any depth": ("json_object", "if _is_deep(text):", "if False:"),
    "ID-302: brackets in strings count": ("json_object", '_STRINGS.sub("", text)', "text"),
    "ID-302: headers of any size": ("token", "or len(content) > limit", ""),
    "ID-303: any algorithm": ("token", "token.algorithm not in rules.algorithms", "False"),
    "ID-303: none can be configured": (
        "rules",
        "algorithm not in ASYMMETRIC and algorithm not in HMAC",
        "False",
    ),
    "ID-304: crit": ("token", 'if "crit" in header:', "if False:"),
    "ID-304: an empty crit": ("token", 'if "crit" in header:', 'if header.get("crit"):'),
    "ID-304: b64": ("token", '"b64", ', ""),
    "ID-304: zip": ("token", '"zip", ', ""),
    "ID-304: enc": ("token", ', "enc"', ""),
    "ID-304: any cty": ("token", 'content_type.upper() != "JWT"', "False"),
    "ID-305: any typ": ("token", 'if rules.rfc9068 or kind != "jwt":', "if rules.rfc9068:"),
    "ID-305: any typ for RFC 9068": (
        "token",
        'if rules.rfc9068 or kind != "jwt":',
        'if kind != "jwt":',
    ),
    "ID-306: ID tokens": ("claims", "not _OF_ID_TOKENS.isdisjoint(claims)", "False"),
    "ID-306: token_use": ("claims", 'claims.get("token_use", "access") != "access"', "False"),
    "ID-306: events": ("claims", '"events" in claims', "False"),
    "ID-306: required claims": ("claims", "claims.get(name) != value", "False"),
    "ID-308: no audience": ("claims", "_check_audience, (", "lambda _claims, _rules: None, ("),
    "ID-308: aud may be missing": (
        "claims",
        'if "aud" not in claims and not rules.audience:',
        'if "aud" not in claims:',
    ),
    "ID-308: aud is not checked without an audience": (
        "claims",
        'if "aud" not in claims and not rules.audience:',
        "if not rules.audience:",
    ),
    "ID-308: values in aud that are not strings": (
        "claims",
        "not all(isinstance(name, str) for name in names) or not set(names) & set(rules.audience)",
        "not [name for name in names if name in rules.audience]",
    ),
    "ID-308: azp": ("claims", "_check_authorized_party, (", "lambda _claims, _rules: None, ("),
    "ID-308: client_id": (
        "claims",
        "_check_client, (",
        "lambda _claims, _rules: None, (",
    ),
    "ID-308: a missing azp": (
        "claims",
        "if rules.authorized_parties and",
        'if rules.authorized_parties and "azp" in claims and',
    ),
    "ID-309: exp may be missing": (
        "validity",
        '    if expires is None:\n        raise TokenRefused("exp")\n',
        "    expires = expires or math.inf\n",
    ),
    "ID-309: exp is not compared": (
        "validity",
        "if now >= self.expires + self.leeway:",
        "if False:",
    ),
    "ID-309: a moment longer": (
        "validity",
        "now >= self.expires + self.leeway",
        "now > self.expires + self.leeway",
    ),
    "ID-309: booleans": ("validity", "isinstance(value, bool) or not", "not"),
    "ID-309: numbers out of range": (
        "validity",
        "not -_MAX_SECONDS < value < _MAX_SECONDS",
        "False",
    ),
    "ID-310: nbf is not compared": (
        "validity",
        "if now < self.not_before - self.leeway:",
        "if False:",
    ),
    "ID-311: no maximum age": ("validity", "if now >= self.too_old + self.leeway:", "if False:"),
    "ID-311: iat may be missing": (
        "validity",
        "if max_age is not None and issued is None:",
        "if False:",
    ),
    "ID-312: no leeway for exp": ("validity", "self.expires + self.leeway", "self.expires"),
    "ID-312: no leeway for nbf": ("validity", "self.not_before - self.leeway", "self.not_before"),
    "ID-312: any leeway": ("bearer", "not 0 <= leeway <= _MAX_LEEWAY", "False"),
    "ID-313: any subject": (
        "claims",
        'validate_name(claims.get("sub"), field="sub")',
        'str(claims.get("sub"))',
    ),
    "ID-613: any subject as a user id": ("claims", "if is_user_id:", "if False:"),
    "ID-613: an id taken for a name": (
        "identify",
        "subject_is_user_id=caller.subject_is_user_id",
        "subject_is_user_id=False",
    ),
    "ID-613: two issuers name ids": ("bearer", "in issuers) > 1", "in issuers) > 2"),
    "ID-315: cnf": ("claims", 'if "cnf" in claims:', "if False:"),
    "ID-316: malformed scopes": (
        "claims",
        "isinstance(one, str) and SCOPE.fullmatch(one)",
        "isinstance(one, str)",
    ),
    "ID-316: a list in scope": (
        "claims",
        'elif "scope" in claims:',
        "elif False:",
    ),
    "ID-317: an unknown key has an answer of its own": (
        "refusal",
        '"kid": (401, "invalid_token", _UNVERIFIED)',
        '"kid": (401, "invalid_token", "unknown key")',
    ),
    "ID-317: no signature": (
        "bearer",
        "not key.verify(token.algorithm, token.signing_input, token.signature)",
        "False",
    ),
    "ID-401: times of cached tokens": (
        "bearer",
        "            verified.validity.check(self._clock())\n",
        "            pass\n",
    ),
    "ID-402: a part of the token as the key": (
        "bearer",
        "sha256(token).digest()",
        "sha256(token[:20]).digest()",
    ),
    "ID-402: all but the signature as the key": (
        "bearer",
        "sha256(token).digest()",
        'sha256(token.rpartition(b".")[0]).digest()',
    ),
    "ID-403: no bound": ("verified", "if len(self._entries) >= self.limit > 0:", "if False:"),
    "ID-403: the newest makes room": (
        "verified",
        "next(iter(self._entries))",
        "next(reversed(self._entries))",
    ),
    "ID-403: nothing is cached": (
        "bearer",
        "            self._verified.add(digest, verified)\n",
        "",
    ),
    "ID-502: no audience": ("rules", "self.client_ids or self.single_client)", "True)"),
    "ID-502: Keycloak's account": ("rules", '"account" in self.audience and', "False and"),
    "ID-502: credentials in URLs": ("url", '"@" in parts.netloc', "False"),
    "ID-502: a query": ("url", '("?" in url and not query)', "False"),
    "ID-502: the same issuer twice": ("bearer", "len(set(names)) < len(names) or ", ""),
    "ID-502: any tenant": ("issuer", "not _GUID.fullmatch(tenant_id)", "False"),
    "ID-802: no checksum": ("taskcore/tokens/secret", " if _checksum(body) == check else None", ""),
    "ID-802: any form": (
        "taskcore/tokens/secret",
        " or not _FORM.fullmatch(text, len(cls.prefix))",
        "",
    ),
    "ID-802: fewer random bits": ("taskcore/tokens/secret", "_BITS = 256", "_BITS = 128"),
    "ID-802: another hash": ("taskcore/tokens/secret", "sha256(self.", "sha512(self."),
    "ID-803: no end by default": ("taskcore/tokens/token", "] = DEFAULT_TOKEN_DAYS", "] = None"),
    "ID-803: any lifetime": ("taskcore/tokens/token", "Field(ge=1, le=MAX_TOKEN_DAYS)", "Field()"),
    "ID-803: any scope": ("taskcore/tokens/token", "if scope not in SCOPES:", "if False:"),
    "ID-803: no scope": ("taskcore/tokens/token", "    if not value:", "    if False:"),
    "ID-803: writing by default": (
        "taskcore/tokens/token",
        '] = ("tasks:read",)',
        '] = ("tasks:read", "tasks:write")',
    ),
    "ID-804: writing is reading": (
        "taskcore/access",
        'WRITE = Access("tasks:write")',
        'WRITE = Access("tasks:read")',
    ),
    "ID-804: creating is reading": (
        "taskcore/access",
        'Access("tasks:write", creates=True)',
        'Access("tasks:read", creates=True)',
    ),
    "ID-804: reading is writing": (
        "taskcore/access",
        'READ = Access("tasks:read")',
        'READ = Access("tasks:write")',
    ),
    "ID-805: a token makes tokens": (
        "taskcore/tokens/tokens",
        '_MAKE = Access("tokens", creates=True)',
        '_MAKE = Access("tasks:write", creates=True)',
    ),
    "ID-805: a token sees tokens": (
        "taskcore/tokens/tokens",
        '_SEE = Access("tokens")',
        '_SEE = Access("tasks:read")',
    ),
    "ID-806: a create does not lock its user": (
        "taskcore/owner",
        "access.scope, self.user_id, access.creates",
        "access.scope, self.user_id, False",
    ),
    "ID-807: the path is not sent": (
        "taskcore/owner",
        "access.scope, self.user_id, access.creates",
        "access.scope, None, access.creates",
    ),
    "ID-809: a lost revocation is not found": (
        "taskcore/tokens/tokens",
        "if not rows and not repeated:",
        "if not rows:",
    ),
    "ID-813: show the secret": (
        "taskcore/tokens/secret",
        'return f"{self.prefix}…{self.get_secret_value()[-4:]}"',
        "return self.get_secret_value()",
    ),
    "ID-813: show the hash": (
        "taskcore/owner",
        "digest: bytes = field(repr=False)",
        "digest: bytes",
    ),
    "ID-813: the parser's exception leaves": ("bearer", "with suppress(InvalidToken):", "if True:"),
    "ID-816: take API tokens always": ("bearer", "if self.api_tokens and (", "if True and ("),
    "ID-817: routes without API tokens": (
        "taskcore_http/tasks/router",
        "isinstance(identity, Bearer) and identity.api_tokens",
        "isinstance(identity, Bearer)",
    ),
    "ID-817: answers that caches store": (
        "taskcore_http/tokens",
        "Response(content, status, NOT_STORED, ",
        "Response(content, status, {}, ",
    ),
    "ID-818: no challenge for a missing scope": (
        "taskcore_http/tasks/route",
        "if refused.error:",
        "if refused.status == 401:",
    ),
    "ID-818: the scope is not named": (
        "taskcore_http/tasks/route",
        'TokenRefused("scope", scope=scope)',
        'TokenRefused("scope")',
    ),
    "ID-819: routes of tokens take API tokens": (
        "security",
        "for name in signed_in]",
        "for name in signed_in | api_tokens]",
    ),
    "ID-820: API tokens beside trusted callers": (
        "configured",
        "    if settings.trust_callers:\n        if verified_by",
        "    if False:\n        if verified_by",
    ),
    "ID-903: a lost opening is not found": (
        "taskcore/tokens/sessions",
        "if not await self._is_open(session, deadline):",
        "if True:",
    ),
    "ID-903: a check that fails hides the outcome": (
        "taskcore/tokens/sessions",
        "except TaskcoreError:",
        "except InvalidToken:",
    ),
    "ID-903: the check has a time of its own": (
        "taskcore/tokens/sessions",
        "                deadline=deadline,\n",
        "",
    ),
    "ID-901: a link that is gone opens a session": (
        "taskcore/tokens/sessions",
        "        if not rows:\n            raise InvalidToken(presented.noun)\n",
        "",
    ),
    "ID-904: a script reads the cookie": (
        "session",
        "        httponly=True,\n        samesite",
        "        httponly=False,\n        samesite",
    ),
    "ID-904: other sites send the cookie": (
        "session",
        '        samesite="strict",\n    )\n\n\ndef unset',
        '        samesite="none",\n    )\n\n\ndef unset',
    ),
    "ID-904: one name for all": (
        "session",
        "SECURE_COOKIE if _is_secure(request) else COOKIE",
        "COOKIE",
    ),
    "ID-904: one name for all ports": ("session", "name if port is None", "name if True"),
    "ID-904: sessions without being asked": (
        "identify",
        "isinstance(authenticator, Bearer) and authenticator.sessions",
        "True",
    ),
    "ID-904: the session goes on after signing out": (
        "taskcore_http/session",
        "            await self._store.sessions.close(session)\n",
        "            pass\n",
    ),
    "ID-904: the session of before goes on": (
        "taskcore_http/session",
        "await self._store.sessions.close(before)",
        "pass",
    ),
    "ID-905: any site": ("session", "    if not ours:", "    if False:"),
    "ID-905: any port": (
        "session",
        'site == "same-origin"',
        'site in ("same-origin", "same-site")',
    ),
    "ID-905: no page at all": ("session", "        ours = reads\n", "        ours = True\n"),
    "ID-905: a typed address changes something": (
        "session",
        '(reads and site == "none")',
        'site == "none"',
    ),
    "ID-905: any origin": (
        "session",
        "origin == f\"{request.url.scheme}://{request.headers.get('host', '')}\"",
        "True",
    ),
    "ID-905: only where a cookie is": (
        "taskcore_http/session",
        "require_same_origin(request)\n        before",
        "before",
    ),
    "ID-906: the last cookie wins": (
        "session",
        "    cookies = _cookies(request)\n",
        "    cookies = _cookies(request)[-1:]\n",
    ),
    "ID-906: the cookie wins": ("session", 'if "authorization" in request.headers:', "if False:"),
    "ID-909: secrets of any kind": (
        "taskcore/tokens/secret",
        "not text.startswith(cls.prefix) or ",
        "",
    ),
    "ID-502: any name": ("issuer", "not _NAME.fullmatch(value)", "False"),
}


_SLOW = {"test_api", "test_api_tokens", "test_extra", "test_guide", "test_lying_issuer"}
_LEFT_OUT = {"test_differential", "test_mutants", "test_provider"}
# The slow ones last: most mutants are caught before.
_FILES = sorted(
    (str(path) for path in FOLDER.glob("test_*.py") if path.stem not in _LEFT_OUT),
    key=lambda path: (Path(path).stem in _SLOW, path),
)


def _tests(package: Path) -> "subprocess.CompletedProcess[str]":
    """Run the tests on another copy of the packages, until one fails."""
    arguments = [
        "-n",
        "0",
        "-x",
        "--timeout=60",
        "-q",
        "--no-header",
        "--tb=no",
        "-p",
        "no:cacheprovider",
        # Loading it takes as long as loading the rest.
        "-p",
        "no:schemathesis",
    ]
    return subprocess.run(
        [
            *(sys.executable, "-m", "pytest", *arguments, "-o", f"pythonpath={package} ."),
            # Not the common one: every pytest deletes what older ones have left there.
            f"--basetemp={package}/tests",
            *_FILES,
            OF_TOKENS,
        ],
        cwd=ROOT,
        # Compiled once for all mutants, also where the environment says otherwise.
        env={k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the packages that a test may break."""
    for name in ("taskcore", "taskcore_http"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def _broken(folder: Path, module: str, text: str, replacement: str) -> tuple[Path, str]:
    """Return the path of a module in a copy of the packages, and its source with the mutant."""
    path = folder / f"{module if '/' in module else f'taskcore_http/identity/{module}'}.py"
    source = path.read_text()
    assert source.count(text) == 1, f"a mutant does not fit the code any more: {text}"
    return path, source.replace(text, replacement)


def test_every_mutant_fits_the_code() -> None:
    """The others run in CI only."""
    for mutant in MUTANTS.values():
        path, source = _broken(ROOT, *mutant)
        compile(source, path, "exec")


@pytest.mark.mutants
def test_without_a_mutant_no_test_fails(package: Path) -> None:
    ended = _tests(package)

    assert ended.returncode == 0, ended.stdout


@pytest.mark.mutants
@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_a_rule_that_is_taken_away_is_missed_by_a_test(
    mutant: tuple[str, str, str],
    package: Path,
    record_property: Callable[[str, object], None],
) -> None:
    path, source = _broken(package, *mutant)
    path.write_text(source)

    ended = _tests(package)

    caught = re.search(r"^(?:FAILED|ERROR) (\S+)", ended.stdout, re.MULTILINE)
    assert caught, f"no test misses the rule:\n{ended.stdout}{ended.stderr}"
    record_property("caught by", caught[1])
