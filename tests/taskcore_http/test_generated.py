"""A client that a generator makes of the document works against the server.

``openapi-python-client`` needs an environment of its own, whose ``bin`` is in ``PATH``.
"""

import asyncio
import json
import shutil
import subprocess
from pathlib import Path

import openapi_spec_validator
import pytest
from fastapi import HTTPException, Request

from taskcore import TaskStore, UserTasks
from taskcore_http import create_app
from tests.taskcore_http.server import serving

GENERATOR = shutil.which("openapi-python-client")


def test_the_document_is_valid(store: TaskStore) -> None:
    openapi_spec_validator.validate(create_app(store=store).openapi())


@pytest.mark.skipif(GENERATOR is None, reason="needs openapi-python-client")
@pytest.mark.parametrize("credentials", ["none", "Bearer good"])
async def test_a_generated_python_client_works(
    store: TaskStore, tmp_path: Path, credentials: str
) -> None:
    """Without an identity, and with one that refuses a caller without any."""

    async def identify(request: Request) -> UserTasks:
        if request.headers.get("Authorization") != credentials:
            raise HTTPException(401, "sign in", {"WWW-Authenticate": "Bearer"})
        return store.for_user(42)

    app = create_app(store=store, identity=None if credentials == "none" else identify)
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(app.openapi()))
    assert GENERATOR is not None

    def run(*command: object) -> None:
        result = subprocess.run(
            list(map(str, command)), capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stdout + result.stderr

    folder = tmp_path / "client"
    generate = (GENERATOR, "generate", "--meta", "none", "--fail-on-warning")
    await asyncio.to_thread(run, *generate, "--path", document, "--output-path", folder)
    async with serving(app) as server:
        script = Path(__file__).with_name("generated_client.py")
        python = Path(GENERATOR).resolve().with_name("python")
        await asyncio.to_thread(run, python, script, tmp_path, server.url, credentials)
