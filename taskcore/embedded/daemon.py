"""Start the keeper (``keeper.py``)."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from taskcore.embedded import keeper
from taskcore.embedded.programs import environment
from taskcore.errors import ConfigurationError


def start_keeper(configuration: keeper.Configuration) -> None:
    """Start a server under a keeper.

    Raises:
        ConfigurationError: It could not be started.
    """
    result = subprocess.run(  # noqa: S603  (our own program)
        [_python(), "-I", "-S", keeper.__file__, json.dumps(asdict(configuration))],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd="/",
        env=environment(),
        check=False,
        start_new_session=True,
    )
    if result.returncode:
        raise ConfigurationError(
            f"the embedded server did not start: {result.stderr.decode(errors='replace').strip()}"
        )


def _python() -> str:
    """Return the interpreter; in an application server ``sys.executable`` may be that server."""
    for path in (
        Path(sys.executable or "."),
        Path(sys.prefix, "bin", "python3"),
        Path(sys.base_prefix, "bin", "python3"),
    ):
        if path.name.startswith("python") and os.access(path, os.X_OK):
            return str(path)
    raise ConfigurationError("the embedded server needs the Python interpreter, which is not found")
