"""No change to a record is lost, whoever else writes it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from fastapi_session.engine.record_changes import ATTEMPTS, change_record
from fastapi_session.errors import StoreUnavailable
from fastapi_session.model import Reading, SessionRecord
from fastapi_session.stores.base import Store
from fastapi_session.stores.memory import MemoryStore
from fastapi_session.testing import HandClock
from fastapi_session.testing.records import IDLE_TIMEOUT, duration, new_session


async def test_a_session_that_has_expired_is_not_changed(store: Store, clock: HandClock) -> None:
    """There is nothing to change once a deadline has passed, even before the record is cleared away."""
    record = new_session("a", now=clock())
    await store.insert(record)
    clock.advance(duration(IDLE_TIMEOUT))

    assert await change_record(store, record.handle, change=lambda same: same) is None


async def test_concurrent_changes_are_all_kept(store: Store, clock: HandClock) -> None:
    """Two hundred concurrent increments of one number make two hundred."""
    record = new_session("a", now=clock(), session_data={"count": 0})
    await store.insert(record)

    def increment(found: SessionRecord) -> SessionRecord:
        return replace(found, session_data={"count": found.session_data["count"] + 1})

    await asyncio.gather(*(change_record(store, record.handle, change=increment) for _ in range(200)))
    after = (await store.get(record.session_id)).record

    assert after is not None
    assert (200, {"count": 200}) == (after.version, after.session_data)


async def test_a_change_that_is_overtaken_is_made_again(clock: HandClock) -> None:
    """Where another writer comes between reading and writing, the change is made of what that one wrote."""

    class Overtaken(MemoryStore):
        overtakes = True

        async def get(self, session_id: str) -> Reading:
            reading = await super().get(session_id)
            if self.overtakes:
                self.overtakes = False
                await self.update(
                    session_id, version=0, access_token_payload={}, session_data={"theirs": 1}, label=None
                )
            return reading

    store = Overtaken(clock=clock)
    record = new_session("a", now=clock(), session_data={})
    await store.insert(record)
    changed = await change_record(
        store, record.handle, change=lambda found: replace(found, session_data={**found.session_data, "ours": 1})
    )
    assert changed is not None

    assert {"theirs": 1, "ours": 1} == changed.session_data


async def test_a_change_that_raises_changes_nothing(store: Store, clock: HandClock) -> None:
    """What the change raises is raised, and the record stays as it was."""
    record = new_session("a", now=clock())
    await store.insert(record)

    def refuse(_: SessionRecord) -> SessionRecord:
        raise LookupError

    with pytest.raises(LookupError):
        await change_record(store, record.handle, change=refuse)

    assert record == (await store.get(record.session_id)).record


async def test_a_record_that_never_stands_still(clock: HandClock) -> None:
    """Where every attempt is overtaken the caller is asked to come again."""

    class Busy(MemoryStore):
        attempts = 0

        async def update(self, session_id: str, **change: Any) -> bool:
            self.attempts += 1
            return False

    store = Busy(clock=clock)
    record = new_session("a", now=clock())
    await store.insert(record)
    with pytest.raises(StoreUnavailable, match="kept changing"):
        await change_record(store, record.handle, change=lambda found: replace(found, session_data={"n": 1}))

    assert ATTEMPTS == store.attempts
