"""`fastapi-session keys ...`: what is listed, made, deleted and encrypted again."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fastapi_session import Sessions
from tests.cli.conftest import CommandLine
from tests.cli.deployments import SECRET, configured, handles_of, in_application, signed_in
from tests.engines import NEW_SECRET

UNKNOWN = "d-" + "0" * 32


@pytest.fixture(autouse=True)
def deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configured(monkeypatch, tmp_path)
    signed_in("alice", ago=timedelta(days=1))


def answered(command_line: CommandLine, *arguments: str) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(command_line(*arguments, "--json").out)
    return said


def listed(command_line: CommandLine) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = answered(command_line, "keys", "list")["keys"]
    return found


def published() -> list[str]:
    async def kids(sessions: Sessions) -> list[str]:
        return [key["kid"] for key in (await sessions.jwks())["keys"]]

    return in_application(kids)


def rotating(keys: list[dict[str, Any]]) -> list[tuple[str, bool]]:
    return [(key["state"], key["signs"]) for key in keys if key["family"] == "rotating"]


def test_listing(command_line: CommandLine) -> None:
    """Each key is listed with its state and whether it signs, these keys of JSON and no others, and nothing private."""
    said = answered(command_line, "keys", "list")

    assert ["version", "keys"] == [*said]
    expected = "kid family algorithm state signs created_at signs_from verifies_until secret".split()
    assert [expected, expected] == [[*key] for key in said["keys"]]
    assert [("rotating", "active", True, "newest"), ("static", "active", True, "newest")] == [
        (key["family"], key["state"], key["signs"], key["secret"]) for key in said["keys"]
    ]
    done = command_line("keys", "list")
    assert (0, "", "2 keys") == (done.code, done.err, done.out.splitlines()[-1])
    assert {key["kid"] for key in said["keys"]} == {line.split()[0] for line in done.out.splitlines()[1:-1]}


def test_rotating(command_line: CommandLine) -> None:
    """The next key is made and published, signs later, and is made once however often it is asked for."""
    first = answered(command_line, "keys", "rotate")
    again = answered(command_line, "keys", "rotate")

    assert ["version", "kid", "signs_from", "made"] == [*first]
    assert (True, {**first, "made": False}) == (first["made"], again)
    assert [("active", True), ("pending", False)] == rotating(listed(command_line))
    assert first["kid"] in published()
    assert command_line("keys", "rotate").out.startswith(f"there is one already: {first['kid']} signs from ")


def test_the_first_key(command_line: CommandLine, tmp_path: Path) -> None:
    """In an empty store the key that is made signs at once, since there is no other, and the next one is made as ever."""
    (tmp_path / "sessions.db").unlink()
    command_line("migrate")
    first, second = (answered(command_line, "keys", "rotate") for _ in range(2))

    assert (True, True) == (first["made"], second["made"])
    assert [("active", True), ("pending", False)] == rotating(listed(command_line))


def test_a_key_that_stays(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where keys do not rotate no next one is made, and it is said what can be done."""
    monkeypatch.setenv("FASTAPI_SESSION_USE_DYNAMIC_ACCESS_TOKEN_SIGNING_KEY", "false")
    done = command_line("keys", "rotate")

    assert (1, "") == (done.code, done.out)
    assert done.err.endswith("to replace it, revoke it")
    assert [("active", True)] == rotating(listed(command_line))


def test_revoking(command_line: CommandLine) -> None:
    """A key is deleted after a yes, another takes over at once, and nobody is signed out; one that is not there is code 1."""
    kid = listed(command_line)[0]["kid"]
    assert 2 == command_line("keys", "revoke", kid).code
    assert {"version": 1, "dry_run": True, "kid": kid} == answered(command_line, "keys", "revoke", kid, "--dry-run")
    assert kid in published()

    done = command_line("keys", "revoke", kid, "--yes")
    assert (0, f"deleted: {kid}\n", "") == (done.code, done.out, done.err)
    assert kid not in published()
    assert [("active", True)] == rotating(listed(command_line))
    assert 1 == len(handles_of("alice"))
    for arguments in ([], ["--dry-run"]):
        done = command_line("keys", "revoke", UNKNOWN, *arguments)
        assert (1, "", "error: there is no such key") == (done.code, done.out, done.err)


def test_encrypting_again(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an earlier secret encrypts is encrypted under the newest, after which the earlier one can go."""
    kids = [key["kid"] for key in listed(command_line)]
    monkeypatch.setenv("FASTAPI_SESSION_SECRET", json.dumps([NEW_SECRET, SECRET]))
    assert ["earlier", "earlier"] == [key["secret"] for key in listed(command_line)]

    assert {"version": 1, "reencrypted": kids, "left": []} == answered(command_line, "keys", "reencrypt")
    assert ["newest", "newest"] == [key["secret"] for key in listed(command_line)]
    assert "encrypted under the newest secret: 0 keys\n" == command_line("keys", "reencrypt").out
    monkeypatch.setenv("FASTAPI_SESSION_SECRET", NEW_SECRET)
    assert kids == published()
    monkeypatch.setenv("FASTAPI_SESSION_SECRET", SECRET)
    assert ["not given", "not given"] == [key["secret"] for key in listed(command_line)]
    assert ["unreadable", "unreadable"] == [key["state"] for key in listed(command_line)]
    done = command_line("keys", "reencrypt")
    assert (1, [f"no secret opens it: {kid}" for kid in kids]) == (done.code, done.err.splitlines())
