"""The command group. It turns every error into one line and an exit code.

* 0  done
* 1  failed
* 2  wrong usage, or input that breaks a rule of the data model
* 3  not found
* 4  version conflict
* 130  interrupted
* 141  standard output was closed, as by ``head``
"""

import os
import re
import sys
from contextlib import suppress
from typing import Any

import typer

from taskcore_cli.groups import Group
from taskcore_cli.output.visible import visible
from taskcore_cli.wording import plain

FAILED = 1
INTERRUPTED = 130
CLOSED = 141
"""A shell reports this for a program that SIGPIPE has ended."""
_PASSWORD = re.compile(r"(://[^:/@\s]*:)\S*@|(\bpassword=)[^&\s]*")


class WrongUsage(typer.TyperException):
    """Options that exclude each other, or that cannot be used now. Nothing was done."""

    exit_code = 2


class Failed(typer.TyperException):
    """A command failed."""

    exit_code = FAILED


class _Closed(Exception):
    """Standard output was closed. It is not reported."""


class Commands(Group):
    """The commands of ``taskctl``, and the one place that handles their errors."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command. Typer would exit with 1 where a pipe is closed."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as exc:
            raise _Closed from exc

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run one command and exit."""
        extra["standalone_mode"] = False
        try:
            code = super().main(*args, **extra)
            sys.stdout.flush()
        except (BrokenPipeError, _Closed):
            _forget_output()
            code = CLOSED
        except OSError as exc:
            # The disk of standard output is full.
            _forget_output()
            code = FAILED
            say(f"error: {_one_line(exc)}")
        except Exception as exc:
            code = _exit_code(exc)
            if code is None:
                raise
            say(f"error: {_one_line(exc)}")
        sys.exit(code or 0)


def say(line: str) -> None:
    """Write a line to standard error. Standard output has only data."""
    with suppress(BrokenPipeError):
        print(line, file=sys.stderr, flush=True)  # noqa: T201


def _exit_code(exc: Exception) -> int | None:
    """Return the exit code of an error, or None for a defect, which keeps its traceback."""
    if isinstance(exc, typer.TyperException):
        return exc.exit_code
    # Loaded on use: --help does not need taskcore.
    from taskcore import errors  # noqa: PLC0415

    for kind, code in (
        (errors.ValidationError, 2),
        (errors.NotFound, 3),
        (errors.VersionConflict, 4),
        (errors.TaskcoreError, FAILED),
    ):
        if isinstance(exc, kind):
            return code
    return None


def _one_line(exc: Exception) -> str:
    text = str(exc)
    if isinstance(exc, typer.TyperException):
        text = plain(exc)
        if context := getattr(exc, "ctx", None):
            text = text if text.endswith("?") else f"{text.rstrip('.')}."
            text = f"{text} See `{context.command_path} --help`."
    text = " ".join(line.strip() for line in text.strip().split("\n"))
    # A URL in the wrong place is quoted in the error message.
    return visible(_PASSWORD.sub(_hidden, text))


def _hidden(match: re.Match[str]) -> str:
    return f"{match[1]}***@" if match[1] else f"{match[2]}***"


def _forget_output() -> None:
    # https://docs.python.org/3/library/signal.html#note-on-sigpipe
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
