"""Clients that generators make of the document work against the server."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import openapi_spec_validator
import pytest
from fastapi import HTTPException, Request

from taskcore import TaskStore, UserTasks
from taskcore_http import create_app
from tests.taskcore_http.server import serving


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
    openapi_spec_validator.validate(app.openapi())

    def run(*command: object) -> None:
        result = subprocess.run(
            [sys.executable, *map(str, command)], capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stdout + result.stderr

    folder = tmp_path / "client"
    generate = ("openapi_python_client", "generate", "--meta", "none", "--fail-on-warning")
    await asyncio.to_thread(run, "-m", *generate, "--path", document, "--output-path", folder)
    async with serving(app) as server:
        script = Path(__file__).with_name("generated_client.py")
        await asyncio.to_thread(run, script, tmp_path, server.url, credentials)
