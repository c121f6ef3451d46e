"""What other processes revoked is heard of in time, without waiting for it, and forgotten when no token is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest

from fastapi_session.engine.background import Background
from fastapi_session.engine.revocation.feed import (
    ATTEMPTS,
    OVERLAP,
    PATIENCE,
    PIECES,
    SLACK,
    WHOLE_EVERY,
    RevocationFeed,
)
from fastapi_session.errors import StoreUnavailable
from fastapi_session.model import LATEST, FeedReading
from fastapi_session.stores.base import Store
from fastapi_session.stores.memory import MemoryStore
from fastapi_session.testing import HandClock
from fastapi_session.testing.records import duration, new_session, new_signing_key
from tests.conftest import Place
from tests.engines import TroubledStore, feed_of
from tests.moments import HOUR, MILLISECOND, SECOND


@pytest.fixture
def place(any_place: Place) -> Place:
    """Every kind of store."""
    return any_place


@pytest.fixture
async def background() -> AsyncIterator[Background]:
    background = Background()
    yield background
    await background.finish()


async def revoke(store: Store, name: str) -> str:
    """Revoke a new session as another process does, and answer its id."""
    record = new_session(name, now=0)
    await store.insert(record)
    assert await store.delete(record.session_id)
    return record.session_id


async def until(happened: Callable[[], bool]) -> None:
    """Wait until it *happened*, at most ten seconds."""
    async with asyncio.timeout(10):
        while not happened():  # noqa: ASYNC110 - the feed tells nobody that it was read, and needs not
            await asyncio.sleep(0.005)


def kinds(feed: RevocationFeed, *session_ids: str) -> list[str | None]:
    """Return what *feed* says of each session."""
    notices = [feed.about(session_id) for session_id in session_ids]
    return [None if notice is None else notice.kind for notice in notices]


async def test_what_this_process_does_is_known_at_once(
    troubled: TroubledStore, clock: HandClock, background: Background
) -> None:
    """A revocation and a change of this process are known without any reading; nothing is known of other sessions."""
    feed = feed_of(troubled, clock, background=background)
    feed.revoked("a")
    feed.stale("b")

    assert ["session_revoked", "session_stale", None] == kinds(feed, "a", "b", "c")
    assert 0 == troubled.asked["notices"]


async def test_what_has_ended_does_not_change(clock: HandClock, store: Store, background: Background) -> None:
    """A session that was revoked stays so, whatever is heard of its claims, before or after."""
    feed = feed_of(store, clock, background=background)
    feed.revoked("a")
    feed.stale("a")
    feed.stale("b")
    feed.revoked("b")

    assert ["session_revoked"] * 2 == kinds(feed, "a", "b")


async def test_an_end_that_is_known_is_not_waited_for(clock: HandClock, store: Store, background: Background) -> None:
    """Who begins to wait for the end of a session that has ended is told at once, and only there."""
    feed = feed_of(store, clock, background=background)
    feed.revoked("a")
    feed.stale("b")
    with feed.ending("a") as a, feed.ending("b") as b:
        assert (True, False) == (a.done(), b.done())
        feed.revoked("b")
        await asyncio.wait_for(b, 10)


async def test_each_change_is_a_notice_of_its_own(clock: HandClock, store: Store, background: Background) -> None:
    """Claims that this process changes twice are two notices, so that what was up to date after the first is asked again."""
    feed = feed_of(store, clock, background=background)
    feed.stale("a")
    first = feed.about("a")
    feed.stale("a")

    assert first is not feed.about("a")


async def test_others_are_heard_after_an_interval(store: Store, clock: HandClock, background: Background) -> None:
    """Before an interval has passed a reading is relied on, from then on the next one is waited for."""
    feed = feed_of(store, clock, background=background)
    assert clock() >= feed.trusted_until
    await feed.catch_up()
    session_id = await revoke(store, "a")
    clock.advance(SECOND - MILLISECOND)
    assert clock() < feed.trusted_until
    clock.advance(MILLISECOND)
    assert clock() >= feed.trusted_until
    await feed.catch_up()

    assert ["session_revoked"] == kinds(feed, session_id)
    assert clock() < feed.trusted_until


async def test_an_open_feed_follows(store: Store, clock: HandClock, background: Background) -> None:
    """Opened, it hears of others by itself, so that who verifies need not read; closed, they do again."""
    feed = feed_of(store, clock, background=background, interval=10)
    await feed.open()
    session_id = await revoke(store, "a")
    await until(lambda: feed.about(session_id) is not None)
    await feed.close()
    await background.finish()
    clock.advance(SECOND)

    assert clock() >= feed.trusted_until


async def test_following_survives_an_outage(troubled: TroubledStore, clock: HandClock, background: Background) -> None:
    """A feed that is followed hears of what happened while the store was down, once it is back."""
    feed = feed_of(troubled, clock, background=background, interval=10)
    await feed.open()
    troubled.down = True
    session_id = await revoke(troubled, "a")
    await until(lambda: troubled.asked["notices"] >= 4)
    assert [None] == kinds(feed, session_id)
    troubled.down = False
    await until(lambda: feed.about(session_id) is not None)
    await feed.close()


@pytest.mark.parametrize(
    ("lateness", "heard_after"), [(OVERLAP - 1, duration(1_000)), (OVERLAP, duration(WHOLE_EVERY))]
)
async def test_late_transactions_are_heard(
    lateness: int, heard_after: timedelta, clock: HandClock, background: Background
) -> None:
    """A notice whose transaction stayed open is heard with the next reading, a very late one with that of the whole feed."""
    stores_clock = HandClock()
    store = MemoryStore(clock=stores_clock)
    feed = feed_of(store, clock, background=background)
    await feed.catch_up()
    stores_clock.advance(duration(-lateness))
    session_id = await revoke(store, "a")
    stores_clock.advance(duration(lateness))
    clock.advance(heard_after - SECOND)
    await feed.catch_up()
    assert [None] == kinds(feed, session_id)
    clock.advance(SECOND)
    await feed.catch_up()

    assert ["session_revoked"] == kinds(feed, session_id)


async def test_what_no_token_refers_to_is_forgotten(store: Store, clock: HandClock, background: Background) -> None:
    """A notice is kept as long as an access token of before may live, and no memory is lost to those that are older."""
    feed = feed_of(store, clock, background=background)
    session_id = await revoke(store, "a")
    feed.revoked("own")
    for step in (HOUR, duration(SLACK)):
        await feed.catch_up()
        assert ["session_revoked"] * 2 == kinds(feed, session_id, "own")
        clock.advance(step)
    await feed.catch_up()

    assert 0 == len(feed)
    assert 1 == await store.delete_notices(until=feed.forgettable_until, limit=10)


@pytest.mark.parametrize(
    "age", [timedelta(0), MILLISECOND, HOUR / PIECES, HOUR / 2, HOUR, HOUR + duration(SLACK) - MILLISECOND]
)
async def test_a_process_that_begins_hears_of_all(
    age: timedelta, store: Store, clock: HandClock, background: Background
) -> None:
    """A process that begins later knows every revocation of which an access token may be left, whichever piece tells of it."""
    session_id = await revoke(store, "a")
    clock.advance(age)
    feed = feed_of(store, clock, background=background)
    await feed.catch_up()

    assert ["session_revoked"] == kinds(feed, session_id)


async def test_many_wait_for_one_reading(troubled: TroubledStore, clock: HandClock, background: Background) -> None:
    """However many verify at the same time, the store is read once."""
    feed = feed_of(troubled, clock, background=background)
    await feed.catch_up()
    troubled.asked.clear()
    clock.advance(SECOND)
    await asyncio.gather(*(feed.catch_up() for _ in range(50)))

    assert 1 == troubled.asked["notices"]


async def test_a_store_that_is_down_leaves_what_is_known(
    troubled: TroubledStore, clock: HandClock, background: Background, caplog: pytest.LogCaptureFixture
) -> None:
    """While the store is down verifying goes on by what is known, it is tried once an interval, and said once."""
    feed = feed_of(troubled, clock, background=background)
    session_id = await revoke(troubled, "a")
    await feed.catch_up()
    troubled.down = True
    for _ in range(5):
        clock.advance(SECOND)
        assert clock() >= feed.trusted_until
        await feed.catch_up()
        assert clock() < feed.trusted_until

    assert ["session_revoked"] == kinds(feed, session_id)
    assert 5_000 == feed.age
    assert ["the revocation feed cannot be read, going on with what is known"] == caplog.messages


@pytest.mark.parametrize("is_followed", [False, True])
async def test_failing_closed(
    is_followed: bool, troubled: TroubledStore, clock: HandClock, background: Background
) -> None:
    """With an age that it must not exceed, the feed refuses from that age on, and serves an interval after the store is back.

    In between the store is asked once an interval, and nobody waits for it.
    """
    feed = feed_of(troubled, clock, background=background, max_age=10_000)
    await (feed.open() if is_followed else feed.catch_up())
    troubled.down = True
    clock.advance(10 * SECOND - MILLISECOND)
    if clock() >= feed.trusted_until:
        await feed.catch_up()
    clock.advance(SECOND)
    assert clock() >= feed.trusted_until
    with pytest.raises(StoreUnavailable):
        await feed.catch_up()
    troubled.asked.clear()
    with pytest.raises(StoreUnavailable):
        await feed.catch_up()
    assert 0 == troubled.asked["notices"]
    troubled.down = False
    clock.advance(SECOND)
    await feed.catch_up()

    assert clock() < feed.trusted_until
    await feed.close()


async def test_the_age_is_known(store: Store, clock: HandClock, background: Background) -> None:
    """The age of what is known counts from the last reading, and there is none before the first."""
    feed = feed_of(store, clock, background=background)
    assert feed.age is None
    await feed.catch_up()
    clock.advance(3 * SECOND)

    assert 3_000 == feed.age


async def test_the_end_of_a_session_is_told(store: Store, clock: HandClock, background: Background) -> None:
    """Who waits for the end of a session is woken where another process revoked it."""
    feed = feed_of(store, clock, background=background)
    session_id = await revoke(store, "a")
    with feed.ending(session_id) as ended:
        await feed.catch_up()
        await asyncio.wait_for(ended, 10)


async def test_a_deleted_key_is_told(store: Store, clock: HandClock, background: Background) -> None:
    """Which signing key was deleted is told to who keeps the keys, and is no notice about a session."""
    deleted: list[str] = []
    feed = feed_of(store, clock, background=background, key_deleted=deleted.append)
    await store.insert_key(new_signing_key("k1", now=clock()))
    await store.delete_key("k1")
    await feed.catch_up()

    assert (["k1"], 0) == (deleted, len(feed))


async def test_a_process_that_was_paused_reads_first(
    troubled: TroubledStore, clock: HandClock, background: Background
) -> None:
    """While it is followed a reading is relied on for an interval and a second; beyond, however late it is, one is waited for."""
    feed = feed_of(troubled, clock, background=background)
    await feed.open()
    for pause in (duration(1_000 + PATIENCE), HOUR):
        session_id = await revoke(troubled, f"{pause}")
        clock.advance(pause - MILLISECOND)
        assert (clock() < feed.trusted_until) is (pause < HOUR)
        clock.advance(MILLISECOND)
        assert clock() >= feed.trusted_until
        await feed.catch_up()

        assert ["session_revoked"] == kinds(feed, session_id)
    await feed.close()


async def test_a_reading_that_began_before_the_pause(
    troubled: TroubledStore, clock: HandClock, background: Background
) -> None:
    """What was asked before the pause tells nothing of what happened in it: the next reading is waited for too."""
    feed = feed_of(troubled, clock, background=background)
    await feed.catch_up()
    answers: list[FeedReading] = []
    ask = troubled.notices

    async def notices(*, after: int, until: int = LATEST) -> FeedReading:
        reading = await ask(after=after, until=until)
        if not answers:
            answers.append(reading)
            await asyncio.sleep(0.05)
        return reading

    troubled.notices = notices  # type: ignore[method-assign]
    clock.advance(SECOND)
    before = asyncio.ensure_future(feed.catch_up())
    await until(lambda: len(answers) == 1)
    session_id = await revoke(troubled, "a")
    clock.advance(HOUR)
    await asyncio.gather(before, feed.catch_up())

    assert ["session_revoked"] == kinds(feed, session_id)


async def test_a_store_that_is_slow_after_a_pause(
    troubled: TroubledStore, clock: HandClock, background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is known of the pause: who verifies waits for the reading, however much longer than usual it takes."""
    monkeypatch.setattr("fastapi_session.engine.revocation.feed.PATIENCE", 20)
    feed = feed_of(troubled, clock, background=background)
    await feed.open()
    session_id = await revoke(troubled, "a")
    clock.advance(HOUR)
    troubled.ready.clear()
    waiting = asyncio.ensure_future(feed.catch_up())
    await asyncio.sleep(0.06)
    troubled.ready.set()
    async with asyncio.timeout(10):
        await waiting
    known = kinds(feed, session_id)
    await feed.close()

    assert ["session_revoked"] == known


