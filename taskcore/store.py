"""The store: opens the database once, hands out each user's tasks."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Self

from taskcore.database.database import Database
from taskcore.database.url import connect_arguments
from taskcore.errors import ConfigurationError, printable
from taskcore.settings import Settings, load_settings
from taskcore.tasks.ids import IdGenerator
from taskcore.tasks.user_tasks import UserTasks
from taskcore.users.users import Users

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from taskcore.embedded import EmbeddedServer

# A separate logger: a program with an announcement of its own can turn it off.
logger = logging.getLogger("taskcore.embedded")

_announced: set[Path] = set()


class TaskStore:
    """Tasks of many users in one PostgreSQL database, each user kept from the others.

    ::

        async with TaskStore(database_url) as store:
            tasks = store.for_user(42)
            task = await tasks.create("Buy groceries")

    A store belongs to one event loop; use it from as many tasks as you like.

    Args:
        database_url: ``postgresql://…``; without one the settings decide
            (``TASKCORE_DATABASE_URL``, ``DATABASE_URL``), and without those the
            embedded server is started, which needs ``taskcore[embedded]``. A warning in
            the log then names its folder, once.
        settings: Read from the environment when not given.

    Raises:
        ConfigurationError: The URL or a setting cannot be used.
    """

    def __init__(
        self, database_url: str | None = None, *, settings: Settings | None = None
    ) -> None:
        settings = settings or load_settings()
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
        self.users = Users(self._database)

    async def open(self, *, connect: bool = True) -> Self:
        """Open the store; close it again with `close`.

        Args:
            connect: Reach the database now and check its schema. If False, the first
                operation does both, so that a service can start while it is away.

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
        """Wait for calls under way, close the connections, stop an embedded server.

        The server stops only when no other process uses it. Closing twice is harmless.
        """
        self._closers += 1
        try:
            await self._database.close()
        finally:
            self._closers -= 1
            # The last of several: nothing may be opened while one is at work.
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

    def for_user(self, user_id: int) -> UserTasks:
        """Return the tasks of one user, an integer from 1 to 2^53-1.

        Costs nothing: make one for each request. The user need not exist yet.

        Raises:
            ValidationError: The id is no such integer.
        """
        return UserTasks(self._database, self._ids, user_id)

    async def ready(self) -> None:
        """Return if the store can serve; for readiness probes, however frequent.

        Remembers how the last operation went and asks the database only before the
        first success and after a failure, so that probing lets a Neon compute sleep.

        Raises:
            Unavailable: The database cannot be reached; the other errors of `open`.
        """
        await self._database.ready()

    async def _start_embedded(self) -> EmbeddedServer:
        # Imported on use: only this way needs the extra and the migrations.
        from taskcore.embedded import EmbeddedServer  # noqa: PLC0415

        self._embedded = await EmbeddedServer(self._settings.home).start()
        if self._embedded.home not in _announced:
            _announced.add(self._embedded.home)
            logger.warning(
                "no database URL is set: tasks are kept in the embedded database in %s",
                printable(str(self._embedded.home)),
            )
        return self._embedded
