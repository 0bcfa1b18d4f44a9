"""``--help`` of every command, pinned in help.txt.

To renew it: ``python -m tests.taskcore_cli.test_help``, and read the difference.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

PINNED = Path(__file__).with_name("help.txt")


def commands(command: object, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = [path]
    for name, child in getattr(command, "commands", {}).items():
        found += commands(child, (*path, name))
    return found


def all_help() -> str:
    from taskcore_cli.app import app  # noqa: PLC0415  (also run as a script)

    root = typer.main.get_command(app)
    environment = os.environ | {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}
    program = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from taskcore_cli.app import app\n"
        "for words in sys.argv[1:]:\n"
        "    result = CliRunner().invoke(app, [*words.split(), '--help'], prog_name='taskctl')\n"
        "    assert result.exit_code == 0, result.output\n"
        '    print(f\'$ {" ".join(["taskctl", *words.split(), "--help"])}\\n{result.output}\')\n'
    )
    return subprocess.run(
        [sys.executable, "-c", program, *(" ".join(path) for path in commands(root))],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_the_help_of_every_command_is_as_pinned() -> None:
    assert all_help() == PINNED.read_text("utf-8")


@pytest.mark.parametrize("module", ["taskcore_cli", "taskcore_cli.app"])
def test_starting_loads_neither_driver_nor_server(module: str) -> None:
    packages = {"asyncpg", "pydantic_settings", "rich", "sqlalchemy", "taskcore", "uvicorn"}
    heavy = packages | {"asyncio", "json", "tempfile", "zoneinfo"}
    program = f"import sys, {module}; print(*sorted({heavy} & sys.modules.keys()))"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout == "\n"


if __name__ == "__main__":
    PINNED.write_text(all_help(), "utf-8")
