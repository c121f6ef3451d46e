"""The audit: what happened to sessions, kept with each change, read in pages, and cleared away."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from fastapi_session import (
    Actor,
    AuditEvent,
    Circumstances,
    ConfigurationError,
    PayloadError,
    SessionEvent,
    Sessions,
    TokenTheftError,
)
from fastapi_session.testing import HandClock
from tests.conftest import Place
from tests.engines import config, engine, refresh_token_of
from tests.moments import DAY, HOUR, SECOND

LAPTOP = Circumstances("192.0.2.1", "laptop")
ADMIN = Actor("grace", "e" * 32)

Begin = Callable[..., Sessions]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def begin(any_place: Place, clock: HandClock) -> AsyncIterator[Begin]:
    """Make engines that audit, over each store."""
    begun: list[Sessions] = []

    def begin(**options: Any) -> Sessions:
        subscribers = options.pop("subscribers", ())
        audited = config(store=any_place.store(clock), **{"audit": True, **options})
        begun.append(Sessions(audited, clock=clock, subscribers=subscribers))
        return begun[-1]

    yield begin
    for sessions in begun:
        await sessions.close()


async def told(sessions: Sessions, **of: Any) -> Sequence[AuditEvent]:
    """Return what the audit has, oldest first."""
    return (await sessions.events(newest_first=True, **of)).events[::-1]


async def test_a_life(begin: Begin, clock: HandClock) -> None:
    """The store has what subscribers are told, with the same ids: a sign-in, and who ended it and why."""
    events: list[SessionEvent] = []

    async def subscriber(event: SessionEvent) -> None:
        events.append(event)

    sessions = begin(subscribers=[subscriber])
    issued = await sessions.create("ada", tenant_id="acme", circumstances=LAPTOP)
    clock.advance(HOUR)
    await sessions.refresh(refresh_token_of(issued))
    await sessions.revoke(issued.access_token.session_handle, reason="lost", by=ADMIN, circumstances=LAPTOP)
    await sessions._parts.background.finish()

    began, _, ended = (event.to_json() for event in events)
    assert [began, ended] == [event.to_json() for event in await told(sessions)]


async def test_refreshes_too(begin: Begin, clock: HandClock) -> None:
    """With "all" the audit has the refreshes that wrote something."""
    events: list[SessionEvent] = []

    async def subscriber(event: SessionEvent) -> None:
        events.append(event)

    sessions = begin(audit="all", subscribers=[subscriber])
    issued = await sessions.create("ada")
    clock.advance(HOUR)
    await sessions.refresh(refresh_token_of(issued), circumstances=LAPTOP)
    clock.advance(HOUR)
    await sessions.refresh(refresh_token_of(issued))  # its response was lost
    await sessions._parts.background.finish()

    assert ["SessionCreated", "SessionRefreshed", "SessionRefreshed"] == [event.name for event in await told(sessions)]
    assert [event.to_json() for event in events] == [event.to_json() for event in await told(sessions)]


async def test_a_theft(begin: Begin, clock: HandClock) -> None:
    """A theft is kept as what it is, with both sides."""
    sessions = begin()
    stolen = issued = await sessions.create("ada", circumstances=LAPTOP)
    for _ in range(2):
        clock.advance(HOUR)
        issued = await sessions.refresh(refresh_token_of(issued), circumstances=LAPTOP)
    with pytest.raises(TokenTheftError):
        await sessions.refresh(refresh_token_of(stolen))

    *_, theft = await told(sessions)
    assert "TokenTheftDetected" == theft.name
    assert {
        "actor": None,
        "reason": "STALE_LINEAGE",
        "presented_by": {"ip_address": None, "user_agent": None},
        "last_seen": {"ip_address": "192.0.2.1", "user_agent": "laptop"},
    } == theft.details


async def test_who_stopped_an_impersonation(begin: Begin) -> None:
    """The end of an impersonation that was stopped is by who acted, in the session of his that waited."""
    sessions = begin()
    own = await sessions.create("grace")
    acting = await sessions.impersonate(own.access_token, "ada", reason="ticket 7")
    await sessions.stop_impersonating(acting.access_token)

    [ended] = [event for event in await told(sessions, user_id="ada") if event.name == "SessionRevoked"]
    by = {"user_id": "grace", "handle": own.access_token.session_handle, "reason": None}
    assert ("impersonation_ended", by) == (ended.details["reason"], ended.details["by"])


async def test_an_impersonation(begin: Begin, clock: HandClock) -> None:
    """Each event of an impersonation says who acts, whichever verb ends it; if he stops, it was by him."""
    sessions = begin(audit="all")
    staff = (await sessions.create("grace")).access_token
    acting = await sessions.impersonate(staff, "ada", reason="a/b \u00fc")
    clock.advance(timedelta(minutes=20))
    await sessions.refresh(refresh_token_of(acting))
    await sessions.revoke_all("ada")
    acting = await sessions.impersonate(staff, "ada", reason="a/b \u00fc")
    await sessions.stop_impersonating(acting.access_token)

    events = await told(sessions, user_id="ada")
    said = {"user_id": "grace", "handle": staff.session_handle, "reason": "a/b \u00fc"}
    assert [said] * 5 == [event.details["actor"] for event in events]
    names = ["ImpersonationStarted", "SessionRefreshed", "SessionRevoked", "ImpersonationStarted", "SessionRevoked"]
    assert names == [event.name for event in events]
    assert {"user_id": "grace", "handle": staff.session_handle, "reason": None} == events[-1].details["by"]
    assert {None} == {event.details["actor"] for event in await told(sessions, user_id="grace")}


async def test_all_of_a_user_and_what_expires(begin: Begin, clock: HandClock) -> None:
    """Each session that ends with others has its own event, also one that ends by itself."""
    sessions = begin(idle_timeout=timedelta(days=2))
    for _ in range(3):
        await sessions.create("ada")
    await sessions.create("grace")
    ended = await sessions.revoke_all("ada", reason="password_changed")
    clock.advance(3 * DAY)
    await sessions.create("grace")
    await sessions._parts.background.finish()

    revoked = [event for event in await told(sessions) if event.name == "SessionRevoked"]
    assert sorted(ended) == sorted(event.handle for event in revoked if event.details["reason"] == "password_changed")
    assert ["grace"] == [event.user_id for event in revoked if event.details["reason"] == "expired"]
    assert 4 == len({event.event_id for event in revoked})


async def test_retention(begin: Begin, clock: HandClock) -> None:
    """Events are kept for so long as is configured, and are then cleared away with what else is old."""
    sessions = begin(
        audit_retention=timedelta(days=30), absolute_timeout=timedelta(days=2000), idle_timeout=timedelta(days=1000)
    )
    await sessions.create("ada")
    clock.advance(30 * DAY - SECOND)
    await sessions.create("grace")
    await sessions._parts.background.finish()
    assert ["ada", "grace"] == [event.user_id for event in await told(sessions)]

    clock.advance(HOUR)
    await sessions.create("linus")
    await sessions._parts.background.finish()
    assert ["grace", "linus"] == [event.user_id for event in await told(sessions)]


async def test_no_token_is_kept(begin: Begin, clock: HandClock, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing of a token is in any event, or in the log of the audit."""
    sessions, tokens = begin(audit="all"), list[str]()
    with caplog.at_level(logging.INFO, "fastapi_session.audit"):
        issued = await sessions.create(
            "ada", access_token_payload={"role": "canary-of-the-payload"}, session_data={"a": "canary-of-the-data"}
        )
        for _ in range(2):
            tokens += [issued.tokens.access_token, refresh_token_of(issued)]
            clock.advance(HOUR)
            issued = await sessions.refresh(refresh_token_of(issued))
        with pytest.raises(TokenTheftError):
            await sessions.refresh(tokens[1])

    kept = json.dumps([event.to_json() for event in await told(sessions)]) + "".join(
        str(vars(each)) for each in caplog.records
    )
    # Of an access token its signature is secret, of a refresh token what is after the session's id.
    secret = [piece for token in tokens for piece in (token, token[-40:], token[60:72])]
    assert [] == [piece for piece in [*secret, "canary-of-the-payload", "canary-of-the-data"] if piece in kept]
    assert 4 == len(await told(sessions))


