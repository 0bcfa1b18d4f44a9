"""Browser sessions, without ``await``."""

from pydantic import SecretStr

from taskcore.sync.background import Background
from taskcore.tokens import sessions as asynchronous
from taskcore.tokens.secret import LinkSecret, SessionSecret, hidden


class Sessions:
    """Browser sessions, as ``store.sessions``; see `taskcore.Sessions`."""

    def __init__(self, background: Background, sessions: asynchronous.Sessions) -> None:
        self._background = background
        self._sessions = sessions

    def create_link(self, user_id: int) -> LinkSecret:
        """Create a sign-in link and return its secret. It can be used once, for 10 minutes."""
        return self._background.call(self._sessions.create_link, user_id)

    def open(self, link: str | SecretStr) -> SessionSecret:
        """Exchange the secret of a link for that of a session, which lasts 7 days."""
        link = hidden(link)
        return self._background.call(self._sessions.open, link)

    def close(self, session: str | SecretStr) -> None:
        """End a session: its next use is refused. A session that has ended is no error."""
        session = hidden(session)
        self._background.call(self._sessions.close, session)
