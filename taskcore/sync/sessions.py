"""Browser sessions, without ``await``."""

from pydantic import SecretStr

from taskcore.sync.background import Background
from taskcore.tokens import sessions as asynchronous
from taskcore.tokens.secret import LinkSecret, SessionSecret


class Sessions:
    """Browser sessions, as ``store.sessions``; see `taskcore.Sessions`."""

    def __init__(self, background: Background, sessions: asynchronous.Sessions) -> None:
        self._background = background
        self._sessions = sessions

    def create_link(self, user_id: int) -> LinkSecret:
        """Create a sign-in link and return its secret. It can be used once, for 10 minutes."""
        return self._background.call(self._sessions.create_link, user_id)

    def open(self, link: str | SecretStr) -> SessionSecret:
        """Exchange the secret of a link for that of a new session, which lasts 7 days."""
        return self._background.call(self._sessions.open, link)

    def close(self, session: str | SecretStr) -> None:
        """End a session: its next use is refused. If it has ended already, nothing happens."""
        self._background.call(self._sessions.close, session)
