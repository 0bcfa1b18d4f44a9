"""The interface of objects that authenticate requests."""

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from taskcore import TokenSecret
from taskcore.owner import Provision
from taskcore_http.identity.principal import Principal
from taskcore_http.identity.refusal import TokenRefused


@runtime_checkable
class Authenticator(Protocol):
    """An identity that verifies credentials, such as `Bearer`.

    Attributes:
        provision: When a caller who is unknown to the database gets a user.
    """

    provision: Provision

    async def authenticate(self, headers: Iterable[tuple[bytes, bytes]]) -> Principal | TokenSecret:
        """Return the caller that the credentials of a request name.

        An API token is returned as it is: the database verifies it in the statement of the
        operation.

        Args:
            headers: The header list of the ASGI scope.

        Raises:
            TokenRefused: There are no credentials, or they are not accepted.
            KeysUnavailable: They cannot be verified now.
        """

    def challenge(self, refused: TokenRefused) -> str:
        """Return the value of ``WWW-Authenticate`` for a refusal."""
