"""A signing key that leaked is taken out of use: here at once, in other processes an interval later."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import jwt
import pytest

from fastapi_session import Sessions, TryRefreshTokenError
from fastapi_session.engine.from_config import PUBLISH_LEAD
from fastapi_session.stores.memory import MemoryStore
from fastapi_session.stores.sqlite import SqliteStore
from fastapi_session.testing import HandClock
from tests.engines import TroubledStore, engine, refresh_token_of
from tests.moments import HOUR, SECOND


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def two(clock: HandClock, tmp_path: Path) -> AsyncIterator[tuple[Sessions, Sessions]]:
    """Two processes' engines over one store."""
    store = SqliteStore(tmp_path / "sessions.db", clock=clock)
    here, there = engine(clock, store=store), engine(clock, store=store)
    yield here, there
    await here.close()
    await there.close()


async def signing_kid(sessions: Sessions) -> str:
    """Return the kid of the key that signs access tokens."""
    return (await sessions._parts.keyring.signing_key()).kid


async def published(sessions: Sessions) -> list[str]:
    """Return the kids of the JWKS."""
    return [key["kid"] for key in (await sessions.jwks())["keys"]]


@pytest.mark.parametrize("opens", [True, False], ids=["opened", "not opened"])
async def test_a_static_key_is_published_before_it_signs(opens: bool, clock: HandClock) -> None:
    """Whoever has read the JWKS once knows the key of every JWT that is made later, and it signs for good."""
    sessions = engine(clock, store=MemoryStore(clock=clock))
    if opens:
        await sessions.open()
        assert ["d-", "s-"] == [key.kid[:2] for key in await sessions.store.signing_keys()]
    known = await published(sessions)
    clock.advance(HOUR)
    token = await sessions.create_jwt({}, validity=HOUR)

    assert jwt.get_unverified_header(token)["kid"] in known


async def test_a_static_key_of_another_algorithm_is_published_before_it_signs(clock: HandClock) -> None:
    """After a change of the algorithm the JWKS has the new key ten minutes before it signs its first JWT."""
    store = MemoryStore(clock=clock)
    await engine(clock, store=store).open()
    sessions = engine(clock, store=store, access_token_signing_algorithm="RS256")
    await sessions.open()
    await sessions._parts.background.finish()
    known = await published(sessions)
    signed = []
    for _ in range(2):
        signed.append(jwt.get_unverified_header(await sessions.create_jwt({}, validity=HOUR)))
        clock.advance(PUBLISH_LEAD)

    assert ["ES256", "RS256"] == [header["alg"] for header in signed]
    assert signed[1]["kid"] in known


async def test_the_keys_are_published_while_the_store_is_down(clock: HandClock) -> None:
    """A store that is down keeps a key from being made, and none of those that are known from being published."""
    store = TroubledStore(clock)
    sessions = engine(clock, store=store)
    await sessions.create("ada")
    store.down = True

    assert [await signing_kid(sessions)] == await published(sessions)


async def test_a_key_is_revoked_everywhere(two: tuple[Sessions, Sessions], clock: HandClock) -> None:
    """Tokens that a revoked key signed are refused in every process, and a refresh goes on with another key."""
    here, there = two
    issued = await here.create("ada")
    await there.verify(issued.tokens.access_token)
    kid = await signing_kid(here)

    assert [True, False] == [await here.revoke_signing_key(kid) for _ in range(2)]
    for sessions in two:
        with pytest.raises(TryRefreshTokenError):
            await sessions.verify(issued.tokens.access_token)
        clock.advance(SECOND)
    fresh = await there.refresh(refresh_token_of(issued))
    for sessions in two:
        assert fresh.access_token == await sessions.verify(fresh.tokens.access_token)
        assert kid not in await published(sessions)


async def test_notices_outlive_tokens_of_longer_life(clock: HandClock, tmp_path: Path) -> None:
    """After the lifetime was shortened, a revocation is remembered as long as a token of the longer life may live."""
    store = SqliteStore(tmp_path / "sessions.db", clock=clock)
    before = engine(clock, store=store, access_token_validity=HOUR)
    issued = await before.create("ada")
    after = engine(clock, store=store, access_token_validity=HOUR / 60)
    await after.verify(issued.tokens.access_token)
    await before.revoke(issued.access_token.session_handle)
    clock.advance(HOUR / 2)
    await after.create("grace")
    await after._parts.background.finish()

    assert 1 == len((await store.notices(after=0)).notices)
    await store.close()


@pytest.mark.parametrize("kid", ["\ud800", "", "d-" + "0" * 31 + "\n", "d-" + "0" * 1000], ids=ascii)
async def test_what_is_no_kid_of_ours(kid: str, two: tuple[Sessions, Sessions]) -> None:
    """A key whose name none of ours can have is not there: it is no error, whatever a store makes of such a text."""
    assert not await two[0].revoke_signing_key(kid)
