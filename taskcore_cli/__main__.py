"""The console script ``taskctl``, also ``python -m taskcore_cli``."""

import io
import sys
from importlib.util import find_spec


def main() -> None:
    """Run ``taskctl``; without its extra, say in one line what to install."""
    if find_spec("typer") is None or find_spec("rich") is None:
        sys.exit("error: taskctl needs the extra cli: pip install 'taskcore[cli]'")
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A title that the terminal's encoding lacks is shown escaped.
        sys.stdout.reconfigure(errors="backslashreplace")
    from taskcore_cli.app import app  # noqa: PLC0415  (needs typer)

    app(prog_name="taskctl")


if __name__ == "__main__":
    main()
