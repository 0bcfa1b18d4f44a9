"""A task's title and description in the user's editor."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from taskcore_cli.exit_codes import Failed, WrongUsage

# Loaded on use, so that --help answers at once.
# ruff: noqa: PLC0415


def editor() -> list[str] | None:
    """Return the command of the editor: ``$VISUAL``, ``$EDITOR``, or vi at a terminal."""
    import shlex

    for name in ("VISUAL", "EDITOR"):
        if words := os.environ.get(name, "").strip():
            try:
                return shlex.split(words)
            except ValueError as exc:
                raise WrongUsage(f"{name} cannot be read: {exc}") from exc
    at_terminal = sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()
    return ["vi"] if at_terminal else None


def edit(command: list[str], text: str) -> tuple[str, Path]:
    """Let the user edit a text; return the result, and the file that holds it.

    Raises:
        Failed: The editor cannot be started, failed, or wrote something else than UTF-8.
    """
    import tempfile

    descriptor, name = tempfile.mkstemp(prefix="taskctl-", suffix=".txt")
    file = Path(name)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as opened:
        opened.write(text)
    # Ctrl-C is for the editor alone.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        code = subprocess.run(  # noqa: S603  (the user's own choice)
            [*command, name], check=False, preexec_fn=_default_signals
        ).returncode
    except OSError as exc:
        file.unlink()
        raise Failed(f"{command[0]} cannot be started: {exc.strerror or exc}") from exc
    finally:
        signal.signal(signal.SIGINT, before)
    if code:
        raise Failed(f"{command[0]} ended with {code}: nothing was changed; your text is in {name}")
    try:
        return file.read_text("utf-8"), file
    except (OSError, UnicodeError) as exc:
        raise Failed(f"{name} cannot be read as UTF-8: nothing was changed") from exc


def _default_signals() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def as_text(title: str, description: str | None) -> str:
    """Return a text to edit: the title, an empty line, the description."""
    return f"{title}\n\n{description or ''}".rstrip("\n") + "\n"


def as_fields(text: str) -> dict[str, Any]:
    """Return title and description of an edited text."""
    title, _, rest = text.strip("\n").partition("\n")
    return {"title": title, "description": rest.strip("\n") or None}
