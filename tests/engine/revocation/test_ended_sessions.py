"""What comes late for a session that another took the place of: the table of `engine.revocation.ended_sessions`, on every path to it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from fastapi_session.engine.tokens.issuing import IssuedSession
from fastapi_session.errors import SessionError, StoreUnavailable
from fastapi_session.model import Json
from fastapi_session.sessions import Sessions
from fastapi_session.stores.base import Store
from fastapi_session.testing import HandClock
from tests.engines import TroubledStore, engine, refresh_token_of
from tests.moments import GRACE, HOUR, MILLISECOND, SECOND

WITHIN, LATER = GRACE - MILLISECOND, GRACE

Late = Callable[[Sessions, IssuedSession], Awaitable[object]]


async def merging(sessions: Sessions, issued: IssuedSession) -> None:
    if await sessions.merge_and_reissue(issued.access_token, {"a": 1}) is None:
        raise await sessions.refusal(issued.access_token.session_handle)


REQUESTS: dict[str, Late] = {
    "access token": lambda sessions, issued: sessions.verify(issued.tokens.access_token),
    "checked access token": lambda sessions, issued: sessions.verify(issued.tokens.access_token, check_database=True),
    "changed claims": merging,
    "refresh token": lambda sessions, issued: sessions.refresh(refresh_token_of(issued)),
}

TABLE = {
    ("superseded", WITHIN, "access token"): ("try refresh token", False),
    ("superseded", WITHIN, "checked access token"): ("try refresh token", False),
    ("superseded", WITHIN, "changed claims"): ("try refresh token", False),
    ("superseded", WITHIN, "refresh token"): ("session superseded, come again", False),
    ("superseded", LATER, "access token"): ("unauthorised", False),
    ("superseded", LATER, "checked access token"): ("unauthorised", False),
    ("superseded", LATER, "changed claims"): ("unauthorised", False),
    ("superseded", LATER, "refresh token"): ("unauthorised", False),
    ("revoked", WITHIN, "access token"): ("unauthorised", True),
    ("revoked", WITHIN, "checked access token"): ("unauthorised", True),
    ("revoked", WITHIN, "changed claims"): ("unauthorised", True),
    ("revoked", WITHIN, "refresh token"): ("unauthorised", True),
    ("revoked", LATER, "refresh token"): ("unauthorised", True),
}
"""How the session ended, how long ago, and what comes: what it is told, and whether the tokens are cleared."""


@pytest.fixture
def here(store: Store, clock: HandClock) -> Sessions:
    return engine(clock, store=store)


@pytest.fixture
def there(store: Store, clock: HandClock) -> Sessions:
    return engine(clock, store=store)


async def end(sessions: Sessions, issued: IssuedSession, how: str) -> None:
    handle = issued.access_token.session_handle
    await (sessions.create("alice", replacing=handle) if how == "superseded" else sessions.revoke(handle))


async def told(late: Awaitable[object]) -> tuple[str, bool]:
    with pytest.raises(SessionError) as refused:
        await late
    return refused.value.message, refused.value.clears_tokens


@pytest.mark.parametrize("case", TABLE, ids=lambda case: f"{case[0]}-{case[1].seconds}-{case[2]}")
async def test_the_table(case: tuple[str, timedelta, str], here: Sessions, there: Sessions, clock: HandClock) -> None:
    """Each row holds in the process that ended the session, and in another."""
    how, passed, request = case
    issued = await here.create("alice")
    await there.verify(issued.tokens.access_token)
    await end(here, issued, how)
    clock.advance(passed)

    assert [TABLE[case]] * 2 == [await told(REQUESTS[request](sessions, issued)) for sessions in (here, there)]


@pytest.mark.parametrize("request_", ["checked access token", "changed claims", "refresh token"])
async def test_before_the_feed_has_told(request_: str, here: Sessions, there: Sessions) -> None:
    """A process that has not heard yet looks at the feed before it clears what may be the tokens of the new session."""
    issued = await here.create("alice")
    await there.verify(issued.tokens.access_token)
    await end(here, issued, "superseded")

    assert TABLE["superseded", WITHIN, request_] == await told(REQUESTS[request_](there, issued))


async def test_a_reading_that_began_before(clock: HandClock) -> None:
    """A reading of the feed that is under way when the session ends is not the one that is waited for."""
    store = TroubledStore(clock)
    here, there = engine(clock, store=store), engine(clock, store=store)
    issued = await here.create("alice")
    await there.verify(issued.tokens.access_token)
    clock.advance(SECOND)
    before = await store.notices(after=0)
    under_way = asyncio.Event()

    async def stale_reading(**_: int) -> object:
        under_way.set()
        await asyncio.sleep(0.01)
        del store.notices  # the next reading is the store's own
        return before

    store.notices = stale_reading  # type: ignore[assignment,method-assign]  # of this one object
    reading = asyncio.create_task(there._parts.feed.catch_up())
    await under_way.wait()
    await end(here, issued, "superseded")

    assert TABLE["superseded", WITHIN, "refresh token"] == await told(there.refresh(refresh_token_of(issued)))
    await reading


async def test_a_session_that_was_revoked_before(here: Sessions, there: Sessions) -> None:
    """A sign-in over a session that had been revoked already protects its tokens just as well."""
    issued = await here.create("alice")
    await end(here, issued, "revoked")
    await end(here, issued, "superseded")

    for request in ("access token", "refresh token"):
        for sessions in (here, there):
            assert TABLE["superseded", WITHIN, request] == await told(REQUESTS[request](sessions, issued))


async def test_a_store_that_is_down(clock: HandClock) -> None:
    """Where the feed cannot be read before tokens are cleared, they are not: that is the store's failure."""
    store = TroubledStore(clock)
    here, there = engine(clock, store=store), engine(clock, store=store)
    issued = await here.create("alice")
    await there.verify(issued.tokens.access_token)
    await end(here, issued, "superseded")
    store.down = True

    with pytest.raises(StoreUnavailable):
        await there.refresh(refresh_token_of(issued))


async def test_a_known_ending_asks_nothing(clock: HandClock) -> None:
    """Once heard, neither end of a session costs a question to the store when its access token comes."""
    store = TroubledStore(clock)
    sessions = engine(clock, store=store)
    await sessions.open()
    first, second = [await sessions.create("alice") for _ in range(2)]
    await end(sessions, first, "superseded")
    await end(sessions, second, "revoked")
    store.asked.clear()
    for issued in (first, second):
        await told(sessions.verify(issued.tokens.access_token))

    assert {} == store.asked
    await sessions.close()


async def test_the_window_has_two_sides(here: Sessions, clock: HandClock) -> None:
    """A notice that is dated an hour ahead, by a clock that was set back since, opens no window of an hour."""
    issued = await here.create("alice")
    await end(here, issued, "superseded")
    clock.advance(-HOUR)

    assert ("unauthorised", False) == await told(here.refresh(refresh_token_of(issued)))


@pytest.mark.parametrize(("how", "word"), [("superseded", "try refresh token"), ("revoked", "unauthorised")])
async def test_the_last_word(how: str, word: str, here: Sessions, there: Sessions, clock: HandClock) -> None:
    """Whatever goes on with a session is told why it ended, however late it hears of it."""
    issued = await here.create("alice")

    async def ask(_claims: Json) -> None: ...

    near, far = [sessions.lasting(issued.access_token, ask) for sessions in (here, there)]
    await end(here, issued, how)
    for lasting, later in ((near, SECOND), (far, GRACE)):
        clock.advance(later)
        with pytest.raises(SessionError) as ended:
            await lasting.catch_up()
        assert word == ended.value.message
