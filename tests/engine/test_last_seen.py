"""When sessions were last used: noted without I/O, and written together at most once a minute."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from fastapi_session import MemoryStore, Sessions, StoreUnavailable
from fastapi_session.engine.last_seen import LARGEST, REMEMBERED, LastSeen
from fastapi_session.testing import HandClock
from tests.engines import engine
from tests.moments import DAY, HOUR, MINUTE

RESOLUTION = 5 * MINUTE


class CountingStore(MemoryStore):
    """Counts what is touched at once, and is down for that when it is told to."""

    def __init__(self, clock: HandClock) -> None:
        super().__init__(clock=clock)
        self.touches: list[int] = []
        self.down = False

    async def touch(self, session_ids: Sequence[str], *, idle_timeout: int | None = None) -> int:
        if self.down:
            raise StoreUnavailable("the store is down")
        self.touches.append(len(session_ids))
        return await super().touch(session_ids, idle_timeout=idle_timeout)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def store(clock: HandClock) -> CountingStore:
    return CountingStore(clock)


def noting(clock: HandClock, store: CountingStore, **options: Any) -> Sessions:
    return engine(clock, store=store, last_seen_resolution=RESOLUTION, access_token_validity=HOUR, **options)


def last_seen(sessions: Sessions) -> LastSeen:
    """That which *sessions* notes."""
    assert sessions._parts.last_seen is not None
    return sessions._parts.last_seen


async def test_ten_thousand_uses_are_one_write(clock: HandClock, store: CountingStore) -> None:
    """However often sessions are used within a minute, one statement says it of all of them."""
    sessions = noting(clock, store)
    issued = [await sessions.create("ada") for _ in range(4)]
    clock.advance(HOUR / 2)
    for n in range(10_000):
        await sessions.verify(issued[n % 4].tokens.access_token)
    assert [] == store.touches
    await last_seen(sessions).write()
    await last_seen(sessions).write()
    seen = [each.last_seen_at - each.created_at for each in await sessions.of_user("ada")]

    assert ([4], [HOUR / 2] * 4) == (store.touches, seen)
    await sessions.close()


async def test_a_session_is_noted_once_in_the_resolution(clock: HandClock, store: CountingStore) -> None:
    """A use is noted when the last note is as old as the resolution, and also if the clock was set back."""
    sessions = noting(clock, store)
    token = (await sessions.create("ada")).tokens.access_token
    for passes in (timedelta(0), MINUTE, 4 * MINUTE, RESOLUTION - timedelta(milliseconds=1), -6 * MINUTE):
        clock.advance(passes)
        await sessions.verify(token)
        await last_seen(sessions).write()

    assert [1] * 3 == store.touches
    await sessions.close()


async def test_the_idle_deadline_is_moved_only_if_it_is_to_be(clock: HandClock) -> None:
    """A use moves the end of the session with `idle_by_activity`, and not without."""
    ends = []
    for by_activity in (False, True):
        sessions = noting(clock, CountingStore(clock), idle_timeout=DAY, idle_by_activity=by_activity)
        issued = await sessions.create("ada")
        clock.advance(HOUR / 2)
        await sessions.verify(issued.tokens.access_token)
        await sessions.close()
        [found] = await sessions.of_user("ada")
        ends.append(found.expires_at - found.created_at)

    assert [DAY, DAY + HOUR / 2] == ends


async def test_what_was_revoked_meanwhile_stays_so(clock: HandClock, store: CountingStore) -> None:
    """A session that is ended between its use and the writing is not brought back, and refuses its tokens."""
    sessions = noting(clock, store)
    issued = await sessions.create("ada")
    await sessions.verify(issued.tokens.access_token)
    await sessions.revoke(issued.access_token.session_handle)
    await sessions.close()

    assert ([1], []) == (store.touches, await sessions.of_user("ada"))


async def test_refused_tokens_are_no_use(clock: HandClock, store: CountingStore) -> None:
    """A token that is refused says nothing of when its session was used."""
    sessions = noting(clock, store)
    issued = await sessions.create("ada")
    clock.advance(2 * HOUR)
    with pytest.raises(Exception, match="expired"):
        await sessions.verify(issued.tokens.access_token)
    await sessions.close()

    assert [] == store.touches


async def test_while_the_store_is_down(
    clock: HandClock, store: CountingStore, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody is refused; it is logged, and what could not be written is noted by the next use."""
    sessions = noting(clock, store)
    token = (await sessions.create("ada")).tokens.access_token
    store.down = True
    await sessions.verify(token)
    await last_seen(sessions).write()
    store.down = False
    await sessions.verify(token)
    await sessions.close()

    assert ([1], 1) == (store.touches, len([each for each in caplog.messages if "1 sessions were last used" in each]))


async def test_memory_is_bounded(clock: HandClock, store: CountingStore) -> None:
    """No more sessions wait than are written at once; what is left out is noted by a later use."""
    noted = LastSeen(store, resolution=60_000, idle_timeout=None)
    for n in range(REMEMBERED + LARGEST + 1):
        noted.note(f"{n}", clock())
        if n % LARGEST == LARGEST - 2:
            await noted.write()
    for n in range(2 * LARGEST):
        noted.note(f"more {n}", clock())
    await noted.close()

    assert (REMEMBERED, LARGEST) == (len(noted._noted), store.touches[-1])


async def test_what_nobody_asked_for_is_not_there(clock: HandClock, store: CountingStore) -> None:
    """By default nothing is noted and nothing is written."""
    sessions = engine(clock, store=store)
    await sessions.verify((await sessions.create("ada")).tokens.access_token)
    await sessions.close()

    assert (None, []) == (sessions._parts.last_seen, store.touches)
