"""How far a long command is, for the person at the terminal."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Show = Callable[[int, int], None]
"""Takes how many tasks are done, and at which byte of the file."""


@contextmanager
def progress(*, size: int | None = None, silent: bool = False) -> Iterator[Show]:
    """Show a bar on standard error, if that is a terminal, until the end.

    Args:
        size: Of the file, in bytes; None: a count is all there is to show.
        silent: Show nothing.
    """
    if silent or not sys.stderr.isatty():
        yield lambda _count, _position: None
        return
    # Loaded on use: --help needs no Rich.
    from rich import progress as rich  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415

    rate = rich.TextColumn("{task.fields[count]:,} tasks, {task.fields[rate]:,.0f}/s")
    columns = (
        (rich.SpinnerColumn(), rate, rich.TimeElapsedColumn())
        if size is None
        else (rich.BarColumn(), rich.DownloadColumn(), rate, rich.TimeRemainingColumn())
    )
    began = time.monotonic()
    # What is said meanwhile goes above the bar, and the bar goes away.
    with rich.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=size, count=0, rate=0.0)

        def show(count: int, position: int) -> None:
            elapsed = max(time.monotonic() - began, 1e-3)
            bar.update(task, completed=position, count=count, rate=count / elapsed)

        yield show
