"""`fastapi-session events`: what has been, since when, and what comes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer

from fastapi_session import Sessions
from fastapi_session.cli.commands.events import parsed
from fastapi_session.cli.event_tail import WHOLE_EVERY, EventTail, Wanted
from fastapi_session.events import AuditEvent
from fastapi_session.stores.memory import MemoryStore
from fastapi_session.testing import HandClock
from tests.cli.conftest import CommandLine
from tests.cli.deployments import configured, signed_in
from tests.engines import config

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configured(monkeypatch, tmp_path)


def read(command_line: CommandLine, *options: str) -> list[dict[str, Any]]:
    done = command_line("events", "--json", *options)
    assert (0, "") == (done.code, done.err)
    return [json.loads(line) for line in done.out.splitlines()]


def test_what_has_been(command_line: CommandLine) -> None:
    """The last events come oldest first; of a user or a session, or since a moment, only those."""
    [old] = signed_in("alice", ago=timedelta(days=2))
    [new] = signed_in("bob")
    command_line("sessions", "revoke", old, "--yes")

    assert [("SessionCreated", old), ("SessionCreated", new), ("SessionRevoked", old)] == [
        (each["event"], each["handle"]) for each in read(command_line)
    ]
    assert [old, old] == [each["handle"] for each in read(command_line, "--user", "alice")]
    assert [new] == [each["handle"] for each in read(command_line, "--session", new)]
    assert ["SessionRevoked"] == [each["event"] for each in read(command_line, "--limit", "1")]
    assert [new, old] == [each["handle"] for each in read(command_line, "--since", "1d")]
    lines = command_line("events").out.splitlines()
    assert [["SessionCreated", "alice", old], ["SessionCreated", "bob", new], ["SessionRevoked", "alice", old]] == [
        line.split()[1:4] for line in lines
    ]
    assert lines[-1].endswith(" reason=by_handle")


def test_the_json(command_line: CommandLine) -> None:
    """An event has the version of the schema, the keys that every event has, and those of its kind."""
    [handle] = signed_in("alice")
    command_line("sessions", "revoke", handle, "--yes")
    common = "version event event_id at handle user_id tenant_id kind actor".split()

    assert [
        {*common, "circumstances", "replaced", "upgraded_from", "is_new_device", "bound"},
        {*common, "reason", "by", "circumstances"},
    ] == [{*each} for each in read(command_line)]


def test_without_audit(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is kept it is said why there is nothing."""
    monkeypatch.setenv("FASTAPI_SESSION_AUDIT", "false")
    signed_in("alice")
    done = command_line("events")

    assert (0, "", "audit is off in this configuration, so no event is kept\n") == (done.code, done.out, done.err)


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        ("30m", NOW - timedelta(minutes=30)),
        ("36h", NOW - timedelta(hours=36)),
        ("7d", NOW - timedelta(days=7)),
        ("2026-05-01", datetime(2026, 5, 1, tzinfo=UTC)),
        ("2026-05-01T10:00:00Z", datetime(2026, 5, 1, 10, tzinfo=UTC)),
        ("2026-05-01T10:00:00+02:00", datetime(2026, 5, 1, 8, tzinfo=UTC)),
    ],
)
def test_since_when(since: str, expected: datetime) -> None:
    """A moment is one, or a time ago."""
    assert expected == parsed(since, now=NOW)


@pytest.mark.parametrize("since", ["yesterday", "", "5w", "-3d", "999999d"])
def test_no_moment(since: str, command_line: CommandLine) -> None:
    """What is no moment is a wrong command line."""
    with pytest.raises(typer.BadParameter):
        parsed(since, now=NOW)
    assert 2 == command_line("events", f"--since={since}").code


@pytest.mark.skipif(os.name != "posix", reason="no such signals on this system")
def test_following() -> None:
    """What another process does is printed as it comes, until Ctrl-C, which ends well."""
    [first] = signed_in("alice")
    command = [sys.executable, "-m", "fastapi_session", "events", "--follow", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as following:
        try:
            assert following.stdout is not None
            assert first == json.loads(following.stdout.readline())["handle"]
            [second] = signed_in("bob")
            assert second == json.loads(following.stdout.readline())["handle"]
            following.send_signal(signal.SIGINT)
            assert ("", "") == following.communicate(timeout=60)
        finally:
            following.kill()

    assert 0 == following.returncode


class LateStore(MemoryStore):
    """A store with a transaction that commits late: its event is seen behind others that are newer."""

    def __init__(self, clock: HandClock) -> None:
        super().__init__(clock=clock)
        self.hidden: set[str] = set()

    async def events(self, query: Any) -> Any:
        reading = await super().events(query)
        shown = tuple(event for event in reading.events if event.user_id not in self.hidden)
        return type(reading)(shown, reading.place)


async def test_each_once() -> None:
    """Each event comes once and in order, more than fit into a page, and one whose transaction was open meanwhile too."""
    clock = HandClock()
    store = LateStore(clock)
    sessions = Sessions(config(store=store, audit=True), clock=clock)
    tail = EventTail(sessions, Wanted(limit=1))

    async def names(found: list[AuditEvent]) -> list[str]:
        return [event.user_id for event in found]

    for number in range(150):
        await sessions.create(f"before-{number}")
    assert ["before-149"] == await names(await tail.first())
    assert [] == await names(await tail.following())
    store.hidden.add("late")
    await sessions.create("late")
    for number in range(250):
        await sessions.create(f"after-{number}")
    assert [f"after-{number}" for number in range(250)] == await names(await tail.following())
    store.hidden.clear()
    seen = [await names(await tail.following()) for _ in range(WHOLE_EVERY)]
    assert [["late"]] == [each for each in seen if each]
    clock.advance(timedelta(hours=1))
    await sessions.create("later")
    assert ["later"] == await names(await tail.following())
    assert [[]] * WHOLE_EVERY == [await names(await tail.following()) for _ in range(WHOLE_EVERY)]