async def test_pages(begin: Begin) -> None:
    """A page says how to go on, of a user or of all, and nobody else's events are in it."""
    sessions = begin()
    for user in ("ada", "grace", "ada", "ada"):
        await sessions.create(user)
    pages, after = list[int](), None
    for _ in range(3):
        page = await sessions.events(user_id="ada", after=after, newest_first=True, limit=2)
        assert {"ada"} >= {event.user_id for event in page.events}
        pages.append(len(page.events))
        after = page.after

    assert [2, 1, 0] == pages
    assert () == (await sessions.events(user_id="")).events
    assert () == (await sessions.events(user_id="a\x00", tenant_id="public")).events


@pytest.mark.parametrize(
    "asked",
    [{"after": "no place"}, {"after": ""}, {"limit": 0}, {"limit": 1_001}, {"user_id": 7}, {"tenant_id": b"a"}],
    ids=str,
)
async def test_a_page_that_cannot_be(asked: Mapping[str, Any], begin: Begin) -> None:
    """What cannot be asked for is said at once: a caller may have it from a client."""
    with pytest.raises(PayloadError):
        await begin().events(**asked)


async def test_off(clock: HandClock) -> None:
    """Without `audit` nothing is kept, and there is nothing to read."""
    sessions = engine(clock)
    issued = await sessions.create("ada")
    await sessions.revoke(issued.access_token.session_handle)

    assert () == (await sessions.events()).events


