"""The question before a deletion."""

import sys

import typer

from taskcore_cli.exit_codes import FAILED, WrongUsage, say
from taskcore_cli.input.interruption import Interrupted, wait_for_input


def require_terminal(*, yes: bool) -> None:
    """Refuse to go on without a terminal to ask at."""
    if not yes and not (sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()):
        raise WrongUsage("there is no terminal to ask at: give --yes; nothing was deleted")


def confirm(question: str) -> None:
    """Ask on standard error, as standard output has only data. Exit unless the answer is yes."""
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    try:
        wait_for_input(sys.stdin)
    except Interrupted as exc:
        raise KeyboardInterrupt from exc
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        say("Nothing was deleted.")
        raise typer.Exit(FAILED)
