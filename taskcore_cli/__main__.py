"""The console script ``taskctl``, also ``python -m taskcore_cli``."""

import io
import os
import sys
from importlib.util import find_spec
from pathlib import Path


def main() -> None:
    """Run ``taskctl``, or print what to install if its extra is missing."""
    if find_spec("typer") is None or find_spec("rich") is None:
        sys.exit("error: taskctl needs the extra cli: pip install 'taskcore[cli]'")
    # A standard stream may be closed. A file or a connection must not get its descriptor.
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115  (to the end)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Escape characters that the terminal's encoding does not have.
        sys.stdout.reconfigure(errors="backslashreplace")
    from taskcore_cli.app import app  # noqa: PLC0415  (needs typer)

    app(prog_name="taskctl")


if __name__ == "__main__":
    main()
