"""A token that a service brings is known by what nobody else could have made, and leads to its session."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import SecretStr

from fastapi_session.core import audience_token, service_jwt
from fastapi_session.stores.base import Store
from fastapi_session.testing import HandClock
from tests.engines import WRONG_SECRET, created, engine, refreshed
from tests.moments import MILLISECOND, PAST_GRACE


async def test_a_refresh_token(store: Store, clock: HandClock) -> None:
    """Each generation leads to the session with its tenant, as long as that is there; one by another secret leads nowhere."""
    sessions = engine(clock, store=store)
    handle, token = await created(sessions, tenant_id="acme")
    clock.advance(PAST_GRACE)
    tokens = [token, await refreshed(sessions, token)]
    find = sessions.known_tokens.handle_of_refresh_token

    assert [handle, handle] == [await find(SecretStr(each)) for each in tokens]
    assert await engine(clock, secret=WRONG_SECRET).known_tokens.handle_of_refresh_token(SecretStr(token)) is None
    await sessions.revoke(handle)
    assert [None, None] == [await find(SecretStr(each)) for each in tokens]


@pytest.mark.parametrize("static", [False, True])
async def test_a_token_for_a_service(static: bool, clock: HandClock) -> None:
    """It is genuine by either key until it expires; whether its session is there is another question."""
    sessions, other = engine(clock), engine(clock)
    content = (await sessions.create("ada")).access_token
    claims, validity = audience_token.claims_for(content, "tools"), timedelta(minutes=5)
    text = await sessions.create_jwt(claims, validity=validity, use_static_signing_key=static)
    jwt = service_jwt.parse(text)
    assert jwt is not None
    await sessions.revoke(content.session_handle)

    token = await sessions.known_tokens.audience_token(jwt)
    assert token is not None
    assert ("tools", "ada", content.session_handle) == (token.audience, token.user_id, token.handle)
    assert await other.known_tokens.audience_token(jwt) is None
    clock.advance(validity - MILLISECOND)
    assert await sessions.known_tokens.audience_token(jwt) is not None
    clock.advance(MILLISECOND)
    assert await sessions.known_tokens.audience_token(jwt) is None
