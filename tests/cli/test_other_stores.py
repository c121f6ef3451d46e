"""The commands on stores with a server: they do there what they do on a file."""

from __future__ import annotations

import io
import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fastapi_session import Sessions
from tests.cli.conftest import CommandLine
from tests.cli.deployments import configured, handles_of, in_application, signed_in


@pytest.fixture(autouse=True, params=["postgresql", "mariadb", "valkey"])
def deployment(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configured(monkeypatch, tmp_path, STORE=request.getfixturevalue(f"{request.param}_store_url"))


def test_from_first_to_last(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions are listed, counted and ended, the events of it are there at once, and keys and tokens are known."""

    def said(*arguments: str) -> Any:
        done = command_line(*arguments)
        assert (0, "") == (done.code, done.err)
        return [json.loads(line) for line in done.out.splitlines()]

    first, second = signed_in("alice", "alice", ago=timedelta(hours=1))
    [third] = signed_in("bob")

    async def create(sessions: Sessions) -> str:
        return (await sessions.create("carol")).tokens.refresh_token or ""

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(in_application(create).encode())))
    [explained] = said("explain", "--json")
    assert ("D3", "carol") == (explained["row"], explained["user_id"])
    [counted] = said("sessions", "count", "--json")
    assert (4, 0) == (counted["alive"], counted["expired"])
    [ended] = said("sessions", "revoke", third, "--yes", "--json")
    assert [third] == ended["ended"]
    [listed] = said("sessions", "list", "--user", "alice", "--json")
    assert [first, second] == [each["handle"] for each in listed["sessions"]]
    [ended] = said("sessions", "revoke-user", "alice", "--keep", first, "--yes", "--json")
    assert [second] == ended["ended"]
    assert ([first], []) == (handles_of("alice"), handles_of("bob"))
    assert [("SessionRevoked", third), ("SessionRevoked", second)] == [
        (each["event"], each["handle"]) for each in said("events", "--limit", "2", "--json")
    ]
    [made] = said("keys", "rotate", "--json")
    [keys] = said("keys", "list", "--json")
    assert [("active", True), ("pending", False)] == [
        (each["state"], each["signs"]) for each in keys["keys"] if each["family"] == "rotating"
    ]
    [deleted] = said("keys", "revoke", made["kid"], "--yes", "--json")
    assert made["kid"] == deleted["kid"]
    signed_in("dave", ago=timedelta(days=101))
    [would] = said("sessions", "purge", "--dry-run", "--json")
    [purged] = said("sessions", "purge", "--json")
    assert (1, 1) == (would["deleted"]["sessions"], purged["deleted"]["sessions"])
