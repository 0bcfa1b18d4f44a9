"""The progress bar of a long command."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Show = Callable[[int, int], None]
"""Shows the number of tasks and the position in the file, in bytes."""


@contextmanager
def progress(*, size: int | None = None, silent: bool = False) -> Iterator[Show]:
    """Show a bar on standard error during a block, if that is a terminal.

    Args:
        size: The size of the file in bytes. None: only the number of tasks is shown.
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
    # Other lines are printed above the bar, and the bar disappears at the end.
    with rich.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=size, count=0, rate=0.0)

        def show(count: int, position: int) -> None:
            elapsed = max(time.monotonic() - began, 1e-3)
            bar.update(task, completed=position, count=count, rate=count / elapsed)

        yield show
