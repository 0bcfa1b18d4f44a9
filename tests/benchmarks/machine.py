"""The machine of a measurement: figures mean nothing without it."""

import os
import platform
from importlib import metadata
from pathlib import Path

_PACKAGES = ("asyncpg", "sqlalchemy", "sqlmodel", "fastapi", "uvicorn", "pydantic")


def describe(postgresql: str) -> dict[str, str]:
    """Name the machine and the versions.

    Args:
        postgresql: The server's version.
    """
    gigabytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{gigabytes:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "postgresql": postgresql,
        **{package: metadata.version(package) for package in _PACKAGES},
    }


def _processor() -> str:
    found = Path("/proc/cpuinfo")
    if found.exists():
        for line in found.read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
