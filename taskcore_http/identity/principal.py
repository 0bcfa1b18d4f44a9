"""The caller of a request, as the issuer of the token names them."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Principal:
    """A verified caller. Issuer and subject together identify a user (OIDC Core, section 5.7).

    The representation leaves out everything that is personal or comes from the token.

    Attributes:
        issuer: The configured issuer, octet by octet.
        subject: The claim ``sub``, unchanged: case and normalization form are significant.
        scopes: The scopes of the token (RFC 6749, section 3.3).
        expires_at: The claim ``exp``, in seconds since 1970.
        subject_is_user_id: Whether the subject is the user's id in the store.
    """

    issuer: str
    subject: str = field(repr=False)
    scopes: frozenset[str] = field(repr=False)
    expires_at: float = field(repr=False)
    subject_is_user_id: bool = False
