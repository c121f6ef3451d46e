"""Expired sessions are cleared away now and then, in the background and in small batches."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from fastapi_session.engine.background import Background
from fastapi_session.engine.housekeeping import BATCH, INTERVAL, Housekeeping
from fastapi_session.sessions import Sessions
from fastapi_session.stores.base import Store
from fastapi_session.stores.facts import ExaminableStore
from fastapi_session.testing import HandClock
from fastapi_session.testing.records import duration, new_session
from tests.engines import TroubledStore, created, engine, feed_of
from tests.moments import DAY, HOUR, MILLISECOND


async def fill(store: Store, count: int, *, now: int, prefix: str = "old") -> None:
    await asyncio.gather(*(store.insert(new_session(f"{prefix}-{number}", now=now)) for number in range(count)))


def keeping(store: Store, clock: HandClock, background: Background) -> Housekeeping:
    feed = feed_of(store, clock, background=background)
    return Housekeeping(store, feed=feed, clock=clock, background=background)


async def test_all_that_has_expired_goes(store: Store, clock: HandClock) -> None:
    """However many have expired, one clearing removes them, batch by batch, and nothing that is alive."""
    background = Background()
    await fill(store, 2 * BATCH + 1, now=clock())
    clock.advance(HOUR)
    await fill(store, 3, now=clock(), prefix="alive")
    keeping(store, clock, background).tidy()
    await background.finish()

    assert 3 == len(await store.sessions_of("user"))
    assert 0 == await store.delete_expired(limit=BATCH)


async def test_clearing_says_what_it_does(store: Store, clock: HandClock) -> None:
    """Clearing asked for says after each statement what was deleted, and a store that is down is an error."""
    background = Background()
    await fill(store, BATCH + 1, now=clock())
    clock.advance(HOUR)
    cleared = [each async for each in keeping(store, clock, background).clear()]

    assert [("sessions", BATCH), ("sessions", 1)] == cleared[:2]
    assert ["notices", "digests", "devices", "events"] == [each.what for each in cleared[2:]]


async def test_how_much_would_go(store: Store, clock: HandClock) -> None:
    """What is counted is what clearing deletes then, of each kind; a store that cannot say returns nothing."""
    background = Background()
    housekeeping = keeping(store, clock, background)
    await fill(store, 3, now=clock())
    await store.once(b"d" * 32, until=clock() + 1_000)
    clock.advance(HOUR)
    await fill(store, 2, now=clock(), prefix="alive")
    overdue = await housekeeping.overdue()
    cleared: Counter[str] = Counter({each.what: each.number async for each in housekeeping.clear()})

    assert (overdue is None) == (not isinstance(store, ExaminableStore))
    if overdue is not None:
        assert {**overdue._asdict()} == {what: cleared[what] for what in overdue._fields}
        assert (3, 1) == (overdue.sessions, overdue.digests)


async def test_batches(troubled: TroubledStore, clock: HandClock) -> None:
    """The store is asked once more than there are full batches."""
    background = Background()
    await fill(troubled, 2 * BATCH, now=clock())
    clock.advance(HOUR)
    keeping(troubled, clock, background).tidy()
    await background.finish()

    assert 3 == troubled.asked["delete_expired"]


async def test_once_an_interval(troubled: TroubledStore, clock: HandClock) -> None:
    """A process that creates many sessions clears away once in a quarter of an hour, also where its clock is set back."""
    background = Background()
    housekeeping = keeping(troubled, clock, background)
    counts = []
    for step in (timedelta(0), duration(INTERVAL) - MILLISECOND, MILLISECOND, MILLISECOND, -HOUR, MILLISECOND):
        clock.advance(step)
        for _ in range(10):
            housekeeping.tidy()
        await background.finish()
        counts.append(troubled.asked["delete_expired"])

    assert [1, 1, 2, 2, 3, 3] == counts


async def test_a_store_that_is_down_is_no_accident(
    troubled: TroubledStore, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A clearing that fails is logged, and the next one comes in its time."""
    background = Background()
    housekeeping = keeping(troubled, clock, background)
    troubled.down = True
    housekeeping.tidy()
    await background.finish()
    assert ["expired sessions and old notices could not be cleared away"] == caplog.messages
    troubled.down = False
    clock.advance(duration(INTERVAL))
    housekeeping.tidy()
    await background.finish()

    assert 2 == troubled.asked["delete_expired"]


async def test_old_notices_go(store: Store, clock: HandClock) -> None:
    """Notices that concern no access token any more are cleared away too, as far as the feed was read, and younger ones stay."""
    background = Background()
    feed = feed_of(store, clock, background=background)
    housekeeping = Housekeeping(store, feed=feed, clock=clock, background=background)
    for n in range(3):
        await store.insert(new_session(f"{n}", now=clock()))
    await store.delete(new_session("0", now=0).session_id)
    clock.advance(HOUR / 2)
    await store.delete(new_session("1", now=0).session_id)
    clock.advance(HOUR * 3 / 4)
    await store.delete(new_session("2", now=0).session_id)
    await feed.catch_up()
    housekeeping.tidy()
    await background.finish()

    left = (await store.notices(after=0)).notices
    assert [new_session(name, now=0).session_id for name in "12"] == [notice.subject for notice in left]


async def test_signing_in_clears_away(store: Store, clock: HandClock) -> None:
    """A deployment needs no job of its own: the next sign-in removes what has expired."""
    sessions: Sessions = engine(clock, store=store)
    handle, _ = await created(sessions)
    clock.advance(100 * DAY)
    await created(sessions)
    await sessions._parts.background.finish()

    assert (await store.get(handle)).record is None
