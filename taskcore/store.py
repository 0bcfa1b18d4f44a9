"""The store: opens the database once and gives access to each user's tasks."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Generic, Self, overload

from taskcore.database.database import Database
from taskcore.database.url import connect_arguments
from taskcore.errors import ConfigurationError, ValidationError, printable
from taskcore.owner import PROVISIONS, IdentityOwner, Provision, Subject, TokenOwner, UserOwner
from taskcore.settings import Settings, load_settings
from taskcore.tasks.extra import ExtraT
from taskcore.tasks.extra_model import ExtraModel
from taskcore.tasks.ids import IdGenerator
from taskcore.tasks.task import TaskRows
from taskcore.tasks.user_tasks import UserTasks
from taskcore.tokens.secret import Secret, SessionSecret, TokenSecret, hidden
from taskcore.tokens.sessions import Sessions
from taskcore.users.identities import Identities
from taskcore.users.users import Users
from taskcore.validation import validate_id, validate_name, validate_subject_id

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from pydantic import SecretStr

    from taskcore.embedded import EmbeddedServer

# A separate logger: a program that announces the folder itself can turn it off.
logger = logging.getLogger("taskcore.embedded")

_announced: set[Path] = set()


class TaskStore(Generic[ExtraT]):
    """Tasks of many users in one PostgreSQL database, each user kept from the others.

    ::

        async with TaskStore(database_url) as store:
            tasks = store.for_user(42)
            task = await tasks.create("Buy groceries")

    A store belongs to one event loop. Any number of asyncio tasks may use it at once.

    Args:
        database_url: ``postgresql://…``. None: the URL of the settings
            (``TASKCORE_DATABASE_URL``, ``DATABASE_URL``). If they have none either, the
            embedded server is started, which needs ``taskcore[embedded]``; a warning in
            the log names its folder, once.
        settings: The settings. None: they are read from the environment.
        extra: A Pydantic model for ``extra`` of tasks. It validates what creates and updates
            write, and each `Task` has an instance of it. Values that were imported, or stored
            before, may be invalid: they are read without validation, and the log says so.

    Raises:
        ConfigurationError: The URL, a setting or the model cannot be used.
    """

    @overload
    def __init__(
        self: TaskStore[dict[str, Any]],
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
        if settings is None:
            settings = load_settings()
        elif not isinstance(settings, Settings):
            raise ConfigurationError(
                f"settings must be taskcore.Settings, such as Settings(pool_max_size=5), "
                f"not {type(settings).__name__}"
            )
        if database_url is None and settings.database_url is not None:
            database_url = settings.database_url.get_secret_value()
        if database_url is not None:
            connect_arguments(database_url)
        self._settings = settings
        self._url = database_url
        self._opened = False
        self._closers = 0
        self._embedded: EmbeddedServer | None = None
        self._database = Database(settings)
        self._ids = IdGenerator()
        self._rows: TaskRows[ExtraT] = TaskRows(None if extra is None else ExtraModel(extra))
        self.users = Users(self._database)
        self.identities = Identities(self._database)
        self.sessions = Sessions(self._database)

    async def open(self, *, connect: bool = True) -> Self:
        """Open the store; close it again with `close`.

        Args:
            connect: Connect now and check the schema. If False, the first operation
                does both, so that a service can start while the database is down.

        Raises:
            Unavailable: The database cannot be reached.
            SchemaOutdated: It needs ``taskctl migrate``.
            ConfigurationError: The login is refused, the embedded server cannot start, or
                the store is open already.
        """
        if self._opened:
            state = "still being closed" if self._closers else "open already"
            raise ConfigurationError(f"the store is {state}")
        self._opened = True
        try:
            if self._url is not None:
                self._database.open(self._url)
            else:
                embedded = await self._start_embedded()
                self._database.open(embedded.application_url, restart=embedded.restart)
            if connect:
                await self._database.connect()
        except BaseException:
            await self.close()
            raise
        return self

    async def close(self) -> None:
        """Wait for running calls, close the connections, and stop an embedded server.

        The server keeps running while another process uses it. Safe to call twice.
        """
        self._closers += 1
        try:
            await self._database.close()
        finally:
            self._closers -= 1
            # Only the last of several calls: the store must not be opened before it ends.
            if not self._closers:
                self._opened = False
                if self._embedded is not None:
                    embedded, self._embedded = self._embedded, None
                    await embedded.stop()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def for_user(self, user_id: int) -> UserTasks[ExtraT]:
        """Return the tasks of one user, an integer from 1 to 2^53-1.

        This is cheap: call it for each request. The user need not exist yet.

        Raises:
            ValidationError: The id is not such an integer.
        """
        owner = UserOwner(validate_id(user_id, field="user_id"))
        return UserTasks(self._database, self._ids, owner, self._rows)

    def for_identity(
        self,
        issuer: str,
        subject: str,
        *,
        user_id: int | None = None,
        provision: Provision = "on_write",
        subject_is_user_id: bool = False,
    ) -> UserTasks[ExtraT]:
        """Return the tasks of the user whom an issuer, such as an OpenID provider, names.

        The database finds the user in the statement of each operation: no further round trip.
        An unknown identity has no tasks; its first task creates the user, with a random id
        from 2^52 to 2^53-1. The caller has verified the identity, for example by the signature
        of a token.

        Besides its own errors every operation can raise these:

        - `Unauthenticated`: the identity or its user is blocked;
        - `Forbidden`: the identity is unknown, and ``provision`` is ``never``;
        - `UserNotFound`: the identity is not that of ``user_id``.

        Args:
            issuer: 1 to 255 characters, compared byte by byte (RFC 8725, section 3.8).
            subject: 1 to 255 characters, compared byte by byte (OpenID Connect Core 1.0,
                section 2).
            user_id: The user that the request names; None if it names nobody.
            provision: When an unknown identity gets a user: ``on_write`` or ``never``.
            subject_is_user_id: The subject is the user's id, 1 to 2^52-1, as where an
                application issues tokens for its own accounts. Such an issuer can name every
                user below 2^52.

        Raises:
            ValidationError: An argument is not such a value.
        """
        if user_id is not None:
            validate_id(user_id, field="user_id")
        if provision not in PROVISIONS:
            raise ValidationError(
                "provision must be on_write or never", field="provision", constraint="type"
            )
        owner = IdentityOwner(
            validate_name(issuer, field="issuer"),
            Subject(validate_name(subject, field="subject")),
            user_id,
            provision,
            subject_is_user_id,
        )
        if subject_is_user_id:
            validate_subject_id(subject)
        return UserTasks(self._database, self._ids, owner, self._rows)

    def for_token(self, token: str | SecretStr) -> UserTasks[ExtraT]:
        """Return the tasks of the user whose API token this is.

        The database finds the user, and checks what the token allows, in the statement of each
        operation. `UserTasks.tokens` makes tokens.

        Args:
            token: The secret of a token, ``taskcore_pat_…``.

        Raises:
            InvalidToken: The text does not have the form of a token, or its checksum is wrong.
                Every operation raises it if the token is unknown, has expired or was revoked, or
                if the user is blocked, and `InsufficientScope` if the token does not allow it.
            ValidationError: It is not a string.
        """
        token = hidden(token)
        return self._for_secret(TokenSecret.parse(token))

    def for_session(self, session: str | SecretStr) -> UserTasks[ExtraT]:
        """Return the tasks of the user whose browser session this is.

        A session allows everything that concerns its user, including ``UserTasks.tokens``.
        ``store.sessions`` opens sessions.

        Args:
            session: The secret of a session, ``taskcore_ses_…``.

        Raises:
            InvalidToken, ValidationError: As in `for_token`.
        """
        session = hidden(session)
        return self._for_secret(SessionSecret.parse(session))

    def _for_secret(self, secret: Secret) -> UserTasks[ExtraT]:
        owner = TokenOwner(secret.digest, secret.place)
        return UserTasks(self._database, self._ids, owner, self._rows)

    async def ready(self) -> None:
        """Return if the store can serve, and raise if not. For readiness probes.

        It remembers the outcome of the last operation and asks the database only before the
        first success, after a failure, and while the database refuses writes. So frequent probes
        let a Neon compute sleep.

        Raises:
            TaskcoreError: `Unavailable` and the other errors of `open`.
        """
        await self._database.ready()

    async def _start_embedded(self) -> EmbeddedServer:
        # Imported on use: only an embedded server needs the extra and the migrations.
        from taskcore.embedded import EmbeddedServer  # noqa: PLC0415

        self._embedded = await EmbeddedServer(self._settings.home).start()
        if self._embedded.home not in _announced:
            _announced.add(self._embedded.home)
            logger.warning(
                "no database URL is set: tasks are kept in the embedded database in %s",
                printable(str(self._embedded.home)),
            )
        return self._embedded
