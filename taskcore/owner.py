"""The owner of what an operation is about: the first argument of its SQL function."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Protocol, Self, get_args

from taskcore.access import Access
from taskcore.errors import UserNotFound

Provision = Literal["on_write", "never"]
"""When an unknown identity gets a user: with its first task, or never."""

PROVISIONS: tuple[Provision, ...] = get_args(Provision)

NO_USER = 2**63 - 1
"""The id that the database gives an unknown identity for a read: no user can have it."""


class Owner(Protocol):
    """A way to name a user.

    Attributes:
        argument: SQL for the user's id, with the places of `parameters`.
        places: The number of `parameters`.
    """

    argument: ClassVar[str]
    places: ClassVar[int]

    @property
    def user_id(self) -> int | None:
        """The user's id, if it is known before the database is asked."""

    @property
    def key(self) -> Hashable:
        """A name for this owner within one process."""

    def of_user(self, user_id: int) -> Self:
        """Return this owner for a request that names a user.

        Raises:
            UserNotFound: The owner is known to be another user.
        """

    def parameters(self, access: Access) -> tuple[object, ...]:
        """Return the parameters of `argument` for an operation that needs this access."""


class Subject(str):
    """An issuer's name for a user. The variables of a traceback do not show it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'…'"


# Each request makes one or two owners. They are not frozen: that takes two to five times as long.
@dataclass(slots=True)
class UserOwner:
    """A user named by id. The caller has made sure who it is."""

    # A router has the functions for other owners too.
    argument: ClassVar[str] = "$1::bigint"
    places: ClassVar[int] = 1

    user_id: int

    @property
    def key(self) -> Hashable:
        """The user's id."""
        return self.user_id

    def of_user(self, user_id: int) -> Self:
        """Return this owner if it is the user."""
        if user_id != self.user_id:
            raise _not_found(user_id)
        return self

    def parameters(self, access: Access) -> tuple[object, ...]:  # noqa: ARG002
        """Return the user's id."""
        return (self.user_id,)


@dataclass(slots=True)
class IdentityOwner:
    """A user named by an issuer, such as an OpenID provider.

    Attributes:
        issuer: The issuer's URL.
        subject: The issuer's name for the user.
        user_id: The user that the request names, if it names one. The database compares it
            with the identity's.
        provision: When an unknown identity gets a user.
        subject_is_user_id: Whether the subject is the user's id.
    """

    argument: ClassVar[str] = "taskcore.identity_user_v1($1, $2, $3, $4, $5, $6)"
    places: ClassVar[int] = 6

    issuer: str
    subject: Subject
    user_id: int | None = None
    provision: Provision = "on_write"
    subject_is_user_id: bool = False

    def of_user(self, user_id: int) -> Self:
        """Return this owner for a request that names a user; the database compares."""
        if self.user_id not in (None, user_id):
            raise _not_found(user_id)
        # A third of the time of dataclasses.replace, for each request.
        return type(self)(
            self.issuer, self.subject, user_id, self.provision, self.subject_is_user_id
        )

    @property
    def key(self) -> Hashable:
        """Issuer and subject."""
        return self.issuer, self.subject

    def parameters(self, access: Access) -> tuple[object, ...]:
        """Return what the function takes: see ``taskcore/schema/functions/identities.sql``."""
        unknown = "create" if access.creates else "empty"
        if self.provision == "never":
            unknown = "refuse"
        named = self.issuer, self.subject, self.user_id
        return *named, unknown, access.creates, self.subject_is_user_id


@dataclass(slots=True)
class TokenOwner:
    """A user named by the secret of an API token, a browser session or a sign-in link.

    Attributes:
        digest: The SHA-256 of the secret.
        place: The user's place, which the secret names.
        user_id: The user that the request names, if it names one. The database compares it
            with the user of the secret.
    """

    argument: ClassVar[str] = "taskcore.token_user_v1($1, $2, $3, $4, $5)"
    places: ClassVar[int] = 5

    digest: bytes = field(repr=False)
    place: int
    user_id: int | None = None

    @property
    def key(self) -> Hashable:
        """The SHA-256 of the secret."""
        return self.digest

    def of_user(self, user_id: int) -> Self:
        """Return this owner for a request that names a user; the database compares."""
        if self.user_id not in (None, user_id):
            raise _not_found(user_id)
        return type(self)(self.digest, self.place, user_id)

    def parameters(self, access: Access) -> tuple[object, ...]:
        """Return what the function takes: see ``taskcore/schema/functions/tokens.sql``."""
        return self.digest, access.scope, self.user_id, access.creates, self.place


def _not_found(user_id: int) -> UserNotFound:
    return UserNotFound(f"user {user_id} not found")
