"""`fastapi-session doctor --url`: the same checks by the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from fastapi_session import SessionConfig, install, session_router
from tests.browser.server import Server, serve
from tests.cli.conftest import CommandLine
from tests.cli.deployments import configured, handles_of
from tests.recipes.serving import free_port


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    """An application that runs, and which the environment configures as it runs."""
    configured(monkeypatch, tmp_path)

    def build(origin: str) -> FastAPI:
        monkeypatch.setenv("FASTAPI_SESSION_API_DOMAIN", origin)
        app = FastAPI()
        install(app, SessionConfig())
        app.include_router(session_router())
        return app

    with serve(build) as server:
        yield server


def test_a_healthy_deployment(command_line: CommandLine, served: Server) -> None:
    """Nothing is wrong with a deployment that is as configured. The sessions that were made for it have ended."""
    done = command_line("doctor", "--url", served.origin, "--probe", "--json")

    assert (0, "") == (done.code, done.err), done.out
    assert {"FS001", "FS101", "FS201", "FS208", "FS231", "FS239"} <= {*json.loads(done.out)["checked"]}
    assert ("POST /auth/session/refresh 200" in served.answers, []) == (True, handles_of("fastapi-session doctor"))


def test_what_is_found(command_line: CommandLine, served: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found stands beside what is found in the store, with what could be looked for."""
    monkeypatch.setenv("FASTAPI_SESSION_API_BASE_PATH", "/elsewhere")

    done = command_line("doctor", "--url", served.origin, "--probe", "--json")

    said = json.loads(done.out)
    assert (1, {"FS202", "FS205"}) == (done.code, {each["id"] for each in said["findings"] if each["id"] > "FS200"})
    assert {"FS201", "FS202", "FS205"} <= {*said["checked"]}
    assert not {"FS208", "FS231"} & {*said["checked"]}, "a refresh that does not arrive shows nothing else"


def test_nobody_is_there(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A deployment that does not respond is a finding, and the rest was looked at all the same."""
    configured(monkeypatch, tmp_path)

    done = command_line("doctor", "--url", f"http://127.0.0.1:{free_port()}")

    assert (1, "") == (done.code, done.err)
    assert ["error: FS201 the deployment does not respond"] == [
        line.partition(":")[0] + ":" + line.split(":")[1] for line in done.out.splitlines() if "FS2" in line
    ]


def test_a_refused_configuration(command_line: CommandLine, served: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a configuration that is refused the deployment is looked at as far as that goes, and no session is made."""
    monkeypatch.setenv("FASTAPI_SESSION_SECRET", "short")

    done = command_line("doctor", "--url", served.origin, "--probe", "--json")

    assert ["FS001", "FS239"] == [each["id"] for each in json.loads(done.out)["findings"]]
    assert "POST /auth/session/refresh 200" not in served.answers
