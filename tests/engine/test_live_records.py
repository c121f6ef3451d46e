"""A session's record is found by its handle alone, for as long as the session lives."""

from __future__ import annotations

from fastapi_session.engine.live_records import live_record
from fastapi_session.stores.base import Store
from fastapi_session.testing import HandClock
from fastapi_session.testing.records import IDLE_TIMEOUT, duration, new_session
from tests.moments import MILLISECOND


async def test_a_handle_finds_its_own_tenant_alone(store: Store, clock: HandClock) -> None:
    """The right id with another tenant names no session."""
    public, other = new_session("a", now=clock()), new_session("b", now=clock(), tenant_id="acme")
    for record in (public, other):
        await store.insert(record)

    assert public == await live_record(store, public.handle)
    assert other == await live_record(store, other.handle)
    for handle in (f"{public.session_id}_acme", other.session_id, f"{other.session_id}_Acme", "", "_", "x_public"):
        assert await live_record(store, handle) is None


async def test_a_record_lives_to_its_deadline(store: Store, clock: HandClock) -> None:
    """An expired record is none, even before it is cleared away."""
    record = new_session("a", now=clock())
    await store.insert(record)
    clock.advance(duration(IDLE_TIMEOUT) - MILLISECOND)
    assert record == await live_record(store, record.handle)
    clock.advance(MILLISECOND)

    assert await live_record(store, record.handle) is None