@pytest.mark.parametrize("max_age", [None, 60_000])
async def test_connections_that_died_in_a_pause(
    max_age: int | None, troubled: TroubledStore, clock: HandClock, background: Background
) -> None:
    """A reading that fails at once after a pause is tried again."""
    feed = feed_of(troubled, clock, background=background, max_age=max_age)
    await feed.open()
    session_id = await revoke(troubled, "a")
    clock.advance(HOUR)
    ask, died = troubled.notices, [StoreUnavailable("the connection was closed")] * 2

    async def notices(*, after: int, until: int = LATEST) -> FeedReading:
        if died:
            raise died.pop()
        return await ask(after=after, until=until)

    troubled.notices = notices  # type: ignore[method-assign]
    await feed.catch_up()
    await feed.close()

    assert ["session_revoked"] == kinds(feed, session_id)


async def test_a_store_that_is_down_after_a_pause(
    troubled: TroubledStore, clock: HandClock, background: Background
) -> None:
    """If it goes on to fail at once, what is known is gone on with, and for an interval nobody asks again."""
    feed = feed_of(troubled, clock, background=background)
    await feed.catch_up()
    troubled.asked.clear()
    clock.advance(HOUR)
    troubled.down = True
    for _ in range(5):
        await feed.catch_up()

    assert ATTEMPTS == troubled.asked["notices"]


