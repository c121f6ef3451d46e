"""`fastapi-session secret ...`: secrets are made, and checked without being shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fastapi_session.config import SessionConfig
from fastapi_session.core.secret import Secret
from tests.cli.conftest import CommandLine
from tests.cli.deployments import SECRET, configured, signed_in
from tests.engines import NEW_SECRET


@pytest.fixture(autouse=True)
def deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configured(monkeypatch, tmp_path)


def checked(command_line: CommandLine, *, code: int) -> dict[str, Any]:
    """What is said of the secrets, once as JSON and once as text: no secret is in either, nor a part of one."""
    done, text = command_line("secret", "check", "--json"), command_line("secret", "check")
    assert (code, code) == (done.code, text.code)
    for secret in (SECRET, NEW_SECRET):
        pieces = {secret[place : place + 8] for place in range(len(secret) - 7)}
        assert [] == [piece for piece in pieces if piece in f"{done}{text}"]
    said: dict[str, Any] = json.loads(done.out)
    assert ["version", "secrets", "problems", "remarks"] == [*said]
    return said


def test_making_one(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each secret is another one, and the check finds nothing wrong with it."""
    made = [
        command_line("secret", "make").out.strip(),
        json.loads(command_line("secret", "make", "--json").out)["secret"],
    ]

    assert 2 == len({*made})
    for secret in made:
        monkeypatch.setenv("FASTAPI_SESSION_SECRET", secret)
        assert (secret.encode(),) == SessionConfig().secrets
        assert [] == checked(command_line, code=0)["problems"]


def test_good_ones(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each secret is told by its length and its number; of several it is said when the earlier ones can go."""
    monkeypatch.setenv("FASTAPI_SESSION_SECRET", json.dumps([NEW_SECRET, SECRET + "\n"]))
    said = checked(command_line, code=0)

    kid = Secret.from_material(NEW_SECRET.encode()).kid
    assert {"bytes": len(NEW_SECRET), "kid": kid, "source": "configuration"} == said["secrets"][0]
    blanks, earlier = said["remarks"]
    assert blanks.startswith("secret 2 has blanks around it")
    assert earlier.startswith("the earlier ones can go")


@pytest.mark.parametrize(
    ("secret", "problem"),
    [
        ("short", "5 bytes are too few"),
        ("ab" * 20, "it repeats a few characters"),
        (json.dumps([SECRET, SECRET]), "two secrets of the list are equal"),
    ],
)
def test_bad_ones(secret: str, problem: str, command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that is short, easy to guess or there twice is a problem, and the exit code 1."""
    monkeypatch.setenv("FASTAPI_SESSION_SECRET", secret)
    [found] = checked(command_line, code=1)["problems"]

    assert problem in found


def test_a_key_file(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a secret the key file counts: it has to be there, and nobody else may read it. The check makes none."""
    monkeypatch.delenv("FASTAPI_SESSION_SECRET")
    assert ["there is none"] == [each[:13] for each in checked(command_line, code=1)["problems"]]
    assert [] == [*tmp_path.iterdir()]
    signed_in("alice")
    assert ["key file"] == [each["source"] for each in checked(command_line, code=0)["secrets"]]
    (tmp_path / "sessions.db.secret").chmod(0o644)
    [found] = checked(command_line, code=1)["problems"]
    assert "has mode 0644, so others can read or change it" in found


def test_another_setting_is_wrong(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong with another setting is an error, not a finding about secrets."""
    monkeypatch.setenv("FASTAPI_SESSION_IDLE_TIMEOUT", "soon")
    done = command_line("secret", "check")

    assert (1, "") == (done.code, done.out)
    assert done.err.startswith("error: idle_timeout")
