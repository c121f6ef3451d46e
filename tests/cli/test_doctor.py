"""`fastapi-session doctor`."""

from __future__ import annotations

import json
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
    assert (1, 1, ["FS001"], {"FS001"}) == (
        done.code,
        said["version"],
        said["checked"],
        {each["id"] for each in said["findings"]},
    )
    assert [JSON_OF_A_FINDING, JSON_OF_A_FINDING] == [[*each] for each in said["findings"]]
    assert ["idle_timeout", "secret"] == [each["seen"].partition(":")[0] for each in said["findings"]]
    assert "a-short-one" not in done.out + done.err


def test_a_healthy_deployment(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is wrong with a deployment that runs: the last line alone is printed, and the exit code is 0."""
    configured(monkeypatch, tmp_path, API_DOMAIN="https://api.example.com", WEBSITE_DOMAIN="https://api.example.com")

    async def run(sessions: Sessions) -> None:
        await sessions.create("ada")

    in_application(run)

    done = command_line("doctor")

    assert (0, "") == (done.code, done.err)
    assert done.out.endswith(" checks, 0 findings\n")


@pytest.mark.parametrize(
    "wrong",
    [["--url", "api.example.com"], ["--url", "https://api.example.com/auth"], ["--probe"], ["--fail-level", "bad"]],
)
def test_a_wrong_command_line(command_line: CommandLine, wrong: list[str]) -> None:
    """What is no origin, a probe without one, and a level that there is not, are mistakes of the command line."""
    assert 2 == command_line("doctor", *wrong).code
