"""An application whose sessions are in fakeredis, as the recipe makes it; the recipe's own test is run with those of other pages."""

from __future__ import annotations

from datetime import timedelta
from types import ModuleType

import pytest
from fakeredis import FakeAsyncRedis
from fastapi.testclient import TestClient

from fastapi_session import SessionConfig, Sessions, TokenTheftError, UnauthorisedError
from fastapi_session.stores.redis import RedisStore
from fastapi_session.testing import HandClock


def test_two_tests_have_nothing_in_common(page: ModuleType) -> None:
    """What one fake server has, the next knows nothing of: no test has to clear anything."""
    sessions = [Sessions(SessionConfig(store=RedisStore(FakeAsyncRedis()))) for _ in range(2)]
    for each, expected in zip(sessions, (1, 0), strict=True):
        with TestClient(page.make_app(each)) as client:
            assert client.portal is not None
            if expected:
                client.portal.call(each.create, "ada")
            assert expected == len(client.portal.call(each.of_user, "ada"))


async def test_every_change_that_lua_makes() -> None:
    """Sessions begin, change, refresh and end there, one at a time and all of a user, and a thief is caught."""
    clock = HandClock()
    sessions = Sessions(SessionConfig(store=RedisStore(FakeAsyncRedis(), clock=clock)), clock=clock)
    await sessions.open()
    first, *_ = [await sessions.create("ada") for _ in range(3)]
    handle = first.access_token.session_handle
    assert await sessions.change_session_data(handle, lambda data: {**data, "n": 1})
    assert await sessions.merge_into_access_token_payload(handle, {"plan": "pro"})
    second = await sessions.refresh(first.tokens.refresh_token or "")
    assert {"plan": "pro"} == second.access_token.custom
    clock.advance(timedelta(hours=1))
    third = await sessions.refresh(second.tokens.refresh_token or "")
    clock.advance(timedelta(hours=1))

    with pytest.raises(TokenTheftError):
        await sessions.refresh(first.tokens.refresh_token or "")
    with pytest.raises(UnauthorisedError):
        await sessions.refresh(third.tokens.refresh_token or "")
    assert 2 == len(await sessions.of_user("ada"))
    assert 2 == len(await sessions.revoke_all("ada"))
    await sessions.close()
