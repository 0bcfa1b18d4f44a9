"""Secrets: their form, and their SHA-256. The database stores only the SHA-256.

A secret is a prefix, such as ``taskcore_pat_``, 43 characters for 256 random bits, 2 characters for
the place of its user, and 6 characters for the CRC-32 of everything before them. A router finds the
user by the place (``specs/005-scale-out``); it is not secret, and not a part of the SHA-256. The
checksum does not protect anything: it lets scanners and the library tell a secret from a similar
text without asking the database.
"""

import re
import secrets
from hashlib import sha256
from typing import Any, ClassVar, Self
from zlib import crc32

from pydantic import SecretStr

from taskcore.errors import InvalidToken, ValidationError

PREFIX = "taskcore_pat_"

PATTERN = rf"{PREFIX}[0-9A-Za-z]{{51}}"
"""A regular expression for scanners. A text that matches is a token if its checksum is right."""

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_BITS = 256
_RANDOM_DIGITS = 43
_PLACE_DIGITS = 2
_CHECK_DIGITS = 6
_FORM = re.compile(r"[0-9A-Za-z]{51}", re.ASCII)


class Secret(SecretStr):
    """A secret by which the database finds a user.

    ``repr`` and ``str`` show the prefix and the last four characters;
    ``get_secret_value()`` returns the whole secret.

    Attributes:
        prefix: Tells one kind of secret from another.
        noun: What the secret is, in errors.
    """

    prefix: ClassVar[str]
    noun: ClassVar[str]

    @classmethod
    def random(cls) -> Self:
        """Make a new secret, at place 0."""
        return cls._at(cls.prefix + _base62(secrets.randbits(_RANDOM_BITS), _RANDOM_DIGITS), 0)

    def at(self, place: int) -> Self:
        """Return this secret at another place. Its SHA-256 is the same."""
        return self._at(self._key, place)

    @classmethod
    def _at(cls, key: str, place: int) -> Self:
        body = key + _base62(place, _PLACE_DIGITS)
        return cls(body + _checksum(body))

    @classmethod
    def parse(cls, text: object) -> Self:
        """Return the secret that a text holds.

        Raises:
            ValidationError: The text is not a string.
            InvalidToken: It does not have the form of this kind of secret, or its checksum is
                wrong.
        """
        text = hidden(text)
        found = cls.find(text)
        if found is not None:
            return found
        if not isinstance(text.get_secret_value(), str):
            raise ValidationError("token must be a string", field="token", constraint="type")
        raise InvalidToken(cls.noun)

    @classmethod
    def find(cls, text: object) -> Self | None:
        """Return the secret in a text, or None if it has not the form or a wrong checksum."""
        if isinstance(text, SecretStr):
            text = text.get_secret_value()
        if not isinstance(text, str):
            return None
        if not text.startswith(cls.prefix) or not _FORM.fullmatch(text, len(cls.prefix)):
            return None
        body, check = text[:-_CHECK_DIGITS], text[-_CHECK_DIGITS:]
        return cls(text) if _checksum(body) == check else None

    @property
    def digest(self) -> bytes:
        """The SHA-256 of the secret. A slow hash is for passwords; this has 256 random bits."""
        return sha256(self._key.encode()).digest()

    @property
    def place(self) -> int:
        """The place of the user, from 0 to 3843."""
        place = 0
        for digit in self.get_secret_value()[-_CHECK_DIGITS - _PLACE_DIGITS : -_CHECK_DIGITS]:
            place = place * len(_ALPHABET) + _ALPHABET.index(digit)
        return place

    @property
    def _key(self) -> str:
        return self.get_secret_value()[: -_CHECK_DIGITS - _PLACE_DIGITS]

    def _display(self) -> str:
        return f"{self.prefix}…{self.get_secret_value()[-4:]}"


class TokenSecret(Secret):
    """The secret of an API token, for ``TaskStore.for_token``."""

    prefix = PREFIX
    noun = "API token"


class SessionSecret(Secret):
    """The secret of a browser session, for ``TaskStore.for_session``. It belongs in a cookie."""

    prefix = "taskcore_ses_"
    noun = "session"


class LinkSecret(Secret):
    """The secret of a sign-in link, for ``TaskStore.sessions``."""

    prefix = "taskcore_link_"
    noun = "sign-in link"


def hidden(text: Any) -> SecretStr:
    """Return what may be a secret with a typing error, in a wrapper that does not show it.

    Error trackers store the variables of all frames of a traceback.
    """
    return text if isinstance(text, SecretStr) else SecretStr(text)


def _checksum(body: str) -> str:
    return _base62(crc32(body.encode()), _CHECK_DIGITS)


def _base62(number: int, digits: int) -> str:
    """Return a number in base 62, with leading zeros."""
    text = ""
    for _ in range(digits):
        number, digit = divmod(number, len(_ALPHABET))
        text = _ALPHABET[digit] + text
    return text
