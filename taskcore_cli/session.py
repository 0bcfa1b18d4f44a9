"""The store of one invocation, from options, environment and file."""

import os
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from taskcore_cli.exit_codes import say
from taskcore_cli.input.interruption import run, runner
from taskcore_cli.output.visible import visible

# Loaded on use, so that --help answers at once.
# ruff: noqa: PLC0415
if TYPE_CHECKING:
    import asyncio

    from taskcore import Settings, TaskStore
    from taskcore.embedded import EmbeddedServer

_Result = TypeVar("_Result")


class OpenStore:
    """A store and its event loop. Between two calls Ctrl-C works as usual."""

    def __init__(self, runner: "asyncio.Runner", store: "TaskStore") -> None:
        self._runner = runner
        self.store = store

    def run(self, call: Coroutine[Any, Any, _Result]) -> _Result:
        """Wait for one call of the library."""
        return self._runner.run(call)


@dataclass(frozen=True, slots=True)
class Session:
    """The global options.

    Attributes:
        database_url: ``--database-url``. None: from the environment, then the file.
        home: ``--home``. Given, the embedded server is used.
        env_file: ``--env-file``. None: ``.env`` in the current folder, if there is one. The
            user's own file is read after it.
    """

    database_url: str | None = None
    home: Path | None = None
    env_file: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of settings, the most important first. They need not exist."""
        from platformdirs import user_config_path

        own = user_config_path("taskcore", appauthor=False) / "taskctl.env"
        return (self.env_file or Path(".env"), own)

    def user_of_files(self) -> str | None:
        """Return ``TASKCTL_USER`` of the first file that has it."""
        from dotenv import dotenv_values

        for file in self.files:
            # Reading the settings reports a file that cannot be read.
            with suppress(OSError, UnicodeError):
                if user := file.exists() and dotenv_values(file).get("TASKCTL_USER"):
                    return user
        return None

    def settings(self) -> "Settings":
        """Read the settings: options first, then the environment, then the files.

        Raises:
            ConfigurationError: A setting is wrong, or a file cannot be read.
        """
        from taskcore.errors import ConfigurationError
        from taskcore.settings import load_settings

        try:
            settings = load_settings(
                env_files=self.files, database_url=self.database_url, home=self.home
            )
        except (OSError, UnicodeError) as exc:
            raise ConfigurationError(f"{self._unreadable()} cannot be read") from exc
        # An option names one database, so no other source may name another.
        if self.database_url is not None:
            return settings.model_copy(update={"direct_url": None})
        if self.home is not None:
            return settings.model_copy(update={"database_url": None, "direct_url": None})
        return settings

    def _unreadable(self) -> Path:
        for file in self.files:
            try:
                file.read_text("utf-8")
            except FileNotFoundError:
                continue
            except (OSError, UnicodeError):
                return file
        return self.files[0]

    @contextmanager
    def open(self) -> Iterator[OpenStore]:
        """Open the store with the application's role."""
        from taskcore import TaskStore

        settings = self.settings()
        if settings.database_url is None:
            _announce_first_start(settings)
        # No warning: the embedded database is the documented default here.
        with _unwarned("taskcore.embedded"), _opened(TaskStore(settings=settings)) as opened:
            yield opened

    @contextmanager
    def open_as_owner(self) -> Iterator[OpenStore]:
        """Open the store for administration; on the embedded server as its administrator."""
        from taskcore import TaskStore

        settings = self.settings()
        if settings.database_url is not None:
            # No warning: an administrator's role may bypass row-level security.
            with _unwarned("taskcore"), _opened(TaskStore(settings=settings)) as opened:
                yield opened
            return
        with (
            embedded(settings) as server,
            _opened(TaskStore(server.admin_url, settings=settings)) as opened,
        ):
            yield opened


def session_of(context: typer.Context) -> Session:
    """Return the session with the global options."""
    session = context.find_object(Session)
    assert session is not None
    return session


@contextmanager
def administering(context: typer.Context) -> Iterator[OpenStore]:
    """Open the store of a command for administrators; a refusal says which URL it needs."""
    from taskcore.errors import PermissionDenied

    try:
        with session_of(context).open_as_owner() as opened:
            yield opened
    except PermissionDenied as exc:
        raise PermissionDenied(
            "this role may not work with users and identities: set TASKCORE_DATABASE_URL to "
            "the URL of the role that migrated the database, not the application's"
        ) from exc


@contextmanager
def _unwarned(logger: str) -> Iterator[None]:
    """Hide the warnings of one of the library's loggers."""
    import logging

    library = logging.getLogger(logger)
    level = library.level
    library.setLevel(logging.ERROR)
    try:
        yield
    finally:
        library.setLevel(level)


@contextmanager
def embedded(settings: "Settings") -> Iterator["EmbeddedServer"]:
    """Start the embedded server for a block. Its database is migrated."""
    from taskcore.embedded import EmbeddedServer

    _announce_first_start(settings)
    server = EmbeddedServer(settings.home)
    run(server.start())
    try:
        yield server
    finally:
        run(server.stop())


def _announce_first_start(settings: "Settings") -> None:
    """Say why the first command on the embedded server takes some seconds."""
    from taskcore.embedded import EmbeddedServer

    home = EmbeddedServer(settings.home).home
    # Unlike Path.exists, false also for a folder that this user may not enter.
    if not os.path.exists(home / "postgresql"):  # noqa: PTH110
        say(f"Setting up the embedded database in {visible(str(home))}, once.")


@contextmanager
def _opened(store: "TaskStore") -> Iterator[OpenStore]:
    with runner() as one:
        one.run(store.open())
        try:
            yield OpenStore(one, store)
        finally:
            one.run(store.close())
