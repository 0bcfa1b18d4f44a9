"""The store, without ``await``."""

from contextlib import suppress
from types import TracebackType
from typing import Any, Generic, Self, cast, overload

from pydantic import SecretStr

from taskcore import store
from taskcore.errors import StoreNotOpen
from taskcore.owner import Provision
from taskcore.settings import Settings
from taskcore.sync.background import Background
from taskcore.sync.identities import Identities
from taskcore.sync.sessions import Sessions
from taskcore.sync.user_tasks import UserTasks
from taskcore.sync.users import Users
from taskcore.tasks.extra import ExtraT
from taskcore.tokens.secret import hidden


class TaskStore(Generic[ExtraT]):
    """The task store for code without ``await``; see `taskcore.TaskStore`.

    ::

        with TaskStore(database_url) as store:
            task = store.for_user(42).create("Buy groceries")

    Any number of threads may use it at once. A process that forks, such as Gunicorn with
    ``--preload``, must open it in each worker.
    """

    @overload
    def __init__(
        self: "TaskStore[dict[str, Any]]",
        database_url: str | None = None,
        *,
        settings: Settings | None = None,
        extra: None = None,
    ) -> None: ...
    @overload
    def __init__(
        self,
        database_url: str | None = None,
        *,
        settings: Settings | None = None,
        extra: type[ExtraT],
    ) -> None: ...
    def __init__(
        self,
        database_url: str | None = None,
        *,
        settings: Settings | None = None,
        extra: type[Any] | None = None,
    ) -> None:
        self._store: store.TaskStore[ExtraT] = store.TaskStore(
            database_url, settings=settings, extra=cast("type[ExtraT]", extra)
        )
        self._background = Background()
        self.users = Users(self._background, self._store.users)
        self.identities = Identities(self._background, self._store.identities)
        self.sessions = Sessions(self._background, self._store.sessions)

    def open(self, *, connect: bool = True) -> Self:
        """Open the store; close it again with `close`."""
        self._background.start()
        try:
            self._background.call(self._store.open, connect=connect)
        except BaseException:
            self._background.stop()
            raise
        return self

    def close(self) -> None:
        """Wait for running calls and close the connections. Safe to call twice."""
        if self._background.is_running:
            try:
                # Another thread may be closing it too.
                with suppress(StoreNotOpen):
                    self._background.call(self._store.close)
            finally:
                self._background.stop()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def for_user(self, user_id: int) -> UserTasks[ExtraT]:
        """Return the tasks of one user, an integer from 1 to 2^53-1."""
        return UserTasks(self._background, self._store.for_user(user_id))

    def for_identity(
        self,
        issuer: str,
        subject: str,
        *,
        user_id: int | None = None,
        provision: Provision = "on_write",
        subject_is_user_id: bool = False,
    ) -> UserTasks[ExtraT]:
        """Return the tasks of the user whom an issuer, such as an OpenID provider, names."""
        tasks = self._store.for_identity(
            issuer,
            subject,
            user_id=user_id,
            provision=provision,
            subject_is_user_id=subject_is_user_id,
        )
        return UserTasks(self._background, tasks)

    def for_token(self, token: str | SecretStr) -> UserTasks[ExtraT]:
        """Return the tasks of the user whose API token this is."""
        token = hidden(token)
        return UserTasks(self._background, self._store.for_token(token))

    def for_session(self, session: str | SecretStr) -> UserTasks[ExtraT]:
        """Return the tasks of the user whose browser session this is."""
        session = hidden(session)
        return UserTasks(self._background, self._store.for_session(session))

    def ready(self) -> None:
        """Return if the store can serve, and raise if not."""
        self._background.call(self._store.ready)
