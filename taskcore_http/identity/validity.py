"""The time in which a token may be used."""

from dataclasses import dataclass

from taskcore_http.identity.refusal import Reason, TokenRefused

# Larger numbers would not keep their seconds as a float.
_MAX_SECONDS = 2.0**53


@dataclass(frozen=True, slots=True)
class Validity:
    """The limits of a token's use, in seconds since 1970, with the leeway included.

    Attributes:
        not_before: The first moment.
        expires: The moment at which ``exp`` ends it.
        too_old: The moment at which the issuer's ``max_age`` ends it.
    """

    not_before: float
    expires: float
    too_old: float

    def check(self, now: float) -> None:
        """Check the limits.

        Raises:
            TokenRefused: The token is not valid yet, or not any more.
        """
        if now >= self.expires:
            raise TokenRefused("exp")
        if now < self.not_before:
            raise TokenRefused("nbf")
        if now >= self.too_old:
            raise TokenRefused("iat")


def validity(claims: dict[str, object], *, leeway: float, max_age: float | None) -> Validity:
    """Return the limits that the claims ``exp``, ``nbf`` and ``iat`` give.

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
        not_before=-_MAX_SECONDS if not_before is None else not_before - leeway,
        expires=expires + leeway,
        too_old=float("inf") if max_age is None or issued is None else issued + max_age + leeway,
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
