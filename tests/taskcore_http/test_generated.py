"""Clients that generators make of the document work against the server.

They are generated and compiled by ``pytest -m thorough``.
``openapi-python-client`` needs an environment of its own, whose ``bin`` is in ``PATH``; so does
``openapi-generator-cli``, which also needs Java. Its clients need a
JDK, Go, and Ruby with Typhoeus.
"""

import asyncio
import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import openapi_spec_validator
import pytest
from fastapi import FastAPI, HTTPException, Request

from taskcore import TaskStore, UserTasks
from taskcore_http import Bearer, create_app
from taskcore_http.server.protocol import HttpProtocol
from tests.taskcore_http.identity.issuing import Publisher, claims, rsa_key, rules, token
from tests.taskcore_http.server import serving

PROGRAMS = Path(__file__).parent
PYTHON_GENERATOR = shutil.which("openapi-python-client")
GENERATOR = shutil.which("openapi-generator-cli")


def run(*command: object, cwd: Path | None = None) -> None:
    result = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, cwd=cwd
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture(params=["none", "Bearer good"])
def credentials(request: pytest.FixtureRequest) -> str:
    """Without an identity, and with one that refuses a caller without any."""
    credentials: str = request.param
    return credentials


@pytest.fixture
def app(store: TaskStore, credentials: str) -> FastAPI:
    async def identify(request: Request) -> UserTasks:
        if request.headers.get("Authorization") != credentials:
            raise HTTPException(401, "sign in", {"WWW-Authenticate": "Bearer"})
        return store.for_user(42)

    return create_app(store=store, identity=None if credentials == "none" else identify)


@pytest.fixture
def document(app: FastAPI, tmp_path: Path) -> Path:
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(app.openapi()))
    return document


def test_the_document_is_valid(app: FastAPI) -> None:
    openapi_spec_validator.validate(app.openapi())


@pytest.fixture
async def signed(store: TaskStore) -> tuple[FastAPI, str]:
    """An application that verifies tokens, and credentials of user 42 that it accepts."""
    publisher = Publisher(rsa_key().jwk(kid="k", alg="RS256"))
    issuer = rules(subject_is_user_id=True)
    app = create_app(store=store, identity=Bearer(issuer, fetch=publisher.fetch))
    now = int(time.time())
    return app, f"Bearer {token(claims(sub='42', iat=now, exp=now + 3600)).decode()}"


async def use(app: FastAPI, program: Callable[[str], None]) -> None:
    """Run a program with the URL of a server as ``taskctl serve`` runs it: Java offers HTTP/2."""
    async with serving(app, http=HttpProtocol, ws="none") as server:
        await asyncio.to_thread(program, server.url)


@pytest.mark.thorough
@pytest.mark.skipif(PYTHON_GENERATOR is None, reason="needs openapi-python-client")
async def test_a_generated_python_client_works(
    app: FastAPI, document: Path, credentials: str
) -> None:
    await use_python_client(app, document, credentials)


@pytest.mark.thorough
@pytest.mark.skipif(PYTHON_GENERATOR is None, reason="needs openapi-python-client")
async def test_a_generated_python_client_works_with_a_verified_token(
    signed: tuple[FastAPI, str], tmp_path: Path
) -> None:
    """ID-701, ID-704: of the document that names the security schemes."""
    app, credentials = signed
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(app.openapi()))
    await use_python_client(app, document, credentials)


async def use_python_client(app: FastAPI, document: Path, credentials: str) -> None:
    """Generate a client beside the document, and run the program with it."""
    folder = document.parent
    generator = PYTHON_GENERATOR or ""
    generate = (generator, "generate", "--meta", "none", "--fail-on-warning")
    run(*generate, "--path", document, "--output-path", folder / "client")
    python = Path(generator).resolve().with_name("python")
    script = PROGRAMS / "generated_client.py"
    await use(app, lambda url: run(python, script, folder, url, credentials))


def generated(language: str, document: Path, *options: str) -> Path:
    """Generate a client of openapi-generator, and return its folder."""
    folder = document.with_name("client")
    parts = "apiTests=false,modelTests=false,apiDocs=false,modelDocs=false"
    generate = ("generate", "--global-property", parts, "-i", document, "-o", folder)
    run(GENERATOR, *generate, "-g", language, *options)
    return folder


@pytest.mark.thorough
@pytest.mark.skipif(GENERATOR is None or not shutil.which("go"), reason="needs the generator, Go")
async def test_a_generated_go_client_compiles_and_works(
    app: FastAPI, document: Path, tmp_path: Path, credentials: str
) -> None:
    folder = generated("go", document)
    run("go", "mod", "edit", "-module", "example.org/client", cwd=folder)
    (folder / "cmd").mkdir()
    shutil.copy(PROGRAMS / "generated_client.go", folder / "cmd" / "main.go")
    run("go", "build", "-o", tmp_path / "program", "./cmd", cwd=folder)
    await use(app, lambda url: run(tmp_path / "program", url, credentials))


@pytest.mark.thorough
@pytest.mark.skipif(
    GENERATOR is None or not shutil.which("ruby"), reason="needs the generator, Ruby, Typhoeus"
)
async def test_a_generated_ruby_client_works(
    app: FastAPI, document: Path, credentials: str
) -> None:
    folder = generated("ruby", document)
    script = PROGRAMS / "generated_client.rb"
    await use(app, lambda url: run("ruby", script, folder, url, credentials))


@pytest.mark.thorough
@pytest.mark.skipif(
    GENERATOR is None or not shutil.which("javac"), reason="needs the generator, a JDK"
)
async def test_a_generated_java_client_compiles_and_works(
    app: FastAPI, document: Path, tmp_path: Path, credentials: str
) -> None:
    """With Jackson from the generator's own jar, which lacks a type for nulls and an annotation."""
    (jar,) = Path(GENERATOR or "").resolve().parents[1].glob("**/openapi-generator.jar")
    options = "--library=native --additional-properties=openApiNullable=false"
    folder = generated("java", document, *options.split())
    sources = [*(folder / "src/main").glob("**/*.java")]
    for source in sources:
        text = re.sub(
            r"^ *@javax\.annotation\.Generated.*\n", "", source.read_text(), flags=re.MULTILINE
        )
        source.write_text(text)
    classes, program = tmp_path / "classes", PROGRAMS / "GeneratedClient.java"
    run("javac", "-nowarn", "-cp", jar, "-d", classes, program, *sources)
    java = ("java", "-cp", f"{classes}:{jar}", program.stem)
    await use(app, lambda url: run(*java, url, credentials))