def test_a_store_that_keeps_no_events(clock: HandClock) -> None:
    """A deployment that asks for an audit which its store cannot keep is refused before it starts."""

    class Forgetful:
        """Has nothing of `EventStore`."""

    store: Any = Forgetful()
    with pytest.raises(ConfigurationError, match=r"^audit: this store keeps no events"):
        Sessions(config(store=store, audit=True), clock=clock)


@pytest.mark.parametrize(("text", "audit"), [("true", True), ("false", False), ("all", "all")])
def test_from_the_environment(text: str, audit: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is audited can be said by a variable, like any other setting."""
    monkeypatch.setenv("FASTAPI_SESSION_AUDIT", text)

    assert audit == config().audit


@pytest.mark.parametrize("retention", [timedelta(minutes=59), timedelta(0), timedelta(days=-1), timedelta(days=3651)])
def test_a_retention_that_cannot_be(retention: timedelta) -> None:
    """Events are kept for an hour at least and for ten years at most."""
    with pytest.raises(ConfigurationError, match=r"audit_retention: give one hour to ten years"):
        config(audit=True, audit_retention=retention)


class TestWithin:
    """An audit in the user's own transaction is part of it."""

    @pytest.fixture
    async def sessions(self, postgresql_store_url: str) -> AsyncIterator[Sessions]:
        sessions = Sessions(config(store=postgresql_store_url, audit=True))
        await sessions.open()
        yield sessions
        await sessions.close()

    @pytest.fixture
    async def database(self, postgresql_store_url: str) -> AsyncIterator[AsyncEngine]:
        database = create_async_engine(postgresql_store_url)
        yield database
        await database.dispose()

    @pytest.mark.parametrize("end", ["commit", "rollback", "savepoint"])
    async def test_ends_as_it_ends(self, end: str, sessions: Sessions, database: AsyncEngine) -> None:
        """What was committed is kept; what was rolled back, be it by a savepoint alone, has never been."""
        handle = (await sessions.create("ada")).access_token.session_handle
        async with database.connect() as connection:
            joined = sessions.within(connection)
            await joined.create("grace")
            inner = await connection.begin_nested()
            await joined.revoke(handle)
            assert 3 == len(await told(joined))
            if end == "savepoint":
                await inner.rollback()
            if end == "rollback":
                await connection.rollback()
            else:
                await connection.commit()

        expected = {"commit": ["ada", "grace", "ada"], "rollback": ["ada"], "savepoint": ["ada", "grace"]}
        assert expected[end] == [event.user_id for event in await told(sessions)]

    async def test_a_late_commit(self, sessions: Sessions, database: AsyncEngine) -> None:
        """A reader that goes on is given nothing of the last minute, so that what commits late is not behind it."""
        async with database.connect() as connection:
            await sessions.within(connection).create("ada")
            await sessions.create("grace")
            assert ["grace"] == [event.user_id for event in await told(sessions)]
            assert ((), None) == ((page := await sessions.events()).events, page.after)
            await connection.commit()

        assert ["ada", "grace"] == [event.user_id for event in await told(sessions)]
