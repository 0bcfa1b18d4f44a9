"""Browser sessions. A sign-in link opens one session."""

from pydantic import SecretStr

from taskcore.access import Access
from taskcore.database.database import Database
from taskcore.errors import DatabaseError, InvalidToken, OutcomeUnknown, TaskcoreError
from taskcore.limits import SESSION_MINUTES, SIGN_IN_LINK_MINUTES
from taskcore.operation import FIND_USER, Operation
from taskcore.owner import TokenOwner, UserOwner
from taskcore.tokens.secret import LinkSecret, SessionSecret, hidden
from taskcore.tokens.tokens import new_id
from taskcore.validation import validate_id

_LINK = Operation("token_create_v1", 5, "place", Access("tokens", creates=True))
_OPEN = Operation("session_open_v1", 4, "id", Access("sign-in", creates=True))
_CLOSE = "SELECT id FROM taskcore.session_close_v1($1, $2)"


class Sessions:
    """Browser sessions, as ``store.sessions``. Each method is one round trip.

    A link signs in the person who opens it, so give it to its user only.
    ``TaskStore.for_session`` returns the tasks of a session's user. A user's sessions and links are
    in the list of their tokens, and can be revoked there. Every method may raise `Unavailable`,
    `DatabaseError` and `OutcomeUnknown`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create_link(self, user_id: int) -> LinkSecret:
        """Create a sign-in link and return its secret. It can be used once, for 10 minutes.

        The user's first link creates the user.

        Raises:
            ValidationError: The id is not an integer from 1 to 2^53-1, or the user has 100 tokens,
                sessions and links.
        """
        owner = UserOwner(validate_id(user_id, field="user_id"))
        secret = LinkSecret.random()
        rows, _ = await self._database.write(
            _LINK.statement(UserOwner),
            *owner.parameters(_LINK.access),
            secret.digest,
            new_id(),
            "Sign-in link",
            ["sign-in"],
            SIGN_IN_LINK_MINUTES,
        )
        if not rows:
            raise DatabaseError("no free token id was found")
        return secret.at(rows[0]["place"])

    async def open(self, link: str | SecretStr) -> SessionSecret:
        """Exchange the secret of a link for that of a new session, which lasts 7 days.

        Raises:
            InvalidToken: The link was used, has expired or never existed, or its user is blocked.
            ValidationError: The link is not a string.
        """
        link = hidden(link)
        presented = LinkSecret.parse(link)
        session = SessionSecret.random().at(presented.place)
        owner = TokenOwner(presented.digest, presented.place)
        deadline = self._database.deadline()
        try:
            rows, _ = await self._database.write(
                _OPEN.statement(TokenOwner),
                *owner.parameters(_OPEN.access),
                presented.digest,
                session.digest,
                new_id(),
                SESSION_MINUTES,
            )
        except InvalidToken:
            raise InvalidToken(presented.noun) from None
        except OutcomeUnknown:
            # If the lost attempt opened the session, it is there, and the link is refused.
            if not await self._is_open(session, deadline):
                raise
            return session
        if not rows:
            raise InvalidToken(presented.noun)
        return session

    async def close(self, session: str | SecretStr) -> None:
        """End a session: its next use is refused. If it has ended already, nothing happens.

        The session of a blocked user is ended too.

        Raises:
            InvalidToken: The text does not have the form of a session's secret.
            ValidationError: It is not a string.
        """
        session = hidden(session)
        presented = SessionSecret.parse(session)
        await self._database.write(_CLOSE, presented.digest, presented.place)

    async def _is_open(self, session: SessionSecret, deadline: float) -> bool:
        """Return whether a session is known to be open."""
        owner = TokenOwner(session.digest, session.place)
        try:
            await self._database.fetch(
                FIND_USER.statement(TokenOwner),
                *owner.parameters(FIND_USER.access),
                deadline=deadline,
            )
        except TaskcoreError:
            return False
        return True
