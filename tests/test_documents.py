"""The examples of the README and the documentation run as they stand (SC-007)."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.folders import prepare
from tests.ports import free_port

ROOT = Path(__file__).parents[1]
DOCUMENTS = (
    "README.md",
    "docs/tutorial.md",
    "docs/howto/api-tokens.md",
    "docs/howto/backup.md",
    "docs/howto/fields.md",
    "docs/howto/identity.md",
    "docs/howto/import-from-elsewhere.md",
    "docs/howto/page.md",
    "docs/howto/sign-in.md",
)
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[tuple[str, str]]:
    """Code blocks of a language; installing and serving are done by CI and by ``served``."""
    return [
        (name, code)
        for name in DOCUMENTS
        for block_language, code in _BLOCK.findall((ROOT / name).read_text())
        if block_language == language and not re.search(r"pip install|taskctl serve", code)
    ]


def environment(home: Path) -> dict[str, str]:
    scripts = Path(sys.executable).parent
    return os.environ | {
        "TASKCORE_HOME": str(home),
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        "NO_COLOR": "1",
    }


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    """``taskctl serve`` on the embedded database, on a free port."""
    home = Path("/tmp") / f"taskcore-docs-{os.getpid()}"  # noqa: S108  (reachable by its user)
    home.mkdir(mode=0o755)
    prepare(home)
    port = free_port()
    log = tmp_path_factory.mktemp("served") / "log"
    with log.open("w") as output:
        server = subprocess.Popen(
            ["taskctl", "serve", "--port", str(port)],
            env=environment(home),
            stderr=output,
            stdout=output,
        )
    try:
        while True:
            assert server.poll() is None, log.read_text()
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready")
                break
            except OSError:
                time.sleep(0.1)
        yield home, port
    finally:
        server.send_signal(signal.SIGINT)
        assert server.wait(30) == 0, log.read_text()
        subprocess.run(["rm", "-rf", str(home)], check=True)


def test_every_example_of_the_documentation_is_run() -> None:
    for page in ROOT.glob("docs/**/*.md"):
        languages = {language for language, _ in _BLOCK.findall(page.read_text())}
        assert languages <= {"text"} or str(page.relative_to(ROOT)) in DOCUMENTS, page
    assert all(blocks(language) for language in ("python", "sh"))


@pytest.mark.thorough
def test_the_documentation_builds_without_a_warning_and_loads_nothing_from_elsewhere(
    tmp_path: Path,
) -> None:
    """References between pages and to objects are checked by Sphinx."""
    build = f"-m sphinx -qW --keep-going -d {tmp_path}/trees {ROOT}/docs {tmp_path}/site"
    subprocess.run([sys.executable, *build.split()], check=True)
    pages = [*(tmp_path / "site").glob("**/*.html")]
    assert len(pages) > 20
    loaded = (
        r"<(?:script|img|iframe|source)[^>]+src=.https?:|<link[^>]+stylesheet[^>]+href=.https?:"
    )
    assert not [page.name for page in pages if re.search(loaded, page.read_text())]


# Each example is a program of its own; one process runs those of a page.
RUN = """
import json, sys
for number, code in enumerate(json.load(sys.stdin), start=1):
    exec(compile(code, f"example {number}", "exec"), {"__name__": "__main__"})
"""


@pytest.mark.parametrize("page", dict.fromkeys(name for name, _ in blocks("python")))
def test_python_examples_run(page: str, served: tuple[Path, int], tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", RUN],
        input=json.dumps([code for name, code in blocks("python") if name == page]),
        env=environment(served[0]),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stderr


# Each line of an example is a process, so the guides' examples are for the thorough tests.
SHELL = [
    pytest.param(code, marks=[pytest.mark.thorough] if "howto" in name else [], id=f"{name}-{n}")
    for n, (name, code) in enumerate(blocks("sh"))
]


@pytest.mark.parametrize("code", SHELL)
def test_shell_examples_run(code: str, served: tuple[Path, int], tmp_path: Path) -> None:
    home, port = served
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", code.replace(":8000", f":{port}")],
        env=environment(home),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stderr
    assert '"error"' not in result.stdout


PAGES = (*ROOT.glob("*.md"), *ROOT.glob("specs/**/*.md"), *ROOT.glob("docs/**/*.md"))
FOLDERS = ("taskcore", "taskcore_http", "taskcore_cli", "tests", "specs", "docs", "examples")
# A path in backticks: in one of our folders, or a module of a package's table in plan.md.
_PATH = re.compile(
    r"`((?:taskcore(?:_http|_cli)?|tests|specs|\.ci|\.github)/[\w./-]*|[\w-]+\.(?:py|md|sql|toml|yaml))`"
)
_LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_in_a_document_exists(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    files = [*ROOT.glob("*"), *(file for folder in FOLDERS for file in ROOT.glob(f"{folder}/**/*"))]
    names = {file.name for file in files}
    missing = [path for path in _LINK.findall(text) if not (page.parent / path).exists()]
    for path in _PATH.findall(text):
        # A name without a folder is that of a file somewhere.
        found = (ROOT / path).exists() if "/" in path else path in names
        if not found:
            missing.append(path)

    assert missing == []


def test_the_workflow_runs_the_suite_on_every_python_of_the_classifiers() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    supported = {
        version
        for classifier in project["classifiers"]
        if (version := classifier.rpartition(" :: ")[2]).startswith("3.")
    }

    assert supported == {"3.11", "3.12", "3.13"}
    assert supported <= set(workflow["jobs"]["suite"]["strategy"]["matrix"]["python"])
