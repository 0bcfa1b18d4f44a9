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


def start_keeper(
    *,
    command: list[str],
    user: str | None,
    data: Path,
    log: Path,
    server_lock: Path,
    users_lock: Path,
    socket_folder: Path | None,
) -> None:
    """Start a server under a keeper; arguments as in ``keeper.Configuration``.

    Raises:
        ConfigurationError: It could not be started.
    """
    configuration = keeper.Configuration(
        command=command,
        user=user,
        data=str(data),
        log=str(log),
        server_lock=str(server_lock),
        users_lock=str(users_lock),
        socket_folder=None if socket_folder is None else str(socket_folder),
    )
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
