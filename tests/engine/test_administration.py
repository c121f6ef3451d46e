"""What an operator asks of a deployment: what has expired is none of its sessions, whichever machine is asked."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fastapi_session.stores.memory import MemoryStore
from fastapi_session.testing import HandClock
from tests.engines import created, engine

FAST = timedelta(seconds=30)


@pytest.mark.parametrize(("left", "is_there"), [(1, True), (0, False)])
async def test_the_clock_of_the_store_decides(left: int, is_there: bool, clock: HandClock) -> None:
    """On a machine whose clock is fast a page has the sessions that are alive by the store, and health says how fast it is."""
    by_store = HandClock(clock())
    sessions = engine(clock, store=MemoryStore(clock=by_store))
    handle, _ = await created(sessions)
    information = await sessions.information(handle)
    assert information is not None
    lifetime = information.expires_at - information.created_at - timedelta(milliseconds=left)
    by_store.advance(lifetime)
    clock.advance(lifetime + FAST)
    page = await sessions.administration.page()

    assert [handle] * is_there == [each.handle for each in page.sessions]
    assert FAST == (await sessions.administration.health()).clock_ahead
    await sessions.close()
