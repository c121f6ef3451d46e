"""A stream lasts as long as the session that asked for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from fastapi_session.engine.minting import IssuedSession
from fastapi_session.sessions import Sessions
from fastapi_session.testing import HandClock
from fastapi_session.web.lasting import until_end
from tests.web.deployment import engine


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

    assert [0, 1, 2] == [number async for number in until_end(three(), sessions=sessions, token=issued.access_token)]


@pytest.mark.parametrize("last", [None, 1], ids=["a source that goes on", "a source that waits"])
async def test_a_session_that_is_revoked(last: int | None, sessions: Sessions, issued: IssuedSession) -> None:
    """When the session is revoked the stream ends, even while it waits, and its source is closed."""
    numbers, told, endings = Numbers(last), [], []
    async with asyncio.timeout(5):
        async for number in until_end(numbers(), sessions=sessions, token=issued.access_token):
            told.append(number)
            if number == 1:
                endings.append(asyncio.ensure_future(sessions.revoke(issued.access_token.session_handle)))
            await asyncio.sleep(0)

    assert [True] == await asyncio.gather(*endings)
    assert [0, 1] == told[:2]
    assert numbers.is_closed


async def test_a_session_that_was_revoked_before(sessions: Sessions, issued: IssuedSession) -> None:
    """A stream whose session was revoked before its first event tells nothing, and nobody has to wait for its end."""
    stream = until_end(Numbers()(), sessions=sessions, token=issued.access_token)
    await sessions.revoke(issued.access_token.session_handle)

    assert [] == [number async for number in stream]


async def test_an_access_token_that_ends(sessions: Sessions, issued: IssuedSession, clock: HandClock) -> None:
    """When the access token has ended the stream ends."""
    clock.advance(timedelta(hours=1) - timedelta(milliseconds=20))
    numbers = Numbers(last=0)
    async with asyncio.timeout(5):
        async for _ in until_end(numbers(), sessions=sessions, token=issued.access_token):
            clock.advance(timedelta(milliseconds=20))

    assert numbers.is_closed


async def test_a_listener_that_goes(sessions: Sessions, issued: IssuedSession) -> None:
    """When the listener goes first, the source is closed and nothing goes on waiting."""
    before = len(asyncio.all_tasks())
    numbers = Numbers()
    stream = until_end(numbers(), sessions=sessions, token=issued.access_token)
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
        [number async for number in until_end(broken(), sessions=sessions, token=issued.access_token)]
