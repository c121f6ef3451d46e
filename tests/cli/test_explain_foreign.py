"""`fastapi-session explain`, where sessions of another system go on: nothing is taken in by it."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from fastapi_session import SessionConfig, Sessions
from fastapi_session.clock import system_clock
from tests.cli.conftest import CommandLine
from tests.cli.deployments import configured
from tests.old_core import OldCore

MODULE = "an_application_that_moves"


@pytest.fixture
def core() -> OldCore:
    return OldCore(system_clock)


@pytest.fixture(autouse=True)
def deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, core: OldCore) -> None:
    configured(monkeypatch, tmp_path)
    module = ModuleType(MODULE)
    vars(module)["sessions"] = lambda: Sessions(SessionConfig(), moving_from=core)
    monkeypatch.setitem(sys.modules, MODULE, module)
    in_application(core, lambda _: asyncio.sleep(0))


def in_application(core: OldCore, do: Callable[[Sessions], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        sessions = Sessions(SessionConfig(), moving_from=core)
        await sessions.open()
        try:
            return await do(sessions)
        finally:
            await sessions.close()

    return asyncio.run(run())


@pytest.fixture
def explained(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], dict[str, Any]]:
    def explain(token: str) -> dict[str, Any]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(token.encode())))
        done = command_line("explain", "--json", "--app", f"{MODULE}:sessions()")
        assert (0, "") == (done.code, done.err)
        found: dict[str, Any] = json.loads(done.out)
        return found

    return explain


def test_a_session_that_waits_elsewhere(core: OldCore, explained: Callable[[str], dict[str, Any]]) -> None:
    """Its token would go on as the newest, however often that is asked; once it was exchanged here, by the row that is here."""
    tokens = core.begin()
    for _ in range(2):
        said = explained(tokens.refresh)
        assert ("foreign refresh token", True, "D4", "ada", "alive") == tuple(
            said[name] for name in ("kind", "genuine", "row", "user_id", "session")
        )
    assert [] == in_application(core, lambda sessions: sessions.store.sessions_of("ada"))

    in_application(core, lambda sessions: sessions.refresh(tokens.refresh))
    assert "D7" == explained(tokens.refresh)["row"]


def test_a_session_that_has_ended(core: OldCore, explained: Callable[[str], dict[str, Any]]) -> None:
    """One that ended where it began has ended, and so has one that ended here, though it goes on there."""
    there, here = core.begin(), core.begin("bob")
    core.sessions.pop(core.read_refresh_token(there.refresh).session_id)  # type: ignore[union-attr]
    assert ("D1", "not there") == ((said := explained(there.refresh))["row"], said["session"])

    in_application(core, lambda sessions: sessions.revoke_all("bob"))
    assert "D1" == explained(here.refresh)["row"]


def test_an_access_token_of_the_core(core: OldCore, explained: Callable[[str], dict[str, Any]]) -> None:
    """An access token that the core signed is told as one of ours is."""
    said = explained(core.begin().access)

    assert ("access token", True, "ada") == (said["kind"], said["genuine"], said["user_id"])


def test_a_token_of_another_core(core: OldCore, explained: Callable[[str], dict[str, Any]]) -> None:
    """A token that the core did not write is nothing that is known here."""
    assert "unknown" == explained(OldCore(system_clock, key=f"1000:{'5b' * 64}:{'c4' * 64}").begin().refresh)["kind"]
