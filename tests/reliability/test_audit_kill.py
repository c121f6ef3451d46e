"""A process is killed while it changes sessions: an event is in the store exactly if its change is (R5)."""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from multiprocessing.connection import Connection
from typing import Any

import pytest

from fastapi_session import AuditEvent, Sessions
from tests.conftest import Place
from tests.engines import config, refresh_token_of
from tests.reliability.processes import PROCESSES

pytestmark = [
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill on this system"),
    pytest.mark.timeout(600),
]

USERS = [f"user-{number}" for number in range(4)]
SEED = 41


def audited(place: Place) -> Sessions:
    """Return an engine that audits each change, and rotates at each refresh."""
    return Sessions(config(store=place.store(), audit="all", refresh_token_rotation_grace_period=timedelta(0)))


def change_on(place: Place, seed: int, up: Connection) -> None:
    """Change sessions of all users at once, on and on."""
    asyncio.run(_change_all(place, seed, up))


async def _change_all(place: Place, seed: int, up: Connection) -> None:
    sessions = audited(place)
    await sessions.open()
    first = await sessions.create("first")  # so that each kind of event is there, however slow the machine is
    await sessions.refresh(refresh_token_of(first))
    await sessions.revoke(first.access_token.session_handle)
    up.send("up")
    await asyncio.gather(*(_change(sessions, user, random.Random(f"{seed} {user}")) for user in USERS))


async def _change(sessions: Sessions, user: str, luck: random.Random) -> None:
    while True:
        issued = await sessions.create(user)
        for _ in range(luck.randrange(4)):
            issued = await sessions.refresh(refresh_token_of(issued))
        handle = issued.access_token.session_handle
        match luck.randrange(4):
            case 0:
                await sessions.create(user, replacing=[handle])
            case 1:
                await sessions.revoke(handle)
            case 2:
                await sessions.revoke_all(user)


async def every_event(sessions: Sessions) -> list[AuditEvent]:
    events: list[AuditEvent] = []
    after = None
    while (page := await sessions.events(newest_first=True, after=after, limit=1_000)).events:
        events += page.events
        after = page.after
    return events


async def test_an_event_is_there_if_its_change_is(
    place: Place, amount: Callable[..., int], figures: Callable[..., None]
) -> None:
    """R5: whenever a process is killed, the events tell which sessions are there, and how often each was refreshed."""
    luck, kills = random.Random(SEED), amount(2, full=150)
    sessions = audited(place)
    await sessions.open()
    for seed in range(kills):
        ours, theirs = PROCESSES.Pipe()
        process = PROCESSES.Process(target=change_on, args=(place, seed, theirs), daemon=True)
        process.start()
        assert "up" == await asyncio.to_thread(ours.recv)
        await asyncio.sleep(luck.uniform(0.1, 0.4))
        process.kill()
        process.join()
    events, kept = await every_event(sessions), await _kept(sessions)
    await sessions.close()
    told = Counter(event.name for event in events)

    assert len(events) == len({event.event_id for event in events})
    assert _told(events) == kept
    assert kills <= min(told["SessionCreated"], told["SessionRevoked"], told["SessionRefreshed"])
    figures(kills=kills, events=len(events), events_without_a_change=0, changes_without_an_event=0)


def _told(events: list[AuditEvent]) -> dict[str, int]:
    """Return which sessions are there by what *events* tell, and how often each has been handed on."""
    began = {event.handle for event in events if event.name == "SessionCreated"}
    ended = Counter(event.handle for event in events if event.name == "SessionRevoked")
    assert {1} >= {*ended.values()}, "a session ended twice"
    rotated = Counter(event.handle for event in events if event.name == "SessionRefreshed")
    return {handle: rotated[handle] for handle in began - ended.keys()}


async def _kept(sessions: Sessions) -> dict[str, Any]:
    """Return which sessions the store has, and how often each has been handed on."""
    records = [record for user in USERS for record in await sessions.store.sessions_of(user)]
    return {record.handle: record.lineage.generation for record in records}
