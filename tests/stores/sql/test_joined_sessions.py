"""Sessions that are created and ended in the user's own transaction live and die with it, and are told of when it commits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from fastapi_session import (
    ConfigurationError,
    CreateSession,
    Session,
    SessionConfig,
    Sessions,
    TryRefreshTokenError,
    UnauthorisedError,
    UnprovenKeyError,
    create_session,
    install,
    verify_session,
)
from fastapi_session.core import base64url
from fastapi_session.core.access_token import parse
from fastapi_session.core.binding.bound_keys import Possession, dpop_key, jkt_of
from fastapi_session.engine.tokens.issuing import IssuedSession
from fastapi_session.events import SessionCreated, SessionEvent, SessionRevoked
from fastapi_session.stores.sql import SqlStore
from fastapi_session.stores.sql.tables import SIGNING_KEY
from fastapi_session.testing import HandClock
from tests.engine.processes import kids
from tests.engines import SECRET, refresh_token_of
from tests.moments import HOUR, SECOND
from tests.wire import AUTH_MODE


class Told(list[SessionEvent]):
    """Takes down every event."""

    async def __call__(self, event: SessionEvent) -> None:
        self.append(event)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def sessions(engine: AsyncEngine, clock: HandClock, told: Told) -> AsyncIterator[Sessions]:
    config = SessionConfig(store=SqlStore(engine, clock=clock), secret=SECRET)
    sessions = Sessions(config, clock=clock, subscribers=[told])
    await sessions.jwks()
    yield sessions
    await sessions.close()


async def test_a_rolled_back_transaction(sessions: Sessions, engine: AsyncEngine, told: Told) -> None:
    """A session that was created there has never been, one that was revoked goes on, and nobody is told."""
    old = await sessions.create("ada")
    async with engine.connect() as connection:
        joined = sessions.within(connection)
        new = await joined.create("ada", replacing=old.access_token.session_handle)
        assert [new.access_token.session_handle] == await joined.revoke_all("ada")
        assert 0 == len(await joined.of_user("ada"))
        await connection.rollback()
    await sessions.close()

    assert [old.access_token.session_handle] == [found.handle for found in await sessions.of_user("ada")]
    assert old.access_token == await sessions.verify(old.tokens.access_token)
    assert [SessionCreated] == [type(event) for event in told]


async def test_a_committed_transaction(sessions: Sessions, engine: AsyncEngine, clock: HandClock, told: Told) -> None:
    """What was created is there and what was revoked is over, for this process too after an interval; events come then."""
    old = await sessions.create("ada")
    await sessions.close()
    async with engine.begin() as connection:
        joined = sessions.within(connection)
        assert await joined.revoke(old.access_token.session_handle)
        new = await joined.create("ada")
        assert await joined.merge_into_access_token_payload(new.access_token.session_handle, {"role": "guest"})
        assert 1 == len(told)
    clock.advance(SECOND)
    await sessions.close()

    assert [SessionCreated, SessionRevoked, SessionCreated] == [type(event) for event in told]
    with pytest.raises(UnauthorisedError):
        await sessions.verify(old.tokens.access_token)
    assert new.tokens.refresh_token is not None
    fresh = await sessions.refresh(new.tokens.refresh_token)
    assert {"role": "guest"} == (await sessions.verify(fresh.tokens.access_token)).custom


async def test_one_transaction_after_another(sessions: Sessions, engine: AsyncEngine, told: Told) -> None:
    """What one transaction undid is not told when the next one on the same connection commits."""
    async with engine.connect() as connection:
        joined = sessions.within(connection)
        await joined.create("ada")
        await connection.rollback()
        await joined.create("grace")
        await connection.commit()
    await sessions.close()

    assert ["grace"] == [event.user_id for event in told]


async def test_a_subclass_keeps_its_verbs(engine: AsyncEngine, clock: HandClock) -> None:
    """Verbs that a subclass changed are changed inside the transaction too."""

    class Shouting(Sessions):
        async def revoke(self, handle: str, **options: Any) -> bool:
            raise LookupError(handle)

    sessions = Shouting(SessionConfig(store=SqlStore(engine, clock=clock), secret=SECRET), clock=clock)
    async with engine.connect() as connection:
        with pytest.raises(LookupError):
            await sessions.within(connection).revoke("a")


def test_a_store_without_transactions() -> None:
    """If there is no transaction to write in, that is said, and what to do."""
    sessions = Sessions(SessionConfig(store="memory:"))

    with pytest.raises(ConfigurationError, match="SqlStore has"):
        sessions.within(object())


HOLDERS = 5
"""How many connections a pool has, all of them held by callers."""


@pytest.mark.parametrize("driver", ["postgresql+asyncpg", "postgresql+psycopg", "mysql+asyncmy"])
@pytest.mark.parametrize("reading", ["due", "first", "unknown key", "no key"])
async def test_callers_who_hold_all_connections(url: str, sessions: Sessions, clock: HandClock, reading: str) -> None:
    """Whoever signs in within a transaction waits for no connection, whatever has to be read or made: all may be held."""
    pool = create_async_engine(url, pool_size=HOLDERS, max_overflow=0, pool_timeout=100)
    config = SessionConfig(store=SqlStore(pool, clock=clock, timeout=100 * SECOND), secret=SECRET)
    here = Sessions(config, clock=clock)
    if reading in {"due", "unknown key"}:
        await here.open()
    if reading == "due":
        clock.advance(120 * SECOND)
    token = (await sessions.create("grace")).tokens.access_token
    if reading == "unknown key":
        token = with_kid(token, "d-" + "0" * 32)
    if reading == "no key":
        await forget_all_keys(pool)
    parsed = here.parse(token)
    assert parsed is not None
    all_hold = asyncio.Barrier(HOLDERS)

    async def sign_in() -> str:
        async with pool.begin() as connection:
            await connection.execute(text("SELECT 1"))
            await all_hold.wait()
            within = here.within(connection)
            await within.verified_handle(parsed)
            return (await within.create("ada")).tokens.access_token

    async with asyncio.timeout(30):
        tokens = await asyncio.gather(*(sign_in() for _ in range(HOLDERS)))
        assert HOLDERS == len([await here.verify(token) for token in tokens])
    assert HOLDERS == len(await here.of_user("ada"))
    await here.close()
    await pool.dispose()


@pytest.mark.parametrize("driver", ["postgresql+asyncpg", "postgresql+psycopg", "mysql+asyncmy"])
async def test_a_caller_who_holds_the_only_connection(url: str, sessions: Sessions, clock: HandClock) -> None:
    """Whoever verifies and changes within a transaction waits for none either, though the feed was never read."""
    pool = create_async_engine(url, pool_size=1, max_overflow=0, pool_timeout=100)
    here = Sessions(SessionConfig(store=SqlStore(pool, clock=clock, timeout=100 * SECOND), secret=SECRET), clock=clock)
    alive, ended, left = [await sessions.create("ada") for _ in range(3)]
    await sessions.revoke(ended.access_token.session_handle)
    new = await sessions.create("ada", replacing=left.access_token.session_handle)
    handle = alive.access_token.session_handle
    async with asyncio.timeout(30), pool.begin() as connection:
        within = here.within(connection)
        waits = asyncio.create_task(here.change_session_data(handle, lambda data: data))
        await asyncio.sleep(0)
        assert await within.merge_into_access_token_payload(handle, {"role": "guest"})
        assert {"role": "guest"} == (await within.verify(alive.tokens.access_token)).custom
        with pytest.raises(UnauthorisedError) as refused:
            await within.verify(ended.tokens.access_token)
        assert refused.value.clears_tokens
        with pytest.raises(TryRefreshTokenError):
            await within.verify(left.tokens.access_token)
        assert await within.revoke(new.access_token.session_handle)
        assert "keys" in await within.jwks()
    assert await waits
    await here.close()
    await pool.dispose()


async def forget_all_keys(engine: AsyncEngine) -> None:
    """Leave the store as it is before anybody has signed in."""
    async with engine.begin() as connection:
        await connection.execute(SIGNING_KEY.delete())


@pytest.fixture
async def before_all(engine: AsyncEngine, clock: HandClock) -> Sessions:
    """An engine that nobody opened, over a store that is empty."""
    return Sessions(SessionConfig(store=SqlStore(engine, clock=clock), secret=SECRET), clock=clock)


async def test_the_first_key_of_all(before_all: Sessions, engine: AsyncEngine) -> None:
    """It is made in the transaction that wants it, signs there alone, and for everybody once that has committed."""
    async with engine.begin() as connection:
        await connection.execute(SIGNING_KEY.delete())  # so that SQLite lets nobody else write
        within = before_all.within(connection)
        first, second = await within.create("ada"), await within.create("ada")
    later = await before_all.create("ada")

    assert 1 == len({kid_of(each) for each in (first, second, later)})
    assert second.access_token == await before_all.verify(second.tokens.access_token)


async def test_the_first_key_of_all_is_undone(before_all: Sessions, engine: AsyncEngine) -> None:
    """What it signed is believed nowhere, and the next one takes its place."""
    async with engine.connect() as connection:
        await connection.execute(SIGNING_KEY.delete())  # Python's SQLite begins a transaction with what writes
        undone = await before_all.within(connection).create("ada")
        await connection.rollback()
    later = await before_all.create("ada")

    assert [kid_of(later)] == await kids(before_all.store)
    with pytest.raises(TryRefreshTokenError):
        await before_all.verify(undone.tokens.access_token)
    assert later.access_token == await before_all.verify(later.tokens.access_token)


def kid_of(issued: IssuedSession) -> str:
    """Return which key has signed the access token of *issued*."""
    parsed = parse(issued.tokens.access_token)
    assert parsed is not None
    return parsed.kid


def with_kid(token: str, kid: str) -> str:
    """Return *token* as if the key named *kid* had signed it."""
    header, rest = token.split(".", 1)
    fields = json.loads(base64url.decode(header) or b"")
    # In the order of the header that we write, which is compared as it is written.
    return f"{base64url.encode(json.dumps({**fields, 'kid': kid}, separators=(',', ':')).encode())}.{rest}"


@pytest.mark.parametrize("is_committed", [True, False])
async def test_a_route_signs_in_within_its_transaction(
    is_committed: bool, sessions: Sessions, engine: AsyncEngine
) -> None:
    """A route begins a session in the transaction that its own writes are in, and the tokens work if that is committed."""
    app = FastAPI()
    install(app, sessions)

    @app.post("/sign-up")
    async def sign_up(create: Annotated[CreateSession, Depends(create_session())]) -> None:
        async with engine.connect() as connection:
            await create("ada", within=connection)
            await (connection.commit() if is_committed else connection.rollback())

    @app.get("/me")
    async def me(session: Annotated[Session, Depends(verify_session(check_database=True))]) -> str:
        return session.user_id

    async with AsyncClient(transport=ASGITransport(app), base_url="http://localhost:8000") as client:
        await client.post("/sign-up", headers={AUTH_MODE: "cookie"})
        answer = await client.get("/me")

    assert (200 if is_committed else 401) == answer.status_code
    assert ([] if not is_committed else ["ada"]) == [found.user_id for found in await sessions.of_user("ada")]


async def test_a_bound_session(sessions: Sessions, engine: AsyncEngine, clock: HandClock) -> None:
    """One that began in a transaction is bound by what that has committed; within another, too, it goes on for who has its key alone."""
    key = dpop_key("a" * 43)
    async with engine.begin() as connection:
        token = refresh_token_of(await sessions.within(connection).create("ada", bound_key=key))
    clock.advance(HOUR)
    async with engine.begin() as connection:
        joined = sessions.within(connection)
        with pytest.raises(UnprovenKeyError):
            await joined.refresh(token)
        token = refresh_token_of(await joined.refresh(token, possession=Possession(key)))
    clock.advance(HOUR)

    with pytest.raises(UnprovenKeyError):
        await sessions.refresh(token)
    assert jkt_of(key) == (await sessions.refresh(token, possession=Possession(key))).access_token.jkt
