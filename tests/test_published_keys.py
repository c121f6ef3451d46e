"""A signing key that leaked is taken out of use: here at once, in other processes an interval later."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fastapi_session import Sessions, TryRefreshTokenError
from fastapi_session.stores.sqlite import SqliteStore
from fastapi_session.testing import HandClock
from tests.engine.engines import HOUR, SECOND, engine, refresh_token_of


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def two(clock: HandClock, tmp_path: Path) -> AsyncIterator[tuple[Sessions, Sessions]]:
    """Two processes' engines over one store."""
    store = SqliteStore(tmp_path / "sessions.db", clock=clock)
    here, there = engine(store, clock), engine(store, clock)
    yield here, there
    await here.close()
    await there.close()


async def test_a_key_is_revoked_everywhere(two: tuple[Sessions, Sessions], clock: HandClock) -> None:
    """Tokens that a revoked key signed are refused in every process, and a refresh goes on with another key."""
    here, there = two
    issued = await here.create("ada")
    await there.verify(issued.tokens.access_token)
    [kid] = [key["kid"] for key in (await here.jwks())["keys"]]

    assert [True, False] == [await here.revoke_signing_key(kid) for _ in range(2)]
    for sessions in two:
        with pytest.raises(TryRefreshTokenError):
            await sessions.verify(issued.tokens.access_token)
        clock.advance(SECOND)
    fresh = await there.refresh(refresh_token_of(issued))
    for sessions in two:
        assert fresh.access_token == await sessions.verify(fresh.tokens.access_token)
        assert kid not in [key["kid"] for key in (await sessions.jwks())["keys"]]


async def test_notices_outlive_tokens_of_longer_life(clock: HandClock, tmp_path: Path) -> None:
    """After the lifetime was shortened, a revocation is remembered as long as a token of the longer life may live."""
    store = SqliteStore(tmp_path / "sessions.db", clock=clock)
    before = engine(store, clock, access_token_validity=HOUR)
    issued = await before.create("ada")
    after = engine(store, clock, access_token_validity=HOUR / 60)
    await after.verify(issued.tokens.access_token)
    await before.revoke(issued.access_token.session_handle)
    clock.advance(HOUR / 2)
    await after.create("grace")
    await after._parts.background.finish()

    assert 1 == len((await store.notices(after=0)).notices)
    await store.close()
