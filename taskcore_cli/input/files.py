"""Files that commands read and write. ``-`` is standard input or output."""

import io
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from taskcore_cli.exit_codes import Failed
from taskcore_cli.input.interruption import wait_for_input
from taskcore_cli.output.visible import visible

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Write = Callable[[bytes], object]


@contextmanager
def opened_for_reading(path: Path, *, twice: bool) -> Iterator[BinaryIO]:
    """Open a file.

    Args:
        path: The file, or ``-``.
        twice: Whether it will be read twice. A pipe is then copied into a temporary file.

    Raises:
        Failed: It cannot be read.
        Interrupted: Ctrl-C, while the file is copied, or later while it is read.
    """
    with ExitStack() as stack:
        if _is_dash(path) and sys.stdin is None:
            raise Failed("standard input cannot be read: it is closed")
        try:
            file = sys.stdin.buffer if _is_dash(path) else stack.enter_context(path.open("rb"))
            if size_of(file) is None:
                file = cast("BinaryIO", io.BufferedReader(_Stream(file)))
                if twice:
                    # Loaded on use: --help needs none.
                    import tempfile  # noqa: PLC0415

                    copy = stack.enter_context(tempfile.TemporaryFile())
                    shutil.copyfileobj(file, copy)
                    copy.seek(0)
                    file = copy
        except OSError as exc:
            raise unreadable(path, exc) from exc
        yield file


@contextmanager
def opened_for_writing(path: Path, *, private: bool = False) -> Iterator[Write]:
    """Open a file that gets its name only when it is complete.

    Args:
        path: The file, or ``-``. A device or a pipe is written to as it is.
        private: Make a new file readable by its owner alone.

    Raises:
        Failed: It cannot be written. An existing file is unchanged.
    """
    if _is_dash(path):
        yield _show if sys.stdout.isatty() else sys.stdout.buffer.write
        sys.stdout.buffer.flush()
        return
    try:
        target = path.resolve()
        if target.exists() and not target.is_file():
            with target.open("wb") as device:
                yield device.write
            return
        part = target.with_name(f".taskctl-{os.urandom(8).hex()}")
        try:
            with part.open("xb") as file:
                if private:
                    part.chmod(0o600)
                if target.exists():
                    shutil.copymode(target, part)
                yield file.write
                file.flush()
                os.fsync(file.fileno())
            part.replace(target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as exc:
        raise Failed(f"{path} cannot be written: {exc.strerror or exc}") from exc


def unreadable(path: Path, exc: OSError) -> Failed:
    """Return the error for a file that cannot be read."""
    return Failed(f"{path} cannot be read: {exc.strerror or exc}")


def size_of(file: BinaryIO) -> int | None:
    """Return the size of a regular file in bytes, or None for anything else."""
    try:
        found = os.fstat(file.fileno())
    except OSError:
        return None
    # Standard input may begin anywhere in a file.
    is_stdin = sys.stdin is not None and file is sys.stdin.buffer
    return found.st_size if stat.S_ISREG(found.st_mode) and not is_stdin else None


class _Stream(io.RawIOBase):
    """A pipe or a terminal. Ctrl-C ends its reads, also on an event loop."""

    def __init__(self, file: BinaryIO) -> None:
        # Unbuffered: nothing has been read yet, and a buffer would hide data from select.
        self._file = cast("io.RawIOBase", getattr(file, "raw", file))

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int | None:
        wait_for_input(self._file)
        return self._file.readinto(buffer)


def _is_dash(path: Path) -> bool:
    return str(path) == "-"


def _show(data: bytes) -> None:
    """Write text of tasks to a terminal, with control characters escaped."""
    sys.stdout.write(visible(data.decode().replace("\r\n", "\n"), lines=True))
