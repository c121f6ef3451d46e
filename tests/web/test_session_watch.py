"""A stream lasts as long as the session that asked for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from fastapi_session.engine.revocation.watched_session import Ask
from fastapi_session.engine.tokens.issuing import IssuedSession
from fastapi_session.errors import InvalidClaimsError
from fastapi_session.model import Json, Reading
from fastapi_session.sessions import Sessions
from fastapi_session.testing import HandClock
from fastapi_session.web.session_watch import SessionWatch, until_end
from tests.engines import TroubledStore, engine


class Numbers:
    """Counts for ever, as fast as it is asked or never again after *last*, and notes that it was closed."""

    def __init__(self, last: int | None = None) -> None:
        self.last = last
        self.is_closed = False

    async def __call__(self) -> AsyncIterator[int]:
        number = 0
        try:
            while True:
                yield number
                if number == self.last:
                    await asyncio.Event().wait()
                number += 1
        finally:
            self.is_closed = True


async def agree(_claims: Json) -> None:
    """Go on with whatever claims."""


def watched(
    source: AsyncIterator[int], sessions: Sessions, issued: IssuedSession, ask: Ask = agree
) -> AsyncIterator[int]:
    """What *source* yields for as long as the session lasts."""
    return until_end(source, SessionWatch(sessions.lasting(issued.access_token, ask)))


@pytest.fixture
def sessions(clock: HandClock) -> Sessions:
    return engine(clock, access_token_validity_jitter=0)


@pytest.fixture
async def issued(sessions: Sessions) -> IssuedSession:
    return await sessions.create("ada")


async def test_a_source_that_ends(sessions: Sessions, issued: IssuedSession) -> None:
    """A source that ends before its session is told in full."""

    async def three() -> AsyncIterator[int]:
        for number in range(3):
            yield number

    assert [0, 1, 2] == [number async for number in watched(three(), sessions, issued)]


@pytest.mark.parametrize("last", [None, 1], ids=["a source that goes on", "a source that waits"])
async def test_a_session_that_is_revoked(last: int | None, sessions: Sessions, issued: IssuedSession) -> None:
    """When the session is revoked the stream ends, even while it waits, and its source is closed."""
    numbers, told, endings = Numbers(last), [], []
    async with asyncio.timeout(5):
        async for number in watched(numbers(), sessions, issued):
            told.append(number)
            if number == 1:
                endings.append(asyncio.ensure_future(sessions.revoke(issued.access_token.session_handle)))
            await asyncio.sleep(0)

    assert [True] == await asyncio.gather(*endings)
    assert [0, 1] == told[:2]
    assert numbers.is_closed


async def test_a_session_that_was_revoked_before(sessions: Sessions, issued: IssuedSession) -> None:
    """A stream whose session was revoked before its first event tells nothing, and nobody has to wait for its end."""
    stream = watched(Numbers()(), sessions, issued)
    await sessions.revoke(issued.access_token.session_handle)

    assert [] == [number async for number in stream]


async def test_an_access_token_that_ends(sessions: Sessions, issued: IssuedSession, clock: HandClock) -> None:
    """When the access token has ended the stream ends."""
    clock.advance(timedelta(hours=1) - timedelta(milliseconds=20))
    numbers = Numbers(last=0)
    async with asyncio.timeout(5):
        async for _ in watched(numbers(), sessions, issued):
            clock.advance(timedelta(milliseconds=20))

    assert numbers.is_closed


async def test_a_listener_that_goes(sessions: Sessions, issued: IssuedSession) -> None:
    """When the listener goes first, the source is closed and nothing goes on waiting."""
    before = len(asyncio.all_tasks())
    numbers = Numbers()
    stream = watched(numbers(), sessions, issued)
    first = await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    for _ in range(3):
        await asyncio.sleep(0)

    assert (0, True, before) == (first, numbers.is_closed, len(asyncio.all_tasks()))


async def test_a_source_that_breaks(sessions: Sessions, issued: IssuedSession) -> None:
    """What a source raises is the listener's to hear, a timeout of its own among it."""

    async def broken() -> AsyncIterator[int]:
        yield 0
        raise TimeoutError("of its own")

    with pytest.raises(TimeoutError, match="of its own"):
        [number async for number in watched(broken(), sessions, issued)]


async def test_claims_that_are_changed(sessions: Sessions, issued: IssuedSession) -> None:
    """A stream whose claims are changed is asked whether it goes on with those of now, once for each change."""
    asked: list[Json] = []

    async def ask(claims: Json) -> None:
        asked.append(claims)
        if claims["role"] == "guest":
            raise InvalidClaimsError([])

    numbers = Numbers()
    stream = watched(numbers(), sessions, issued, ask)
    for role, goes_on in (("admin", True), ("editor", True), ("guest", False)):
        await sessions.merge_into_access_token_payload(issued.access_token.session_handle, {"role": role})
        told = [await anext(stream, None) for _ in range(3)]
        assert goes_on is (None not in told)

    assert [{"role": role} for role in ("admin", "editor", "guest")] == asked
    assert numbers.is_closed


async def test_a_store_that_is_down_when_claims_are_changed(clock: HandClock) -> None:
    """While the store cannot be asked the stream goes on with the claims it has; it is asked as soon as the store can be."""
    asked: list[Json] = []

    async def ask(claims: Json) -> None:
        asked.append(claims)

    store = ReadingStore(clock)
    sessions = engine(clock, store=store)
    issued = await sessions.create("ada")
    stream = watched(Numbers()(), sessions, issued, ask)
    await sessions.merge_into_access_token_payload(issued.access_token.session_handle, {"role": "guest"})
    store.down = True
    assert [0, 1] == [await anext(stream) for _ in range(2)]
    assert [] == asked
    store.down = False

    assert (2, [{"role": "guest"}]) == (await anext(stream), asked)
    await stream.aclose()  # type: ignore[attr-defined]


class ReadingStore(TroubledStore):
    """Cannot be read while it is down."""

    async def get(self, session_id: str) -> Reading:
        await self._turn("get")
        return await super().get(session_id)


@pytest.mark.parametrize("is_open", [True, False], ids=["opened", "without a lifespan"])
async def test_another_process_ends_a_stream_that_waits(is_open: bool, clock: HandClock) -> None:
    """A stream that tells nothing ends when another process revokes its session, whether or not anybody opened the engine."""
    here = engine(clock, revocation_feed_interval=0.1)
    there = engine(clock, store=here.store)
    issued = await here.create("ada")
    if is_open:
        await here.open()
    numbers = Numbers(last=0)
    async with asyncio.timeout(10):
        async for _ in watched(numbers(), here, issued):
            await there.revoke(issued.access_token.session_handle)

    assert numbers.is_closed
    await here.close()


async def test_nothing_is_told_after_a_pause_before_the_feed_is_read(clock: HandClock) -> None:
    """A process that was paused while another one revoked the session tells nothing more, however soon its source has it."""
    here = engine(clock)
    there = engine(clock, store=here.store)
    issued = await here.create("ada")
    await here.open()
    stream = watched(Numbers()(), here, issued)
    assert 0 == await anext(stream)
    await there.revoke(issued.access_token.session_handle)
    clock.advance(timedelta(seconds=6))

    assert [] == [number async for number in stream]
    await here.close()
