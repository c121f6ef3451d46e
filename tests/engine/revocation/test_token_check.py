"""What one process did to a session counts in another: revoked is unauthorised, changed asks for a refresh."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fastapi_session.engine.tokens.issuing import IssuedSession
from fastapi_session.errors import StoreUnavailable, TokenTheftError, TryRefreshTokenError, UnauthorisedError
from fastapi_session.model import Reading
from fastapi_session.sessions import Sessions
from fastapi_session.stores.base import Store
from fastapi_session.testing import HandClock
from tests.engines import TroubledStore, engine, refresh_token_of
from tests.moments import GRACE, SECOND


async def replaying(sessions: Sessions, issued: IssuedSession) -> None:
    assert isinstance(sessions._parts.clock, HandClock)
    latest = issued
    for _ in range(2):
        sessions._parts.clock.advance(GRACE)
        latest = await sessions.refresh(refresh_token_of(latest))
    with pytest.raises(TokenTheftError):
        await sessions.refresh(refresh_token_of(issued))


Deed = Callable[[Sessions, IssuedSession], Awaitable[Any]]

REVOKING: dict[str, Deed] = {
    "revoke": lambda sessions, issued: sessions.revoke(issued.access_token.session_handle),
    "revoke_several": lambda sessions, issued: sessions.revoke_several([issued.access_token.session_handle]),
    "revoke_all": lambda sessions, issued: sessions.revoke_all("alice"),
    "revoke_all but one": lambda sessions, issued: sessions.revoke_all("alice", keep="another"),
    "theft": replaying,
}


@pytest.fixture
def here(store: Store, clock: HandClock) -> Sessions:
    return engine(clock, store=store)


@pytest.fixture
def there(store: Store, clock: HandClock) -> Sessions:
    return engine(clock, store=store)


@pytest.mark.parametrize("deed", REVOKING.values(), ids=REVOKING)
async def test_a_revoked_session(here: Sessions, there: Sessions, clock: HandClock, deed: Deed) -> None:
    """However a session ends, its access token is unauthorised at once here, and elsewhere an interval later."""
    issued = await here.create("alice")
    token = issued.tokens.access_token
    await there.verify(token)
    await deed(here, issued)
    for sessions in (here, there):
        with pytest.raises(UnauthorisedError) as refused:
            await sessions.verify(token)
        assert refused.value.clears_tokens
        clock.advance(SECOND)


async def test_other_sessions_go_on(here: Sessions, there: Sessions, clock: HandClock) -> None:
    """Of a user who signs out of one device, the other devices notice nothing, nor does a session begun right after."""
    first, second = await here.create("alice"), await here.create("alice")
    await here.revoke(first.access_token.session_handle)
    third = await here.create("alice")
    clock.advance(SECOND)

    for sessions in (here, there):
        for issued in (second, third):
            assert issued.access_token == await sessions.verify(issued.tokens.access_token)


async def test_changed_claims(here: Sessions, there: Sessions, clock: HandClock) -> None:
    """Claims changed by the handle make access tokens of before ask for a refresh, and that brings the new ones."""
    issued = await here.create("alice", access_token_payload={"role": "admin"})
    await there.verify(issued.tokens.access_token)
    await here.merge_into_access_token_payload(issued.access_token.session_handle, {"role": "guest"})
    for sessions in (here, there):
        with pytest.raises(TryRefreshTokenError):
            await sessions.verify(issued.tokens.access_token)
        clock.advance(SECOND)
    fresh = await there.refresh(refresh_token_of(issued))
    for sessions in (here, there):
        assert {"role": "guest"} == (await sessions.verify(fresh.tokens.access_token)).custom


async def test_claims_that_are_changed_again(here: Sessions, there: Sessions, clock: HandClock) -> None:
    """A token that was up to date after the first change is asked of again after the second, however soon it comes."""
    issued = await here.create("alice")
    for role in ("guest", "editor"):
        await here.merge_into_access_token_payload(issued.access_token.session_handle, {"role": role})
        with pytest.raises(TryRefreshTokenError):
            await here.verify(issued.tokens.access_token)
        issued = await there.refresh(refresh_token_of(issued))
        assert {"role": role} == (await here.verify(issued.tokens.access_token)).custom


async def test_claims_that_are_what_they_were(here: Sessions, clock: HandClock) -> None:
    """A change that changes nothing, or was taken back, sends nobody to refresh."""
    issued = await here.create("alice", access_token_payload={"role": "admin"})
    for role in ("guest", "admin"):
        await here.merge_into_access_token_payload(issued.access_token.session_handle, {"role": role})

    assert issued.access_token == await here.verify(issued.tokens.access_token)


async def test_session_data_is_no_claim(here: Sessions) -> None:
    """Data that stays in the store may change without a word to the client."""
    issued = await here.create("alice")
    await here.update_session_data(issued.access_token.session_handle, {"cart": ["apple"]})

    assert 0 == len(here._parts.feed)
    await here.verify(issued.tokens.access_token)


class CountingStore(TroubledStore):
    """Counts the records that it is asked for."""

    async def get(self, session_id: str) -> Reading:
        await self._turn("get")
        return await super().get(session_id)


@pytest.fixture
def counting(clock: HandClock) -> CountingStore:
    return CountingStore(clock)


async def test_the_store_is_asked_once_a_token(counting: CountingStore, clock: HandClock) -> None:
    """Verifying a token of a session that was changed asks the store once, and of one that was not or was revoked never."""
    sessions = engine(clock, store=counting)
    await sessions.open()
    changed, revoked, untouched = [await sessions.create("alice") for _ in range(3)]
    await sessions.merge_into_access_token_payload(changed.access_token.session_handle, {"role": "guest"})
    await sessions.revoke(revoked.access_token.session_handle)
    changed = await sessions.refresh(refresh_token_of(changed))
    counting.asked.clear()
    for _ in range(3):
        await sessions.verify(changed.tokens.access_token)
        await sessions.verify(untouched.tokens.access_token)
        with pytest.raises(UnauthorisedError):
            await sessions.verify(revoked.tokens.access_token)

    assert 1 == counting.asked["get"]
    await sessions.close()


@pytest.mark.parametrize("fails_closed", [False, True])
async def test_a_store_that_is_down(fails_closed: bool, counting: CountingStore, clock: HandClock) -> None:
    """While the store is down a token is believed whose claims may have changed, unless the feed fails closed."""
    sessions = engine(clock, store=counting, revocation_feed_max_age=60 if fails_closed else None)
    issued = await sessions.create("alice")
    await sessions.merge_into_access_token_payload(issued.access_token.session_handle, {"role": "guest"})
    with pytest.raises(TryRefreshTokenError):
        await sessions.verify(issued.tokens.access_token)
    counting.down = True
    if fails_closed:
        with pytest.raises(StoreUnavailable):
            await sessions.verify(issued.tokens.access_token)
    else:
        assert issued.access_token == await sessions.verify(issued.tokens.access_token)


async def test_a_revocation_holds_while_the_store_is_down(counting: CountingStore, clock: HandClock) -> None:
    """What is known to be revoked stays refused while the store is down."""
    sessions = engine(clock, store=counting)
    issued = await sessions.create("alice")
    await sessions.revoke(issued.access_token.session_handle)
    counting.down = True
    clock.advance(60 * SECOND)

    with pytest.raises(UnauthorisedError):
        await sessions.verify(issued.tokens.access_token)
