"""Completion of task ids, for a shell that asks for it (``taskctl --install-completion``)."""

from typing import Any

import typer

# Loaded on use, so that --help answers at once.
# ruff: noqa: PLC0415

# The most ids to show.
_SHOWN = 50
# Seconds for the database; a shell waits for the answer.
_PATIENCE = 2


def newest_ids(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Return the user's newest task ids that begin so, with their titles.

    Nothing is returned, and nothing printed, if the tasks cannot be listed at once. The
    embedded server is not started.
    """
    import logging

    logging.disable()
    try:
        found = _newest(context)
    except Exception:  # noqa: BLE001  (a shell's prompt is no place for an error)
        return []
    return [(str(task.id), title) for task, title in found if str(task.id).startswith(incomplete)]


def _newest(context: typer.Context) -> list[tuple[Any, str]]:
    from taskcore import TaskStore
    from taskcore.embedded import EmbeddedServer
    from taskcore_cli.input.interruption import run
    from taskcore_cli.output.visible import visible
    from taskcore_cli.session import Session

    given = context.find_root().params
    session = Session(given.get("database_url"), given.get("home"), given.get("env_file"))
    settings = session.settings().model_copy(
        update={"operation_timeout": _PATIENCE, "connect_timeout": _PATIENCE}
    )
    if settings.database_url is None and not EmbeddedServer(settings.home).is_running():
        return []
    user: Any = context.params.get("user") or session.user_of_files()

    async def newest() -> list[tuple[Any, str]]:
        async with TaskStore(settings=settings) as store:
            page = await store.for_user(int(user)).list(limit=_SHOWN)
        return [(task, visible(task.title)) for task in page]

    return run(newest())
