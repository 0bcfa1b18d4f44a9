"""The time in which a token may be used."""

import math
from dataclasses import dataclass

from taskcore_http.identity.refusal import Reason, TokenRefused

# Larger numbers would not keep their seconds as a float.
_MAX_SECONDS = 2.0**53


@dataclass(frozen=True, slots=True)
class Validity:
    """The limits of a token's use, in seconds since 1970.

    Attributes:
        not_before: The claim ``nbf``.
        expires: The claim ``exp``.
        too_old: The time of issue plus the issuer's ``max_age``.
        leeway: Seconds by which the clocks of the issuer and this machine may differ.
    """

    not_before: float
    expires: float
    too_old: float
    leeway: float

    def check(self, now: float) -> None:
        """Check the limits.

        Raises:
            TokenRefused: The token is not valid yet, or not any more.
        """
        if now >= self.expires + self.leeway:
            raise TokenRefused("exp")
        if now < self.not_before - self.leeway:
            raise TokenRefused("nbf")
        if now >= self.too_old + self.leeway:
            raise TokenRefused("iat")


def validity(claims: dict[str, object], *, leeway: float, max_age: float | None) -> Validity:
    """Return the limits that follow from the claims ``exp``, ``nbf`` and ``iat``.

    A time of issue in the future is not a reason to refuse a token: no standard says so, and
    clocks differ.

    Raises:
        TokenRefused: A claim is not a number, or one that is required is missing.
    """
    expires = numeric_date(claims, "exp")
    if expires is None:
        raise TokenRefused("exp")
    not_before = numeric_date(claims, "nbf")
    issued = numeric_date(claims, "iat")
    if max_age is not None and issued is None:
        raise TokenRefused("iat")
    return Validity(
        not_before=-math.inf if not_before is None else not_before,
        expires=expires,
        too_old=math.inf if max_age is None or issued is None else issued + max_age,
        leeway=leeway,
    )


def numeric_date(claims: dict[str, object], name: Reason) -> float | None:
    """Return a claim that is a NumericDate, or None without one (RFC 7519, section 2).

    Raises:
        TokenRefused: The claim is not a number in range.
    """
    if name not in claims:
        return None
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenRefused(name)
    if not -_MAX_SECONDS < value < _MAX_SECONDS:
        raise TokenRefused(name)
    return float(value)
