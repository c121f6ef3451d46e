"""`fastapi-session doctor`."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from fastapi_session import Sessions
from tests.cli.conftest import CommandLine
from tests.cli.deployments import configured, in_application

JSON_OF_A_FINDING = ["id", "level", "says", "seen", "fix"]


def test_a_refused_configuration(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each line of a refusal is a finding, FS001; without a secret in it."""
    configured(monkeypatch, tmp_path, SECRET="a-short-one", IDLE_TIMEOUT="1")

    done = command_line("doctor", "--json")

    said = json.loads(done.out)
    assert (1, 1, ["FS001", "FS083"], {"FS001"}) == (
        done.code,
        said["version"],
        said["checked"],
        {each["id"] for each in said["findings"]},
    )
    assert [JSON_OF_A_FINDING, JSON_OF_A_FINDING] == [[*each] for each in said["findings"]]
    assert ["idle_timeout", "secret"] == [each["seen"].partition(":")[0] for each in said["findings"]]
    assert "a-short-one" not in done.out + done.err


def test_a_prefix_with_a_slip(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A variable with a slip in its prefix is found, FS083, also if the configuration is refused for want of it; without its value."""
    configured(monkeypatch, tmp_path, API_DOMAIN="https://api.example.com")
    secret = os.environ.pop("FASTAPI_SESSION_SECRET")
    monkeypatch.setenv("FASTAPI_SESION_SECRET", secret)

    done = command_line("doctor", "--json")

    found = [(each["id"], each["seen"]) for each in json.loads(done.out)["findings"]]
    assert ["FS001", "FS083"] == [id_ for id_, _ in found]
    assert "FASTAPI_SESION_SECRET, where FASTAPI_SESSION_SECRET may be meant" == found[1][1]
    assert secret not in done.out + done.err


def test_a_function_that_makes_the_application(
    command_line: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A function is not called unless its name says so: the finding says how to write that."""
    configured(monkeypatch, tmp_path)
    (tmp_path / "making.py").write_text(
        "from fastapi import FastAPI\nfrom fastapi_session import install\n\n"
        "def create_app():\n    app = FastAPI()\n    install(app)\n    return app\n",
        "utf-8",
    )
    said = json.loads(command_line("doctor", "--json", "--app", "making:create_app").out)

    assert [
        "--app: making:create_app is a function without sessions; to have it called, write --app 'making:create_app()'"
    ] == [each["seen"] for each in said["findings"]]
    assert "FS041" in json.loads(command_line("doctor", "--json", "--app", "making:create_app()").out)["checked"]


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A healthy deployment that has run."""
    origin = "https://api.example.com"
    configured(monkeypatch, tmp_path, API_DOMAIN=origin, WEBSITE_DOMAIN=origin, IDLE_TIMEOUT="P9D")

    async def run(sessions: Sessions) -> None:
        await sessions.create("ada")

    in_application(run)


@pytest.mark.usefixtures("running")
def test_a_healthy_deployment(command_line: CommandLine) -> None:
    """Nothing is wrong with a deployment that runs: the last line alone is printed, and the exit code is 0."""
    done = command_line("doctor")

    assert (0, "") == (done.code, done.err)
    assert re.fullmatch(r"\d+ checks, 0 findings, \d+ below warning not shown\n", done.out)


@pytest.mark.usefixtures("running")
def test_the_level(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The level says what is shown, and what counts for the exit code."""
    remark = "info: FS092 sessions live for as long as they are used"
    done = command_line("doctor", "--fail-level", "info")
    assert (1, True) == (done.code, remark in done.out)

    monkeypatch.setenv("FASTAPI_SESSION_SERVICE_HOST", "10.0.0.1")
    codes = {level: command_line("doctor", "--fail-level", level).code for level in ("error", "warning", "info")}
    assert {"error": 0, "warning": 1, "info": 1} == codes
    assert command_line("doctor").out.startswith("warning: FS083 there is no such setting")


@pytest.mark.usefixtures("running")
def test_the_json(command_line: CommandLine) -> None:
    """The JSON has these keys, in every version of its schema; findings of every level, and what was looked for."""
    done = command_line("doctor", "--json")

    said = json.loads(done.out)
    assert (0, ["version", "findings", "checked"], 1) == (done.code, [*said], said["version"])
    assert {
        "id": "FS092",
        "level": "info",
        "says": "sessions live for as long as they are used, since there is no absolute_timeout",
        "seen": "idle_timeout is 9 days",
        "fix": "give absolute_timeout=timedelta(days=30) if users have to sign in again after some time, as NIST SP 800-63B asks",
    } == said["findings"][0]
    assert {"FS001", "FS002", "FS003", "FS004", "FS011", "FS083"} <= {*said["checked"]}
    assert "FS041" not in said["checked"], "without an application nobody knows its middlewares"


@pytest.mark.usefixtures("running")
def test_a_key_file_that_is_gone(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A database without its key file is FS004, and no key file is made."""
    monkeypatch.delenv("FASTAPI_SESSION_SECRET")
    monkeypatch.setenv("FASTAPI_SESSION_API_DOMAIN", "http://localhost:8000")
    done = command_line("doctor", "--json")

    seen = [each["seen"] for each in json.loads(done.out)["findings"] if each["id"] == "FS004"]
    assert [f"secret: none is configured, and there is no {tmp_path}/sessions.db.secret"] == seen
    assert ["sessions.db"] == [each.name for each in tmp_path.glob("sessions.db*") if "wal" not in each.name]


@pytest.mark.usefixtures("running")
def test_an_application(command_line: CommandLine, tmp_path: Path) -> None:
    """An application is looked at without being started; `Sessions` are looked at too, and what has none is FS001."""
    (tmp_path / "served.py").write_text(
        "from fastapi import FastAPI\n"
        "from fastapi_session import Sessions, install, session_router\n"
        "app, other, sessions = FastAPI(), FastAPI(), Sessions()\n"
        "install(app)\n"
        "app.include_router(session_router('/v1/auth'))\n",
        "utf-8",
    )
    found = {}
    for name in ("app", "sessions", "other"):
        said = json.loads(command_line("doctor", "--json", "--app", f"served:{name}").out)
        found[name] = [each["id"] for each in said["findings"] if each["level"] != "info"]

    assert {"app": ["FS072"], "sessions": [], "other": ["FS001"]} == found


def test_the_worst_comes_first(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What does not work is printed before what will do harm, and that before remarks."""
    configured(monkeypatch, tmp_path, STORE="postgresql+asyncpg://app@127.0.0.1:1/app")
    lines = command_line("doctor", "--fail-level", "info").out.splitlines()

    assert ["error", "warning", "info", "info"] == [line.partition(":")[0] for line in lines[:-1]]


@pytest.mark.parametrize(
    "wrong",
    [["--url", "api.example.com"], ["--url", "https://api.example.com/auth"], ["--probe"], ["--fail-level", "bad"]],
)
def test_a_wrong_command_line(command_line: CommandLine, wrong: list[str]) -> None:
    """What is no origin, a probe without one, and a level that there is not, are mistakes of the command line."""
    assert 2 == command_line("doctor", *wrong).code
