"""What the example app's OpenAPI document says, held against what the app does by a tool that reads only the document."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
from fastapi import FastAPI

from example_app.app import create_app
from fastapi_session import SessionConfig
from tests.browser.server import serve
from tests.wire import ACCESS_HEADER, AUTH_MODE, SIGN_OUT_PATH

SETTINGS = """
[auth.openapi]
SessionBearer = {{ bearer = "{access_token}" }}

# FastAPI names in `Allow` the methods of one route, and two of the app's have a path in common.
[checks]
allow_header_conformance.enabled = false
"""


def sign_in(origin: str) -> str:
    """Return an access token of alice."""
    credentials = {"user_name": "alice", "password": "wonderland"}
    response = httpx.post(f"{origin}/api/sign-in", json=credentials, headers={AUTH_MODE: "header"})
    return response.headers[ACCESS_HEADER]


def test_the_app_does_as_its_document_says(tmp_path: Path) -> None:
    """Whatever is sent, status, body and headers are among those that the document tells, and nothing fails."""

    def app(origin: str) -> FastAPI:
        return create_app(SessionConfig(api_domain=origin, website_domain=origin, store=f"sqlite:///{tmp_path}/app.db"))

    settings = tmp_path / "schemathesis.toml"
    with serve(app) as server:
        settings.write_text(SETTINGS.format(access_token=sign_in(server.origin)))
        command: list[str | Path] = [
            *(Path(sys.executable).with_name("schemathesis"), "--config-file", settings, "run", "--no-color"),
            # To sign out would end the session of all requests that come later. "fuzzing" finds no more, in twice the time.
            *("--exclude-path", SIGN_OUT_PATH, "--phases", "coverage", "--seed", "1"),
            f"{server.origin}/openapi.json",
        ]
        run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert 0 == run.returncode, run.stdout
