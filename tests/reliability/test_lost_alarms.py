"""A theft is told once, at whatever byte the connection to the store breaks while the session is revoked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from fastapi_session.config import SessionConfig
from fastapi_session.errors import SessionError, StoreUnavailable
from fastapi_session.events import SessionEvent, TokenTheftDetected
from fastapi_session.sessions import Sessions
from fastapi_session.stores.redis import RedisStore
from fastapi_session.testing import HandClock
from tests.conftest import Place, place_of
from tests.engines import SECRET, engine, refresh_token_of, refreshed
from tests.moments import GRACE
from tests.reliability.proxy import Fate, always, proxied, unharmed
from tests.reliability.store_proxy import by_port, way_to

CUTS = range(2_400, 3_600)
"""Bytes within which, of a conversation that reads the signing keys and judges a theft, the session is revoked."""


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Place:
    return place_of("valkey", request)


async def stolen(sessions: Sessions, clock: HandClock) -> tuple[str, str]:
    """Return the handle of a session and a refresh token of it that is two generations old."""
    issued = await sessions.create("alice")
    token = newest = refresh_token_of(issued)
    for _ in range(2):
        clock.advance(2 * GRACE)
        newest = await refreshed(sessions, newest)
    return issued.access_token.session_handle, token


async def present(sessions: Sessions, token: str) -> str:
    """Return what is said to *token*."""
    try:
        await sessions.refresh(token)
    except SessionError as error:
        return error.code
    except StoreUnavailable:
        return "503"
    return "answered"


async def test_a_theft_is_told_once(
    place: Place, clock: HandClock, amount: Callable[..., int], figures: Callable[..., None]
) -> None:
    """R18: the connection breaks after so many bytes; the thief comes again; the application hears of it exactly once."""
    heard: Counter[str] = Counter()
    seen: Counter[tuple[str, str]] = Counter()

    async def hear(event: SessionEvent) -> None:
        if isinstance(event, TokenTheftDetected):
            heard[event.handle] += 1

    own = engine(clock, store=place.store(clock))
    await own.open()
    async with proxied(way_to(place.url)) as network:
        url = by_port(place.url, network.port)
        for cut_after in CUTS[:: len(CUTS) // amount(60, full=1_200)]:
            handle, token = await stolen(own, clock)
            config = SessionConfig(store=RedisStore(url, clock=clock), secret=SECRET)
            sessions = Sessions(config, clock=clock, subscribers=[hear])
            network.draw = always(Fate(cut_after=cut_after))
            first = await present(sessions, token)
            network.draw = unharmed
            second = await present(sessions, token)
            while second == "503":  # over a connection of before
                second = await present(sessions, token)
            seen[first, second] += 1
            await sessions.close()
            assert (1, None) == (heard[handle], (await own.store.get(handle)).record), (cut_after, first, second)
    await own.close()

    assert seen["503", "UNAUTHORISED"] > 0, "no answer was lost after the commit"
    assert seen["503", "TOKEN_THEFT_DETECTED"] > 0, "no question was lost"
    figures(thefts=sum(seen.values()), **{" then ".join(pair): count for pair, count in seen.items()})