async def test_others_have_a_turn_while_many_notices_are_heard(
    troubled: TroubledStore, clock: HandClock, background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many a reading brings, others go on in between."""
    monkeypatch.setattr("fastapi_session.engine.event_loop.PORTION", 2)
    feed = feed_of(troubled, clock, background=background)
    await feed.catch_up()
    for number in range(20):
        await revoke(troubled, f"{number}")
    clock.advance(SECOND)
    seen: list[int] = []
    waiting = asyncio.ensure_future(feed.catch_up())
    while not waiting.done():
        seen.append(len(feed))
        await asyncio.sleep(0)

    assert {*range(2, 20, 2)} <= {*seen}


@pytest.mark.parametrize("paused", [False, True])
async def test_a_store_that_does_not_answer(
    paused: bool, troubled: TroubledStore, clock: HandClock, background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reading is waited for a second and then gone on without; where that second was a pause, the next one is tried first."""
    monkeypatch.setattr("fastapi_session.engine.revocation.feed.PATIENCE", 50)
    feed = feed_of(troubled, clock, background=background)
    await feed.catch_up()
    session_id = await revoke(troubled, "a")
    troubled.ready.clear()
    clock.advance(SECOND)
    waiting = asyncio.ensure_future(feed.catch_up())
    await until(lambda: troubled.asked["notices"] == PIECES + 2)
    if paused:
        clock.advance(HOUR)
        await asyncio.sleep(0.06)
        troubled.ready.set()
    async with asyncio.timeout(10):
        await waiting

    assert ["session_revoked" if paused else None] == kinds(feed, session_id)
    assert clock() < feed.trusted_until
    troubled.ready.set()


@pytest.mark.parametrize("back", [MILLISECOND, SECOND, HOUR])
async def test_a_clock_that_is_set_back(
    back: timedelta, troubled: TroubledStore, clock: HandClock, background: Background
) -> None:
    """Where the machine's clock is set back, a reading is not relied on until that clock is there again."""
    feed = feed_of(troubled, clock, background=background)
    await feed.open()
    clock.advance(-back)

    assert not feed.trusted_from <= clock() < feed.trusted_until
    await feed.catch_up()
    assert feed.trusted_from <= clock() < feed.trusted_until
    await feed.close()


@pytest.mark.parametrize("back", [MILLISECOND, OVERLAP * MILLISECOND, HOUR])
async def test_a_store_clock_that_is_set_back(back: timedelta, clock: HandClock, background: Background) -> None:
    """What happened after the store's clock was set back is heard with the next reading, and later changes are changes too."""
    stores_clock = HandClock()
    store = MemoryStore(clock=stores_clock)
    feed = feed_of(store, clock, background=background)
    first, second = new_session("a", now=0), new_session("b", now=0)
    for record in (first, second):
        await store.insert(record)
    await change(store, first.session_id, version=0)
    await feed.catch_up()
    known = feed.about(first.session_id)
    stores_clock.advance(-back)
    await change(store, first.session_id, version=1)
    await store.delete(second.session_id)
    clock.advance(SECOND)
    await feed.catch_up()

    assert ["session_stale", "session_revoked"] == kinds(feed, first.session_id, second.session_id)
    assert known is not feed.about(first.session_id)


@pytest.mark.parametrize("begins", ["before", "after"])
async def test_a_store_clock_that_jumps_ahead(begins: str, clock: HandClock, background: Background) -> None:
    """What was revoked a moment before stays so as long as its access token lives here, in old and in new processes."""
    stores_clock = HandClock()
    store = MemoryStore(clock=stores_clock)
    feed = feed_of(store, clock, background=background)
    session_id = await revoke(store, "a")
    if begins == "before":
        await feed.catch_up()
    stores_clock.advance(5 * HOUR)
    for _ in range(2):
        clock.advance(duration(WHOLE_EVERY))
        await feed.catch_up()
        await store.delete_notices(until=feed.forgettable_until, limit=10)

    assert ["session_revoked"] == kinds(feed, session_id)
    clock.advance(HOUR + duration(SLACK))
    await feed.catch_up()
    assert [None] == kinds(feed, session_id)


async def change(store: Store, session_id: str, *, version: int) -> None:
    """Change the claims of a session by its handle, as another process does."""
    claims = {"version": version}
    assert await store.update(
        session_id, version=version, access_token_payload=claims, session_data={}, label=None, marks_stale=True
    )


async def test_a_change_is_news_once(store: Store, clock: HandClock, background: Background) -> None:
    """Each reading repeats what was heard some seconds ago: that is no change of its own."""
    feed = feed_of(store, clock, background=background)
    record = new_session("a", now=0)
    await store.insert(record)
    for version in range(2):
        await change(store, record.session_id, version=version)
        clock.advance(MILLISECOND)
    await feed.catch_up()
    heard = feed.about(record.session_id)
    for _ in range(3):
        clock.advance(SECOND)
        await feed.catch_up()

    assert heard is feed.about(record.session_id)


async def test_who_waits_for_an_end_has_the_feed_followed(
    store: Store, clock: HandClock, background: Background
) -> None:
    """Nobody has to open a feed for who waits: it is followed for as long as somebody does, and no longer."""
    feed = feed_of(store, clock, background=background, interval=10)
    session_id = await revoke(store, "another")
    tasks = asyncio.all_tasks()
    with feed.ending("a"):
        session_id = await revoke(store, "a")
        with feed.ending(session_id) as ended:
            await asyncio.wait_for(ended, 10)
        await until(lambda: feed.about(session_id) is not None)
    await background.finish()
    await asyncio.sleep(0)

    assert tasks == asyncio.all_tasks()


async def test_news_are_heard_while_the_whole_feed_is_read(
    troubled: TroubledStore, clock: HandClock, background: Background
) -> None:
    """However long the whole feed takes, what is new meanwhile is heard in between, an interval later at most."""
    feed = feed_of(troubled, clock, background=background)
    await feed.catch_up()
    clock.advance(duration(WHOLE_EVERY))
    ask, heard_at = troubled.notices, []
    session_id = ""

    async def notices(*, after: int, until: int = LATEST) -> FeedReading:
        nonlocal session_id
        clock.advance(SECOND / 2)
        session_id = session_id or await revoke(troubled, "a")
        heard_at.append(feed.about(session_id) is not None)
        return await ask(after=after, until=until)

    troubled.notices = notices  # type: ignore[method-assign]
    await feed._reading()

    assert heard_at.index(True) <= 4 < len(heard_at)
