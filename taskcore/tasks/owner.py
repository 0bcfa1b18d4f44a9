"""The owner of the tasks that an operation is about: the first argument of its SQL function."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import cache
from typing import ClassVar, Literal, Protocol

Provision = Literal["on_write", "never"]
"""When an unknown identity gets a user: with its first task, or never."""

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

    def parameters(self, *, creates: bool) -> tuple[object, ...]:
        """Return the parameters of `argument`.

        Args:
            creates: Whether the operation creates tasks, and so their user if need be.
        """


@dataclass(frozen=True, slots=True)
class UserOwner:
    """A user named by id. The caller has made sure who it is."""

    argument: ClassVar[str] = "$1"
    places: ClassVar[int] = 1

    user_id: int

    @property
    def key(self) -> Hashable:
        """The user's id."""
        return self.user_id

    def parameters(self, *, creates: bool) -> tuple[object, ...]:  # noqa: ARG002
        """Return the user's id."""
        return (self.user_id,)


@dataclass(frozen=True, slots=True)
class IdentityOwner:
    """A user named by an issuer, such as an OpenID provider.

    Attributes:
        issuer: The issuer's URL.
        subject: The issuer's name for the user.
        user_id: The user that the request names, if it names one. The database compares it
            with the identity's.
        provision: When an unknown identity gets a user.
    """

    argument: ClassVar[str] = "taskcore.identity_user_v1($1, $2, $3, $4, $5)"
    places: ClassVar[int] = 5

    issuer: str
    subject: str = field(repr=False)
    user_id: int | None = None
    provision: Provision = "on_write"

    def of_user(self, user_id: int) -> "IdentityOwner":
        """Return this owner for a request that names a user."""
        return IdentityOwner(self.issuer, self.subject, user_id, self.provision)

    @property
    def key(self) -> Hashable:
        """Issuer and subject."""
        return self.issuer, self.subject

    def parameters(self, *, creates: bool) -> tuple[object, ...]:
        """Return what the function takes: see ``taskcore/schema/functions/identities.sql``."""
        unknown = "create" if creates else "empty"
        if self.provision == "never":
            unknown = "refuse"
        return self.issuer, self.subject, self.user_id, unknown, creates


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """A SQL function on the tasks of one owner.

    Attributes:
        function: Its name.
        arguments: The number of its arguments after the user.
        columns: The columns of its rows to read.
        creates: Whether it creates tasks.
    """

    function: str
    arguments: int
    columns: str
    creates: bool = False

    def statement(self, owner: type[Owner]) -> str:
        """Return the statement. Its parameters are the owner's, then the function's."""
        return _statement(self, owner)


@cache
def _statement(operation: Operation, owner: type[Owner]) -> str:
    places = range(owner.places + 1, owner.places + 1 + operation.arguments)
    arguments = ", ".join((owner.argument, *(f"${place}" for place in places)))
    return f"SELECT {operation.columns} FROM taskcore.{operation.function}({arguments})"  # noqa: S608
